package texts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"giftcards/jobs/message/texts"
)

// written returns the texts of a built-in file by name, with their places in braces.
func written(t *testing.T, language string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("languages", language+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	all, last := map[string]string{}, ""
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		switch name, text, isText := strings.Cut(line, " = "); {
		case line == "" || line[0] == '#':
		case line[0] == ' ':
			all[last] += " " + strings.TrimLeft(line, " ")
		case !isText:
			t.Fatalf("%s: %q", language, line)
		default:
			all[name], last = text, name
		}
	}
	return all
}

// builtInLanguages are the languages that have a whole file.
var builtInLanguages = []string{"de", "en", "es", "fr", "it", "nl"}

// fault is a mistake that native readers notice, with a text that has it.
type fault struct{ pattern, wrong, why string }

// faults are the mistakes by language, those under "" in any.
var faults = map[string][]fault{
	"": {
		{`['"´` + "`]", "the shop's", "an apostrophe is ’, and quotation marks are those of the language"},
		{`  | [.,]|\pZ$|\.\.`, "two  blanks", "a blank or a full stop too many"},
		{` [-–] `, "a - b", "a dash that nobody has set"},
		{`(?i)(quedan|restano|restent|werden|wurden|sont|sono|are|were|han|añadido)( \pL+)? \{(amount|value)\}`, "Restano {value}", "the verb agrees with several, and the amount may be one"},
	},
	"de": {
		{` [:;!?]`, "Frage ?", "no blank belongs before the mark"},
		{`[^\x{a0}]%`, "{percent} %", "a no-break space belongs before %"},
		{`(?i)(^|[^\pL])(du|dir|dich|dein\pL*|euch|eue?r\pL*)([^\pL]|$)`, "Für dich", "the shop says Sie"},
		{`ß`, "schließen", "the Swiss write ss, so another word is better"},
		{`bis \{(until|end)\}.`, "gilt bis {end}.", "in a sentence the date is with zum"},
	},
	"en": {
		{` [:;!?%]`, "Question ?", "no blank belongs before the mark"},
	},
	"es": {
		{` [:;!?]`, "¿Qué ?", "no blank belongs before the mark"},
		{`[^\x{a0}]%`, "{percent}%", "a no-break space belongs before %"},
		{`^[^¿]*\?|^[^¡]*!`, "Dejar de recibir?", "a question and an exclamation also begin with a mark"},
		{`(?i)(^|[^\pL])(usted|ustedes|vosotr\pL+|vuestr\pL+)`, "Para usted", "the shop says tú"},
		{` [yo] \{(merchant|sender|recipient)\}`, "tú y {recipient}", "y and o change before a name such as Inés or Olga"},
		{`a las \{time\}`, "a las {time}", "at one it is a la"},
	},
	"fr": {
		{`[^\x{a0}]:`, "Numéro :", "a no-break space belongs before the mark"},
		{`[^\x{202f}][!?;%]`, "messages ?", "a narrow no-break space belongs before the mark"},
		{`«[^\x{a0}\x{202f}]|[^\x{a0}\x{202f}]»`, "«carte»", "a no-break space belongs within the quotation marks"},
		{`(?i)(^|[^\pL’])(tu|te|toi|ton|ta|tes)([^\pL]|$)`, "Pour toi", "the shop says vous"},
		{`(?i)(^|[^\pL])(de|que|le|la|ne|se|si|jusque|lorsque|puisque|à|du|au) \{(merchant|sender|recipient)\}`, "pour que {merchant}", "the word changes before a name such as Anna or Le Comptoir"},
	},
	"it": {
		{` [:;!?%]`, "Scadenza :", "no blank belongs before the mark"},
		{`(^|[^\pL])(Lei|Suo|Sua|Suoi|Sue|[Vv]ostr\pL)([^\pL]|$)`, "la Sua carta", "the shop says tu"},
		{`(?i)(^|[^\pL])(il|lo|la|al|dal|del|nel|sul) \{`, "fino al {until}", "the article changes before an 8, an 11 or a vowel"},
	},
	"nl": {
		{` [:;!?%]`, "Vraag ?", "no blank belongs before the mark"},
		{`(^|[^\pL])[Uu]w?([^\pL]|$)`, "Voor u", "the shop says je"},
	},
}

