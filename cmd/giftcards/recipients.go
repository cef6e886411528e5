package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"

	"giftcards/jobs/transport"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

type recipientsCommand struct {
	Export exportRecipient `cmd:"" help:"Print as JSON what the server has about a recipient: cards, messages, receipts, waiting tasks, stored answers, refusals of receipts, and the names of files in the outbox."`
	Erase  eraseRecipient  `cmd:"" help:"Erase a recipient's names, addresses and messages for good. The cards and the ledger stay, and can be used."`
}

// address names a recipient.
type address struct {
	Address string `arg:"" placeholder:"EMAIL|PHONE" help:"The recipient's mail address or telephone number (+44…), as somebody may write it."`
}

// person returns the recipient in the form that the API stores.
func (a address) person() (store.Person, error) {
	channel, normalized, err := recipient(a.Address)
	return store.Person{Channel: channel, Address: normalized}, err
}

// outboxFiles returns the files in the outbox to the person, and those to the other addresses
// of the person's cards that are about these cards.
func (s *session) outboxFiles(p store.Person, cards []store.ErasedCard) ([]string, error) {
	addresses := map[string][]string{}
	for _, card := range cards {
		for _, address := range []*string{card.Email, card.Phone} {
			if address != nil {
				addresses[card.ID.String()] = append(addresses[card.ID.String()], *address)
			}
		}
	}
	return transport.OutboxFiles(s.outbox(), func(id, to string) bool {
		is := func(address string) bool { return store.SameAddress(transport.InHeaders(address), to) }
		return is(p.Address) || slices.ContainsFunc(addresses[id], is)
	})
}

type exportRecipient struct{ address }

type printedPerson struct {
	Address  string             `json:"address"`
	Cards    []printedOwnCard   `json:"cards"`
	Messages []printedMessage   `json:"messages"`
	Receipts []printedReceipt   `json:"receipts"`
	Waiting  []printedWaiting   `json:"waiting"`
	Answers  []printedKeyAnswer `json:"answers"`
	// Refusals are the programs whose receipts the person does not want.
	Refusals []printedRefusal `json:"refusals"`
	// Files are messages in the outbox of this machine.
	Files []string `json:"files"`
}

type printedOwnCard struct {
	CardID         id.ID        `json:"cardId"`
	ProgramID      id.ID        `json:"programId"`
	CardNumber     string       `json:"cardNumber"`
	Status         string       `json:"status"`
	Balance        money.Amount `json:"balance"`
	InitialValue   money.Amount `json:"initialValue"`
	IsPhysical     bool         `json:"isPhysical"`
	DesignTemplate *string      `json:"designTemplate"`
	CustomerEmail  *string      `json:"customerEmail"`
	CustomerPhone  *string      `json:"customerPhone"`
	CustomerName   *string      `json:"customerName"`
	SenderName     *string      `json:"senderName"`
	CustomMessage  *string      `json:"customMessage"`
	DeliverAt      *time.Time   `json:"deliverAt"`
	Delivered      bool         `json:"delivered"`
	CreatedAt      time.Time    `json:"createdAt"`
	ActivatedAt    *time.Time   `json:"activatedAt"`
	ExpiresAt      time.Time    `json:"expiresAt"`
}

func toPrintedOwnCard(c store.GiftCard, at time.Time) printedOwnCard {
	return printedOwnCard{
		CardID: c.ID, ProgramID: c.ProgramID, CardNumber: store.FormatNumber(c.CardNumber), Status: store.StateOf(&c, at),
		Balance: c.Balance, InitialValue: c.InitialValue, IsPhysical: c.IsPhysical, DesignTemplate: c.DesignTemplate,
		CustomerEmail: c.CustomerEmail, CustomerPhone: c.CustomerPhone, CustomerName: c.CustomerName, SenderName: c.SenderName,
		CustomMessage: c.CustomMessage, DeliverAt: c.DeliverAt, Delivered: c.Delivered,
		CreatedAt: c.CreatedAt.UTC(), ActivatedAt: c.ActivatedAt, ExpiresAt: c.ExpiresAt.UTC(),
	}
}

// printedWaiting is a recipient of a card that a task will issue.
type printedWaiting struct {
	TaskID    uuid.UUID       `json:"taskId"`
	ProgramID id.ID           `json:"programId"`
	Position  int             `json:"position"` // in the request, from 0
	Recipient store.Recipient `json:"recipient"`
}

// printedReceipt is a message about what has become of a card.
type printedReceipt struct {
	CardID    id.ID        `json:"cardId"`
	ProgramID id.ID        `json:"programId"`
	Kind      string       `json:"kind"`
	Channel   string       `json:"channel"`
	Address   string       `json:"address"`
	Amount    money.Amount `json:"amount"`
	Balance   money.Amount `json:"balance"`
	Status    string       `json:"status"`
	CreatedAt time.Time    `json:"createdAt"`
}

// printedKeyAnswer is an answer that a retry of a request gets.
type printedKeyAnswer struct {
	ProgramID id.ID           `json:"programId"`
	Operation string          `json:"operation"`
	Key       string          `json:"key"`
	CreatedAt time.Time       `json:"createdAt"`
	Answer    json.RawMessage `json:"answer"`
}

// printedRefusal is kept with a hash of the address only.
type printedRefusal struct {
	ProgramID id.ID     `json:"programId"`
	CreatedAt time.Time `json:"createdAt"`
}

