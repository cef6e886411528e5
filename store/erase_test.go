package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
	"giftcards/store/text"
)

// ada returns a recipient with every field set.
func ada(email string) store.Recipient {
	phone, name, sender, words := "+442079460018", text.Clean("Ada Nocturne"), text.Clean("Uncle Nocturne"), text.Clean("Dear Nocturne")
	return store.Recipient{Email: &email, Phone: &phone, Name: &name, Sender: &sender, Message: &words}
}

// erase does both transactions of an erasure.
func (f fixture) erase(t *testing.T, p store.Person) (waiting int, erased store.Erased) {
	t.Helper()
	var unfinished []store.TaskRef
	commit(t, f.Store, func(tx *store.Tx) (err error) {
		waiting, unfinished, err = tx.EraseWaiting(t.Context(), p)
		return err
	})
	for _, task := range unfinished {
		commit(t, f.Store, func(tx *store.Tx) error { return tx.AwaitTask(t.Context(), task, time.Minute) })
	}
	commit(t, f.Store, func(tx *store.Tx) (err error) {
		erased, err = tx.ErasePerson(t.Context(), p)
		return err
	})
	return waiting, erased
}

// traces returns the tables that contain one of the texts in any row, in any encoding that the
// server uses.
func (f fixture) traces(t *testing.T, texts ...string) (tables []string) {
	t.Helper()
	rows, err := f.Pool().Query(t.Context(), `select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r' order by 1`)
	must(t, err)
	var names []string
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		names = append(names, name)
	}
	must(t, rows.Err())
	for _, name := range names {
		row := "r::text"
		switch name {
		case "idempotency_keys":
			row = "convert_from(answer, 'UTF8')"
		case "task_recipients":
			continue // decoded below
		}
		for _, text := range texts {
			if f.count(t, fmt.Sprintf("%s r where strpos(lower(%s), lower('%s')) > 0", name, row, text)) > 0 {
				tables = append(tables, name)
			}
		}
	}
	chunks, err := f.Pool().Query(t.Context(), "select recipients from task_recipients")
	must(t, err)
	for chunks.Next() {
		var encoded []byte
		must(t, chunks.Scan(&encoded))
		decoded, err := s2.Decode(nil, encoded)
		must(t, err)
		for _, text := range texts {
			if strings.Contains(strings.ToLower(string(decoded)), strings.ToLower(text)) {
				tables = append(tables, "task_recipients")
			}
		}
	}
	must(t, chunks.Err())
	return slices.Compact(tables)
}

// keyed issues a card under a key, with an answer as the API gives it.
func (f fixture) keyed(t *testing.T, key string, recipient store.Recipient) id.ID {
	t.Helper()
	var card id.ID
	_, err := f.CreateCard(t.Context(), f.access, f.terms(t), recipient, f.key(key, ""), store.AuditEntry{Operation: "createGiftCard", Client: "test"}, func(c *store.GiftCard) (store.Answer, error) {
		card = c.ID
		body, err := json.Marshal(map[string]any{
			"id": c.ID.String(), "balance": json.Number("0.00"), "customerEmail": c.CustomerEmail, "customerPhone": c.CustomerPhone,
			"customerName": c.CustomerName, "senderName": c.SenderName, "customMessage": c.CustomMessage,
		})
		return store.Answer{Status: 201, Body: body}, err
	})
	must(t, err)
	return card
}

