package validate

import (
	"strings"
	"testing"
	"time"
)

// check lets a schema judge a JSON value. It returns the type of the error, "" for none, and
// the validated text.
func check(t *testing.T, s *schema, value string) (refused, text string) {
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

func TestIntegerIsJudgedAsPydanticDoes(t *testing.T) {
	t.Parallel()
	one := int64(1)
	s := &schema{kind: schemaInteger, integers: integerBounds{ge: &one}}
	nines := strings.Repeat("9", 4300) // Pydantic reads up to 4,300 characters
	for _, c := range []struct{ reason, value, want string }{
		{"a whole number", `1`, ""},
		{"a float without a fraction", `5.0`, ""},
		{"a float with an exponent", `5e0`, ""},
		{"a large float", `1e18`, ""},
		{"beyond 64 bits", `1000000000000000000000000000000`, ""},

		{"below the bound", `0`, "greater_than_equal"},
		{"far below the bound, beyond 64 bits", `-1000000000000000000000000000000`, "greater_than_equal"},
		{"false is 0 in Python", `false`, "greater_than_equal"},
		{"a text below the bound", `"0"`, "greater_than_equal"},
		{"zero with a sign", `-0.0`, "greater_than_equal"},
		{"a text that Pydantic cleans", `" -1_0 "`, "greater_than_equal"},
		{"4,300 characters with the sign", `"-` + nines[1:] + `"`, "greater_than_equal"},

		{"a fraction", `2.5`, "int_from_float"},
		{"an infinite float", `1e400`, "finite_number"},
		{"a float beyond 64 bits", `1e19`, "int_parsing_size"},
		{"a fraction that a float loses", `1.0000000000000000000001`, "int_type"},

		{"true is 1 in Python, but no integer", `true`, "int_type"},
		{"a text is no integer in JSON", `"5"`, "int_type"},
		{"a text with a leading zero", `"05"`, "int_type"},
		{"a text with a fraction of zeros", `"5.0"`, "int_type"},
		{"a text with all that Pydantic cleans", `" +1_0.00 "`, "int_type"},
		{"null", `null`, "int_type"},
		{"a list", `[]`, "int_type"},
		{"4,300 digits after a plus sign", `"+` + nines + `"`, "int_type"},
		{"leading zeros do not count", `"` + strings.Repeat("0", 4301) + `5"`, "int_type"},

		{"no text", `""`, "int_parsing"},
		{"letters", `"abc"`, "int_parsing"},
		{"two underscores", `"1__0"`, "int_parsing"},
		{"a plus and a minus sign", `"+-5"`, "int_parsing"},
		{"a minus and a plus sign", `"-+5"`, "int_parsing"},
		{"a text with a fraction", `"5.5"`, "int_parsing"},
		{"a digit of another script", `"٣"`, "int_parsing"},
		{"hexadecimal", `"0x1"`, "int_parsing"},
		{"white space before 4,300 digits and a sign", `" -` + nines + `"`, "int_parsing"},
		{"4,300 digits and a letter", `"` + nines + `x"`, "int_parsing"},
		{"white space before 4,301 digits", `" ` + nines + `9"`, "int_parsing"},

		{"4,301 digits", `"` + nines + `9"`, "int_parsing_size"},
		{"4,300 digits and a sign", `"-` + nines + `"`, "int_parsing_size"},
		{"the size comes before a letter after it", `"` + nines + `9x"`, "int_parsing_size"},
		{"the size comes before white space after it", `"` + nines + `9 "`, "int_parsing_size"},
		{"half a surrogate pair", `"\ud800"`, "string_unicode"},
	} {
		if got, _ := check(t, s, c.value); got != c.want {
			t.Errorf("%s: %.40s: got %q, want %q", c.reason, c.value, got, c.want)
		}
	}
	if _, text := check(t, s, `120e-1`); text != "12" {
		t.Errorf("120e-1 became %s", text)
	}
}

func TestBooleanIsJudgedAsPydanticDoes(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaBoolean}
	for _, c := range []struct{ reason, value, want string }{
		{"true", `true`, ""},
		{"false", `false`, ""},

		{"1, which Pydantic's lax mode takes", `1`, "bool_type"},
		{"0.0, which Pydantic's lax mode takes", `0.0`, "bool_type"},
		{"a word that the lax mode takes", `"Yes"`, "bool_type"},
		{"a digit that the lax mode takes", `"0"`, "bool_type"},
		{"a fraction", `0.5`, "bool_type"},
		{"null", `null`, "bool_type"},
		{"a list", `[]`, "bool_type"},
		{"an integer beyond 64 bits", `9223372036854775808`, "bool_type"},
		{"a float beyond 64 bits", `1e30`, "bool_type"},

		{"2", `2`, "bool_parsing"},
		{"-1", `-1`, "bool_parsing"},
		{"a whole float", `2.0`, "bool_parsing"},
		{"another word", `"maybe"`, "bool_parsing"},
		{"no text", `""`, "bool_parsing"},
		{"a long s, which is an s only in other foldings", `"yeſ"`, "bool_parsing"},
		{"the least integer of 64 bits", `-9223372036854775808`, "bool_parsing"},
		{"half a surrogate pair", `"\ud800"`, "string_unicode"},
	} {
		if got, _ := check(t, s, c.value); got != c.want {
			t.Errorf("%s: %s: got %q, want %q", c.reason, c.value, got, c.want)
		}
	}
}

func TestTextIsCountedInCodePoints(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaText, minLength: 2, maxLength: 3}
	for _, c := range []struct{ reason, value, want string }{
		{"two of four bytes", `"😀😀"`, ""},
		{"an escape is one character", `"éé\u00e9"`, ""},
		{"a surrogate pair is one character", `"\ud83d\ude00a"`, ""},
		{"one of two bytes", `"é"`, "string_too_short"},
		{"no text", `""`, "string_too_short"},
		{"four of four bytes", `"😀😀😀😀"`, "string_too_long"},
		{"a number", `5`, "string_type"},
		{"null", `null`, "string_type"},
		{"half a surrogate pair", `"a\udc00"`, "string_unicode"},
	} {
		if got, _ := check(t, s, c.value); got != c.want {
			t.Errorf("%s: %s: got %q, want %q", c.reason, c.value, got, c.want)
		}
	}
}

func TestObjectIDIsLowerCaseHexadecimal(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaObjectID}
	for _, c := range []struct{ reason, value, want string }{
		{"24 digits", `"5eb7cf5a86d9755df3a6c593"`, ""},
		{"capitals", `"5EB7cf5a86d9755df3a6c593"`, "string_pattern_mismatch"},
		{"23 digits", `"5eb7cf5a86d9755df3a6c59"`, "value_error"},
		{"a line feed at the end", `"5eb7cf5a86d9755df3a6c593\n"`, "value_error"},
		{"a wide digit", `"５eb7cf5a86d9755df3a6c59"`, "value_error"},
		{"a number", `5`, "value_error"},
		{"a list", `[]`, "value_error"},
		{"null, for which Python would make an id", `null`, "string_type"},
	} {
		if got, _ := check(t, s, c.value); got != c.want {
			t.Errorf("%s: %s: got %q, want %q", c.reason, c.value, got, c.want)
		}
	}
}

func TestEnumErrorListsTheAllowedValues(t *testing.T) {
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
