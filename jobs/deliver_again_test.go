package jobs_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/text"
)

// changed locks the card, lets do change it, and saves it.
func (p *post) changed(card store.GiftCard, do func(*store.Tx, *store.Card) error) {
	p.t.Helper()
	must(p.t, p.change(card, do))
}

func (p *post) change(card store.GiftCard, do func(*store.Tx, *store.Card) error) error {
	ctx := p.t.Context()
	return store.Do(ctx, p.Store, func(tx *store.Tx) error {
		locked, err := tx.LockCard(ctx, card.ProgramID, card.ID)
		if err != nil {
			return err
		}
		if err := do(tx, locked); err != nil {
			return err
		}
		return tx.SaveCards(ctx, locked)
	})
}

func (p *post) resend(card store.GiftCard) error {
	return p.change(card, func(tx *store.Tx, c *store.Card) error {
		return tx.ResendCode(p.t.Context(), c, store.Recipient{})
	})
}

// present reads the card as it is now.
func (p *post) present(card store.GiftCard) (now store.GiftCard) {
	p.t.Helper()
	must(p.t, store.Do(p.t.Context(), p.Store, func(tx *store.Tx) error {
		locked, err := tx.LockCard(p.t.Context(), card.ProgramID, card.ID)
		if err == nil {
			now = locked.GiftCard
		}
		return err
	}))
	return now
}

// mailsOf returns the mails about a card, by their Message-IDs.
func (p *post) mailsOf(card store.GiftCard) []smtptest.Mail {
	return slices.DeleteFunc(slices.Clone(p.mails.Mails()), func(m smtptest.Mail) bool {
		return !strings.HasPrefix(m.ID, "<"+card.ID.String())
	})
}

// TestAResentCardComesOnceMoreWithItsNewCode over both channels, under another Message-ID. Then the
// card is delivered again.
func TestAResentCardComesOnceMoreWithItsNewCode(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	card := p.issue(withPhone)
	p.reach(store.MessageSent, 2)
	must(t, p.resend(card))
	p.reach(store.MessageSent, 4)
	mails, code := p.mailsOf(card), p.code(p.present(card))
	if len(mails) != 2 || mails[1].ID != "<"+card.ID.String()+".1@example.com>" || !strings.Contains(string(mails[1].Raw), code) ||
		strings.Contains(string(mails[1].Raw), p.code(card)) || mails[1].Header.Get("Subject") != "New security code for your gift card from Blackwood Books" {
		t.Errorf("mails %v", mails)
	}
	if text := p.texts.bodies[1]; !strings.Contains(text, code) || strings.Contains(text, p.code(card)) {
		t.Errorf("text message %s", text)
	}
	if p.delivered() != 1 {
		t.Error("not delivered")
	}
}

// TestANewOwnerGetsTheCardAndNothingOfItsSender, neither the name nor the words. The value in the
// message is the card's balance.
func TestANewOwnerGetsTheCardAndNothingOfItsSender(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	note := text.Clean("For you alone")
	card := p.issue(withPhone, func(_ *store.Terms, r *store.Recipient) { r.Message = &note })
	p.run(1000)
	p.reach(store.MessageSent, 2)
	p.changed(card, func(tx *store.Tx, c *store.Card) error {
		must(t, c.Activate(nil, nil))
		spent, err := money.Parse("10.50")
		must(t, err)
		_, err = c.Redeem(spent, store.Details{})
		must(t, err)
		return tx.TransferOwnership(t.Context(), c, "Bob", "bob@example.com", id.ID{})
	})
	p.reach(store.MessageSent, 3)
	mails := p.mailsOf(card)
	last := mails[len(mails)-1]
	raw := string(last.Raw)
	if last.To != "bob@example.com" || last.Header.Get("Subject") != "A gift card from Blackwood Books is yours now" ||
		!strings.Contains(raw, "14.50") || !strings.Contains(raw, p.code(p.present(card))) || strings.Contains(raw, "Grace") || strings.Contains(raw, string(note)) {
		t.Errorf("mail %s", raw)
	}
	if p.delivered() != 1 || len(p.texts.bodies) != 1 {
		t.Error("not delivered, or sent to the telephone of the owner before")
	}
}

// TestACardResentDuringItsFirstDeliveryReachesItsRecipient with its final code. No message is lost
// or left over.
func TestACardResentDuringItsFirstDeliveryReachesItsRecipient(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	var cards []store.GiftCard
	var all sync.WaitGroup
	for range 30 {
		card := p.issue(withPhone)
		cards = append(cards, card)
		for range 2 { // also two at once
			all.Go(func() {
				if err := p.resend(card); err != nil {
					t.Errorf("resend: %v", err)
				}
			})
		}
	}
	all.Wait()
	p.reach(store.MessageScheduled, 0)
	p.eventually("all cards delivered", func() bool { return p.delivered() == len(cards) })
	for _, card := range cards {
		code := p.code(p.present(card))
		if !slices.ContainsFunc(p.mailsOf(card), func(m smtptest.Mail) bool { return strings.Contains(string(m.Raw), code) }) {
			t.Errorf("no mail has the code of card %s", card.ID)
		}
	}
	if n := p.count(t, "ledger_entries where type = 'RESEND_CODE' and amount = 0"); n != 60 {
		t.Errorf("%d entries in the ledger, want 60", n)
	}
	if n := len(p.messages(store.MessageFailed)); n != 0 {
		t.Errorf("%d messages failed", n)
	}
}

// TestWorkersDoNotSpinOnMessagesThatWait for the end of a suspension: they look at such a message
// once, and then only at its new time.
func TestWorkersDoNotSpinOnMessagesThatWait(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	card := p.issue()
	end := p.Clock().Add(30 * time.Minute)
	p.exec(t, "update gift_cards set status = 'suspended', suspended_at = now(), suspended_until = $1", end)
	p.run(1000)
	p.eventually("the message waits", func() bool { return p.messages(store.MessageScheduled)[0].LastError != nil })
	if m := p.messages(store.MessageScheduled)[0]; m.NextAttemptAt.Sub(end).Abs() > time.Millisecond || m.Attempts != 0 {
		t.Errorf("it waits as %+v, want until %s", m, end)
	}
	p.clock.Move(30 * time.Minute)
	if sent := p.reach(store.MessageSent, 1); sent[0].CardID != card.ID || sent[0].Attempts != 1 {
		t.Errorf("sent %+v", sent)
	}
}
