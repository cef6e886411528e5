package texts

import (
	"fmt"
	"strings"
	"time"
)

// untilMidnight is the distance from midnight within which an expiry means the whole day,
// because merchants write 23:59 or 23:59:59.
const untilMidnight = time.Minute

// ValidUntil returns the last whole day on which a card can be spent, in the program's time
// zone. For an expiry at 00:00 on the 5th that is the 4th. If that day is over, it returns
// the instant of the expiry with its offset, such as 5 March 2027, 18:00 UTC+01:00.
func (s Style) ValidUntil(expires, now time.Time) string {
	zone := s.settings.Zone
	// The day before the expiry is always whole. Calculating with noon avoids the start of
	// a day, which is not midnight in some zones.
	end := expires.Add(untilMidnight).In(zone)
	lastDay := time.Date(end.Year(), end.Month(), end.Day()-1, 12, 0, 0, 0, zone)
	if lastDay.Format(time.DateOnly) >= now.In(zone).Format(time.DateOnly) {
		return s.date(lastDay)
	}
	return s.Moment(expires)
}

// Moment returns a time in the program's zone with its offset, such as 5 March 2027, 18:00
// UTC+01:00.
func (s Style) Moment(at time.Time) string {
	at = at.In(s.settings.Zone)
	return s.Text("moment", map[string]string{
		"date": s.date(at), "time": at.Format("15:04"), "zone": strings.TrimSuffix(at.Format("UTCZ07:00"), "Z"),
	})
}

// date returns the day of a time, in the time's own zone.
func (s Style) date(at time.Time) string {
	name := "date"
	if at.Day() == 1 {
		name = s.Variant(firstName, name)
	}
	return s.Text(name, map[string]string{"day": fmt.Sprint(at.Day()), "month": s.months[at.Month()-1], "year": fmt.Sprint(at.Year())})
}
