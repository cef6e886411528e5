package message_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"giftcards/jobs/message"
)

// everyMessage composes a message of each kind, with and without a sender, and each receipt, in
// each built-in language. change may replace anything but the settings.
func everyMessage(t *testing.T, change func(*message.Gift, *message.Receipt), judge func(name, locale string, c message.Content)) {
	t.Helper()
	templates := load(t, "")
	for locale, currency := range locales {
		for _, kind := range append(message.Kinds, "card without a sender") {
			g := gift()
			g.Kind, _, _ = strings.Cut(kind, " ")
			if g.Kind != kind {
				g.Sender = ""
			}
			change(&g, &message.Receipt{})
			g.Locale, g.Currency = locale, currency
			judge(kind, locale, compose(t, templates, g))
		}
		for _, kind := range message.Receipts {
			r := receipt(kind)
			change(&message.Gift{}, &r)
			r.Locale, r.Currency = locale, currency
			judge(kind, locale, composeReceipt(t, templates, r))
		}
	}
}

// TestATextMessageIsCheapInEveryMonth: it stays in the cheap alphabet with each month's name, its
// first day, and the time at which a card expires on the same day.
func TestATextMessageIsCheapInEveryMonth(t *testing.T) {
	t.Parallel()
	for month := time.January; month <= time.December; month++ {
		until := time.Date(2028, month, 1, 23, 59, 59, 0, time.UTC)
		for now, end := range map[time.Time]time.Time{until.AddDate(-1, 0, 0): until, until.Add(-3 * time.Hour): until.Add(-2 * time.Hour)} {
			everyMessage(t, func(g *message.Gift, r *message.Receipt) {
				g.Now, g.ExpiresAt, r.Now, r.ExpiresAt = now, end, now, end
			}, func(name, locale string, c message.Content) {
				for _, r := range c.SMS {
					if !strings.ContainsRune(gsm, r) {
						t.Errorf("%q in the text message of %s in %s:\n%s", r, name, locale, c.SMS)
					}
				}
			})
		}
	}
}

// TestATextMessageOfAShopIsOnePart: it fits into 160 characters, although some count twice, in the
// longest month and without a sender's words. The message of a new code takes two parts in some languages.
func TestATextMessageOfAShopIsOnePart(t *testing.T) {
	t.Parallel()
	end := time.Date(2027, 9, 30, 23, 59, 59, 0, time.UTC)
	everyMessage(t, func(g *message.Gift, r *message.Receipt) {
		g.Note, g.ExpiresAt, r.ExpiresAt = "", end, end
	}, func(name, locale string, c message.Content) {
		length, limit := utf8.RuneCountInString(c.SMS), 160
		for _, twice := range "€^{}\\[~]|" {
			length += strings.Count(c.SMS, string(twice))
		}
		if language := locale[:2]; name == "code" && slices.Contains([]string{"en", "es", "fr", "it"}, language) {
			limit = 2 * 153
		}
		if length > limit {
			t.Errorf("the text message of %s in %s has %d characters, want %d at most:\n%s", name, locale, length, limit, c.SMS)
		}
	})
}

// TestANameMayEndWithAMark: no language and no form of a message puts a full stop after it.
func TestANameMayEndWithAMark(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{"Smith & Co.", "Aha!", "Wer?", "Blackwood…"} {
		mark, _ := utf8.DecodeLastRuneInString(typed)
		everyMessage(t, func(g *message.Gift, r *message.Receipt) {
			g.Merchant, g.Sender, g.Recipient, g.Note = typed, typed, typed, ""
			r.Merchant, r.Recipient = typed, typed
		}, func(name, locale string, c message.Content) {
			_, seen := page(t, c.HTML)
			for form, text := range map[string]string{"subject": c.Subject, "text": c.Text, "HTML": seen, "SMS": c.SMS} {
				if strings.Contains(text, string(mark)+".") {
					t.Errorf("the %s of %s in %s:\n%s", form, name, locale, text)
				}
			}
		})
	}
}

// TestAnAmountMayEndWithAMark: the sign of a currency may, as that of the dirham in Arabic, which an
// invisible mark of its direction follows. No full stop follows it in any form of a message.
func TestAnAmountMayEndWithAMark(t *testing.T) {
	t.Parallel()
	templates := withArabic(t)
	twice := regexp.MustCompile(`\.\p{Cf}*\.`)
	judge := func(kind string, c message.Content) {
		_, seen := page(t, c.HTML)
		for form, text := range map[string]string{"subject": c.Subject, "text": c.Text, "HTML": seen, "SMS": c.SMS} {
			if form != "subject" && !strings.Contains(text, "د.إ.") {
				t.Errorf("the %s of %s has no amount:\n%s", form, kind, text)
			}
			if twice.MatchString(text) {
				t.Errorf("the %s of %s has two full stops:\n%+q", form, kind, text)
			}
		}
	}
	for _, kind := range message.Kinds {
		g := gift()
		g.Kind, g.Locale, g.Currency = kind, "ar", "AED"
		judge(kind, compose(t, templates, g))
	}
	for _, kind := range message.Receipts {
		r := receipt(kind)
		r.Locale, r.Currency = "ar", "AED"
		judge(kind, composeReceipt(t, templates, r))
	}
}

// TestTheTemplatesWriteNoMarkOfTheirOwn: each French colon has its no-break space, so a template
// takes its colons from the texts. Hours and addresses have none.
func TestTheTemplatesWriteNoMarkOfTheirOwn(t *testing.T) {
	t.Parallel()
	bare := regexp.MustCompile(`[^\x{a0}\x{202f}\d][:?!;]([^/\d]|$)`)
	everyMessage(t, func(g *message.Gift, _ *message.Receipt) { g.Note = "" }, func(name, locale string, c message.Content) {
		if locale != "fr-FR" {
			return
		}
		_, seen := page(t, c.HTML)
		for form, text := range map[string]string{"subject": c.Subject, "text": c.Text, "HTML": seen} {
			if found := bare.FindString(text); found != "" {
				t.Errorf("the %s of %s has %q:\n%s", form, name, found, text)
			}
		}
	})
}
