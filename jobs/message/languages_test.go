package message_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/store/storetest/full"
)

// locales are those of the built-in languages, with their currencies.
var locales = map[string]string{"en-GB": "GBP", "en-US": "USD", "de-DE": "EUR", "fr-FR": "EUR", "es-ES": "EUR", "it-IT": "EUR", "nl-NL": "EUR"}

// gsm is the alphabet of text messages (GSM 03.38) with its extension. A message with any other
// character is sent in UCS-2, and then fewer than half as many characters fit.
const gsm = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"

// TestEveryLanguageTellsAllOfTheGiftInEveryKind: number, code, amount, date and names are in every
// form. No word is left in English, and no place is left unfilled.
func TestEveryLanguageTellsAllOfTheGiftInEveryKind(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	english := map[string]message.Content{}
	for _, kind := range message.Kinds {
		g := gift()
		g.Kind = kind
		english[kind] = compose(t, templates, g)
	}
	for locale, currency := range locales {
		for _, kind := range message.Kinds {
			g := gift()
			g.Kind, g.Locale, g.Currency = kind, locale, currency
			content := compose(t, templates, g)
			_, seen := page(t, content.HTML)
			for form, text := range map[string]string{"HTML": seen, "text": content.Text, "SMS": content.SMS} {
				for _, want := range []string{"Blackwood Books", "50", "9849 4746 6605 2496", "046275", "2027"} {
					if !strings.Contains(text, want) {
						t.Errorf("the %s of %s in %s lacks %q:\n%s", form, kind, locale, want, text)
					}
				}
				if strings.ContainsAny(text, "{}") || strings.Contains(text, "%!") {
					t.Errorf("the %s of %s in %s is not whole:\n%s", form, kind, locale, text)
				}
			}
			language, _, _ := strings.Cut(locale, "-")
			if !strings.Contains(content.HTML, `<html lang="`+locale+`" dir="ltr">`) {
				t.Errorf("the HTML of %s has not its language", locale)
			}
			if language != "en" && (content.Subject == english[kind].Subject || strings.Contains(seen, "gift card") || strings.Contains(content.Text, "card number")) {
				t.Errorf("%s in %s is English:\n%s", kind, locale, content.Text)
			}
			for line := range strings.Lines(content.Text) {
				if utf8.RuneCountInString(line) > 80 {
					t.Errorf("%s in %s has a long line: %s", kind, locale, line)
				}
			}
		}
	}
}

// TestATextMessageStaysInTheCheapAlphabet in every language, if the names do.
func TestATextMessageStaysInTheCheapAlphabet(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	for locale, currency := range locales {
		for _, kind := range message.Kinds {
			g := gift()
			g.Kind, g.Locale, g.Currency, g.Value = kind, locale, currency, "1234.50"
			sms := compose(t, templates, g).SMS
			for _, r := range sms {
				if !strings.ContainsRune(gsm, r) {
					t.Errorf("%q in the text message of %s in %s:\n%s", r, kind, locale, sms)
				}
			}
		}
	}
}

// withArabic returns the templates with an operator's Arabic file.
func withArabic(t *testing.T) *message.Templates {
	t.Helper()
	languages, err := texts.Load(filepath.Join("testdata", "languages"))
	if err != nil {
		t.Fatal(err)
	}
	templates, err := message.Load("", languages)
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// TestARightToLeftLanguageIsMirrored: the layout is mirrored. Numbers and codes stay in order.
// Amounts and Latin names do not change the order of the words around them.
func TestARightToLeftLanguageIsMirrored(t *testing.T) {
	t.Parallel()
	g := gift()
	g.Locale, g.Currency = "ar", "AED"
	content := compose(t, withArabic(t), g)
	for _, want := range []string{
		`<html lang="ar" dir="rtl">`, `class="page" dir="rtl" lang="ar"`, `border-right-width:3px`, `padding-right:12px`, `<td align="left" valign="top"`,
		`<p class="number" dir="ltr" style="margin:0 0 18px;text-align:right;`, "<bdi>Grace</bdi>", "بقيمة <bdi>",
	} {
		if !strings.Contains(content.HTML, want) {
			t.Errorf("the HTML lacks %s", want)
		}
	}
	for _, bad := range []string{"letter-spacing:1.5px", "border-left-width", `align="right"`} {
		if strings.Contains(content.HTML, bad) {
			t.Errorf("the HTML has %s", bad)
		}
	}
	for form, text := range map[string]string{"text": content.Text, "SMS": content.SMS} {
		for _, want := range []string{"\u20669849 4746 6605 2496\u2069", "\u2066046275\u2069", "\u2068Grace\u2069", "\u2068Blackwood Books\u2069"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s lacks %q:\n%q", form, want, text)
			}
		}
	}
	if !strings.HasPrefix(content.Subject, "أرسل إليك \u2068Grace\u2069") {
		t.Errorf("subject %q", content.Subject)
	}
}

// TestALongArabicNameStaysApartFromGermanWords: 500 code points with emoji change neither the
// order of the words beside them nor the rest of the mail.
func TestALongArabicNameStaysApartFromGermanWords(t *testing.T) {
	t.Parallel()
	name := strings.TrimSpace(strings.Repeat("محمد 🎁👩‍👩‍👧‍👦 ", 40))
	runes := []rune(name + strings.Repeat("ع", 500))[:500]
	g := gift()
	g.Recipient, g.Sender, g.Locale, g.Currency = string(runes), string(runes), "de-DE", "EUR"
	content := compose(t, load(t, ""), g)
	if want := "Für \u2068" + string(runes) + "\u2069\n"; !strings.HasPrefix(content.Text, want) {
		t.Errorf("the text begins %q", content.Text[:200])
	}
	if want := "<bdi>" + string(runes) + "</bdi> hat Ihnen eine Geschenkkarte geschickt"; !strings.Contains(content.HTML, want) {
		t.Error("the HTML lacks the name as typed")
	}
	if utf8.RuneCountInString(content.Subject) > 160 || !strings.Contains(content.Subject, "…\u2069 hat Ihnen eine Geschenkkarte von Blackwood Books geschickt") {
		t.Errorf("subject %q", content.Subject)
	}
	if !strings.Contains(content.SMS, "Nummer 9849 4746 6605 2496\nCode 046275\nGültig bis 23. November 2027\n") {
		t.Errorf("SMS %q", content.SMS)
	}
}

// TestNothingTypedBecomesMarkupInAnyLanguage, because the texts of every language are filled in like
// the English ones.
func TestNothingTypedBecomesMarkupInAnyLanguage(t *testing.T) {
	t.Parallel()
	templates := withArabic(t)
	links := relaxed()
	for _, locale := range []string{"ar", "de", "fr", "es", "it", "nl"}[:full.Size(6, 1)] {
		g := gift()
		g.Locale = locale
		g.Note = "one line"
		plain, _ := page(t, compose(t, templates, g).HTML)
		for name, typed := range hostile {
			g.Sender, g.Recipient = typed, typed
			content := compose(t, templates, g)
			elements, seen := page(t, content.HTML)
			if strings.Join(elements, "\n") != strings.Join(plain, "\n") {
				t.Errorf("%s changes the elements in %s", name, locale)
			}
			for form, text := range map[string]string{"subject": content.Subject, "text": content.Text, "HTML": seen, "SMS": content.SMS} {
				if found := links.FindAllString(text, -1); found != nil {
					t.Errorf("%s: links %q in the %s in %s", name, found, form, locale)
				}
			}
		}
	}
}
