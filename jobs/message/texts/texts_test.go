package texts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need all zones on every machine

	"giftcards/jobs/message/texts"
)

// dir makes a directory with files, by their names.
func dir(t *testing.T, files map[string]string) string {
	t.Helper()
	d := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(d, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func load(t *testing.T, d string) *texts.Languages {
	t.Helper()
	languages, err := texts.Load(d)
	if err != nil {
		t.Fatal(err)
	}
	return languages
}

// zone is a zone of the IANA database.
func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// arabic returns the Arabic file of the tests of package message.
func arabic(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "testdata", "languages", "ar.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestABrokenFileIsRefusedWithFileAndLine, and with words that say what is wrong.
func TestABrokenFileIsRefusedWithFileAndLine(t *testing.T) {
	t.Parallel()
	whole := arabic(t)
	lines := len(strings.Split(whole, "\n"))
	for name, c := range map[string]struct{ file, content, want string }{
		"no equals sign":       {"de.txt", "# Deutsch\nfor Für {recipient}\n", "de.txt:2: want a line such as"},
		"no text":              {"de.txt", "for =\n", "de.txt:1: for has no text"},
		"an unknown text":      {"de.txt", "\n\nfro = Für {recipient}\n", "de.txt:3: fro: there is no such text"},
		"an unknown kind":      {"de.txt", "heading.gift = x\n", "de.txt:1: heading.gift: there is no such text"},
		"an unknown place":     {"de.txt", "for = Für {empfaenger}\n", "de.txt:1: for: {empfaenger} is not known in this text"},
		"a place of another":   {"de.txt", "for = Für {recipient} von {sender}\n", "de.txt:1: for: {sender} is not known in this text"},
		"a place is left out":  {"de.txt", "brand = Karte\nfor = Für dich\n", "de.txt:2: for: {recipient} is missing"},
		"an open brace":        {"de.txt", "for = Für {recipient\n", "de.txt:1: for: a { without a name and a }"},
		"a closing brace":      {"de.txt", "for = Für recipient}\n", "de.txt:1: for: a } without a {"},
		"a text twice":         {"de.txt", "brand = A\n# x\nbrand = B\n", "de.txt:3: brand has a text in line 1 already"},
		"nothing to go on":     {"de.txt", "# x\n  und weiter\n", "de.txt:2: this line goes on with a text, and there is none before it"},
		"not UTF-8":            {"de.txt", "brand = A\nfor = F\xfcr {recipient}\n", "de.txt:2: this is not UTF-8"},
		"a control character":  {"de.txt", "brand = A\x1bB\n", "de.txt:1: a control character"},
		"eleven months":        {"de.txt", "months = a, b, c, d, e, f, g, h, i, j, k\n", "de.txt:1: months: want 12 names with commas between them, not 11"},
		"an unknown direction": {"de.txt", "begins = rechts\n", "de.txt:1: begins: want left or right"},
		"a text is missing":    {"ar.txt", strings.Replace(whole, "\ncash = ", "\n# cash = ", 1), "ar.txt:"},
		"a month is missing":   {"ar.txt", strings.Replace(whole, "أبريل, ", "", 1), "ar.txt:4: months"},
		"no language's name":   {"deutsch1.txt", "", "deutsch1.txt: the name is not that of a language"},
		"an unusual spelling":  {"de_at.txt", "", "de_at.txt: the name is not that of a language"},
		"English may not add":  {"en.txt", "more = x\n", "en.txt:1: more: there is no such text"},
	} {
		_, err := texts.Load(dir(t, map[string]string{c.file: c.content}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	_, err := texts.Load(dir(t, map[string]string{"ar.txt": strings.TrimSuffix(strings.Replace(whole, "brand = بطاقة هدية", "#", 1), "\n")}))
	if err == nil || !strings.HasSuffix(err.Error(), "the text brand is missing") || !strings.HasPrefix(err.Error(), "ar.txt:") || lines < 50 {
		t.Errorf("a missing text: %v", err)
	}
	if _, err := texts.Load("/nowhere/at/all"); err == nil || err.Error() != "there is no directory /nowhere/at/all" {
		t.Errorf("no directory: %v", err)
	}
}

// TestAFileOfAnOperatorReplacesTextsAndAddsLanguages. The file of a region needs only the texts that
// differ.
func TestAFileOfAnOperatorReplacesTextsAndAddsLanguages(t *testing.T) {
	t.Parallel()
	languages := load(t, dir(t, map[string]string{
		"de.txt":    "\ufeffbrand =   Gutschein\r\n",
		"de-AT.txt": "months = Jänner, Februar, März, April, Mai, Juni, Juli, August, September, Oktober, November, Dezember\nhint = Zwei\n  Zeilen\n",
		"ar.txt":    arabic(t),
		"notes.md":  "no = file of texts {",
	}))
	at := time.Date(2027, 1, 5, 12, 0, 0, 0, time.UTC)
	for locale, want := range map[string][4]string{
		// the language of the page, a replaced text, the date and a text in two lines
		"de":         {"de", "Gutschein", "5. Januar 2027", "Um damit zu bezahlen, geben Sie die Kartennummer und den Sicherheitscode an."},
		"de-AT":      {"de-AT", "Gutschein", "5. Jänner 2027", "Zwei Zeilen"},
		"de-CH":      {"de-CH", "Gutschein", "5. Januar 2027", "Um damit zu bezahlen, geben Sie die Kartennummer und den Sicherheitscode an."},
		"ar-EG":      {"ar-EG", "بطاقة هدية", "5 يناير 2027", "للدفع بها قدّم رقم البطاقة ورمز الأمان."},
		"en-US":      {"en-US", "Gift card", "January 5, 2027", "To pay with it, give the card number and the security code."},
		"en-GB":      {"en-GB", "Gift card", "5 January 2027", "To pay with it, give the card number and the security code."},
		"pl-PL":      {"en", "Gift card", "5 January 2027", "To pay with it, give the card number and the security code."},
		"zh-Hant-TW": {"en", "Gift card", "5 January 2027", "To pay with it, give the card number and the security code."},
		"":           {"en", "Gift card", "5 January 2027", "To pay with it, give the card number and the security code."},
	} {
		s := languages.Style(texts.Settings{Locale: locale})
		got := [4]string{s.Lang(), s.Text("brand", nil), s.ValidUntil(at.AddDate(0, 0, 1).Truncate(24*time.Hour), at), s.Text("hint", nil)}
		if got != want {
			t.Errorf("%s: %q, want %q", locale, got, want)
		}
	}
}

// TestMoneyIsExactAndInTheFormOfItsLocale: a digit is never lost, and only zeros beyond the
// currency's decimals are left out.
func TestMoneyIsExactAndInTheFormOfItsLocale(t *testing.T) {
	t.Parallel()
	languages := load(t, dir(t, map[string]string{"ar.txt": arabic(t)}))
	for _, c := range []struct{ locale, currency, value, want string }{
		{"", "", "1234.50", "1234.50"},
		{"", "", "25.000", "25.000"},
		{"", "EUR", "1234.50", "€1,234.50"},
		{"en-GB", "GBP", "1234.50", "£1,234.50"},
		{"en-US", "USD", "1234.50", "$1,234.50"},
		{"de-DE", "EUR", "1234.50", "1.234,50 €"},
		{"de-AT", "EUR", "1234.50", "€ 1.234,50"},
		{"de-CH", "CHF", "1234.50", "CHF 1'234.50"},
		{"fr-FR", "EUR", "1234.50", "1 234,50 €"},
		{"fr-CH", "CHF", "1234.50", "1 234.50 CHF"},
		{"es-ES", "EUR", "1234.50", "1234,50 €"},
		{"es-ES", "EUR", "10000.00", "10.000,00 €"},
		{"it-IT", "EUR", "1234.50", "1234,50 €"},
		{"nl-NL", "EUR", "1234.50", "€ 1.234,50"},
		{"ja-JP", "JPY", "5000.00", "¥5,000"},
		{"de", "JPY", "5000.50", "5.000,5 ¥"},
		{"de", "KWD", "5.00", "5,000 KWD"},
		{"de", "EUR", "25.000", "25,00 €"},
		{"de", "EUR", "25.005", "25,005 €"},
		{"de", "EUR", "0.000001", "0,000001 €"},
		{"de", "EUR", "5000.0000001", "5000.0000001 EUR"},
		{"de", "EUR", "0.00000010", "0.00000010 EUR"},
		{"de", "EUR", strings.Repeat("9", 40) + ".00", strings.Repeat("9", 40) + ".00 EUR"},
		{"de", "", "1234.50", "1.234,50"},
		{"de", "", "0.00000010", "0.00000010"},
		{"pl-PL", "PLN", "1234.50", "PLN 1,234.50"}, // because the words are English
	} {
		got := languages.Style(texts.Settings{Locale: c.locale, Currency: c.currency}).Money(c.value)
		plain := strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(got)
		if plain != c.want {
			t.Errorf("%s %s in %q is %q, want %q", c.value, c.currency, c.locale, plain, c.want)
		}
	}
	if got := languages.Style(texts.Settings{Locale: "ar-EG", Currency: "EGP"}).Money("50.00"); !strings.Contains(got, "٥٠") && !strings.Contains(got, "50") {
		t.Errorf("Arabic money is %q", got)
	}
}

// TestATimeHasItsZoneInEachLanguage. The first day of a month has its own form in languages that
// have one.
func TestATimeHasItsZoneInEachLanguage(t *testing.T) {
	t.Parallel()
	languages := load(t, "")
	at := time.Date(2027, 3, 1, 17, 5, 0, 0, time.UTC)
	for locale, want := range map[string]string{
		"":   "1 March 2027, 18:05 UTC+01:00",
		"de": "1. März 2027, 18:05 Uhr (UTC+01:00)",
		"fr": "1er mars 2027 à 18:05 (UTC+01:00)",
		"es": "1 de marzo de 2027, 18:05\u00a0h (UTC+01:00)",
		"it": "1 marzo 2027, ore 18:05 (UTC+01:00)",
		"nl": "1 maart 2027, 18:05 uur (UTC+01:00)",
	} {
		if got := languages.Style(texts.Settings{Locale: locale, Zone: zone(t, "Europe/Paris")}).Moment(at); got != want {
			t.Errorf("%s: %q, want %q", locale, got, want)
		}
	}
	if got := languages.Style(texts.Settings{Locale: "fr"}).Moment(at); got != "1er mars 2027 à 17:05 (UTC)" {
		t.Errorf("UTC: %q", got)
	}
}

// TestThePluralIsThatOfTheLanguage: French uses the singular for zero, and Arabic has six forms.
func TestThePluralIsThatOfTheLanguage(t *testing.T) {
	t.Parallel()
	languages := load(t, dir(t, map[string]string{"ar.txt": arabic(t)}))
	for _, c := range []struct {
		locale string
		n      int
		want   string
	}{
		{"", 1, "card"}, {"", 0, "cards"}, {"", 5000, "cards"}, {"de", 1, "Karte"}, {"de", 2, "Karten"},
		{"fr", 0, "carte"}, {"fr", 1, "carte"}, {"fr", 2, "cartes"}, {"es", 1, "tarjeta"}, {"it", 2, "carte"}, {"nl", 1, "kaart"},
		{"ar", 1, "بطاقة"}, {"ar", 2, "بطاقتان"}, {"ar", 5, "بطاقات"}, {"ar", 11, "بطاقة"},
	} {
		s := languages.Style(texts.Settings{Locale: c.locale})
		if got := s.Text(s.Plural("page.cards", c.n), nil); got != c.want {
			t.Errorf("%d in %q: %q, want %q", c.n, c.locale, got, c.want)
		}
	}
	for locale, want := range map[string]string{"": "1,234,567", "de": "1.234.567", "fr": "1 234 567", "en-GB": "1,234,567"} {
		got := languages.Style(texts.Settings{Locale: locale}).Number(1234567)
		if strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(got) != want {
			t.Errorf("a number in %q is %q", locale, got)
		}
	}
}
