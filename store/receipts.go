package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/money"
)

// Receipt is a row of receipts: a message to a card's recipient about what has become of the card.
// It has no security code.
type Receipt = db.Receipt

// DueReceipt is a claimed receipt with everything that its text needs.
type DueReceipt struct {
	Receipt
	Card         GiftCard
	Program      Program
	MerchantName string
}

// receiptOf says which receipt tells of an entry of the ledger.
var receiptOf = map[string]string{EntryActivation: ReceiptActivated, EntryRedemption: ReceiptRedeemed, EntryReload: ReceiptReloaded}

// receiptPrograms are the programs that ask for receipts, as they were when they were last read.
// A change of a card of another program costs one look into the map.
type receiptPrograms struct {
	asked atomic.Pointer[map[id.ID]bool]
}

func (r *receiptPrograms) has(program id.ID) bool {
	asked := r.asked.Load()
	return asked != nil && (*asked)[program]
}

// ReadReceiptPrograms reads which programs ask for receipts. Movements queue receipts of no other
// program, so call it again within a minute.
func (s *Store) ReadReceiptPrograms(ctx context.Context) error {
	programs, err := s.q.ListReceiptPrograms(ctx)
	if err != nil {
		return classify(wrap(err, "list programs with receipts"))
	}
	asked := make(map[id.ID]bool, len(programs))
	for _, program := range programs {
		asked[program] = true
	}
	s.receipts.asked.Store(&asked)
	return nil
}

// newReceipt is a receipt to queue.
type newReceipt struct {
	program, card                    id.ID
	kind, occasion, channel, address string
	amount, balance                  money.Amount
	createdAt                        time.Time
}

var newReceiptColumns = []column[newReceipt]{
	columnOf("program_id", "bytea", func(r newReceipt) id.ID { return r.program }),
	columnOf("card_id", "bytea", func(r newReceipt) id.ID { return r.card }),
	columnOf("kind", "text", func(r newReceipt) string { return r.kind }),
	columnOf("occasion", "text", func(r newReceipt) string { return r.occasion }),
	columnOf("channel", "text", func(r newReceipt) string { return r.channel }),
	columnOf("address", "text", func(r newReceipt) string { return r.address }),
	columnOf("amount", "numeric", func(r newReceipt) money.Amount { return r.amount }),
	columnOf("balance", "numeric", func(r newReceipt) money.Amount { return r.balance }),
	columnOf("next_attempt_at", "timestamptz", func(r newReceipt) time.Time { return r.createdAt }),
	columnOf("give_up_at", "timestamptz", func(r newReceipt) time.Time { return r.createdAt.Add(giveUpAfter) }),
	columnOf("created_at", "timestamptz", func(r newReceipt) time.Time { return r.createdAt }),
}

// insertReceiptsSQL queues the receipts that their program asks for at this moment.
var insertReceiptsSQL = func() string {
	list := names(newReceiptColumns)
	return fmt.Sprintf("insert into receipts (%s) select new.%s from unnest(%s) as new (%s) join programs p on p.id = new.program_id and new.kind = any (p.receipts)",
		strings.Join(list, ", "), strings.Join(list, ", new."), parameters(newReceiptColumns, 1, "[]"), strings.Join(list, ", "))
}()

// queue adds to a batch what queues the receipts of the cards' new entries, at the clock's time.
// For programs without receipts it adds nothing.
func (r *receiptPrograms) queue(batch *pgx.Batch, clock time.Time, cards []*Card) {
	var receipts []newReceipt
	for _, card := range cards {
		// The map may be old. The statement asks the programs again, so it queues no unwanted receipt.
		if len(card.entries) == 0 || !r.has(card.ProgramID) {
			continue
		}
		for _, entry := range card.entries {
			kind, told := receiptOf[entry.Type]
			if !told {
				continue
			}
			for channel, address := range addresses(&card.GiftCard) {
				receipts = append(receipts, newReceipt{
					program: card.ProgramID, card: card.ID, kind: kind, occasion: entry.ID.String(), channel: channel, address: address,
					amount: entry.Amount, balance: entry.BalanceAfter, createdAt: clock,
				})
			}
		}
	}
	if len(receipts) > 0 {
		batch.Queue(insertReceiptsSQL, arrays(newReceiptColumns, receipts)...)
	}
}

// ReceiptDue reports whether a receipt of the channel is due.
func (tx *Tx) ReceiptDue(ctx context.Context, channel string) (bool, error) {
	due, err := tx.q.CountDueReceipts(ctx, channel, tx.now)
	return due > 0, wrap(err, "look for due receipts")
}

