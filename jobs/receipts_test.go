package jobs_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

// asking returns a post whose program asks for receipts. Its workers look for receipts often.
func asking(t *testing.T, receipts ...string) *post {
	t.Helper()
	p := newPost(t, smtptest.Hooks{})
	storetest.AsOwner(t, p.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.SetProgram(t.Context(), p.program.ID, func(s *store.ProgramSettings) error {
			s.Receipts, s.Currency = receipts, new("GBP")
			return nil
		})
	})
	must(t, p.ReadReceiptPrograms(t.Context()))
	return p
}

// move changes the balance of a card.
func (p *post) move(card store.GiftCard, do func(*store.Card, money.Amount) error, value string) {
	p.t.Helper()
	amount, err := money.Parse(value)
	must(p.t, err)
	p.changed(card, func(_ *store.Tx, c *store.Card) error { return do(c, amount) })
}

func activate(c *store.Card, _ money.Amount) error { return c.Activate(nil, nil) }

func redeem(c *store.Card, amount money.Amount) error {
	_, err := c.Redeem(amount, store.Details{})
	return err
}

func reload(c *store.Card, amount money.Amount) error {
	_, err := c.Reload(amount, store.Details{})
	return err
}

// receiptMails returns the decoded mails that are receipts, by their subjects.
func (p *post) receiptMails() map[string][]string {
	p.t.Helper()
	mails := map[string][]string{}
	for _, m := range p.mails.Mails() {
		if strings.Count(m.ID, ".") > 1 { // the host's dot is one
			mails[m.Header.Get("Subject")] = append(mails[m.Header.Get("Subject")], decoded(p.t, m.Raw))
		}
	}
	return mails
}

// TestEachMovementIsToldOnceIfTheProgramAsks, over both channels, with the balance after it, and
// never with the code or the whole number.
func TestEachMovementIsToldOnceIfTheProgramAsks(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptActivated, store.ReceiptRedeemed, store.ReceiptReloaded)
	card := p.issue(withPhone)
	p.move(card, activate, "0")
	p.move(card, redeem, "7.50")
	p.move(card, redeem, "0.50")
	p.move(card, reload, "10")
	p.run(1000)
	p.eventually("all receipts", func() bool { return p.count(t, "receipts where status = 'sent'") == 8 })
	mails := p.receiptMails()
	for subject, want := range map[string][]string{
		"Your gift card from Blackwood Books is ready to use": {"Your gift card has £25.00 on it, to spend at Blackwood Books."},
		"You paid with your gift card from Blackwood Books":   {"£7.50 was paid with your gift card at Blackwood Books. £17.50 is left.", "£0.50 was paid with your gift card at Blackwood Books. £17.00 is left."},
		"Your gift card from Blackwood Books was topped up":   {"£10.00 was added to your gift card at Blackwood Books. It now has £27.00 on it."},
	} {
		all := strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(strings.Join(strings.Fields(strings.Join(mails[subject], "\n")), " "))
		for _, words := range want {
			if len(mails[subject]) != len(want) || strings.Count(all, words) != 3 { // twice in the HTML: its preview, too
				t.Errorf("%s: %d mails with %d times %q:\n%s", subject, len(mails[subject]), strings.Count(all, words), words, all)
			}
		}
	}
	number := store.FormatNumber(card.CardNumber)
	for subject, texts := range mails {
		for _, text := range texts {
			if strings.Contains(text, p.code(card)) || strings.Contains(text, number[:4]+" ") || strings.Contains(text, number) || !strings.Contains(text, number[12:]) {
				t.Errorf("%s:\n%s", subject, text)
			}
		}
	}
	if n := len(mails); n != 3 {
		t.Errorf("%d kinds of receipts", n)
	}
	bodies := strings.Join(p.texts.bodies, "\n")
	if !strings.Contains(bodies, "£7.50 was paid with your gift card from Blackwood Books. £17.50 is left.\nCard ending in "+number[12:]) {
		t.Errorf("text messages:\n%s", bodies)
	}
	if !p.present(card).Delivered {
		t.Error("the receipts have changed whether the card is delivered")
	}
}

