package validate

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"giftcards/store/money"
)

// decimalPattern is the pattern that Pydantic writes into a document for the text form of a
// Decimal without a limit of digits.
const decimalPattern = `^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$`

// decimal is an exact decimal number: its digits times ten to the exponent.
type decimal struct {
	negative bool
	digits   []byte // ASCII, without leading zeros; none for zero
	exponent int64
}

// decimalBounds are the bounds of a Decimal; nil is no bound.
type decimalBounds struct{ ge, gt, le, lt *decimalBound }

type decimalBound struct {
	value decimal
	text  string      // for messages, with at least two decimals
	ctx   json.Number // for ctx, as a float
}

func newDecimalBound(bound *float64) *decimalBound {
	if bound == nil {
		return nil
	}
	text := strconv.FormatFloat(*bound, 'f', -1, 64)
	b := &decimalBound{ctx: json.Number(text)}
	whole, fraction, _ := strings.Cut(text, ".")
	if fraction == "" {
		b.ctx = json.Number(whole + ".0")
	}
	b.text = whole + "." + fraction + strings.Repeat("0", max(0, 2-len(fraction)))
	b.value, _ = parseDecimal(b.text, nil)
	if *bound == 0 { // Pydantic's models write 0 as an integer, and other bounds with two decimals
		b.text, b.ctx = "0", "0"
	}
	return b
}

func (s *schema) checkDecimal(t *tape, i uint32) *ErrorDetail {
	var buffer [48]byte
	switch t.nodes[i].kind {
	case kindInt, kindFloat:
		source := t.source(i)
		d, _ := parseDecimal(source, buffer[:0])
		if t.nodes[i].kind == kindFloat {
			// Python reads such a number as a float. A number that is too large becomes infinite,
			// and one that is too small becomes 0.
			switch f, _ := strconv.ParseFloat(source, 64); {
			case math.IsInf(f, 0):
				return fault("finite_number", "Input should be a finite number")
			case f == 0 && len(d.digits) > 0:
				d = decimal{}
			}
		}
		return s.acceptDecimal(t, i, d, source)
	case kindString, kindEscaped, kindText:
	default:
		return fault("decimal_type", "Decimal input should be an integer, float, string or Decimal object")
	}
	// A text passes Pydantic's parser and bounds first, and then the document's pattern. The
	// order decides which error a client sees.
	text := t.string(i)
	d, ok := parseDecimal(text, buffer[:0])
	if !ok {
		d, ok = parsePythonDecimal(text)
	}
	if !ok {
		if isPythonNonFinite(text) {
			return fault("finite_number", "Input should be a finite number")
		}
		return fault("decimal_parsing", "Input should be a valid decimal")
	}
	if _, err := s.judgeDecimal(d); err != nil {
		return err
	}
	if !isPlainDecimal(text) {
		return fault("decimal_parsing", "Input should be a valid decimal")
	}
	return s.acceptDecimal(t, i, d, text)
}

// acceptDecimal judges d, and makes the number's plain text the validated value.
func (s *schema) acceptDecimal(t *tape, i uint32, d decimal, text string) *ErrorDetail {
	kept, err := s.judgeDecimal(d)
	switch {
	case err != nil:
		return err
	case int64(len(kept.digits))+kept.exponent > money.MaxWholeDigits:
		return &ErrorDetail{
			Type: "decimal_whole_digits",
			Msg:  "Decimal input should have no more than " + plural(money.MaxWholeDigits, "digit") + " before the decimal point",
			Ctx:  map[string]any{"whole_digits": money.MaxWholeDigits},
		}
	case kept.exponent != d.exponent || !isCanonicalDecimal(text):
		t.setText(i, kept.plain())
	}
	return nil
}