// TestNoTextHasAMistakeOfATable of faults that natives smile at.
func TestNoTextHasAMistakeOfATable(t *testing.T) {
	t.Parallel()
	for _, language := range append(builtInLanguages, "de-AT", "en-US") {
		base, _, _ := strings.Cut(language, "-")
		for _, f := range slices.Concat(faults[""], faults[base]) {
			pattern := regexp.MustCompile(f.pattern)
			if !pattern.MatchString(f.wrong) {
				t.Errorf("%s: %s does not find %q", base, f.pattern, f.wrong)
			}
			for name, text := range written(t, language) {
				if found := pattern.FindString(text); found != "" {
					t.Errorf("%s: %s has %q: %s\n%s", language, name, found, f.why, text)
				}
			}
		}
	}
}

// TestMonthsBeginAsTheLanguageWritesThem: with a capital letter in English and German only. Austria
// has a January of its own.
func TestMonthsBeginAsTheLanguageWritesThem(t *testing.T) {
	t.Parallel()
	for _, language := range append(builtInLanguages, "de-AT") {
		capital := strings.HasPrefix(language, "de") || language == "en"
		months := strings.Split(written(t, language)["months"], ", ")
		for _, month := range months {
			if first, _ := utf8.DecodeRuneInString(month); unicode.IsUpper(first) != capital {
				t.Errorf("%s: %s", language, month)
			}
		}
		if len(months) != 12 {
			t.Errorf("%s: %d months", language, len(months))
		}
	}
	at := time.Date(2027, 1, 5, 12, 0, 0, 0, time.UTC)
	if got := load(t, "").Style(texts.Settings{Locale: "de-AT"}).Moment(at); got != "5. Jänner 2027, 12:00 Uhr (UTC)" {
		t.Errorf("in Austria: %s", got)
	}
}

// TestEveryCountHasItsFormInEveryLanguage: each text with plural forms is tried with nothing, one,
// two and five things.
func TestEveryCountHasItsFormInEveryLanguage(t *testing.T) {
	t.Parallel()
	languages := load(t, "")
	singular := map[string][]int{"de": {1}, "en": {1}, "es": {1}, "fr": {0, 1}, "it": {1}, "nl": {1}}
	for _, language := range builtInLanguages {
		s, all, tried := languages.Style(texts.Settings{Locale: language}), written(t, language), 0
		for name, one := range all {
			base, isOne := strings.CutSuffix(name, ".one")
			if !isOne {
				continue
			}
			tried++
			other := all[base+".other"]
			if one == other || strings.Contains(one, "{count}") {
				t.Errorf("%s: %s is %q for one and %q for several", language, base, one, other)
			}
			for _, n := range []int{0, 1, 2, 5} {
				want := other
				if slices.Contains(singular[language], n) {
					want = one
				}
				if got := s.Text(s.Plural(base, n), map[string]string{"count": "{count}"}); got != want {
					t.Errorf("%s: %s of %d is %q, want %q", language, base, n, got, want)
				}
			}
		}
		if tried < 5 {
			t.Errorf("%s: %d texts have plural forms", language, tried)
		}
	}
}

// TestAFullStopIsNotDoubled after a value that ends a sentence itself, in words and in HTML.
func TestAFullStopIsNotDoubled(t *testing.T) {
	t.Parallel()
	s := load(t, dir(t, map[string]string{"en.txt": "doubt = Ask {merchant}. Or not.\n"})).Style(texts.Settings{})
	for name, want := range map[string]string{
		"Smith & Co.":             "Ask Smith & Co. Or not.",
		"Yahoo!":                  "Ask Yahoo! Or not.",
		"Blackwood Bo…":           "Ask Blackwood Bo… Or not.",
		"<bdi>Ltd.</bdi>":         "Ask <bdi>Ltd.</bdi> Or not.",
		"\u2068مكتبة؟\u2069":      "Ask \u2068مكتبة؟\u2069 Or not.",
		"Blackwood Books":         "Ask Blackwood Books. Or not.",
		"Books.com":               "Ask Books.com. Or not.",
		"<bdi>Blackwood</bdi>":    "Ask <bdi>Blackwood</bdi>. Or not.",
		"5 March 2027, 18:00 UTC": "Ask 5 March 2027, 18:00 UTC. Or not.",
	} {
		if got := s.Text("doubt", map[string]string{"merchant": name}); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