// TestAProgramThatAsksForNoReceiptQueuesNone. The same holds for each kind that it does not ask for,
// and when it has stopped asking.
func TestAProgramThatAsksForNoReceiptQueuesNone(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptReloaded)
	card := p.issue()
	p.move(card, activate, "0")
	p.move(card, redeem, "5")
	p.move(card, reload, "5")
	p.exec(t, "update programs set receipts = '{}'") // other instances do not know it yet
	p.move(card, reload, "5")
	if n := p.count(t, "receipts"); n != 1 {
		t.Errorf("%d receipts are queued", n)
	}
	p.run(1000)
	p.eventually("its end", func() bool { return p.count(t, "receipts where status = 'dropped'") == 1 })
	if n := len(p.receiptMails()); n != 0 {
		t.Errorf("%d receipts were sent", n)
	}
}

// TestEachCardIsRemindedOnceAtEachTimeBeforeItsExpiry if it can be used, however often servers look.
func TestEachCardIsRemindedOnceAtEachTimeBeforeItsExpiry(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptExpiring)
	expires := p.Clock().AddDate(0, 0, 31)
	at := func(terms *store.Terms, _ *store.Recipient) { terms.ExpiresAt = &expires }
	used, empty := p.issue(at), p.issue(at)
	p.issue(at) // never activated
	p.move(used, activate, "0")
	p.move(empty, activate, "0")
	p.move(empty, redeem, "25")
	stop := p.run(1000)
	p.reach(store.MessageSent, 3)
	stop()
	look := func() {
		t.Helper()
		for range 3 {
			for _, days := range store.Reminders {
				must(t, store.Do(t.Context(), p.Store, func(tx *store.Tx) error {
					var place store.ReminderPlace
					for more := true; more; {
						var err error
						if place, more, err = tx.QueueReminders(t.Context(), p.program.ID, days, place, 1); err != nil {
							return err
						}
					}
					return nil
				}))
			}
		}
	}
	for _, step := range []struct {
		move time.Duration
		want int
	}{{0, 0}, {25 * time.Hour, 1}, {15 * 24 * time.Hour, 1}, {8 * 24 * time.Hour, 2}, {5 * 24 * time.Hour, 2}} {
		p.clock.Move(step.move)
		look()
		if n := p.count(t, "receipts"); n != step.want {
			t.Errorf("%d reminders %s before the expiry, want %d", n, expires.Sub(p.Clock()), step.want)
		}
	}
}

func TestRemindersAreQueuedAndSentByTheJobs(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptExpiring)
	expires := p.Clock().AddDate(0, 0, 7).Add(-time.Hour)
	card := p.issue(func(terms *store.Terms, _ *store.Recipient) { terms.ExpiresAt = &expires })
	p.move(card, activate, "0")
	p.run(1000)
	p.eventually("the reminder", func() bool { return p.count(t, "receipts where status = 'sent' and kind = 'expiring'") == 1 })
	mails := p.receiptMails()["Your gift card from Blackwood Books expires soon"]
	if len(mails) != 1 || !strings.Contains(mails[0], "£25.00 is left on your gift card.") {
		t.Errorf("mails %v", mails)
	}
}

// TestACardWhoseSuspensionIsOverIsReminded, although its stored status is still suspended.
func TestACardWhoseSuspensionIsOverIsReminded(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptExpiring)
	expires := p.Clock().AddDate(0, 0, 40)
	at := func(terms *store.Terms, _ *store.Recipient) { terms.ExpiresAt = &expires }
	for _, days := range []int{5, 20} { // the second card is still suspended when it is due
		card, until := p.issue(at), p.Clock().AddDate(0, 0, days)
		p.move(card, activate, "0")
		p.changed(card, func(_ *store.Tx, c *store.Card) error { return c.Suspend(nil, &until) })
	}
	p.clock.Move(10*24*time.Hour + time.Hour)
	must(t, store.Do(t.Context(), p.Store, func(tx *store.Tx) error {
		_, _, err := tx.QueueReminders(t.Context(), p.program.ID, store.Reminders[0], store.ReminderPlace{}, 10)
		return err
	}))
	if n := p.count(t, "receipts"); n != 1 {
		t.Errorf("%d reminders are queued, want 1", n)
	}
}

