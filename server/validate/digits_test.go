package validate

import (
	"testing"
	"unicode"
)

// TestDigitsOfEveryScriptCountFrom0To9: a row of digits begins with 0, and each further digit
// is one more, modulo 10.
func TestDigitsOfEveryScriptCountFrom0To9(t *testing.T) {
	t.Parallel()
	scripts := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		want := r
		switch {
		case unicode.IsDigit(r) && !unicode.IsDigit(r-1):
			want = '0'
			scripts++
		case unicode.IsDigit(r):
			want = '0' + (asciiDigit(r-1)-'0'+1)%10
		}
		if got := asciiDigit(r); got != want {
			t.Errorf("%U: got %c, want %c", r, got, want)
		}
	}
	if scripts < 40 {
		t.Errorf("%d rows of digits, want those of all scripts", scripts)
	}
}
