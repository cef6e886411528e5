package validate

import (
	"strings"
	"testing"
	"time"
)

// check lets a schema judge a JSON value and returns the error's type ("" for
// none) and the validated text.
func check(t *testing.T, s *schema, value string) (string, string) {
	t.Helper()
	tape, syntax := scan(value)
	if syntax != nil {
		t.Fatalf("%s: %v", value, syntax)
	}
	w := newWalk(t.Context(), tape)
	if !w.value(s, 0) {
		return w.errors[0].Type, ""
	}
	if s.kind == schemaDateTime {
		return "", tape.time(0).Format(time.RFC3339Nano)
	}
	return "", tape.string(0)
}

func amountSchema() *schema {
	low, high := 0.01, 10000.0
	return &schema{kind: schemaDecimal, decimals: decimalBounds{ge: newDecimalBound(&low), le: newDecimalBound(&high)}}
}

func TestDecimalKeepsTheExactNumber(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`25`: "25", `"25.00"`: "25.00", `"+5"`: "5", `".5"`: "0.5", `"5."`: "5", `"007.10"`: "007.10", `1e2`: "100", `2.50E+1`: "25.0",
		`1e-2`: "0.01", `5000.005`: "5000.005", `"0.0100000000000000000001"`: "0.0100000000000000000001", `10000.00`: "10000.00",
		`0.1e-0`: "0.1", `"1\u0030"`: "10", `10000000e-3`: "10000.000",
		`"1.` + strings.Repeat("3", 100) + `"`: "1." + strings.Repeat("3", 100),
		`"1.5` + strings.Repeat("0", 99) + `"`: "1.5" + strings.Repeat("0", 99), `"1.5` + strings.Repeat("0", 100) + `"`: "1.5",
		`25` + strings.Repeat("0", 200) + `e-200`: "25",
		`"1.` + strings.Repeat("0", 20000) + `"`:  "1",
	} {
		if refused, got := check(t, amountSchema(), value); refused != "" || got != want {
			t.Errorf("%.40s: got %q %.40s, want %.40s", value, refused, got, want)
		}
	}
}

func TestDecimalRefusesAsPydanticDoes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`0.009`: "greater_than_equal", `-5`: "greater_than_equal", `"-5"`: "greater_than_equal", `-0.0`: "greater_than_equal", `1e-400`: "greater_than_equal",
		`10000.000000000000000000001`: "less_than_equal", `"1e9"`: "less_than_equal", `" 10_001 "`: "less_than_equal", `"１２３４５６"`: "less_than_equal",
		`1e400`: "finite_number", `-1e400`: "finite_number", `"nan12"`: "finite_number", `" -iNf_inity "`: "finite_number", `"sNaN"`: "finite_number",
		`"1e3"`: "decimal_parsing", `" 5"`: "decimal_parsing", `"5\n"`: "decimal_parsing", `"1_000"`: "decimal_parsing", `"٣"`: "decimal_parsing",
		`""`: "decimal_parsing", `"."`: "decimal_parsing", `"+-5"`: "decimal_parsing", `"5.0.0"`: "decimal_parsing", `"e5"`: "decimal_parsing", `"1e"`: "decimal_parsing",
		`"1e1000000000000000000"`: "decimal_parsing", `"1e999999999999999999"`: "less_than_equal", `"1e99999999999999999999999"`: "decimal_parsing",
		`"nanx"`: "decimal_parsing", `"\ud800"`: "decimal_parsing",
		`null`: "decimal_type", `true`: "decimal_type", `[5]`: "decimal_type", `{}`: "decimal_type",
		`"1.` + strings.Repeat("3", 101) + `"`: "decimal_max_places", `1e-101`: "decimal_max_places",
		`"99999.` + strings.Repeat("3", 101) + `"`: "decimal_max_places", `0e-101`: "greater_than_equal", `"0.` + strings.Repeat("0", 101) + `"`: "greater_than_equal",
	} {
		if got, _ := check(t, amountSchema(), value); got != want {
			t.Errorf("%.40s: got %q, want %s", value, got, want)
		}
	}
}