// TestAReceiptGoesToNobodyWhoHasPassedTheCardOn, because it would name the present holder.
func TestAReceiptGoesToNobodyWhoHasPassedTheCardOn(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptActivated)
	card := p.issue()
	p.move(card, activate, "0")
	p.changed(card, func(tx *store.Tx, c *store.Card) error {
		return tx.TransferOwnership(t.Context(), c, "Bo", "bo@example.com", id.ID{})
	})
	p.run(1000)
	p.eventually("its end", func() bool {
		return p.count(t, "receipts where status = 'dropped' and last_error = 'the card has another recipient'") == 1
	})
	if n := p.count(t, "receipts where status = 'sent'"); n != 0 {
		t.Errorf("%d receipts were sent", n)
	}
}

// TestAReceiptWithAnUnknownOutcomeIsNotSentAgain: its worker has died after the claim.
func TestAReceiptWithAnUnknownOutcomeIsNotSentAgain(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptActivated)
	p.move(p.issue(), activate, "0")
	claim := func() *store.DueReceipt {
		due, err := store.Write(t.Context(), p.Store, func(tx *store.Tx) (*store.DueReceipt, error) { return tx.ClaimReceipt(t.Context(), store.ChannelEmail) })
		must(t, err)
		return due
	}
	if claim() == nil || claim() != nil {
		t.Fatal("a receipt is claimed once")
	}
	p.clock.Move(store.MessageLease + time.Second)
	if claim() != nil || p.count(t, "receipts where status = 'failed' and attempts = 2") != 1 {
		t.Error("the receipt is sent again")
	}
}

// TestAReceiptIsTriedAgainAfterATemporaryRefusal, and then sent once.
func TestAReceiptIsTriedAgainAfterATemporaryRefusal(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptActivated)
	p.move(p.issue(), activate, "0")
	deferred := func() bool {
		return p.count(t, "receipts where status = 'scheduled' and attempts = 1 and not unconfirmed") == 1
	}
	must(t, store.Do(t.Context(), p.Store, func(tx *store.Tx) error {
		due, err := tx.ClaimReceipt(t.Context(), store.ChannelEmail)
		if err != nil {
			return err
		}
		return tx.DeferReceipt(t.Context(), due, "451 later")
	}))
	if !deferred() {
		t.Fatal("the receipt does not wait")
	}
	p.run(1000)
	p.clock.Move(time.Minute)
	p.eventually("the receipt", func() bool { return p.count(t, "receipts where status = 'sent'") == 1 })
}

// TestARecipientWhoRefusesReceiptsGetsNone, but still gets the card itself. The link to refuse them is
// in the mail and in its headers.
func TestARecipientWhoRefusesReceiptsGetsNone(t *testing.T) {
	t.Parallel()
	p := asking(t, store.ReceiptActivated, store.ReceiptRedeemed)
	card := p.issue()
	p.move(card, activate, "0")
	const link = "https://cards.example.com/refuse/x"
	p.run(1000, func(d *jobs.Delivery) {
		d.Refuse = func(_ id.ID, address string) string {
			return link + base64.RawURLEncoding.EncodeToString([]byte(address))
		}
	})
	p.eventually("the receipt", func() bool { return p.count(t, "receipts where status = 'sent'") == 1 })
	want := link + base64.RawURLEncoding.EncodeToString([]byte("ada@example.com"))
	for _, m := range p.mails.Mails() {
		isReceipt := strings.Count(m.ID, ".") > 1
		if has := m.Header.Get("List-Unsubscribe") == "<"+want+">" && m.Header.Get("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click" &&
			strings.Contains(decoded(t, m.Raw), `href="`+want+`"`); has != isReceipt {
			t.Errorf("%s: the link is there: %v, headers %v", m.ID, has, m.Header)
		}
	}
	must(t, store.Do(t.Context(), p.Store, func(tx *store.Tx) error {
		for range 2 { // again is no fault
			if err := tx.RefuseReceipts(t.Context(), p.program.ID, store.AddressHash("ADA@example.com")); err != nil {
				return err
			}
		}
		return nil
	}))
	p.move(card, redeem, "1")
	p.eventually("the end of the receipt", func() bool { return p.count(t, "receipts where status = 'dropped'") == 1 })
	p.issue()
	p.reach(store.MessageSent, 2)
}
