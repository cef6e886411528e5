package validate

import "time"

// dateTimeParser reads a date-time in all forms that Pydantic takes, and notes whether the
// form is one that RFC 3339 does not have.
type dateTimeParser struct {
	text                 string
	year, month, day     int
	hour, minute, second int
	nanosecond, offset   int
	zone                 bool // the text has a zone
	lax                  bool // the form is not one of RFC 3339
}

// The first and the last instant that answers can name: in UTC, with a year from 1 to 9999.
var (
	firstInstant = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	lastInstant  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// time returns the instant in UTC. An offset can move it out of the years that answers can
// name. time then returns the first or the last instant of those years, which is less than a
// day away.
func (p *dateTimeParser) time() time.Time {
	at := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second-p.offset, p.nanosecond, time.UTC)
	switch {
	case at.Before(firstInstant):
		return firstInstant
	case at.After(lastInstant):
		return lastInstant
	}
	return at
}

// parse reads the whole text, and reports whether Pydantic takes its form.
func (p *dateTimeParser) parse() bool {
	// The separators are then read without another look at the length.
	if p.date() != "" || len(p.text) < len("2030-01-31T12:00") {
		return false
	}
	switch p.text[10] {
	case 'T', 't':
	// Pydantic takes these, too. parseDateTime refuses them afterwards, with an error of its own.
	case ' ', '_':
		p.lax = true
	default:
		return false
	}
	at, ok := p.clock(11)
	if !ok {
		return false
	}
	end, ok := p.zoneAt(at)
	return ok && end == len(p.text)
}

// number reads count digits at i. It is negative if there are fewer.
func (p *dateTimeParser) number(i, count int) int {
	if i+count > len(p.text) {
		return -1
	}
	n := 0
	for _, c := range []byte(p.text[i : i+count]) {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// date reads the date at the start of the text. It returns Pydantic's reason if there is
// none, else "".
func (p *dateTimeParser) date() string {
	if len(p.text) < len("2030-01-31") {
		return reasonShort
	}
	p.year, p.month, p.day = p.number(0, 4), p.number(5, 2), p.number(8, 2)
	// The order is that of Pydantic, because the first fault is the reason.
	switch {
	case p.year < 0:
		return "invalid character in year"
	case p.text[4] != '-':
		return "invalid date separator, expected `-`"
	case p.month < 0:
		return "invalid character in month"
	case p.text[7] != '-':
		return "invalid date separator, expected `-`"
	case p.day < 0:
		return "invalid character in day"
	case p.month < 1 || p.month > 12:
		return "month value is outside expected range of 1-12"
	case p.day < 1 || p.day > daysIn(p.year, p.month):
		return "day value is outside expected range"
	}
	return ""
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// clock reads hours, minutes and perhaps seconds at i, and returns the position after them.
func (p *dateTimeParser) clock(i int) (int, bool) {
	p.hour, p.minute = p.number(i, 2), p.number(i+3, 2)
	if p.hour < 0 || p.hour > 23 || p.text[i+2] != ':' || p.minute < 0 || p.minute > 59 {
		return 0, false
	}
	i += len("12:00")
	// Pydantic takes a time without seconds, and a comma before the fraction; RFC 3339 has
	// neither.
	if i == len(p.text) || p.text[i] != ':' {
		p.lax = true
		return i, true
	}
	p.second = p.number(i+1, 2)
	if p.second < 0 || p.second > 59 {
		return 0, false
	}
	i += len(":00")
	if i == len(p.text) || p.text[i] != '.' && p.text[i] != ',' {
		return i, true
	}
	if p.text[i] == ',' {
		p.lax = true
	}
	// Only six digits of the fraction count, because PostgreSQL keeps microseconds.
	start := i + 1
	end := start
	for unit := 100_000_000; end < len(p.text) && '0' <= p.text[end] && p.text[end] <= '9'; end++ {
		if unit >= 1000 {
			p.nanosecond += int(p.text[end]-'0') * unit
		}
		unit /= 10
	}
	return end, end > start
}

// zoneAt reads the zone at i, if there is one, and returns the position after it.
func (p *dateTimeParser) zoneAt(i int) (int, bool) {
	if i == len(p.text) {
		return i, true
	}
	sign := 1
	switch p.text[i] {
	case 'Z', 'z':
		p.zone = true
		return i + 1, true
	case '+':
	case '-':
		sign = -1
	default:
		const minus = "\u2212" // the minus sign, which ISO 8601 allows
		if len(p.text) < i+len(minus) || p.text[i:i+len(minus)] != minus {
			return 0, false
		}
		sign, p.lax = -1, true
		i += len(minus) - 1
	}
	hours := p.number(i+1, 2)
	i += len("+01")
	if i < len(p.text) && p.text[i] == ':' {
		i++
	} else {
		p.lax = true
	}
	minutes := p.number(i, 2)
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	p.zone, p.offset = true, sign*(hours*3600+minutes*60)
	return i + 2, true
}
