package text_test

import (
	"testing"
	"unicode/utf8"

	"giftcards/store/text"
)

func TestLineTurnsEachControlCharacterIntoASpace(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                               "",
		"Ann O'Hara":                     "Ann O'Hara",
		"Zoë 🎁 李":                        "Zoë 🎁 李",
		"a\x00b":                         "a b",
		"a\nBcc: x@example.com":          "a Bcc: x@example.com",
		"a\r\nb":                         "a  b",
		"\ta\v\f\x1b\x7fb":               " a    b",
		"a\u0080b\u0085c\u009fd":         "a b c d",
		"a\u2028b\u2029c":                "a b c",
		"a\u00a0b\u200db\u200ec\ufeff":   "a\u00a0b\u200db\u200ec\ufeff",
		"<b>&amp;</b>":                   "<b>&amp;</b>",
		"a\xffb":                         "a\ufffdb",
		"\xed\xa0\x80":                   "\ufffd\ufffd\ufffd",
		"a\xc0\xafb":                     "a\ufffd\ufffdb",
		"cut\xf0\x9f\x8e":                "cut\ufffd\ufffd\ufffd",
		"=HYPERLINK(\"http://x\"),\x00,": "=HYPERLINK(\"http://x\"), ,",
	} {
		if got := text.Line(s); got != want {
			t.Errorf("Line(%q) = %q, want %q", s, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x00b\u2028\xff")
	f.Fuzz(func(t *testing.T, s string) {
		line := text.Line(s)
		if !utf8.ValidString(line) {
			t.Fatalf("Line(%q) = %q is not UTF-8", s, line)
		}
		if utf8.RuneCountInString(line) != utf8.RuneCountInString(s) {
			t.Fatalf("Line(%q) = %q has another length", s, line)
		}
		if text.Line(line) != line {
			t.Fatalf("Line(%q) = %q changes again", s, line)
		}
		for _, r := range line {
			if r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u2028' || r == '\u2029' {
				t.Fatalf("Line(%q) = %q holds %U", s, line, r)
			}
		}
	})
}
