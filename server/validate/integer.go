package validate

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// maxIntLength is the most characters, including a minus sign, of a text that Pydantic reads as
// an integer.
const maxIntLength = 4300

// integerBounds are the bounds of an integer; nil is no bound.
type integerBounds struct{ ge, gt, le, lt *int64 }

func (s *schema) checkInteger(t *tape, i uint32) *ErrorDetail {
	switch t.nodes[i].kind {
	case kindInt:
		n, _ := parseInt(t.source(i))
		return s.integers.check(n)
	case kindFloat:
		return s.checkFloatAsInteger(t, i)
	case kindTrue, kindFalse:
		// In Python a boolean is a number, so a bound may refuse it before its type does.
		n := int64(0)
		if t.nodes[i].kind == kindTrue {
			n = 1
		}
		if err := s.integers.check(n); err != nil {
			return err
		}
		return fault("int_type", "Input should be a valid integer")
	case kindString, kindEscaped, kindText:
		return s.checkTextAsInteger(t, i)
	default:
		return fault("int_type", "Input should be a valid integer")
	}
}

func (s *schema) checkFloatAsInteger(t *tape, i uint32) *ErrorDetail {
	source := t.source(i)
	f, _ := strconv.ParseFloat(source, 64)
	switch {
	case math.IsInf(f, 0):
		return fault("finite_number", "Input should be a finite number")
	case f != math.Trunc(f):
		return fault("int_from_float", "Input should be a valid integer, got a number with a fractional part")
	case !fitsInt64(f):
		return fault("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
	}
	if err := s.integers.check(int64(f)); err != nil {
		return err
	}
	// The float is whole, but the number as written may not be: 1.0000000000000000000001.
	d, _ := parseDecimal(source, nil)
	d = d.trimmed()
	if d.exponent < 0 {
		return fault("int_type", "Input should be a valid integer")
	}
	t.setText(i, d.plain())
	return nil
}

func (s *schema) checkTextAsInteger(t *tape, i uint32) *ErrorDetail {
	text, err := wholeText(t, i)
	if err != nil {
		return err
	}
	digits, err := pydanticInt(text)
	if err != nil {
		return err
	}
	n, _ := parseInt(digits)
	if err := s.integers.check(n); err != nil {
		return err
	}
	if t.nodes[i].kind != kindText { // a parameter is always a text; in JSON a text is no number
		return fault("int_type", "Input should be a valid integer")
	}
	t.setText(i, digits)
	return nil
}

func (b *integerBounds) check(n int64) *ErrorDetail {
	switch {
	case b.le != nil && n > *b.le:
		return TooLarge(*b.le)
	case b.lt != nil && n >= *b.lt:
		return integerFault("less_than", "lt", "less than ", *b.lt)
	case b.ge != nil && n < *b.ge:
		return integerFault("greater_than_equal", "ge", "greater than or equal to ", *b.ge)
	case b.gt != nil && n <= *b.gt:
		return integerFault("greater_than", "gt", "greater than ", *b.gt)
	}
	return nil
}

func integerFault(kind, key, words string, bound int64) *ErrorDetail {
	return &ErrorDetail{
		Type: kind,
		Msg:  "Input should be " + words + strconv.FormatInt(bound, 10),
		Ctx:  map[string]any{key: bound},
	}
}

// fitsInt64 reports whether Pydantic makes a 64-bit integer of a float.
func fitsInt64(f float64) bool { return -(1<<63) < f && f < 1<<63 }

// parseInt reads a decimal integer and reports whether it fits 64 bits. If not, it returns the
// nearest integer that does.
func parseInt(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// pydanticInt reads a text as Pydantic's lax mode does, and returns the number in plain
// digits.
func pydanticInt(text string) (string, *ErrorDetail) {
	// Pydantic refuses too many leading digits before it looks at the rest of the text.
	digits := strings.TrimPrefix(text, "-")
	rest := strings.TrimLeft(digits, "0123456789")
	if len(text)-len(rest) > maxIntLength && digits[0] != '0' {
		return "", fault("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
	}
	if isJSONInt(text) {
		return text, nil
	}
	cleaned, ok := cleanInt(text)
	if !ok || !isJSONInt(cleaned) || len(cleaned) > maxIntLength {
		return "", fault("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
	}
	return cleaned, nil
}

// isJSONInt reports whether s is an integer as JSON writes it.
func isJSONInt(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || digits == "0")
}

// cleanInt removes everything that Pydantic allows around an integer in a text: white space, a
// plus sign, leading zeros, a fraction of zeros and single underscores.
func cleanInt(text string) (string, bool) {
	// The order is Pydantic's: "+-5" and "-+5" must fail, although each sign is allowed alone.
	s := strings.TrimFunc(text, unicode.IsSpace)
	if rest, plus := strings.CutPrefix(s, "+"); plus {
		if strings.HasPrefix(rest, "-") {
			return "", false
		}
		s = rest
	}
	s, negative := strings.CutPrefix(s, "-")
	if negative && (strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+")) {
		return "", false
	}
	s, ok := trimLeadingZeros(s)
	if !ok {
		return "", false
	}
	if whole, fraction, point := strings.Cut(s, "."); point && fraction != "" && strings.Trim(fraction, "0") == "" {
		s = whole
	}
	if !strings.HasPrefix(s, "_") && !strings.HasSuffix(s, "_") && !strings.Contains(s, "__") {
		s = strings.ReplaceAll(s, "_", "")
	}
	if negative {
		s = "-" + s
	}
	return s, true
}

// trimLeadingZeros removes leading zeros and the underscores among them. It keeps one zero
// before a point or the end.
func trimLeadingZeros(s string) (string, bool) {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return "", false
	}
	if s[0] != '0' {
		return s, true
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '0' || c == '_':
		// Pydantic lets a minus sign follow the zeros, so it reads 0-5 as -5.
		case '1' <= c && c <= '9' || c == '-':
			return s[i:], true
		case c == '.':
			return s[i-1:], true
		default:
			return "", false
		}
	}
	// This may be an underscore, as in Pydantic. pydanticInt then refuses the text.
	return s[len(s)-1:], true
}