// ClaimReceipt returns the receipt of the channel that has been due longest, nil if there is none.
// Other workers leave it alone for MessageLease. Send it after the commit, and record the outcome
// before the lease ends: without a record, as after a crash, it counts as sent perhaps, and is not
// sent again.
//
// ClaimReceipt ends receipts that must not be sent.
func (tx *Tx) ClaimReceipt(ctx context.Context, channel string) (*DueReceipt, error) {
	for range maxEnded {
		row, err := tx.q.ClaimReceipt(ctx, channel, tx.now, tx.now.Add(MessageLease))
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("claim receipt: %w", err)
		}
		// The row is as it was before this claim, so it shows an attempt that has no known end.
		before := Receipt(row)
		due := &DueReceipt{Receipt: before}
		due.Attempts++
		hash := AddressHash(due.Address)
		found, err := tx.q.FindReceiptCard(ctx, hash[:], due.ProgramID, due.CardID)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return nil, fmt.Errorf("find card of receipt: %w", err)
		}
		due.Card, due.Program, due.MerchantName = found.GiftCard, found.Program, found.MerchantName
		status, reason := MessageScheduled, ""
		unknown := before.Unconfirmed
		state := StateOf(&due.Card, tx.now)
		switch {
		case err != nil:
			status, reason = MessageFailed, "there is no such card"
		case unknown:
			status, reason = MessageFailed, "handed over, and the server did not say whether it took it"
		case found.Refused:
			status, reason = MessageDropped, "the recipient wants no receipts"
		// A receipt names the holder of now and what is on the card.
		case maps.Collect(addresses(&due.Card))[due.Channel] != due.Address:
			status, reason = MessageDropped, "the card has another recipient"
		case !slices.Contains(due.Program.Receipts, due.Kind):
			status, reason = MessageDropped, "the program asks for no such receipts any more"
		case !tx.now.Before(due.GiveUpAt):
			status, reason = MessageFailed, "not sent for a day"
		case due.Kind == ReceiptExpiring && state != CardActive:
			status, reason = MessageDropped, "the card is not active any more"
		}
		if status == MessageScheduled {
			return due, nil
		}
		if err := tx.setReceipt(ctx, due, status, reason, unknown, tx.now); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// EndReceipt records that a claimed receipt has ended in a state, and why.
func (tx *Tx) EndReceipt(ctx context.Context, due *DueReceipt, status, reason string) error {
	return tx.setReceipt(ctx, due, status, reason, false, tx.now)
}

// LoseReceipt records that nobody knows whether a claimed receipt was taken. It has failed, and is
// never sent again.
func (tx *Tx) LoseReceipt(ctx context.Context, due *DueReceipt, reason string) error {
	return tx.setReceipt(ctx, due, MessageFailed, reason, true, tx.now)
}

// DeferReceipt records that a claimed receipt was not sent. It is tried again after a pause.
func (tx *Tx) DeferReceipt(ctx context.Context, due *DueReceipt, reason string) error {
	pause := min(firstPause<<min(due.Attempts-1, 10), longestPause)
	return tx.setReceipt(ctx, due, MessageScheduled, reason, false, tx.now.Add(pause))
}

func (tx *Tx) setReceipt(ctx context.Context, due *DueReceipt, status, reason string, unconfirmed bool, next time.Time) error {
	var cause *string
	if reason != "" {
		cause = &reason
	}
	changed, err := tx.q.EndReceipt(ctx, db.EndReceiptParams{
		ProgramID: due.ProgramID, CardID: due.CardID, Kind: due.Kind, Occasion: due.Occasion, Channel: due.Channel, Attempts: due.Attempts,
		Status: status, Unconfirmed: unconfirmed, NextAttemptAt: next, LastError: cause,
	})
	if changed > 0 { // no row: an operator has dropped it meanwhile, or another worker has claimed it
		tx.tally.receipt(due.Kind, status)
	}
	return wrap(err, "record receipt")
}

// ListReceipts returns at most limit receipts in a state, of the named kinds or of all, the latest
// first.
func (tx *Tx) ListReceipts(ctx context.Context, status string, limit int, kinds ...string) ([]Receipt, error) {
	rows, err := tx.q.ListReceipts(ctx, status, chosen(Receipts, kinds), int32(limit))
	return rows, wrap(err, "list receipts")
}

// AddressHash identifies a mail address or number without its text.
func AddressHash(address string) [32]byte { return sha256.Sum256([]byte(lower(address))) }

// RefuseReceipts records that an address wants no receipts of a program.
func (tx *Tx) RefuseReceipts(ctx context.Context, program id.ID, address [32]byte) error {
	return wrap(tx.q.RefuseReceipts(ctx, program, address[:], tx.now), "refuse receipts")
}

// Reminders are how many days before the expiry of a card its recipient is reminded.
var Reminders = []int{30, 7}

// reminderWindow is how long after its time a reminder is still queued: longer than a server is
// down, and so short that the days are still about right.
const reminderWindow = 48 * time.Hour

// ReminderPlace is where a walk over the cards that expire soon goes on.
type ReminderPlace struct {
	expiresAt time.Time
	card      id.ID
}

// RemindingPrograms returns the programs that ask for reminders.
func (tx *Tx) RemindingPrograms(ctx context.Context) ([]id.ID, error) {
	programs, err := tx.q.ListRemindingPrograms(ctx)
	return programs, wrap(err, "list programs with reminders")
}

// QueueReminders queues reminders of at most batch of the program's cards that expire in so many
// days, after a place; the zero place is the first. It returns the next place, and false after the
// last card. A reminder is queued once for each card and expiry, however often it is called.
func (tx *Tx) QueueReminders(ctx context.Context, program id.ID, days int, after ReminderPlace, batch int) (next ReminderPlace, more bool, err error) {
	end := tx.now.AddDate(0, 0, days)
	if after.expiresAt.IsZero() {
		after.expiresAt = end.Add(-reminderWindow)
	}
	rows, err := tx.q.QueueReminders(ctx, db.QueueRemindersParams{
		ProgramID: program, After: after.expiresAt, AfterID: after.card[:], Before: end, Batch: int32(batch),
		Days: fmt.Sprint(days), Now: tx.now, GiveUpAt: tx.now.Add(giveUpAfter),
	})
	if err != nil || len(rows) == 0 {
		return ReminderPlace{}, false, wrap(err, "queue reminders")
	}
	last := rows[len(rows)-1]
	return ReminderPlace{expiresAt: last.ExpiresAt, card: last.ID}, len(rows) == batch, nil
}
