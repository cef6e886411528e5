package money_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"giftcards/store/money"
)

func parse(t testing.TB, text string) money.Amount {
	t.Helper()
	amount, err := money.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return amount
}

func TestParseKeepsValueAndScaleAndPrintsAtLeastTwoDecimals(t *testing.T) {
	t.Parallel()
	// The text that is read, and the text that is printed.
	for text, want := range map[string]string{
		"25":                                 "25.00",
		"5000.005":                           "5000.005",
		"+4.24":                              "4.24",
		"054.600":                            "54.600",
		".5":                                 "0.50",
		"5.":                                 "5.00",
		"2.5e1":                              "25.00",
		"2.5E+1":                             "25.00",
		"25e-1":                              "2.50",
		"1e3":                                "1000.00",
		"1.25e1":                             "12.50",
		"1.2500e1":                           "12.500",
		"1e-7":                               "0.0000001",
		"0":                                  "0.00",
		"0.000":                              "0.000",
		"-0":                                 "0.00",
		"-0.000":                             "0.000",
		"0e9":                                "0.00",
		"0e99999999999999999":                "0.00",
		"-5":                                 "-5.00",
		"-.05":                               "-0.05",
		"10000":                              "10000.00",
		"0.010000000000000002":               "0.010000000000000002",
		"9999999999999999999":                "9999999999999999999.00",
		"18446744073709551616":               "18446744073709551616.00",
		"-99999999999999999999":              "-99999999999999999999.00",
		"1e25":                               "10000000000000000000000000.00",
		"5e-0000000000000000001":             "0.50",
		strings.Repeat("0", 200_000) + "7.1": "7.10",
		"0." + strings.Repeat("0", 99) + "1": "0." + strings.Repeat("0", 99) + "1",
		"1e-100":                             "0." + strings.Repeat("0", 99) + "1",
		"1e999":                              "1" + strings.Repeat("0", 999) + ".00",
		strings.Repeat("9", 1000) + ".12e-000000": strings.Repeat("9", 1000) + ".12",
	} {
		if got := parse(t, text).String(); got != want {
			t.Errorf("Parse(%.60q).String() = %.60q, want %.60q", text, got, want)
		}
	}
}

func TestParseRefusesTextsThatAreNoDecimalNumber(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "+", "-", ".", "+.", "-.", "+-5", "--5", "5-", " 5", "5 ", "5\n", "1_000", "1,000", "5,5", "1.2.3",
		"e5", ".e5", "5e", "5e+", "5e-", "5e1.5", "5e 1", "5ee1", "5e1e1", "0x10", "5f", "NaN", "nan", "Infinity",
		"-Inf", "١", "５", "5\x00", "null", `"5"`, "½",
	} {
		if amount, err := money.Parse(text); !errors.Is(err, money.ErrSyntax) {
			t.Errorf("Parse(%q) = %v, %v, want ErrSyntax", text, amount, err)
		}
	}
}

func TestParseRefusesMoreDigitsThanAnAmountCanHave(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"1e1000":                               money.ErrTooLarge,
		"-10e999":                              money.ErrTooLarge,
		"1e2147483647":                         money.ErrTooLarge,
		"1e2147483648":                         money.ErrTooLarge,
		"-1e99999999999999999999":              money.ErrTooLarge,
		strings.Repeat("1", 1001):              money.ErrTooLarge,
		"1e-101":                               money.ErrTooPrecise,
		"0.1e-100":                             money.ErrTooPrecise,
		"1e-2147483648":                        money.ErrTooPrecise,
		"1e-99999999999999999999":              money.ErrTooPrecise,
		"0e-101":                               money.ErrTooPrecise,
		"5." + strings.Repeat("0", 101):        money.ErrTooPrecise,
		strings.Repeat("1", 20000) + "e-19999": money.ErrTooPrecise,
	} {
		if amount, err := money.Parse(text); !errors.Is(err, want) {
			t.Errorf("Parse(%.40q) = %.40v, %v, want %v", text, amount, err, want)
		}
	}
}

func TestZeroValueIsZero(t *testing.T) {
	t.Parallel()
	var zero money.Amount
	if !zero.IsZero() || zero.String() != "0.00" || zero.Cmp(parse(t, "0.000")) != 0 {
		t.Errorf("the zero Amount is %v", zero)
	}
	if parse(t, "0.001").IsZero() || parse(t, "-1").IsZero() {
		t.Error("an amount that is not 0 says it is")
	}
}

func TestCmpComparesValuesNotScales(t *testing.T) {
	t.Parallel()
	ascending := []string{"-1e20", "-5.1", "-5", "-0.01", "0", "0.0099999999999999999999", "0.01", "5.1", "5.10000000000000000001", "10000", "10000.01", "1e20", "1e999"}
	for i, low := range ascending {
		for j, high := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := parse(t, low).Cmp(parse(t, high)); got != want {
				t.Errorf("%s.Cmp(%s) = %d, want %d", low, high, got, want)
			}
		}
	}
	for _, same := range [][2]string{{"5.1", "5.1000"}, {"1000", "1e3"}, {"-0", "0.00"}, {"-2.50", "-2.5"}} {
		if got := parse(t, same[0]).Cmp(parse(t, same[1])); got != 0 {
			t.Errorf("%s.Cmp(%s) = %d, want 0", same[0], same[1], got)
		}
	}
}