func TestDecimalWithoutBoundsCannotBeBlownUp(t *testing.T) {
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

func TestIntegerIsJudgedAsPydanticDoes(t *testing.T) {
	t.Parallel()
	one := int64(1)
	s := &schema{kind: schemaInteger, integers: integerBounds{ge: &one}}
	for value, want := range map[string]string{
		`1`: "", `5.0`: "", `5e0`: "", `1e18`: "", `1000000000000000000000000000000`: "",
		`0`: "greater_than_equal", `-1000000000000000000000000000000`: "greater_than_equal", `false`: "greater_than_equal", `"0"`: "greater_than_equal", `-0.0`: "greater_than_equal", `" -1_0 "`: "greater_than_equal",
		`2.5`: "int_from_float", `1e400`: "finite_number", `1e19`: "int_parsing_size", `1.0000000000000000000001`: "int_type",
		`true`: "int_type", `"5"`: "int_type", `"05"`: "int_type", `"5.0"`: "int_type", `" +1_0.00 "`: "int_type", `null`: "int_type", `[]`: "int_type",
		`""`: "int_parsing", `"abc"`: "int_parsing", `"1__0"`: "int_parsing", `"+-5"`: "int_parsing", `"5.5"`: "int_parsing", `"٣"`: "int_parsing", `"-+5"`: "int_parsing", `"0x1"`: "int_parsing",
		`"` + strings.Repeat("9", 4301) + `"`: "int_parsing_size", `"\ud800"`: "string_unicode",
		`"-` + strings.Repeat("9", 4299) + `"`: "greater_than_equal", `"-` + strings.Repeat("9", 4300) + `"`: "int_parsing_size", `" -` + strings.Repeat("9", 4300) + `"`: "int_parsing",
		`"+` + strings.Repeat("9", 4300) + `"`: "int_type", `"` + strings.Repeat("9", 4300) + `x"`: "int_parsing", `"` + strings.Repeat("9", 4301) + `x"`: "int_parsing_size",
		`"` + strings.Repeat("9", 4301) + ` "`: "int_parsing_size", `" ` + strings.Repeat("9", 4301) + `"`: "int_parsing", `"` + strings.Repeat("0", 4301) + `5"`: "int_type",
	} {
		if got, _ := check(t, s, value); got != want {
			t.Errorf("%.40s: got %q, want %q", value, got, want)
		}
	}
	if _, text := check(t, s, `120e-1`); text != "12" {
		t.Errorf("120e-1 became %s", text)
	}
}

func TestBooleanIsJudgedAsPydanticDoes(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaBoolean}
	for value, want := range map[string]string{
		`true`: "", `false`: "",
		`1`: "bool_type", `0.0`: "bool_type", `"Yes"`: "bool_type", `"0"`: "bool_type", `0.5`: "bool_type", `null`: "bool_type", `[]`: "bool_type", `9223372036854775808`: "bool_type", `1e30`: "bool_type",
		`2`: "bool_parsing", `-1`: "bool_parsing", `2.0`: "bool_parsing", `"maybe"`: "bool_parsing", `""`: "bool_parsing", `"yeſ"`: "bool_parsing", `-9223372036854775808`: "bool_parsing",
		`"\ud800"`: "string_unicode",
	} {
		if got, _ := check(t, s, value); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

func TestDateTimeIsReadInUTC(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaDateTime}
	for value, want := range map[string]string{
		"2029-06-01T12:34:56Z": "2029-06-01T12:34:56Z", "2029-06-01t12:34:56z": "2029-06-01T12:34:56Z",
		"2029-06-01T00:00:00+05:30": "2029-05-31T18:30:00Z", "2029-06-01T23:59:59-23:59": "2029-06-02T23:58:59Z",
		"2028-02-29T00:00:00.5Z": "2028-02-29T00:00:00.5Z", "2029-06-01T00:00:00.123456789Z": "2029-06-01T00:00:00.123456Z",
	} {
		if refused, got := check(t, s, `"`+value+`"`); refused != "" || got != want {
			t.Errorf("%s: got %q %s, want %s", value, refused, got, want)
		}
	}
}

func TestDateTimeIsRefusedAsPydanticDoes(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaDateTime}
	for value, want := range map[string]string{
		`"2029-06-01T00:00:00"`: "timezone_aware", `"2029-06-01 00:00"`: "timezone_aware",
		`"2029-06-01"`: "datetime_parsing", `"2029-06-01 00:00:00Z"`: "datetime_parsing", `"2029-06-01_00:00:00Z"`: "datetime_parsing", `"2029-06-01T00:00Z"`: "datetime_parsing",
		`"2029-06-01T00:00:00+0000"`: "datetime_parsing", `"2029-06-01T00:00:00,5Z"`: "datetime_parsing", `"2029-06-01T00:00:00\u221201:00"`: "datetime_parsing",
		`"1893456000"`: "datetime_parsing", `"1.5"`: "datetime_parsing", `"0000-01-01T00:00:00Z"`: "datetime_parsing", `"0000-01-01"`: "datetime_parsing",
		`""`: "datetime_from_date_parsing", `"abc"`: "datetime_from_date_parsing", `"2029-13-01T00:00:00Z"`: "datetime_from_date_parsing", `"2029-02-29T00:00:00Z"`: "datetime_from_date_parsing",
		`"2029-06-01T24:00:00Z"`: "datetime_from_date_parsing", `"2029-06-01T00:00:00.Z"`: "datetime_from_date_parsing", `"2029-06-01T00:00:00+24:00"`: "datetime_from_date_parsing",
		`"2029-06-01T00:00:00+01"`: "datetime_from_date_parsing", `"2029-06-01T00:00:00Zx"`: "datetime_from_date_parsing", `"999999999999999999"`: "datetime_from_date_parsing",
		`1893456000`: "datetime_type", `1.5`: "datetime_type", `true`: "datetime_type", `null`: "datetime_type", `[]`: "datetime_type",
		`253402300799001000`: "datetime_parsing", `-1e300`: "datetime_parsing", `1e400`: "datetime_parsing", `-62167219200000`: "datetime_parsing",
		`"\ud800"`: "string_unicode",
	} {
		if got, _ := check(t, s, value); got != want {
			t.Errorf("%s: got %q, want %s", value, got, want)
		}
	}
}

