package sheet_test

import "testing"

// TestANameIsSeenInItsOrder (UAX #9): words that are written from right to left, with numbers and
// Latin words between them. The texts that are wanted are in the order of the eye, from left to right.
func TestANameIsSeenInItsOrder(t *testing.T) {
	t.Parallel()
	f := fonts(t, t.TempDir())
	for name, want := range map[string]string{
		"Studio 24":                                   "Studio 24",
		"\u05d0\u05d1":                                "\u05d1\u05d0",
		"\u05d0 24 \u05d1":                            "\u05d1 24 \u05d0",
		"Studio \u05d0\u05d1 24 \u05d2":               "Studio \u05d2 24 \u05d1\u05d0",
		"Studio \u05d0 24 \u05d1 25 \u05d2 B":         "Studio \u05d2 25 \u05d1 24 \u05d0 B",
		"\u05d0 Studio 24 \u05d1":                     "\u05d1 Studio 24 \u05d0",
		"\u05d0\u05d1 Studio":                         "Studio \u05d1\u05d0",
		"Ada (\u05d0\u05d1)":                          "Ada (\u05d1\u05d0)",
		"Caf\u00e9 \u0645\u062d 24 \u0639\u0644":      "Caf\u00e9 \u0644\u0639 24 \u062d\u0645",
		"A \u05d0 \u0661\u0662 \u05d1 C":              "A \u05d1 \u0661\u0662 \u05d0 C",
		"\u05d0 A 1 \u05d1 B 2":                       "B 2 \u05d1 A 1 \u05d0",
		"first line\u2028second line \u05d0 3 \u05d1": "first line\u2028second line \u05d1 3 \u05d0",
		"": "",
	} {
		if got := f.Seen(name); got != want {
			t.Errorf("%q is seen as %q, want %q", name, got, want)
		}
	}
}
