package message_test

import (
	"strings"
	"testing"
	"time"

	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
)

func receipt(kind string) message.Receipt {
	return message.Receipt{
		Kind: kind, Merchant: "Blackwood Books", Recipient: "Ada", Amount: "-7.50", Balance: "42.50", LastFour: "2496", Refuse: "https://cards.example.com/stop/x",
		ExpiresAt: time.Date(2027, 11, 24, 12, 0, 0, 0, time.UTC), Now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Settings: texts.Settings{Zone: time.UTC},
	}
}

func composeReceipt(t *testing.T, templates *message.Templates, r message.Receipt) message.Content {
	t.Helper()
	content, err := templates.ComposeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestEveryLanguageTellsOfEveryMovement: the amount that was redeemed or added, the balance, and the
// link that ends such mails. Text messages stay in the cheap alphabet.
func TestEveryLanguageTellsOfEveryMovement(t *testing.T) {
	t.Parallel()
	templates := withArabic(t)
	seen := map[string]string{}
	for locale, currency := range locales {
		for _, kind := range message.Receipts {
			r := receipt(kind)
			r.Locale, r.Currency = locale, currency
			content := composeReceipt(t, templates, r)
			_, shown := page(t, content.HTML)
			for form, text := range map[string]string{"HTML": shown, "text": content.Text, "SMS": content.SMS} {
				flat := strings.ReplaceAll(text, ",", ".")
				if !strings.Contains(flat, "42.50") || strings.Contains(flat, "-7.50") || !strings.Contains(text, "2496") || !strings.Contains(text, "Blackwood Books") || !strings.Contains(text, "2027") ||
					(kind == "redeemed" || kind == "reloaded") != strings.Contains(flat, "7.50") || strings.ContainsAny(text, "{}") {
					t.Errorf("the %s of %s in %s:\n%s", form, kind, locale, text)
				}
			}
			if !strings.Contains(content.HTML, `href="https://cards.example.com/stop/x"`) || !strings.HasSuffix(content.Text, "\nhttps://cards.example.com/stop/x\n") {
				t.Errorf("%s in %s has no link that ends it:\n%s", kind, locale, content.Text)
			}
			for _, c := range content.SMS {
				if !strings.ContainsRune(gsm, c) {
					t.Errorf("%q in the text message of %s in %s:\n%s", c, kind, locale, content.SMS)
				}
			}
			language, _, _ := strings.Cut(locale, "-")
			if other := seen[content.Subject]; other != "" && other != language+kind {
				t.Errorf("%s in %s has the subject of %s: %s", kind, locale, other, content.Subject)
			}
			seen[content.Subject] = language + kind
		}
	}
	arabic := receipt("redeemed")
	arabic.Locale, arabic.Currency = "ar", "AED"
	content := composeReceipt(t, templates, arabic)
	if !strings.Contains(content.HTML, `dir="rtl"`) || !strings.Contains(content.Text, "\u20662496\u2069") {
		t.Errorf("in Arabic:\n%s", content.Text)
	}
}

// TestNothingTypedBecomesMarkupInAReceipt. A card cannot have the design of receipts.
func TestNothingTypedBecomesMarkupInAReceipt(t *testing.T) {
	t.Parallel()
	templates, links := load(t, ""), relaxed()
	plain := receipt("redeemed")
	plain.Refuse = ""
	want, _ := page(t, composeReceipt(t, templates, plain).HTML)
	for name, typed := range hostile {
		r := plain
		r.Recipient = typed
		content := composeReceipt(t, templates, r)
		elements, shown := page(t, content.HTML)
		if strings.Join(elements, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s changes the elements", name)
		}
		for form, text := range map[string]string{"subject": content.Subject, "text": content.Text, "HTML": shown, "SMS": content.SMS} {
			if found := links.FindAllString(text, -1); found != nil {
				t.Errorf("%s: links %q in the %s", name, found, form)
			}
		}
	}
	g := gift()
	g.Design = "receipt"
	if content := compose(t, templates, g); !strings.Contains(content.Text, "046275") || !strings.Contains(content.HTML, "046275") {
		t.Error("a card with the design of receipts has no code")
	}
}
