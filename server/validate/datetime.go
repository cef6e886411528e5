package validate

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The first and the last instant that a date-time can name, in seconds since 1970.
const (
	firstSecond = -62_167_219_200 // 0000-01-01
	lastSecond  = 253_402_300_799 // 9999-12-31T23:59:59
	// Pydantic takes a number above this for milliseconds.
	millisecondsFrom = 20_000_000_000
)

// Pydantic's reasons for refusing a date-time.
const (
	reasonShort     = "input is too short"
	reasonExtra     = "unexpected extra characters at the end of the input"
	reasonSeparator = "invalid datetime separator, expected `T`, `t`, `_` or space"
	reasonYearZero  = "year 0 is out of range"
	reasonTooSmall  = "dates before 0000 are not supported as unix timestamps"
	reasonTooLarge  = "dates after 9999 are not supported as unix timestamps"
	reasonInexact   = "Timestamp is not an exact date"
	// reasonForm is not Pydantic's. It refuses forms that Pydantic takes and RFC 3339 does not.
	reasonForm = "expected the form of RFC 3339, such as 2030-01-31T12:00:00Z"
)

func (s *schema) checkDateTime(t *tape, i uint32) *ErrorDetail {
	switch t.nodes[i].kind {
	case kindInt, kindFloat:
		return checkTimestamp(t.source(i), t.nodes[i].kind)
	case kindString, kindEscaped, kindText:
	default:
		return datetimeType()
	}
	text, err := wholeText(t, i)
	if err != nil {
		return err
	}
	at, err := parseDateTime(text)
	if err != nil {
		return err
	}
	// Decode takes this time, so that it cannot read the text in another way.
	t.setTime(i, at)
	return nil
}

func datetimeType() *ErrorDetail { return fault("datetime_type", "Input should be a valid datetime") }

// checkTimestamp refuses every number, because the contract wants a text. If Pydantic would
// refuse the number too, the error is Pydantic's. Otherwise the error is datetime_type.
func checkTimestamp(number string, k kind) *ErrorDetail {
	if n, fits := parseInt(number); k == kindInt && fits {
		if _, reason := fromTimestamp(n); reason != "" {
			return datetimeParsing(reason)
		}
		return datetimeType()
	}
	f, _ := strconv.ParseFloat(number, 64)
	if math.IsInf(f, 0) && k == kindInt {
		return datetimeType() // no float can hold the integer
	}
	if math.Abs(f) > millisecondsFrom {
		f /= 1000
	}
	switch seconds := math.Floor(f); {
	case seconds < firstSecond:
		return datetimeParsing(reasonTooSmall)
	case seconds > lastSecond:
		return datetimeParsing(reasonTooLarge)
	case time.Unix(int64(seconds), 0).UTC().Year() == 0:
		return datetimeParsing(reasonYearZero)
	}
	return datetimeType()
}

func datetimeParsing(reason string) *ErrorDetail {
	return &ErrorDetail{
		Type: "datetime_parsing",
		Msg:  "Input should be a valid datetime, " + reason,
		Ctx:  map[string]any{"error": reason},
	}
}

// fromTimestamp reads seconds since 1970, or milliseconds if n is beyond millisecondsFrom. It
// returns Pydantic's reason if n is no time.
func fromTimestamp(n int64) (at time.Time, reason string) {
	at = time.Unix(n, 0)
	if n == math.MinInt64 {
		return at, reasonTooSmall
	}
	if n > millisecondsFrom || n < -millisecondsFrom {
		at = time.UnixMilli(n)
	}
	switch seconds := at.Unix(); {
	case seconds < firstSecond:
		return at, reasonTooSmall
	case seconds > lastSecond:
		return at, reasonTooLarge
	}
	// The parser of Pydantic has a year 0, and the datetime of Python has none.
	if at = at.UTC(); at.Year() == 0 {
		return at, reasonYearZero
	}
	return at, ""
}

// parseDateTime reads an RFC 3339 date-time with a zone, and drops the digits of a second's
// fraction after the sixth. The errors come in this order: those of Pydantic in its words,
// then those of its strict mode, then those of RFC 3339.
func parseDateTime(text string) (time.Time, *ErrorDetail) {
	p := dateTimeParser{text: text}
	if p.parse() {
		switch {
		case p.year == 0:
			return time.Time{}, datetimeParsing(reasonYearZero)
		case !p.zone:
			return time.Time{}, fault("timezone_aware", "Input should have timezone info")
		case p.lax:
			return time.Time{}, datetimeParsing(reasonForm)
		}
		return p.time(), nil
	}
	if reason, isTimestamp := parseTimestampText(text); isTimestamp && reason == "" {
		return time.Time{}, datetimeParsing(reasonForm)
	} else if reason == reasonYearZero {
		return time.Time{}, datetimeParsing(reason)
	}
	// Pydantic then tries to read the text as a date without a time, and reports the error of
	// that attempt.
	if reason := dateOnlyReason(text); reason != "" {
		return time.Time{}, &ErrorDetail{
			Type: "datetime_from_date_parsing",
			Msg:  "Input should be a valid datetime or date, " + reason,
			Ctx:  map[string]any{"error": reason},
		}
	}
	if p.year == 0 {
		return time.Time{}, datetimeParsing(reasonYearZero)
	}
	return time.Time{}, datetimeParsing(reasonSeparator)
}

// dateOnlyReason returns Pydantic's reason why a text is no date, or "" if it is one.
func dateOnlyReason(text string) string {
	p := dateTimeParser{text: text}
	reason := p.date()
	if reason == "" && len(text) > len("2030-01-31") {
		reason = reasonExtra
	}
	if reason == "" {
		return ""
	}
	// Pydantic tries a timestamp next, and keeps the reason of the date only if there is none.
	n, fits := timestampInt(text)
	if !fits {
		return reason
	}
	at, reason := fromTimestamp(n)
	if reason == "" && (at.Unix()%86400 != 0 || at.Nanosecond() != 0) {
		return reasonInexact
	}
	return reason
}

// parseTimestampText reads a text of digits as a timestamp. It returns Pydantic's reason if the
// timestamp is out of range.
func parseTimestampText(text string) (reason string, isTimestamp bool) {
	if n, ok := timestampInt(text); ok {
		_, reason = fromTimestamp(n)
		return reason, true
	}
	if !isTimestampFloat(text) {
		return "", false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return "", false
	}
	if err := checkTimestamp(text, kindFloat); err.Type == "datetime_parsing" {
		return err.Ctx["error"].(string), true
	}
	return "", true
}

// timestampInt reads an integer with an optional sign. Beyond 64 bits it wraps around like
// Pydantic's parser, and fails as soon as a step makes it negative.
func timestampInt(text string) (n int64, ok bool) {
	digits := strings.TrimPrefix(text, "-")
	negative := digits != text
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	for i := range len(digits) {
		n = n*10 + int64(digits[i]) - '0'
		if digits[i] < '0' || digits[i] > '9' || n < 0 {
			return 0, false
		}
	}
	if negative {
		n = -n
	}
	return n, digits != ""
}

// isTimestampFloat reports whether a text begins like a decimal number with a point.
func isTimestampFloat(text string) bool {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	for i := range len(text) {
		if text[i] == '.' {
			return !strings.Contains(text, "_") // Go allows it between digits, Pydantic does not
		}
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return false
}
