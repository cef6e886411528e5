package validate

import "testing"

func TestDateTimeIsReadInUTC(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaDateTime}
	for _, c := range []struct{ reason, value, want string }{
		{"in UTC", "2029-06-01T12:34:56Z", "2029-06-01T12:34:56Z"},
		{"small letters", "2029-06-01t12:34:56z", "2029-06-01T12:34:56Z"},
		{"a zone of half an hour", "2029-06-01T00:00:00+05:30", "2029-05-31T18:30:00Z"},
		{"the farthest zone", "2029-06-01T23:59:59-23:59", "2029-06-02T23:58:59Z"},
		{"a leap day, a fraction", "2028-02-29T00:00:00.5Z", "2028-02-29T00:00:00.5Z"},
		{"an offset that leads into the year 10000", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z"},
		{"an offset that leads into the year 0", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z"},
		{"the last instant", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
		{"nanoseconds are cut to microseconds", "2029-06-01T00:00:00.123456789Z", "2029-06-01T00:00:00.123456Z"},
	} {
		if refused, got := check(t, s, `"`+c.value+`"`); refused != "" || got != c.want {
			t.Errorf("%s: %s: got %q %s, want %s", c.reason, c.value, refused, got, c.want)
		}
	}
}

func TestDateTimeIsRefusedAsPydanticDoes(t *testing.T) {
	t.Parallel()
	s := &schema{kind: schemaDateTime}
	for _, c := range []struct{ reason, value, want string }{
		{"no zone", `"2029-06-01T00:00:00"`, "timezone_aware"},
		{"no zone and no seconds", `"2029-06-01 00:00"`, "timezone_aware"},

		{"a date alone", `"2029-06-01"`, "datetime_parsing"},
		{"a space, which RFC 3339 does not have", `"2029-06-01 00:00:00Z"`, "datetime_parsing"},
		{"an underscore, which RFC 3339 does not have", `"2029-06-01_00:00:00Z"`, "datetime_parsing"},
		{"no seconds, which RFC 3339 does not have", `"2029-06-01T00:00Z"`, "datetime_parsing"},
		{"a zone without a colon, which RFC 3339 does not have", `"2029-06-01T00:00:00+0000"`, "datetime_parsing"},
		{"a comma, which RFC 3339 does not have", `"2029-06-01T00:00:00,5Z"`, "datetime_parsing"},
		{"a minus sign that is no hyphen", `"2029-06-01T00:00:00\u221201:00"`, "datetime_parsing"},
		{"a timestamp as a text", `"1893456000"`, "datetime_parsing"},
		{"a timestamp with a fraction as a text", `"1.5"`, "datetime_parsing"},
		{"the year 0", `"0000-01-01T00:00:00Z"`, "datetime_parsing"},
		{"the year 0 alone", `"0000-01-01"`, "datetime_parsing"},

		{"no text", `""`, "datetime_from_date_parsing"},
		{"letters", `"abc"`, "datetime_from_date_parsing"},
		{"month 13", `"2029-13-01T00:00:00Z"`, "datetime_from_date_parsing"},
		{"a leap day of a common year", `"2029-02-29T00:00:00Z"`, "datetime_from_date_parsing"},
		{"24 o'clock", `"2029-06-01T24:00:00Z"`, "datetime_from_date_parsing"},
		{"a point without a fraction", `"2029-06-01T00:00:00.Z"`, "datetime_from_date_parsing"},
		{"a zone of 24 hours", `"2029-06-01T00:00:00+24:00"`, "datetime_from_date_parsing"},
		{"a zone without minutes", `"2029-06-01T00:00:00+01"`, "datetime_from_date_parsing"},
		{"a letter too many", `"2029-06-01T00:00:00Zx"`, "datetime_from_date_parsing"},
		{"a timestamp after the year 9999 as a text", `"999999999999999999"`, "datetime_from_date_parsing"},

		{"a timestamp", `1893456000`, "datetime_type"},
		{"a timestamp with a fraction", `1.5`, "datetime_type"},
		{"a boolean", `true`, "datetime_type"},
		{"null", `null`, "datetime_type"},
		{"a list", `[]`, "datetime_type"},

		{"a timestamp after the year 9999", `253402300799001000`, "datetime_parsing"},
		{"a float far before the year 0", `-1e300`, "datetime_parsing"},
		{"an infinite float", `1e400`, "datetime_parsing"},
		{"a timestamp in the year 0", `-62167219200000`, "datetime_parsing"},
		{"half a surrogate pair", `"\ud800"`, "string_unicode"},
	} {
		if got, _ := check(t, s, c.value); got != c.want {
			t.Errorf("%s: %s: got %q, want %s", c.reason, c.value, got, c.want)
		}
	}
}

func TestDateTimeTextThatIsNearlyATimestampIsRefusedInPydanticsWords(t *testing.T) {
	t.Parallel()
	const short, separator = "input is too short", "invalid date separator, expected `-`"
	const early, late = "dates before 0000 are not supported as unix timestamps", "dates after 9999 are not supported as unix timestamps"
	for _, c := range []struct{ reason, value, want string }{
		{"an underscore in the fraction", "5.2_0", short},
		{"an underscore in the exponent", "1.0e1_0", short},
		{"an underscore in a timestamp's fraction", "1893456000.5_0", separator},
		{"an underscore in the fraction of milliseconds", "100000000000000.0_0", separator},
		{"wraps around 64 bits to a late time", "26640837767823432195", late},
		{"the same with a plus sign", "+26640837767823432195", late},
		{"wraps around 64 bits to an early time", "-26640837767823432195", early},
		{"2⁶³, which turns negative", "9223372036854775808", separator},
		{"turns negative at 20 digits", "10000000000000000000", separator},
		{"20 nines", "99999999999999999999", separator},
		{"21 nines", "999999999999999999999", separator},
	} {
		_, err := parseDateTime(c.value)
		if err == nil || err.Type != "datetime_from_date_parsing" || err.Msg != "Input should be a valid datetime or date, "+c.want {
			t.Errorf("%s: %s: got %v, want %s", c.reason, c.value, err, c.want)
		}
	}
	// Pydantic takes 2⁶⁴ for the start of 1970, and RFC 3339 has no such form.
	if _, err := parseDateTime("18446744073709551616"); err == nil || err.Type != "datetime_parsing" {
		t.Errorf("2⁶⁴: got %v", err)
	}
}
