package validate

import (
	"strings"
	"testing"
)

func TestPhoneIsE164WithItsExtension(t *testing.T) {
	t.Parallel()
	const number, extended = "+14155552671", "+14155552671;ext=5"
	s := &schema{kind: schemaPhone}
	for _, c := range []struct{ reason, value, want string }{
		{"E.164", number, number},
		{"brackets and hyphens", "+1 (415) 555-2671", number},
		{"a tel URI", "tel:+1-415-555-2671", number},
		{"letters of a keypad", "+1 800 FLOWERS", "+18003569377"},
		{"an extension", "+1 415 555 2671 x5", extended},
		{"an extension as in the answer", extended, extended},
		{"wide plus sign and digit", "＋1415555267１", number},
		{"an end that is dropped", "+4915112345678:\n", "+4915112345678"},
		{"Devanagari digits", "+१४१५५५५२६७१", number},
		{"Thai digits", "+๑๔๑๕๕๕๕๒๖๗๑", number},
		{"Bengali digits", "+১৪১৫৫৫৫২৬৭১", number},
		{"mathematical digits", "+𝟏𝟒𝟏𝟓𝟓𝟓𝟓𝟐𝟔𝟕𝟏", number},
		{"Devanagari digits in a tel URI", "tel:+१४१५५५५२६७१", number},
		{"Devanagari digits with an extension", "+१४१५५५५२६७१ ext 5", extended},
		{"a phone context", "tel:4155552671;phone-context=+1", number},
		{"a phone context in Devanagari", "tel:4155552671;phone-context=+१", number},
		{"a domain as phone context", "tel:+14155552671;phone-context=example.com", number},
		{"250 characters, the most", number + strings.Repeat(" ", 238), number},
		{"wide spaces count as characters, not bytes", "+1" + strings.Repeat("\u3000", 80) + "4155552671", number},
		{"wide hyphens count as characters, not bytes", "+1" + strings.Repeat("\u2010", 80) + "4155552671", number},
		{"invisible joiners count as characters, not bytes", "+1" + strings.Repeat("\u2060", 80) + "4155552671", number},
		{"Great Britain", "+44 20 7946 0958", "+442079460958"},
		{"Italy, which keeps its leading zero", "+39 02 3661 8300", "+390236618300"},
	} {
		if refused, got := check(t, s, string(quote(c.value))); refused != "" || got != c.want {
			t.Errorf("%s: %q: got %q %s, want %s", c.reason, c.value, refused, got, c.want)
		}
	}
}

func TestPhoneThatIsNoValidInternationalNumberIsRefused(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaPhone}
	for _, c := range []struct{ reason, value string }{
		{"no country", `"4155552671"`},
		{"an unknown country", `"+999"`},
		{"no text", `""`},
		{"a plus sign alone", `"+"`},
		{"a number that nobody can have", `"+10000000000"`},
		{"a letter too many", `"+1415555267a"`},
		{"an international prefix in place of the plus sign", `"00441234567890"`},
		{"a digit too few", `"+1415555267"`},
		{"half a surrogate pair", `"+1\ud800"`},
		{"a Devanagari digit after letters", `"+1 800 FLOWER७"`},
		{"a Devanagari digit before letters", `"+१ 800 FLOWERS"`},
		{"two wide spaces before the extension", `"+14155552671 x\u3000\u30005"`},
		{"two wide number signs", `"+14155552671 ＃＃5"`},
		{"a comma after the phone context", `"tel:4155552671;phone-context=+1,"`},
		{"an empty phone context", `"+14155552671;isub=1;phone-context="`},
		{"a comma after a domain as phone context", `"tel:+14155552671;phone-context=example.com,"`},
		{"a smiley after the phone context", `"4155552671;phone-context=+1😀"`},
		{"251 characters", `"+14155552671` + strings.Repeat(" ", 239) + `"`},
		{"252 characters, most of them wide", `"+1` + strings.Repeat("\u3000", 240) + `4155552671"`},
	} {
		if got, _ := check(t, s, c.value); got != "value_error" {
			t.Errorf("%s: %s: got %q", c.reason, c.value, got)
		}
	}
	if got, _ := check(t, s, `5`); got != "string_type" {
		t.Errorf("5: got %q", got)
	}
}