func (c exportRecipient) Run(s *session) error {
	person, err := c.person()
	if err != nil {
		return err
	}
	return printWritten(s, func(tx *store.Tx) (printedPerson, error) {
		found, err := tx.PersonalData(s, person)
		if err != nil {
			return printedPerson{}, err
		}
		printed := printedPerson{Address: person.Address}
		printed.Cards, _ = each(found.Cards, nil, func(c store.GiftCard) printedOwnCard { return toPrintedOwnCard(c, tx.Now()) })
		printed.Messages, _ = each(found.Messages, nil, toPrintedMessage)
		printed.Receipts, _ = each(found.Receipts, nil, func(r store.Receipt) printedReceipt {
			return printedReceipt{
				CardID: r.CardID, ProgramID: r.ProgramID, Kind: r.Kind, Channel: r.Channel, Address: r.Address,
				Amount: r.Amount, Balance: r.Balance, Status: r.Status, CreatedAt: r.CreatedAt.UTC(),
			}
		})
		printed.Waiting, _ = each(found.Waiting, nil, func(w store.WaitingRecipient) printedWaiting {
			return printedWaiting{TaskID: w.TaskID, ProgramID: w.ProgramID, Position: w.Position, Recipient: w.Recipient}
		})
		printed.Answers, _ = each(found.Answers, nil, func(a store.StoredAnswer) printedKeyAnswer {
			return printedKeyAnswer{ProgramID: a.ProgramID, Operation: a.Operation, Key: a.Key, CreatedAt: a.CreatedAt.UTC(), Answer: a.Answer}
		})
		printed.Refusals, _ = each(found.Refusals, nil, func(r store.Refusal) printedRefusal {
			return printedRefusal{ProgramID: r.ProgramID, CreatedAt: r.CreatedAt.UTC()}
		})
		cards, _ := each(found.Cards, nil, func(c store.GiftCard) store.ErasedCard {
			return store.ErasedCard{ProgramID: c.ProgramID, ID: c.ID, Email: c.CustomerEmail, Phone: c.CustomerPhone}
		})
		files, err := s.outboxFiles(person, cards)
		if err != nil {
			return printedPerson{}, err
		}
		printed.Files = append([]string{}, files...) // not null
		return printed, s.audit(tx, store.AuditEntry{Operation: "recipients export", Cards: int32(len(found.Cards))})
	})
}

type eraseRecipient struct{ address }

type printedErasure struct {
	Cards    int `json:"cards"`
	Messages int `json:"messages"`
	// Waiting is the number of cards that tasks will issue without this recipient.
	Waiting int `json:"waiting"`
	Answers int `json:"answers"`
	Files   int `json:"files"`
	// BeingSent are the cards whose message was being sent at that moment. It may arrive.
	BeingSent []id.ID `json:"beingSent"`
}

// eraseWait is the time that the worker of a running task gets to finish, if the task may have
// the person. A task of 100,000 cards takes a few seconds.
const eraseWait = 5 * time.Minute

// Run is two transactions with a wait between them, because a running task may have read the
// person's data already, and its cards are not visible before its end.
func (c eraseRecipient) Run(s *session) error {
	person, err := c.person()
	if err != nil {
		return err
	}
	return printResult(s, func(st *store.Store) (printedErasure, error) { return erase(s, st, person, eraseWait) })
}

func erase(s *session, st *store.Store, person store.Person, wait time.Duration) (printedErasure, error) {
	var running []store.TaskRef
	printed, err := store.Write(s, st, func(tx *store.Tx) (p printedErasure, err error) {
		if p.Waiting, running, err = tx.EraseWaiting(s, person); err != nil {
			return p, err
		}
		return p, s.audit(tx, store.AuditEntry{Operation: "recipients erase"})
	})
	if err != nil {
		return printed, err
	}
	for _, task := range running {
		err := store.Do(s, st, func(tx *store.Tx) error { return tx.AwaitTask(s, task, wait) })
		if errors.Is(err, store.ErrTaskBusy) {
			return printed, fmt.Errorf("task %s was still running after %s, and may issue a card to this recipient: repeat the command when it has ended", task.Task, wait)
		}
		if err != nil {
			return printed, err
		}
	}
	return store.Write(s, st, func(tx *store.Tx) (printedErasure, error) {
		erased, err := tx.ErasePerson(s, person)
		if err != nil {
			return printed, err
		}
		printed.Cards, printed.Messages, printed.Answers = len(erased.Cards), erased.Messages, erased.Answers
		printed.BeingSent = append([]id.ID{}, erased.BeingSent...) // not null
		// Before the commit, because a second run would not know any more which cards were the
		// person's.
		files, err := s.outboxFiles(person, erased.Cards)
		if err != nil {
			return printed, err
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return printed, err
			}
		}
		printed.Files = len(files)
		return printed, s.auditErased(tx, erased.Cards)
	})
}

// auditErased writes an entry for each program that has erased cards, so that a list by
// merchant shows it.
func (s *session) auditErased(tx *store.Tx, cards []store.ErasedCard) error {
	for len(cards) > 0 {
		program := cards[0].ProgramID
		// The cards are in the order of programs.
		end := slices.IndexFunc(cards, func(c store.ErasedCard) bool { return c.ProgramID != program })
		if end < 0 {
			end = len(cards)
		}
		if err := s.audit(tx, store.AuditEntry{Operation: "recipients erase", ProgramID: program, Cards: int32(end)}); err != nil {
			return err
		}
		cards = cards[end:]
	}
	return nil
}