// judgeDecimal counts the decimal places and then checks the bounds, in Pydantic's order.
// Trailing zeros are kept if the number is short enough with them, and dropped if not. It
// returns the number that is kept.
func (s *schema) judgeDecimal(d decimal) (decimal, *ErrorDetail) {
	if -d.exponent > money.MaxDecimals {
		d = d.trimmed()
	}
	if -d.exponent > money.MaxDecimals {
		return d, &ErrorDetail{
			Type: "decimal_max_places",
			Msg:  "Decimal input should have no more than " + plural(money.MaxDecimals, "decimal place"),
			Ctx:  map[string]any{"decimal_places": money.MaxDecimals},
		}
	}
	return d, s.decimals.check(d)
}

func (b *decimalBounds) check(d decimal) *ErrorDetail {
	switch {
	case b.le != nil && d.compare(b.le.value) > 0:
		return b.le.fault("less_than_equal", "le", "less than or equal to ")
	case b.lt != nil && d.compare(b.lt.value) >= 0:
		return b.lt.fault("less_than", "lt", "less than ")
	case b.ge != nil && d.compare(b.ge.value) < 0:
		return b.ge.fault("greater_than_equal", "ge", "greater than or equal to ")
	case b.gt != nil && d.compare(b.gt.value) <= 0:
		return b.gt.fault("greater_than", "gt", "greater than ")
	}
	return nil
}

func (b *decimalBound) fault(kind, key, words string) *ErrorDetail {
	return &ErrorDetail{Type: kind, Msg: "Input should be " + words + b.text, Ctx: map[string]any{key: b.ctx}}
}

// isCanonicalDecimal reports whether s has the form that plain writes, except that it may
// have more zeros at either end.
func isCanonicalDecimal(s string) bool {
	last := byte('.')
	for i := range len(s) {
		c := s[i]
		if c != '.' && (c < '0' || c > '9') || c == '.' && last == '.' {
			return false
		}
		last = c
	}
	return last != '.'
}

// compare returns a negative number, 0 or a positive number if d is less than, equal to or
// greater than other.
func (d decimal) compare(other decimal) int {
	if sign, otherSign := d.sign(), other.sign(); sign != otherSign || sign == 0 {
		return sign - otherSign
	}
	magnitude := d.compareMagnitude(other)
	if d.negative {
		return -magnitude
	}
	return magnitude
}

func (d decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}

func (d decimal) compareMagnitude(other decimal) int {
	// The place of the first digit decides. Only numbers of equal size need their digits.
	size, otherSize := int64(len(d.digits))+d.exponent, int64(len(other.digits))+other.exponent
	switch {
	case size > otherSize:
		return 1
	case size < otherSize:
		return -1
	}
	return bytes.Compare(bytes.TrimRight(d.digits, "0"), bytes.TrimRight(other.digits, "0"))
}

// trimmed returns d without trailing zeros after the point.
func (d decimal) trimmed() decimal {
	if len(d.digits) == 0 {
		d.exponent = 0
		return d
	}
	kept := bytes.TrimRight(d.digits, "0")
	dropped := min(int64(len(d.digits)-len(kept)), max(-d.exponent, 0))
	d.digits = d.digits[:int64(len(d.digits))-dropped]
	d.exponent += dropped
	return d
}

// plain writes d without an exponent or a plus sign. If there is a point, it has a digit on
// either side. The text has a character for each zero of a large exponent, so callers bound the
// number first.
func (d decimal) plain() string {
	var b strings.Builder
	if d.sign() < 0 {
		b.WriteByte('-')
	}
	// whole is the number of digits before the point. If it is negative, that many zeros follow
	// the point.
	whole := int64(len(d.digits)) + min(d.exponent, 0)
	if whole <= 0 {
		b.WriteByte('0')
	} else {
		b.Write(d.digits[:whole])
	}
	for range max(d.exponent, 0) {
		b.WriteByte('0')
	}
	if d.exponent < 0 {
		b.WriteByte('.')
		for range max(-whole, 0) {
			b.WriteByte('0')
		}
		b.Write(d.digits[max(whole, 0):])
	}
	return b.String()
}
