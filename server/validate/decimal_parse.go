package validate

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of the exponent of Python's Decimal.
const (
	maxExponent = 999_999_999_999_999_999
	minExponent = -2*maxExponent + 1
)

// parseDecimal reads an ASCII decimal number with an optional exponent, and appends its
// digits to buffer. It reports false if s is no such number, or one that Python's Decimal
// cannot hold.
func parseDecimal(s string, buffer []byte) (decimal, bool) {
	d := decimal{digits: buffer}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative = s[0] == '-'
		s = s[1:]
	}
	// count has all digits, also leading zeros, which d.digits leaves out.
	count, point, i := 0, false, 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		count++
		if point {
			d.exponent--
		}
		if c != '0' || len(d.digits) > 0 {
			d.digits = append(d.digits, c)
		}
	}
	if count == 0 {
		return decimal{}, false
	}
	if i < len(s) {
		exponent, ok := parseExponent(s[i:])
		if !ok {
			return decimal{}, false
		}
		d.exponent += exponent
	}
	if adjusted := d.exponent + int64(max(len(d.digits), 1)) - 1; adjusted > maxExponent || d.exponent < minExponent {
		return decimal{}, false
	}
	return d, true
}

// parseExponent reads an exponent with its letter. An exponent beyond int64 becomes one that
// is too large for every decimal.
func parseExponent(s string) (int64, bool) {
	if s[0]|0x20 != 'e' {
		return 0, false
	}
	digits := strings.TrimLeft(s[1:], "+-")
	if digits == "" || len(s)-len(digits) > 2 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	exponent, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || exponent > math.MaxInt64/2 {
		exponent = math.MaxInt64 / 2
	}
	if s[1] == '-' {
		exponent = -exponent
	}
	return exponent, true
}

// parsePythonDecimal reads the other forms of a finite number that Python's Decimal takes:
// with white space around it, with underscores, with digits of any script.
func parsePythonDecimal(s string) (decimal, bool) {
	return parseDecimal(asciiNumber(s), nil)
}

// isPythonNonFinite reports whether Python's Decimal takes s for an infinity or
// NaN.
func isPythonNonFinite(s string) bool {
	s = strings.ToLower(asciiNumber(s))
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	if s == "inf" || s == "infinity" {
		return true
	}
	s = strings.TrimPrefix(s, "s")
	return strings.HasPrefix(s, "nan") && strings.Trim(s[3:], "0123456789") == ""
}

// asciiNumber prepares a text as Python's Decimal does before it parses it: without white
// space at the ends and underscores, and with ASCII digits.
func asciiNumber(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' {
			return -1
		}
		if r = asciiDigit(r); r < utf8.RuneSelf {
			return r
		}
		return '?' // no number has it, in any script
	}, strings.TrimFunc(s, isPythonSpace))
}

// isPythonSpace reports what Python's str.isspace does: true for Unicode's white space and
// the four separators of ASCII.
func isPythonSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F
}

// isPlainDecimal reports whether s matches Pydantic's decimal pattern, with ASCII digits only.
func isPlainDecimal(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := len(whole) + len(fraction)
	return digits > 0 && strings.Trim(whole, "0123456789") == "" && strings.Trim(fraction, "0123456789") == ""
}
