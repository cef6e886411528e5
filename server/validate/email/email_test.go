package email_test

import (
	"strings"
	"testing"
	"unicode"

	"giftcards/server/validate/email"
)

func TestNormalizeReturnsTheNormalForm(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"a@b.co": "a@b.co", "A.B+c@B.CO": "A.B+c@b.co", "INFO@b.co": "info@b.co", "Info.x@b.co": "Info.x@b.co", "!#$%&*@b.co": "!#$%&*@b.co",
		"a@bücher.de": "a@bücher.de", "a@BÜCHER.DE": "a@bücher.de", "a@xn--bcher-kva.de": "a@bücher.de", "a@XN--BCHER-KVA.de": "a@bücher.de",
		"e\u0301@b.co": "é@b.co", "a@例え。jp": "a@例え.jp", "a@ａ.ＣＯ": "a@a.co", "a@faß.de": "a@faß.de", "a@ẞ.de": "a@ß.de", "a@אב.co": "a@אב.co",
		"a@l·l.co": "a@l·l.co", "a@ア・.co": "a@ア・.co", "a@Ꭰ.co": "a@Ꭰ.co", "a@a\u3164.co": "a@a.co",
		"a@москва-сити.рф": "a@москва-сити.рф", "x@ü-ö.de": "x@ü-ö.de", "a@日-本.jp": "a@日-本.jp", "a@é-x.com": "a@é-x.com",
		"a@xn----7sbabhv2ah3b.xn--p1ai": "a@апва-аекй.рф", "a\u034f@b.co": "a\u034f@b.co",
		strings.Repeat("x", 240) + "@b.co": strings.Repeat("x", 240) + "@b.co",
	} {
		if got, reason := email.Normalize(address); got != want || reason != "" {
			t.Errorf("%q: got %q %q, want %q", address, got, reason, want)
		}
	}
}

func TestNormalizeSaysWhyItRefuses(t *testing.T) {
	t.Parallel()
	const (
		characters = "The part after the @-sign contains invalid characters: "
		named      = "A display name and angle brackets around the email address are not permitted here."
		special    = "The part after the @-sign is a special-use or reserved name that cannot be used with email."
	)
	for address, want := range map[string]string{
		"": "An email address must have an @-sign.", "plain": "An email address must have an @-sign.", "a@": "There must be something after the @-sign.",
		"@b.co": "There must be something before the @-sign.", "a＠b.co": `The email address has the "full-width" at-sign (@) character instead of a regular at-sign.`,
		"a b@c.co":  "The email address contains invalid characters before the @-sign: SPACE.",
		"a(c)@b.co": "The email address contains invalid characters before the @-sign: '(', ')'.",
		"a\t@b.co":  "The email address contains invalid characters before the @-sign: U+0009.",
		".a@b.co":   "An email address cannot start with a period.", "a.@b.co": "An email address cannot have a period immediately before the @-sign.",
		"a..b@c.co": "An email address cannot have two periods in a row.", "a@b..co": "An email address cannot have two periods in a row.",
		"\u200fa@b.co": "The email address contains unsafe characters: RIGHT-TO-LEFT MARK.", "\u0301a@b.co": "The email address contains unsafe characters: COMBINING ACUTE ACCENT.",
		`"q"@b.co`: "Quoting the part before the @-sign is not allowed here.", `"q"x@b.co`: "Extra character(s) found after close quote: 'x'",
		"a@b": "The part after the @-sign is not valid. It should have a period.", "a@b.c0": "The part after the @-sign is not valid. It is not within a valid top-level domain.",
		"a@x.test": special, "a@X.LOCAL": special, "a@-b.co": "An email address cannot have a hyphen immediately after the @-sign.", "a@b.co.": "An email address cannot end with a period.",
		"a@b-.co": "An email address cannot have a period and a hyphen next to each other.", "a@b@c.co": characters + "'@'.", "a@b c.co": characters + "SPACE.",
		"a@ab--c.co": "An email address cannot have two letters followed by two dashes immediately after the @-sign or after a period, except Punycode.",
		"a@⒈com.co":  characters + "'⒈'.", "a@a_b.co": characters + "'_'.", "a@a'b.co": characters + `"'".`, `a@a\b.co`: characters + `"\".`,
		"a@♥.co":            "The part after the @-sign is invalid (Codepoint U+2665 at position 1 of '♥' not allowed).",
		"a@a·b.co":          "The part after the @-sign is invalid (Codepoint U+00B7 not allowed at position 2 in 'a·b').",
		"a@1א.co":           "The part after the @-sign is invalid (First codepoint in label '1א' must be directionality L, R or AL).",
		"a@b\u1806c.co":     "The part after the @-sign is invalid (Codepoint U+1806 at position 2 of 'b\u1806c' not allowed).",
		"a@b\ufe30c.co":     "The part after the @-sign contains invalid characters (Codepoint U+FE30 not allowed at position 2 in 'b\ufe30c.co').",
		"a@\ufe19.co":       "The part after the @-sign contains invalid characters (Codepoint U+FE19 not allowed at position 1 in '\ufe19.co').",
		"a@xn--99999999.co": "The part after the @-sign is not valid IDNA (Invalid A-label).",
		"a@xn---ab.co":      "The part after the @-sign is not valid IDNA (A-label is not the canonical Punycode encoding of its U-label).",
		"a@[1.2.3.4]":       "A bracketed IP address after the @-sign is not allowed here.", "a@[IPv6:::1]": "A bracketed IP address after the @-sign is not allowed here.",
		"a@[1.2.3]":    "The address in brackets after the @-sign is not valid: It is not an IPv4 address (Expected 4 octets in '1.2.3') or is missing an address literal tag.",
		"a@[IPv6:1:2]": "The IPv6 address in brackets after the @-sign is not valid (At least 3 parts expected in '1:2').",
		"<a@b.co>":     named, "John <a@b.co>": named, `"J. D." <a@b.co>`: named, "John <a@b>": "The part after the @-sign is not valid. It should have a period.",
		" a@b.co": "The email address contains invalid characters before the @-sign: SPACE.", "a@b.co\n": characters + "U+000A.", " a@b": "The part after the @-sign is not valid. It should have a period.",
		"a@" + strings.Repeat("x", 64) + ".co":                          "After the @-sign, periods cannot be separated by so many characters (1 character too many).",
		"a@" + strings.Repeat("x", 65) + ".co":                          "After the @-sign, periods cannot be separated by so many characters (2 characters too many).",
		"a@" + strings.Repeat("xyz.", 70) + "co":                        "The email address is too long after the @-sign (29 characters too many).",
		strings.Repeat("x", 250) + "@b.co":                              "The email address is too long (1 character too many).",
		strings.Repeat("é", 130) + "@b.co":                              "The email address is too long (5-11 characters too many).",
		strings.Repeat("x", 2049):                                       "Length must not exceed 2048 characters",
		"a@" + strings.Repeat("é", 60) + ".co":                          "The part after the @-sign is invalid (Label too long).",
		strings.Repeat("x", 242) + "@éééé.co":                           "The email address is too long when the part after the @-sign is converted to IDNA ASCII (2 bytes too many).",
		strings.Repeat("x", 244) + "@" + strings.Repeat("ⅷ", 2) + ".co": "The email address is too long after normalization (2 bytes too many).",
	} {
		if got, reason := email.Normalize(address); reason != want {
			t.Errorf("%.60q: got %q %q, want %q", address, got, reason, want)
		}
	}
}

