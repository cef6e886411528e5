package message_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/idna"
	"mvdan.cc/xurls/v2"

	"giftcards/jobs/message"
)

// noted returns a sender's message as its recipient reads it.
func noted(t *testing.T, templates *message.Templates, typed string) string {
	t.Helper()
	g := gift()
	g.Note = typed
	content := compose(t, templates, g)
	_, seen, _ := strings.Cut(content.SMS, "Valid until 23 November 2027\n")
	return strings.TrimSpace(seen)
}

// TestEveryTopLevelDomainIsBrokenUp, in Unicode and in ASCII.
func TestEveryTopLevelDomainIsBrokenUp(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	for some := range slices.Chunk(slices.Concat(xurls.TLDs, xurls.PseudoTLDs), 100) { // several in one message, because composing is slow
		var typed strings.Builder
		for _, tld := range some {
			inASCII, err := idna.ToASCII(tld)
			if err != nil {
				t.Fatal(err)
			}
			typed.WriteString("evil." + tld + " " + strings.ToUpper("evil."+tld) + "/x evil.co." + inASCII + " a@evil." + tld + "\n")
		}
		seen := noted(t, templates, typed.String())
		for word := range strings.FieldsSeq(seen) {
			if name, tld, ok := strings.Cut(word, "."); ok && name != "" && tld != "" {
				t.Errorf("%q is in one piece", word)
			}
		}
	}
}

// TestAddressesAreBrokenUpWhereTheyJoin, and other text is not.
func TestAddressesAreBrokenUpWhereTheyJoin(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	for typed, want := range map[string]string{
		`\\server\share`:         `\\ server\share`,
		`\\3232235777\x`:         `\\ 3232235777\x`,
		"evil．рф":                "evil． рф",
		"evil.com":               "evil. com",
		"sub.evil.co.uk":         "sub.evil. co. uk",
		"http://evil.com":        "http: //evil. com",
		"ada@evil.com":           "ada@ evil. com",
		"192.0.2.1":              "192. 0. 2. 1",
		"2001:db8::1":            "2001: db8: :1",
		"evil.\u2060com":         "evil. \u2060com",
		"J.R.R. Tolkien@home.de": "J.R.R. Tolkien@ home. de",
	} {
		if seen := noted(t, templates, typed); seen != want {
			t.Errorf("%q is read as %q, want %q", typed, seen, want)
		}
	}
}

// TestAnAddressIsBrokenUpBesideAnyCharacter, before it or after it.
func TestAnAddressIsBrokenUpBesideAnyCharacter(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	links := regexp.MustCompile(`evil\.com|://`)
	var typed strings.Builder
	for r := rune(' '); r < 0x3100; r++ {
		if r > 0x250 && unicode.IsLetter(r) && r%16 != 0 {
			continue // letters of a script may join the word
		}
		if r >= unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) { // such a character makes another word, such as comet
			typed.WriteString("x " + string(r) + "evil.com" + string(r) + " http://x" + string(r) + "\n")
		}
	}
	for line := range strings.Lines(noted(t, templates, typed.String())) {
		if links.MatchString(line) {
			t.Errorf("%q, first U+%04X", line, []rune(line)[2])
		}
	}
}
