package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

// create issues cards at once, as a user's request does.
func (s *shop) create(access store.Access, count int) (cards []id.ID) {
	s.t.Helper()
	value, err := money.Parse("5")
	must(s.t, err)
	s.write(func(tx *store.Tx) error {
		issued, err := tx.IssueCards(s.t.Context(), store.Terms{ProgramID: s.program.ID, InitialValue: value}, make([]store.Recipient, count))
		if err != nil {
			return err
		}
		for _, card := range issued {
			cards = append(cards, card.ID)
		}
		return tx.Audit(s.t.Context(), store.AuditEntry{
			Operation: "bulkIssueGiftCards", UserID: access.User.ID, ProgramID: s.program.ID, Subject: cards[0][:], Cards: int32(count), Client: "127.0.0.1",
		})
	})
	return cards
}

// activate makes cards active, by a request of the user.
func (s *shop) activate(access store.Access, cards ...id.ID) {
	s.t.Helper()
	s.write(func(tx *store.Tx) error {
		locked, err := tx.LockCards(s.t.Context(), s.program.ID, cards...)
		if err != nil {
			return err
		}
		for _, card := range locked {
			if err := card.Activate(nil, nil); err != nil {
				return err
			}
		}
		if err := tx.SaveCards(s.t.Context(), locked...); err != nil {
			return err
		}
		return tx.Audit(s.t.Context(), store.AuditEntry{
			Operation: "activateGiftCard", UserID: access.User.ID, ProgramID: s.program.ID, Subject: cards[0][:], Client: "127.0.0.1",
		})
	})
}

// TestOperatorsStopTheCardsOfAThief and no others. Cards that a thief has only activated or downloaded
// were issued by a colleague, and stay.
func TestOperatorsStopTheCardsOfAThief(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	colleague := storetest.Access(t, s.store, s.program.ID)
	task, other := s.task(s.access, 1200), s.task(colleague, 60)
	s.issue(task)
	s.issue(other)
	waiting := s.task(s.access, 7) // issues no card before the end of the test
	alone, several, foreign := s.create(s.access, 1), s.create(s.access, 3), s.create(colleague, 2)
	s.activate(s.access, append(foreign, several...)...)
	s.write(func(tx *store.Tx) error {
		return tx.Audit(t.Context(), store.AuditEntry{Operation: "downloadGiftCards", UserID: s.access.User.ID, ProgramID: s.program.ID, Subject: foreign[0][:], Cards: 2, Client: "127.0.0.1"})
	})
	user, ofTask := "--user="+s.access.User.Email, "--task="+task.ID.String()
	const voided = "Gift card has been voided"
	s.spend(several[0])
	// The cases build on each other.
	for _, c := range []struct {
		args []string
		want printedChange
	}{
		{[]string{"suspend", ofTask}, printedChange{1200, 1200, map[string]int{}, 0}},
		{[]string{"suspend", "--task=" + waiting.ID.String()}, printedChange{0, 0, map[string]int{}, 1}},
		{[]string{"suspend", user}, printedChange{1204, 1204, map[string]int{}, 1}},
		{[]string{"void", ofTask, "--since=2020-01-31T09:00:00Z"}, printedChange{1200, 1200, map[string]int{}, 0}},
		{[]string{"void", user}, printedChange{1204, 4, map[string]int{voided: 1200}, 1}},
		{[]string{"suspend", user}, printedChange{1204, 0, map[string]int{voided: 1204}, 1}},
	} {
		var printed printedChange
		if s.do(&printed, append([]string{"cards"}, c.args...)...); !reflect.DeepEqual(printed, c.want) {
			t.Errorf("%v: %+v, want %+v", c.args, printed, c.want)
		}
	}
	for from, want := range map[string]int{
		"gift_cards where status = 'voided' and balance = 0":         1204,
		"gift_cards where status in ('pending', 'active')":           62,
		"messages where status = 'scheduled'":                        60,
		"ledger_entries where description = '" + stoppedReason + "'": 1204,
		fmt.Sprintf("audit_log where operation like 'cards %%' and encode(subject, 'hex') = '%s' and merchant_id is not null and client like '%%@%%'", s.access.User.ID): 9,
		fmt.Sprintf("audit_log where operation = 'cards suspend' and subject = uuid_send('%s') and cards in (500, 200)", task.ID):                                        3,
		"gift_cards where id = '\\x" + alone[0].String() + "' and status = 'voided'":                                                                                     1,
	} {
		if n := s.count(from); n != want {
			t.Errorf("%d %s, want %d", n, from, want)
		}
	}
	var ledger printedLedger
	if s.do(&ledger, "ledger", "verify"); ledger.Balance.String() != "10.00" {
		t.Errorf("%+v", ledger)
	}
	for _, args := range [][]string{
		{"suspend"}, {"void", user, ofTask}, {"void", "--task=" + uuid.Nil.String()}, {"void", "--task=" + uuid.New().String()},
		{"void", "--user=nobody@example.com"}, {"void", user, "--since=24h"},
		{"void", user, "--since=2026-01-31T09:00:00"}, {"void", user, "--since=" + time.Now().Add(time.Hour).Format(time.RFC3339)},
	} {
		if code, stdout, stderr := command(t, "", slices.Concat([]string{"cards"}, args, s.settings)...); code == 0 || stderr == "" {
			t.Errorf("cards %v: %d %s%s", args, code, stdout, stderr)
		}
	}
}

// spend takes all of a card's balance.
func (s *shop) spend(card id.ID) {
	s.t.Helper()
	s.write(func(tx *store.Tx) error {
		locked, err := tx.LockCard(s.t.Context(), s.program.ID, card)
		if err != nil {
			return err
		}
		if _, err := locked.Redeem(locked.Balance, store.Details{}); err != nil {
			return err
		}
		return tx.SaveCards(s.t.Context(), locked)
	})
}

// TestLedgerVerifyFailsWithTheCardWhoseEntriesDoNotAddUp. Only the owner of the tables can make this
// fault, by switching off the triggers that refuse it.
func TestLedgerVerifyFailsWithTheCardWhoseEntriesDoNotAddUp(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	cards := s.create(s.access, 3)
	s.activate(s.access, cards...)
	s.spend(cards[0])
	var figures printedLedger
	if s.do(&figures, "ledger", "verify"); figures.Cards != 3 || figures.Entries != 4 || figures.Balance.String() != "10.00" || figures.ByType[store.EntryRedemption].String() != "-5.00" {
		t.Errorf("%+v", figures)
	}
	for _, sql := range []string{"alter table gift_cards disable trigger user", fmt.Sprintf(`update gift_cards set balance = balance + 1 where id = '\x%s'`, cards[1])} {
		_, err := s.database.Exec(t.Context(), sql)
		must(t, err)
	}
	code, stdout, stderr := command(t, "", append([]string{"ledger", "verify"}, s.settings...)...)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "card "+cards[1].String()+" of program "+s.program.ID.String()+": its balance is 6.00") {
		t.Errorf("%d %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = command(t, "", append([]string{"ledger", "verify", "--program=" + s.program.MerchantID.String()}, s.settings...)...)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "Program not found: "+s.program.MerchantID.String()) {
		t.Errorf("no program: %d %s%s", code, stdout, stderr)
	}
}