// TestAnErasedPersonIsNowhereInTheDatabase, in whatever way their cards were issued. Other
// people's data, the ledger and the balances stay. A second erasure finds nothing.
func TestAnErasedPersonIsNowhereInTheDatabase(t *testing.T) {
	t.Parallel()
	const email = "Ada.Lovelace&Co_100%@example.com"
	for name, p := range map[string]store.Person{
		"by mail address": {Channel: store.ChannelEmail, Address: "ada.lovelace&co_100%@example.com"},
		"by number":       {Channel: store.ChannelSMS, Address: "+442079460018"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			other := "not.ada.lovelace&co_100%@example.com" // the address is a part of it
			mine, keyed := f.keyed(t, "mine", ada(email)), f.keyed(t, "other", store.Recipient{Email: &other})
			f.activate(t, mine)
			f.exec(t, "update gift_cards set searchable = true where id = $1", mine) // both indexes are asked
			commit(t, f.Store, func(tx *store.Tx) error {
				if _, err := tx.IssueCards(t.Context(), f.terms(t), []store.Recipient{ada(email), {}, {Email: &other}}); err != nil {
					return err
				}
				done, err := tx.AddTask(t.Context(), f.access, f.terms(t), 2, []store.Recipient{ada(email), {Email: &other}})
				if err != nil {
					return err
				}
				if err := tx.IssueTask(t.Context(), f.program, done.ID, func(int) {}); err != nil {
					return err
				}
				_, err = tx.AddTask(t.Context(), f.access, f.terms(t), 3, []store.Recipient{{Email: &other}, ada(email), ada(email)})
				return err
			})
			// A card that was the person's: its message is still the person's.
			f.changed(t, keyed, func(*store.Tx, *store.Card) error { return nil })
			passedOn := f.keyed(t, "passed on", ada(email))
			f.activate(t, passedOn)
			f.changed(t, passedOn, func(tx *store.Tx, c *store.Card) error {
				return tx.TransferOwnership(t.Context(), c, "Bo", "bo@example.com", id.ID{})
			})
			f.exec(t, "update gift_cards set sender_name = null, custom_message = null where id = $1", passedOn) // words to Ada, which Bo keeps
			entries := f.count(t, "ledger_entries")

			waiting, erased := f.erase(t, p)
			if waiting != 2 || len(erased.Cards) != 3 || erased.Messages != 8 || erased.Answers != 2 {
				t.Errorf("%d recipients of tasks, %d cards, %d messages, %d answers", waiting, len(erased.Cards), erased.Messages, erased.Answers)
			}
			if tables := f.traces(t, "Nocturne", "+442079460018", `"ada.lovelace`); len(tables) > 0 {
				t.Errorf("the person is still in %v", tables)
			}
			if n := f.count(t, "gift_cards where lower(customer_email) = '"+other+"'"); n != 3 || f.count(t, "messages where address = '"+other+"'") != 3 {
				t.Error("somebody else's data is gone")
			}
			if f.count(t, "ledger_entries") != entries || f.count(t, "idempotency_keys where convert_from(answer, 'UTF8') like '%\"balance\":0.00%'") != 3 {
				t.Error("the ledger or an amount has changed")
			}
			f.changed(t, mine, func(_ *store.Tx, c *store.Card) error {
				_, err := c.Redeem(c.Balance, store.Details{})
				return err
			})
			if waiting, erased := f.erase(t, p); waiting != 0 || len(erased.Cards) != 0 || erased.Messages != 0 || erased.Answers != 0 {
				t.Errorf("a second erasure erases %d and %+v", waiting, erased)
			}
			// The promised cards come without a recipient.
			commit(t, f.Store, func(tx *store.Tx) error {
				tasks, err := tx.Tasks(t.Context(), store.TaskFilter{Status: store.TaskPending}, 10)
				must(t, err)
				return tx.IssueTask(t.Context(), f.program, tasks[0].ID, func(int) {})
			})
			if n := f.count(t, "gift_cards"); n != 11 || f.count(t, "messages where address = '"+other+"'") != 4 {
				t.Errorf("%d cards", n)
			}
		})
	}
}

