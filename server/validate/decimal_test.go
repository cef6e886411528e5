package validate

import (
	"strings"
	"testing"
)

func amountSchema() *schema {
	low, high := 0.01, 10000.0
	return &schema{kind: schemaDecimal, decimals: decimalBounds{ge: newDecimalBound(&low), le: newDecimalBound(&high)}}
}

func TestDecimalKeepsTheExactNumber(t *testing.T) {
	t.Parallel()
	digits, zeros := strings.Repeat("3", 100), strings.Repeat("0", 99)
	for _, c := range []struct{ reason, value, want string }{
		{"a number", `25`, "25"},
		{"a text keeps its zeros", `"25.00"`, "25.00"},
		{"a plus sign goes", `"+5"`, "5"},
		{"a point gets a digit before it", `".5"`, "0.5"},
		{"a point at the end goes", `"5."`, "5"},
		{"leading zeros stay", `"007.10"`, "007.10"},
		{"an escape is its character", `"1\u0030"`, "10"},
		{"a number's exponent is carried out", `1e2`, "100"},
		{"a fraction with an exponent", `2.50E+1`, "25.0"},
		{"an exponent below zero", `1e-2`, "0.01"},
		{"an exponent of zero", `0.1e-0`, "0.1"},
		{"an exponent that moves the point into the digits", `10000000e-3`, "10000.000"},
		{"more decimals than a float is exact to", `5000.005`, "5000.005"},
		{"just above the lower bound", `"0.0100000000000000000001"`, "0.0100000000000000000001"},
		{"the upper bound itself", `10000.00`, "10000.00"},
		{"100 decimals, the most", `"1.` + digits + `"`, "1." + digits},
		{"100 decimals with zeros stay", `"1.5` + zeros + `"`, "1.5" + zeros},
		{"101 decimals lose their zeros", `"1.5` + zeros + `0"`, "1.5"},
		{"a large number with a small exponent", `25` + strings.Repeat("0", 200) + `e-200`, "25"},
		{"very many zeros", `"1.` + strings.Repeat("0", 20000) + `"`, "1"},
	} {
		if refused, got := check(t, amountSchema(), c.value); refused != "" || got != c.want {
			t.Errorf("%s: %.40s: got %q %.40s, want %.40s", c.reason, c.value, refused, got, c.want)
		}
	}
}

func TestDecimalRefusesAsPydanticDoes(t *testing.T) {
	t.Parallel()
	tooMany := strings.Repeat("3", 101)
	for _, c := range []struct{ reason, value, want string }{
		{"just below the lower bound", `0.009`, "greater_than_equal"},
		{"below zero", `-5`, "greater_than_equal"},
		{"below zero as a text", `"-5"`, "greater_than_equal"},
		{"zero with a sign", `-0.0`, "greater_than_equal"},
		{"a float that Python reads as 0", `1e-400`, "greater_than_equal"},
		{"just above the upper bound", `10000.000000000000000000001`, "less_than_equal"},
		{"the bound comes before the pattern: exponent", `"1e9"`, "less_than_equal"},
		{"the bound comes before the pattern: underscore", `" 10_001 "`, "less_than_equal"},
		{"the bound comes before the pattern: wide digits", `"１２３４５６"`, "less_than_equal"},
		{"the largest exponent of Python's Decimal", `"1e999999999999999999"`, "less_than_equal"},

		{"a float that Python reads as infinite", `1e400`, "finite_number"},
		{"minus infinity", `-1e400`, "finite_number"},
		{"NaN with a payload", `"nan12"`, "finite_number"},
		{"infinity in any case, with underscores", `" -iNf_inity "`, "finite_number"},
		{"a signalling NaN", `"sNaN"`, "finite_number"},

		{"an exponent in a text", `"1e3"`, "decimal_parsing"},
		{"white space before", `" 5"`, "decimal_parsing"},
		{"white space after", `"5\n"`, "decimal_parsing"},
		{"an underscore", `"1_000"`, "decimal_parsing"},
		{"a digit of another script", `"٣"`, "decimal_parsing"},
		{"no text", `""`, "decimal_parsing"},
		{"a point alone", `"."`, "decimal_parsing"},
		{"two signs", `"+-5"`, "decimal_parsing"},
		{"two points", `"5.0.0"`, "decimal_parsing"},
		{"an exponent without a number", `"e5"`, "decimal_parsing"},
		{"a number without its exponent", `"1e"`, "decimal_parsing"},
		{"an exponent that Python's Decimal cannot hold", `"1e1000000000000000000"`, "decimal_parsing"},
		{"an exponent beyond 64 bits", `"1e99999999999999999999999"`, "decimal_parsing"},
		{"NaN with letters", `"nanx"`, "decimal_parsing"},
		{"half a surrogate pair", `"\ud800"`, "decimal_parsing"},

		{"null", `null`, "decimal_type"},
		{"a boolean", `true`, "decimal_type"},
		{"a list", `[5]`, "decimal_type"},
		{"an object", `{}`, "decimal_type"},

		{"101 decimals", `"1.` + tooMany + `"`, "decimal_max_places"},
		{"101 decimals by an exponent", `1e-101`, "decimal_max_places"},
		{"decimals are counted before the bounds", `"99999.` + tooMany + `"`, "decimal_max_places"},
		{"zero has no decimals too many", `0e-101`, "greater_than_equal"},
		{"zero as a text has none either", `"0.` + strings.Repeat("0", 101) + `"`, "greater_than_equal"},
	} {
		if got, _ := check(t, amountSchema(), c.value); got != c.want {
			t.Errorf("%s: %.40s: got %q, want %s", c.reason, c.value, got, c.want)
		}
	}
}

func TestDecimalWithoutBoundsHasAtMost1000WholeDigits(t *testing.T) {
	t.Parallel()
	unbounded := &schema{kind: schemaDecimal}
	if got, _ := check(t, unbounded, `"1e999999999999999999"`); got != "decimal_parsing" {
		t.Errorf("a text with an exponent: got %q", got)
	}
	if got, _ := check(t, unbounded, `1e300`); got != "" {
		t.Errorf("1e300: got %q", got)
	}
	if got, _ := check(t, unbounded, strings.Repeat("9", 1001)); got != "decimal_whole_digits" {
		t.Errorf("1001 digits: got %q", got)
	}
	if got, text := check(t, unbounded, `-0.0`); got != "" || text != "0.0" {
		t.Errorf("-0.0: got %q %s", got, text)
	}
}

func TestExclusiveBoundsOfDecimalsExcludeTheBound(t *testing.T) {
	t.Parallel()
	low, high := 0.0, 1.5
	s := &schema{kind: schemaDecimal, decimals: decimalBounds{gt: newDecimalBound(&low), lt: newDecimalBound(&high)}}
	for value, want := range map[string]string{`0`: "greater_than", `"1.50"`: "less_than", `1.4999`: "", `0.001`: ""} {
		if got, _ := check(t, s, value); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}