// TestNormalFormHoldsManyMarks: x/text would insert U+034F into such a long run of marks.
func TestNormalFormHoldsManyMarks(t *testing.T) {
	t.Parallel()
	marks := strings.Repeat("\u0327", 31)
	for address, want := range map[string]string{
		"a" + marks + "@b.co":                              "a" + marks + "@b.co",
		"e" + marks + "\u0301@b.co":                        "\u0229" + marks[2:] + "\u0301@b.co",
		"a" + strings.Repeat("\u0301\u0327", 16) + "@b.co": "á" + strings.Repeat("\u0327", 16) + strings.Repeat("\u0301", 15) + "@b.co",
		"a" + marks + "\u034f" + marks + "@b.co":           "a" + marks + "\u034f" + marks + "@b.co",
		"a@a" + marks + ".co":                              "a@a" + marks + ".co",
	} {
		if got, reason := email.Normalize(address); got != want || reason != "" {
			t.Errorf("%q: got %q %q, want %q", address, got, reason, want)
		}
	}
	const combining = "The part after the @-sign is not valid IDNA (Label begins with an illegal combining character)."
	if _, reason := email.Normalize("a@xn--ot" + strings.Repeat("a", 31) + ".co"); reason != combining {
		t.Errorf("an encoded label of marks: got %q", reason)
	}
}

func TestCharactersThatPython311DoesNotKnowAreUnsafe(t *testing.T) {
	t.Parallel()
	if unicode.Version != "15.0.0" {
		t.Fatalf("Go has Unicode %s: the table of what Python lacks ends with 15", unicode.Version)
	}
	const unsafe = "The email address contains unsafe characters: "
	for address, want := range map[string]string{
		"a\U0001e045@b.co": unsafe + "U+0001E045.", "a\u0cf3@b.co": unsafe + "U+0CF3.", "a\U00031350@b.co": unsafe + "U+00031350.",
		"a\U0001343c@b.co": unsafe + "U+0001343C.", "a@b\U00031350.co": unsafe + "U+00031350.",
		"a@xn--8o8n.co":  `The part after the @-sign is not valid IDNA (Unknown directionality in label '\U00031350' at position 1).`,
		"a@xn--b-fhf.co": `The part after the @-sign is not valid IDNA (Unknown directionality in label 'b\u0cf3' at position 2).`,
	} {
		if got, reason := email.Normalize(address); reason != want {
			t.Errorf("%q: got %q %q, want %q", address, got, reason, want)
		}
	}
}

func TestNotUnicodeIsAlwaysRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\uFFFD", "a\uFFFD@b.co", "\uFFFD@"} {
		if email.NotUnicode(text) == "" {
			t.Errorf("%q: no reason", text)
		}
	}
}

func FuzzNormalizeKeepsANormalForm(f *testing.F) {
	for _, seed := range []string{"a@b.co", "INFO@BÜCHER.de", "a@xn--bcher-kva.de", "e\u0301@b.co", "<a@b.co>", `"q"@b.co`, "a@[1.2.3.4]", "a@[IPv6:::]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		normalized, reason := email.Normalize(address)
		if (normalized == "") != (reason != "") {
			t.Fatalf("%q: got %q and %q", address, normalized, reason)
		}
		if reason != "" {
			return
		}
		if again, reason := email.Normalize(normalized); again != normalized {
			t.Errorf("%q became %q and that %q (%s)", address, normalized, again, reason)
		}
	})
}