func TestJSONReadsNumberOrStringAndWritesString(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`25`: `"25.00"`, `2.5e1`: `"25.00"`, `"25"`: `"25.00"`, `"+4.24"`: `"4.24"`, `".5"`: `"0.50"`,
		`"\u0032\u0035"`: `"25.00"`, ` 7.125 `: `"7.125"`, `0.1`: `"0.10"`, `10000.0`: `"10000.00"`,
		`0.30000000000000000000000000000000000001`: `"0.30000000000000000000000000000000000001"`,
	} {
		var amount money.Amount
		if err := json.Unmarshal([]byte(text), &amount); err != nil {
			t.Errorf("Unmarshal(%s): %v", text, err)
			continue
		}
		if got, err := json.Marshal(amount); err != nil || string(got) != want {
			t.Errorf("%s came back as %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestJSONRefusesEverythingElseAndKeepsTheAmount(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`null`, `true`, `{}`, `[5]`, `""`, `"x"`, `" 5"`, `"5\n"`, `"NaN"`, `1e999999999`} {
		amount := parse(t, "3")
		if err := json.Unmarshal([]byte(text), &amount); err == nil {
			t.Errorf("Unmarshal(%s) succeeded", text)
		}
		if amount.String() != "3.00" {
			t.Errorf("after the refusal of %s the amount is %v", text, amount)
		}
	}
	for _, data := range []string{"", `"`, `"5`, `"\`} {
		amount := parse(t, "3")
		if err := amount.UnmarshalJSON([]byte(data)); err == nil || amount.String() != "3.00" {
			t.Errorf("UnmarshalJSON(%s) = %v, leaving %v", data, err, amount)
		}
	}
}

func TestTextFormIsThatOfParseAndString(t *testing.T) {
	t.Parallel()
	amount := parse(t, "1")
	if err := amount.UnmarshalText([]byte("12.345")); err != nil {
		t.Fatal(err)
	}
	if text, err := amount.MarshalText(); err != nil || string(text) != "12.345" {
		t.Errorf("MarshalText = %q, %v", text, err)
	}
	if err := amount.UnmarshalText([]byte("x")); !errors.Is(err, money.ErrSyntax) || amount.String() != "12.345" {
		t.Errorf("UnmarshalText(x) = %v, leaving %v", err, amount)
	}
}

func TestCopiesAreIndependent(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"5.25", "123456789012345678901234567890.123456789012345678901234567890"} {
		amount := parse(t, text)
		other := amount
		if err := other.UnmarshalText([]byte("7")); err != nil {
			t.Fatal(err)
		}
		if amount.String() != text || other.String() != "7.00" {
			t.Errorf("after a change of its copy %s is %v, the copy %v", text, amount, other)
		}
	}
}

func FuzzPrintedAmountReadsBackAsTheSame(f *testing.F) {
	for _, text := range []string{"25", "+4.24", "054.600", ".5", "5.", "2.5e1", "-0", "1e-9", "99999999999999999999.5", "e", "1e999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := money.Parse(text)
		if err != nil {
			if !errors.Is(err, money.ErrSyntax) && !errors.Is(err, money.ErrTooLarge) && !errors.Is(err, money.ErrTooPrecise) {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			return
		}
		printed := amount.String()
		if strings.ContainsAny(printed, "eE+") || len(printed)-strings.IndexByte(printed, '.') < 3 {
			t.Fatalf("%q prints as %q", text, printed)
		}
		again := parse(t, printed)
		if again.Cmp(amount) != 0 || again.String() != printed {
			t.Fatalf("%q prints as %q, which reads as %v", text, printed, again)
		}
		if value, err := strconv.ParseFloat(text, 64); err == nil && len(text) < 15 && !strings.ContainsAny(text, "eE") {
			if back, err := strconv.ParseFloat(printed, 64); err != nil || back != value {
				t.Fatalf("%q prints as %q", text, printed)
			}
		}
	})
}

// decimals returns texts of decimals of many lengths and scales, as String writes them.
func decimals(t *testing.T, n int) []string {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		if random.IntN(4) == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(byte('1' + random.IntN(9)))
		for range random.IntN(40) {
			b.WriteByte("0000123456789"[random.IntN(13)])
		}
		b.WriteByte('.')
		for range 2 + random.IntN(40) {
			b.WriteByte("0000123456789"[random.IntN(13)])
		}
		texts[i] = b.String()
	}
	return texts
}

// BenchmarkParse parses a usual amount.
func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := money.Parse("1234.56"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkString writes a usual amount as a text.
func BenchmarkString(b *testing.B) {
	amount := parse(b, "1234.56")
	for b.Loop() {
		_ = amount.String()
	}
}

// BenchmarkParseAndCompareTheLongest parses a digit and compares it with a number that has as many
// decimals as an amount can have.
func BenchmarkParseAndCompareTheLongest(b *testing.B) {
	limit := parse(b, "9."+strings.Repeat("9", money.MaxDecimals))
	for b.Loop() {
		amount, err := money.Parse("9")
		if err != nil || amount.Cmp(limit) != -1 {
			b.Fatal(amount, err)
		}
	}
}