// TestAPersonWhoseDataAWorkerHasReadIsErased: the erasure waits for the worker, and erases the
// cards that it wrote.
func TestAPersonWhoseDataAWorkerHasReadIsErased(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p := store.Person{Channel: store.ChannelEmail, Address: "ada@example.com"}
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), f.access, f.terms(t), 2, []store.Recipient{ada("ada@example.com"), {}})
	})
	read, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
			return tx.IssueTask(t.Context(), f.program, task.ID, func(int) { close(read); <-goOn })
		})
	}()
	<-read
	var unfinished []store.TaskRef
	commit(t, f.Store, func(tx *store.Tx) (err error) {
		_, unfinished, err = tx.EraseWaiting(t.Context(), p)
		return err
	})
	await := func(most time.Duration) error {
		return store.Do(t.Context(), f.Store, func(tx *store.Tx) error { return tx.AwaitTask(t.Context(), unfinished[0], most) })
	}
	if err := await(50 * time.Millisecond); err == nil {
		t.Error("the erasure does not wait for the worker")
	}
	// A second erasure has nothing to erase among the task's recipients, but waits for the worker
	// too.
	commit(t, f.Store, func(tx *store.Tx) (err error) {
		var erased int
		if erased, unfinished, err = tx.EraseWaiting(t.Context(), p); erased != 0 {
			t.Errorf("%d recipients were left", erased)
		}
		return err
	})
	close(goOn)
	must(t, await(time.Minute))
	must(t, <-ended)
	if n := f.count(t, "gift_cards where customer_email is not null"); n != 1 {
		t.Fatalf("%d cards of the person: the worker had not read the data, so this test proves nothing", n)
	}
	if _, erased := f.erase(t, p); len(erased.Cards) != 1 || len(f.traces(t, "ada@", "Nocturne")) > 0 {
		t.Errorf("%+v; left in %v", erased, f.traces(t, "ada@", "Nocturne"))
	}
}

// TestAnErasureReportsAMessageThatIsBeingSent, because the message may arrive. Its sender records
// nothing of the person afterwards.
func TestAnErasureReportsAMessageThatIsBeingSent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	card := f.addressed(t, nil)
	due := f.claim(t)
	_, erased := f.erase(t, store.Person{Channel: store.ChannelEmail, Address: "ADA@example.com"})
	if !slices.Equal(erased.BeingSent, []id.ID{card.ID}) || erased.Messages != 1 {
		t.Errorf("%+v", erased)
	}
	f.recordSent(t, due)
	if f.count(t, "messages") != 0 || f.count(t, "gift_cards where customer_email is null") != 1 {
		t.Error("the sender has brought the person back")
	}
}

// TestAnErasureReportsAReceiptThatIsBeingSent by its card, also if the card has another recipient
// by now. It does not report a receipt that waits.
func TestAnErasureReportsAReceiptThatIsBeingSent(t *testing.T) {
	t.Parallel()
	for what, now := range map[string]string{"a card of the person": "ada@example.com", "a card that was passed on": "bo@example.com"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			storetest.AsOwner(t, f.Store, func(tx *store.Tx) (store.Program, error) {
				return tx.SetProgram(t.Context(), f.program, func(s *store.ProgramSettings) error {
					s.Receipts = []string{store.ReceiptRedeemed}
					return nil
				})
			})
			sent, waits := f.newCard(t), f.newCard(t)
			f.exec(t, "update gift_cards set customer_email = 'ada@example.com'")
			f.exec(t, `insert into receipts (program_id, card_id, kind, occasion, channel, address, amount, balance, status, next_attempt_at, give_up_at, created_at)
				select $1, r.card, 'redeemed', 'sale', 'email', 'ada@example.com', -1, 4, 'scheduled', now() - r.age, now() + interval '1 day', now()
				from (values ($2::bytea, interval '2 hours'), ($3, interval '1 hour')) as r (card, age)`, f.program, sent, waits)
			due := write(t, f.Store, func(tx *store.Tx) (*store.DueReceipt, error) { return tx.ClaimReceipt(t.Context(), store.ChannelEmail) })
			f.exec(t, "update gift_cards set customer_email = $1", now)
			if _, erased := f.erase(t, store.Person{Channel: store.ChannelEmail, Address: "ADA@example.com"}); !slices.Equal(erased.BeingSent, []id.ID{sent}) {
				t.Errorf("being sent: %v, want %v", erased.BeingSent, sent)
			}
			commit(t, f.Store, func(tx *store.Tx) error { return tx.EndReceipt(t.Context(), due, store.MessageSent, "") })
			if n := f.count(t, "receipts"); n != 0 {
				t.Errorf("%d receipts are left", n)
			}
		})
	}
}
