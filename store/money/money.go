// Package money owns how an amount of money is read, printed, compared and
// stored: as an exact decimal, never a float and never rounded.
// It must not know what an amount is for, nor which bounds a card sets on it.
package money

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"github.com/jackc/pgx/v5/pgtype"
)

var (
	// ErrSyntax means that a text is not a decimal number.
	ErrSyntax = errors.New("not a decimal number")
	// ErrTooLarge means that a decimal number has more than MaxWholeDigits digits
	// before the point. Its absolute value is above any bound on an amount.
	ErrTooLarge = errors.New("more digits before the point than an amount can have")
	// ErrTooPrecise means that a decimal number has more digits after the point
	// than an amount can have: MaxDecimals to be read, storedDecimals to be stored.
	ErrTooPrecise = errors.New("more digits after the point than an amount can have")
)

const (
	// MaxDecimals is how many digits after the point Parse reads. Each of them is
	// encoded, stored and printed for every card, and encoding takes quadratic time.
	MaxDecimals = 100
	// MaxWholeDigits is how many digits before the point an amount can have. It is
	// less than PostgreSQL's 131,072, because comparing that many takes tens of
	// milliseconds and "1e131071" is quickly sent.
	MaxWholeDigits = 1000
	// storedDecimals is how many decimals a PostgreSQL numeric keeps. Cards that are
	// older than MaxDecimals may have as many, and stay readable.
	storedDecimals = 16383
	// printedScale is the least number of decimals an amount is written with.
	printedScale = 2
	// uint64Digits is how many decimal digits always fit a uint64.
	uint64Digits = 19
)

// Amount is an exact decimal amount in the program's currency. Its zero value
// is 0. It is a value: copies are independent, and all methods that do not
// fill it leave it as it is. Compare with Cmp, not with ==.
type Amount struct {
	// number is finite, has no positive exponent, and is never negative zero.
	number apd.Decimal
}

// Parse reads a decimal number: an optional sign, ASCII digits with at most
// one point (at least one digit in all, leading zeros allowed), an optional
// exponent. The scale is kept: "5.10" has two decimals, "5.1" has one. The
// error is ErrSyntax, ErrTooLarge or ErrTooPrecise, wrapped.
func Parse(text string) (Amount, error) {
	parts, ok := split(text)
	if !ok {
		return Amount{}, fmt.Errorf("read amount: %w", ErrSyntax)
	}
	// A number too long for int32 comes back as the nearest int32, which is
	// out of range below as well; split has checked the syntax.
	exponent, _ := strconv.ParseInt(parts.exponent, 10, 32)

	digits := strings.TrimLeft(parts.whole+parts.fraction, "0")
	scale := len(parts.fraction) - int(exponent)
	zeros := 0
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

// coefficient returns the value of digits followed by a number of zeros.
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
	whole, fraction string // digits, perhaps none
	exponent        string // with its sign, "" for none
}

// split takes the text of a decimal number apart and reports whether it is one.
func split(text string) (p parts, ok bool) {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		p.negative = text[0] == '-'
		text = text[1:]
	}
	p.whole, text = leadingDigits(text)
	if text != "" && text[0] == '.' {
		p.fraction, text = leadingDigits(text[1:])
	}
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

// String writes the amount with all of its decimals and at least two, without
// an exponent: "25.00", "5000.005", "-0.50".
func (a Amount) String() string {
	var space [32]byte
	return string(a.append(space[:0]))
}

func (a Amount) append(text []byte) []byte {
	text = a.number.Append(text, 'f')
	scale := -int(a.number.Exponent)
	if scale == 0 {
		text = append(text, '.')
	}
	for ; scale < printedScale; scale++ {
		text = append(text, '0')
	}
	return text
}

// MarshalText writes what String writes.
func (a Amount) MarshalText() ([]byte, error) {
	return a.append(nil), nil
}

// UnmarshalText reads what Parse reads; on an error the amount is unchanged.
func (a *Amount) UnmarshalText(text []byte) error {
	return a.set(string(text))
}

// MarshalJSON writes the amount as a JSON string, such as "25.00".
func (a Amount) MarshalJSON() ([]byte, error) {
	return append(a.append([]byte{'"'}), '"'), nil
}

// UnmarshalJSON reads a JSON number, or a JSON string that Parse reads; null
// is refused. On an error the amount is unchanged.
func (a *Amount) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '"' {
		return a.set(string(data))
	}
	if quoted := len(data) > 1 && data[len(data)-1] == '"'; quoted && bytes.IndexByte(data, '\\') < 0 {
		return a.set(string(data[1 : len(data)-1])) // the usual string, without the cost of unquoting
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

// Cmp compares by value: -1 when a is less than b, 0 when they are equal
// (5.1 and 5.10 are), +1 when a is more.
func (a Amount) Cmp(b Amount) int {
	return a.number.Cmp(&b.number)
}

// Decimals returns how many digits after the point the amount is kept with: 1 for 5.1,
// and 2 for 5.10.
func (a Amount) Decimals() int { return -int(a.number.Exponent) }

// Float64 returns the nearest float64. It is for metrics only; never compute an amount with
// it.
func (a Amount) Float64() float64 {
	nearest, _ := a.number.Float64() // the only error is an overflow, which becomes infinity
	return nearest
}

// IsZero reports whether the amount is 0.
func (a Amount) IsZero() bool {
	return a.number.IsZero()
}

// NumericValue gives the amount, with its scale, to a PostgreSQL numeric.
func (a Amount) NumericValue() (pgtype.Numeric, error) {
	coefficient := a.number.Coeff.MathBigInt()
	if a.number.Negative {
		coefficient.Neg(coefficient)
	}
	return pgtype.Numeric{Int: coefficient, Exp: a.number.Exponent, Valid: true}, nil
}

// ScanNumeric takes the amount from a PostgreSQL numeric. NULL, NaN and the
// infinities are refused; on an error the amount is unchanged.
func (a *Amount) ScanNumeric(numeric pgtype.Numeric) error {
	switch {
	case !numeric.Valid:
		return errors.New("scan amount: it is NULL")
	case numeric.NaN || numeric.InfinityModifier != pgtype.Finite:
		return errors.New("scan amount: it is not finite")
	case numeric.Exp > MaxWholeDigits:
		return fmt.Errorf("scan amount: %w", ErrTooLarge)
	case numeric.Exp < -storedDecimals:
		return fmt.Errorf("scan amount: %w", ErrTooPrecise)
	}
	var amount Amount
	if numeric.Int != nil {
		amount.number.Coeff.SetMathBigInt(new(big.Int).Abs(numeric.Int))
		amount.number.Negative = numeric.Int.Sign() < 0
	}
	amount.number.Exponent = numeric.Exp
	if numeric.Exp > 0 {
		amount.number.Exponent = 0
		ten := big.NewInt(10)
		power := ten.Exp(ten, big.NewInt(int64(numeric.Exp)), nil)
		amount.number.Coeff.Mul(&amount.number.Coeff, new(apd.BigInt).SetMathBigInt(power))
	}
	*a = amount
	return nil
}
