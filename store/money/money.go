// Package money reads, prints, compares and stores amounts of money as exact decimals. It
// never uses a float for an amount and never rounds. It does not know the purpose of an
// amount or the bounds that a card sets.
package money

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

var (
	// ErrSyntax is the error for a text that is not a decimal number.
	ErrSyntax = errors.New("not a decimal number")
	// ErrTooLarge is the error for a decimal number with more than MaxWholeDigits digits
	// before the point. Depending on its sign, it is above or below every bound on an amount.
	ErrTooLarge = errors.New("more digits before the point than an amount can have")
	// ErrTooPrecise is the error for a decimal number with more than MaxDecimals digits after
	// the point.
	ErrTooPrecise = errors.New("more digits after the point than an amount can have")
)

const (
	// MaxDecimals is the largest number of digits after the point. Every card's amount is
	// encoded, stored and printed, and encoding takes quadratic time.
	MaxDecimals = 100
	// MaxWholeDigits is the largest number of digits before the point. PostgreSQL allows
	// 131,072, but comparing so many takes tens of milliseconds, and "1e131071" is a short
	// text for an attacker to send.
	MaxWholeDigits = 1000
	// printedScale is the smallest number of decimals that String prints.
	printedScale = 2
	// uint64Digits is the largest number of decimal digits that always fit into a uint64.
	uint64Digits = 19
)

// Amount is an exact decimal amount in the program's currency. Its zero value is 0. Copies
// are independent. Only UnmarshalText, UnmarshalJSON and ScanNumeric change an amount.
// Compare amounts with Cmp, not with ==.
type Amount struct {
	// number is finite, has no positive exponent, and is never negative zero.
	number apd.Decimal
}

// Parse reads a decimal number: an optional sign, one or more ASCII digits with at most one
// point, and an optional exponent. Leading zeros are allowed. Parse keeps the scale: "5.10"
// has two decimals, and "5.1" has one. The error wraps ErrSyntax, ErrTooLarge or
// ErrTooPrecise.
func Parse(text string) (Amount, error) {
	parts, ok := split(text)
	if !ok {
		return Amount{}, fmt.Errorf("read amount: %w", ErrSyntax)
	}
	// split has checked the syntax. For an exponent beyond int32, ParseInt returns the
	// nearest int32, which the checks below refuse.
	exponent, _ := strconv.ParseInt(parts.exponent, 10, 32)

	// Leading zeros count neither as digits nor for the limit.
	digits := strings.TrimLeft(parts.whole+parts.fraction, "0")
	scale := len(parts.fraction) - int(exponent)
	zeros := 0
	// A positive exponent becomes zeros, because an Amount has none.
	if scale < 0 {
		if digits != "" {
			zeros = -scale
		}
		scale = 0
	}
	if len(digits)+zeros-scale > MaxWholeDigits {
		return Amount{}, fmt.Errorf("read amount: %w", ErrTooLarge)
	}
	if scale > MaxDecimals {
		return Amount{}, fmt.Errorf("read amount: %w", ErrTooPrecise)
	}
	return Amount{apd.Decimal{
		Negative: parts.negative && digits != "",
		Exponent: int32(-scale),
		Coeff:    coefficient(digits, zeros),
	}}, nil
}

// coefficient returns the value of digits followed by zeros. Most amounts fit into a uint64,
// which is much faster than SetString.
func coefficient(digits string, zeros int) apd.BigInt {
	if len(digits)+zeros > uint64Digits {
		var large apd.BigInt
		large.SetString(digits+strings.Repeat("0", zeros), 10)
		return large
	}
	var value uint64
	for i := range len(digits) {
		value = value*10 + uint64(digits[i]-'0')
	}
	for range zeros {
		value *= 10
	}
	var small apd.BigInt
	small.SetUint64(value)
	return small
}

// parts are the pieces of a decimal number's text.
type parts struct {
	negative        bool
	whole, fraction string // digits; one of them may be ""
	exponent        string // with its sign, "" without an exponent
}

