package message_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/idna"
	"mvdan.cc/xurls/v2"

	"giftcards/jobs/message"
)

// noted returns how a recipient reads a typed message.
func noted(t *testing.T, templates *message.Templates, typed string) string {
	t.Helper()
	g := gift()
	g.Note = typed
	content := compose(t, templates, g)
	_, seen, _ := strings.Cut(content.SMS, "Valid until 23 November 2027\n")
	return strings.TrimSpace(seen)
}

// TestEveryTopLevelDomainIsBrokenUp that programs may know, in Unicode and in ASCII.
func TestEveryTopLevelDomainIsBrokenUp(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	links := relaxed()
	for _, tld := range append(xurls.TLDs, xurls.PseudoTLDs...) {
		inASCII, err := idna.ToASCII(tld)
		if err != nil {
			t.Fatal(err)
		}
		typed := "evil." + tld + " " + strings.ToUpper("evil."+tld) + "/x evil.co." + inASCII + " a@evil." + tld
		if seen := noted(t, templates, typed); links.MatchString(seen) || strings.Contains(seen, "."+tld) || strings.Contains(seen, "."+inASCII) {
			t.Errorf("%q is read as %q", typed, seen)
		}
	}
}

// TestAddressesAreBrokenUpWhereTheyJoin, and nowhere else.
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

// TestNoLinkHidesBehindWhatStandsBesideIt: no character before or after an address keeps it
// in one piece.
func TestNoLinkHidesBehindWhatStandsBesideIt(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	links := regexp.MustCompile(`evil\.com|://`)
	for r := rune(' '); r < 0x3100; r++ {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			continue // makes another word of it, such as comet
		}
		typed := string(r) + "evil.com" + string(r) + " http" + "://x" + string(r)
		if seen := noted(t, templates, "x "+typed); links.MatchString(seen) {
			t.Errorf("U+%04X: %q is read as %q", r, typed, seen)
		}
	}
}