func TestDateTimeTextThatIsNearlyATimestampIsRefusedInPydanticsWords(t *testing.T) {
	t.Parallel()
	const short, separator = "input is too short", "invalid date separator, expected `-`"
	const early, late = "dates before 0000 are not supported as unix timestamps", "dates after 9999 are not supported as unix timestamps"
	for value, want := range map[string]string{
		"5.2_0": short, "1.0e1_0": short, "1893456000.5_0": separator, "100000000000000.0_0": separator,
		"26640837767823432195": late, "+26640837767823432195": late, "-26640837767823432195": early,
		"9223372036854775808": separator, "10000000000000000000": separator, "99999999999999999999": separator, "999999999999999999999": separator,
	} {
		_, err := parseDateTime(value)
		if err == nil || err.Type != "datetime_from_date_parsing" || err.Msg != "Input should be a valid datetime or date, "+want {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
	}
	// Pydantic takes it for 1970, and RFC 3339 does not.
	if _, err := parseDateTime("18446744073709551616"); err == nil || err.Type != "datetime_parsing" {
		t.Errorf("2⁶⁴: got %v", err)
	}
}

func TestTextIsCountedInCodePoints(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaText, minLength: 2, maxLength: 3}
	for value, want := range map[string]string{
		`"😀😀"`: "", `"éé\u00e9"`: "", `"\ud83d\ude00a"`: "", `"é"`: "string_too_short", `""`: "string_too_short",
		`"😀😀😀😀"`: "string_too_long", `5`: "string_type", `null`: "string_type", `"a\udc00"`: "string_unicode",
	} {
		if got, _ := check(t, s, value); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

func TestObjectIDIsLowerCaseHexadecimal(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaObjectID}
	for value, want := range map[string]string{
		`"5eb7cf5a86d9755df3a6c593"`: "", `"5EB7cf5a86d9755df3a6c593"`: "string_pattern_mismatch", `"5eb7cf5a86d9755df3a6c59"`: "value_error",
		`"5eb7cf5a86d9755df3a6c593\n"`: "value_error", `"５eb7cf5a86d9755df3a6c59"`: "value_error", `5`: "value_error", `[]`: "value_error", `null`: "string_type",
	} {
		if got, _ := check(t, s, value); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}

func TestEnumNamesWhatItExpects(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaEnum, enumType: "enum", enum: []string{"a", "b", "c"}}
	if got, _ := check(t, s, `"b"`); got != "" {
		t.Errorf("b: got %q", got)
	}
	tape, _ := scan(`"d"`)
	w := newWalk(t.Context(), tape)
	if w.value(s, 0) || w.errors[0].Msg != "Input should be 'a', 'b' or 'c'" {
		t.Errorf("d: got %v", w.errors)
	}
}

func TestPhoneIsE164WithItsExtension(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaPhone}
	for value, want := range map[string]string{
		"+14155552671": "+14155552671", "+1 (415) 555-2671": "+14155552671", "tel:+1-415-555-2671": "+14155552671", "+1 800 FLOWERS": "+18003569377",
		"+1 415 555 2671 x5": "+14155552671;ext=5", "+14155552671;ext=5": "+14155552671;ext=5", "＋1415555267１": "+14155552671", "+4915112345678:\n": "+4915112345678",
		"+१४१५५५५२६७१": "+14155552671", "+๑๔๑๕๕๕๕๒๖๗๑": "+14155552671", "+১৪১৫৫৫৫২৬৭১": "+14155552671", "+𝟏𝟒𝟏𝟓𝟓𝟓𝟓𝟐𝟔𝟕𝟏": "+14155552671",
		"tel:+१४१५५५५२६७१": "+14155552671", "+१४१५५५५२६७१ ext 5": "+14155552671;ext=5",
		"tel:4155552671;phone-context=+1": "+14155552671", "tel:4155552671;phone-context=+१": "+14155552671", "tel:+14155552671;phone-context=example.com": "+14155552671",
		"+14155552671" + strings.Repeat(" ", 238): "+14155552671", "+1" + strings.Repeat("\u3000", 80) + "4155552671": "+14155552671",
		"+1" + strings.Repeat("\u2010", 80) + "4155552671": "+14155552671", "+1" + strings.Repeat("\u2060", 80) + "4155552671": "+14155552671",
		"+44 20 7946 0958": "+442079460958", "+39 02 3661 8300": "+390236618300",
	} {
		if refused, got := check(t, s, string(quote(value))); refused != "" || got != want {
			t.Errorf("%q: got %q %s, want %s", value, refused, got, want)
		}
	}
	for _, value := range []string{`"4155552671"`, `"+999"`, `""`, `"+"`, `"+10000000000"`, `"+1415555267a"`, `"00441234567890"`, `"+1415555267"`, `"+1\ud800"`,
		`"+1 800 FLOWER७"`, `"+१ 800 FLOWERS"`, `"+14155552671 x\u3000\u30005"`, `"+14155552671 ＃＃5"`,
		`"tel:4155552671;phone-context=+1,"`, `"+14155552671;isub=1;phone-context="`, `"tel:+14155552671;phone-context=example.com,"`, `"4155552671;phone-context=+1😀"`,
		`"+14155552671` + strings.Repeat(" ", 239) + `"`, `"+1` + strings.Repeat("\u3000", 240) + `4155552671"`,
	} {
		if got, _ := check(t, s, value); got != "value_error" {
			t.Errorf("%s: got %q", value, got)
		}
	}
	if got, _ := check(t, s, `5`); got != "string_type" {
		t.Errorf("5: got %q", got)
	}
}