// split splits the text of a decimal number, and reports whether it is one.
func split(text string) (p parts, ok bool) {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		p.negative = text[0] == '-'
		text = text[1:]
	}
	p.whole, text = leadingDigits(text)
	if text != "" && text[0] == '.' {
		p.fraction, text = leadingDigits(text[1:])
	}
	// At least one digit is needed: "." is not a number.
	if p.whole == "" && p.fraction == "" {
		return parts{}, false
	}
	if text != "" && (text[0] == 'e' || text[0] == 'E') {
		p.exponent = text[1:]
		digits := p.exponent
		if digits != "" && (digits[0] == '-' || digits[0] == '+') {
			digits = digits[1:]
		}
		if digits, text = leadingDigits(digits); digits == "" {
			return parts{}, false
		}
	}
	return p, text == ""
}

func leadingDigits(text string) (digits, rest string) {
	end := 0
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		end++
	}
	return text[:end], text[end:]
}

// String returns the amount with all of its decimals, at least two, and without an exponent:
// "25.00", "5000.005", "-0.50".
func (a Amount) String() string {
	var space [32]byte
	return string(a.append(space[:0]))
}

func (a Amount) append(text []byte) []byte {
	text = a.number.Append(text, 'f')
	scale := -int(a.number.Exponent)
	// Append writes no point for a whole number.
	if scale == 0 {
		text = append(text, '.')
	}
	for ; scale < printedScale; scale++ {
		text = append(text, '0')
	}
	return text
}

// AppendText appends the text of String to b.
func (a Amount) AppendText(b []byte) ([]byte, error) { return a.append(b), nil }

// MarshalText returns the text of String.
func (a Amount) MarshalText() ([]byte, error) { return a.AppendText(nil) }

// UnmarshalText sets the amount to the result of Parse. On an error the amount is unchanged.
func (a *Amount) UnmarshalText(text []byte) error {
	return a.set(string(text))
}

// MarshalJSON returns the amount as a JSON string, such as "25.00".
func (a Amount) MarshalJSON() ([]byte, error) {
	return append(a.append([]byte{'"'}), '"'), nil
}

// UnmarshalJSON sets the amount from a JSON number, or from a JSON string that Parse
// accepts. It refuses null. On an error the amount is unchanged.
func (a *Amount) UnmarshalJSON(data []byte) error {
	// A JSON number has a syntax that Parse accepts, and null does not.
	if len(data) == 0 || data[0] != '"' {
		return a.set(string(data))
	}
	if quoted := len(data) > 1 && data[len(data)-1] == '"'; quoted && bytes.IndexByte(data, '\\') < 0 {
		return a.set(string(data[1 : len(data)-1])) // a string without escapes, which needs no unquoting
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("read amount: %w", err)
	}
	return a.set(text)
}

func (a *Amount) set(text string) error {
	amount, err := Parse(text)
	if err != nil {
		return err
	}
	*a = amount
	return nil
}

// Cmp compares by value. It returns -1 if a is less than b, 0 if they are equal (as 5.1 and
// 5.10 are), and +1 if a is greater.
func (a Amount) Cmp(b Amount) int {
	return a.number.Cmp(&b.number)
}

// Decimals returns the number of digits after the point: 1 for 5.1, and 2 for 5.10.
func (a Amount) Decimals() int { return -int(a.number.Exponent) }

// Float64 returns the nearest float64. It is for metrics only, and no amount may be computed
// with it.
func (a Amount) Float64() float64 {
	nearest, _ := a.number.Float64() // on an error it is an infinity, which is the nearest float64
	return nearest
}

// IsZero reports whether the amount is 0.
func (a Amount) IsZero() bool {
	return a.number.IsZero()
}

// Sign returns -1, 0 or 1 for an amount below, equal to or above 0.
func (a Amount) Sign() int { return a.number.Sign() }

// Neg returns the amount with the other sign.
func (a Amount) Neg() Amount {
	negated := a
	negated.number.Negative = !a.number.Negative && !a.number.IsZero()
	return negated
}

// Add returns the exact sum. Its scale is the larger one of the two.
func (a Amount) Add(b Amount) (sum Amount) {
	// BaseContext has no precision, so that it never rounds. It can fail only for exponents
	// that an Amount cannot have.
	if _, err := apd.BaseContext.Add(&sum.number, &a.number, &b.number); err != nil {
		panic(fmt.Sprintf("money: %s + %s: %v", a, b, err))
	}
	if sum.number.IsZero() {
		sum.number.Negative = false
	}
	return sum
}

// Sub returns the exact difference. Its scale is the larger one of the two.
func (a Amount) Sub(b Amount) Amount { return a.Add(b.Neg()) }
