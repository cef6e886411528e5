package message

import (
	"strings"
	"time"
)

// untilMidnight is the distance from midnight within which an expiry means the whole day,
// because merchants write 23:59 or 23:59:59.
const untilMidnight = time.Minute

// ValidUntil returns the last whole day on which a card can be spent, in the program's time
// zone. For an expiry at 00:00 on the 5th that is the 4th. If that day is over, it returns
// the instant of the expiry with its offset, such as 5 March 2027, 18:00 UTC+01:00.
func ValidUntil(expires, now time.Time, zone *time.Location) string {
	// The day before the expiry is always whole. Calculating with noon avoids the start of
	// a day, which is not midnight in some zones.
	end := expires.Add(untilMidnight).In(zone)
	lastDay := time.Date(end.Year(), end.Month(), end.Day()-1, 12, 0, 0, 0, zone)
	if lastDay.Format(time.DateOnly) >= now.In(zone).Format(time.DateOnly) {
		return lastDay.Format("2 January 2006")
	}
	return strings.TrimSuffix(expires.In(zone).Format("2 January 2006, 15:04 UTCZ07:00"), "Z")
}
