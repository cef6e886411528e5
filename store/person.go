package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// Person is a recipient, named by one address in the form that the API stores.
type Person struct {
	Channel string // ChannelEmail or ChannelSMS
	Address string // a mail address, or a number in E.164
}

// Has reports whether an address is the person's.
func (p Person) Has(address string) bool { return SameAddress(p.Address, address) }

// is reports whether an optional address is the person's.
func (p Person) is(address *string) bool { return address != nil && p.Has(*address) }

// SameAddress reports whether two mail addresses or numbers differ in capital and small letters at
// most.
func SameAddress(a, b string) bool { return lower(a) == lower(b) }

// lower changes an address as PostgreSQL's lower does, because searches and indexes compare addresses
// by it. strings.EqualFold has another rule: for it ſam@example.com is sam@example.com.
func lower(address string) string { return strings.ToLower(address) }

// PersonalData is what the database has about a person.
type PersonalData struct {
	Cards    []GiftCard
	Messages []Message
	Receipts []Receipt
	Waiting  []WaitingRecipient
	Answers  []StoredAnswer
	Refusals []Refusal
}

// Refusal says that the person wants no receipts of a program. The database has it with a hash of the
// address, and an erasure leaves it.
type Refusal struct{ db.FindRefusalsRow }

// WaitingRecipient is a recipient of a card that an unfinished task will issue.
type WaitingRecipient struct {
	ProgramID id.ID
	TaskID    uuid.UUID
	Position  int // in the request, from 0
	Recipient Recipient
}

// StoredAnswer is an answer that is kept under an idempotency key.
type StoredAnswer struct{ db.FindAnswersWithRow }

// PersonalData returns what the database has about the person: the person's cards, the messages
// and receipts to the address, what tasks and stored answers have about the person, and whose
// receipts the person has refused.
func (tx *Tx) PersonalData(ctx context.Context, p Person) (found PersonalData, err error) {
	if found.Cards, err = tx.cardsOf(ctx, p); err != nil {
		return found, err
	}
	if found.Messages, err = tx.q.FindMessagesTo(ctx, p.Address); err != nil {
		return found, fmt.Errorf("find messages to person: %w", err)
	}
	if found.Receipts, err = tx.q.FindReceiptsTo(ctx, p.Address); err != nil {
		return found, fmt.Errorf("find receipts to person: %w", err)
	}
	// A refusal has no address, only its hash.
	hash := AddressHash(p.Address)
	refusals, err := tx.q.FindRefusals(ctx, hash[:])
	if err != nil {
		return found, fmt.Errorf("find refusals of person: %w", err)
	}
	found.Refusals = each(refusals, func(r db.FindRefusalsRow) Refusal { return Refusal{r} })
	err = tx.eachWaitingChunk(ctx, func(c db.ListWaitingRecipientsRow, recipients []Recipient) error {
		for i, recipient := range recipients {
			if p.is(recipient.Email) || p.is(recipient.Phone) {
				found.Waiting = append(found.Waiting, WaitingRecipient{ProgramID: c.ProgramID, TaskID: c.TaskID, Position: int(c.First) + i, Recipient: recipient})
			}
		}
		return nil
	})
	if err != nil {
		return found, err
	}
	about := answersAbout{person: p}
	// An answer about a card may name only the card's other address, such as the phone number.
	for i := range found.Cards {
		about.add(&found.Cards[i])
	}
	found.Answers, err = tx.answers(ctx, about)
	return found, err
}

// cardsOf finds the person's cards in all programs, in no order.
func (tx *Tx) cardsOf(ctx context.Context, p Person) ([]GiftCard, error) {
	if p.Channel == ChannelSMS {
		cards, err := tx.q.FindCardsByPhone(ctx, p.Address)
		return cards, wrap(err, "find cards by phone")
	}
	cards, err := tx.q.FindCardsByEmail(ctx, p.Address)
	return cards, wrap(err, "find cards by email")
}

// eachWaitingChunk calls do with every chunk of recipients of unfinished tasks. A chunk whose
// task ends meanwhile is left out.
func (tx *Tx) eachWaitingChunk(ctx context.Context, do func(db.ListWaitingRecipientsRow, []Recipient) error) error {
	chunks, err := tx.q.ListWaitingRecipients(ctx)
	if err != nil {
		return fmt.Errorf("list waiting recipients: %w", err)
	}
	for _, c := range chunks {
		// One at a time, because a chunk has 10,000 recipients.
		encoded, err := tx.q.FindRecipients(ctx, c.ProgramID, c.TaskID, c.First)
		if isNone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("find waiting recipients: %w", err)
		}
		recipients, err := decodeChunk(encoded)
		if err != nil {
			return err
		}
		if err := do(c, recipients); err != nil {
			return err
		}
	}
	return nil
}
