package message_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need all zones on every machine
)

// TestValidUntilIsTheLastWholeDay in the program's zone. If no whole day is left, it is the instant
// with its offset. Mail and text message show the same.
func TestValidUntilIsTheLastWholeDay(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	// want is the text for a recipient who reads it at now.
	for name, c := range map[string]struct{ zone, now, expires, want string }{
		"midnight":                      {"UTC", "2026-11-26T10:00:00Z", "2026-12-05T00:00:00Z", "4 December 2026"},
		"noon":                          {"UTC", "2026-11-26T10:00:00Z", "2026-12-05T12:00:00Z", "4 December 2026"},
		"a second before midnight":      {"UTC", "2026-11-26T10:00:00Z", "2026-12-31T23:59:59Z", "31 December 2026"},
		"23:59":                         {"UTC", "2026-11-26T10:00:00Z", "2026-12-31T23:59:00Z", "31 December 2026"},
		"23:58":                         {"UTC", "2026-11-26T10:00:00Z", "2026-12-31T23:58:59Z", "30 December 2026"},
		"the end of a year":             {"UTC", "2026-11-26T10:00:00Z", "2027-01-01T00:00:00Z", "31 December 2026"},
		"the end of a leap February":    {"UTC", "2026-11-26T10:00:00Z", "2028-03-01T00:00:00Z", "29 February 2028"},
		"its midnight, east":            {"Europe/Paris", "2026-11-26T10:00:00Z", "2026-12-31T23:00:00Z", "31 December 2026"},
		"UTC's midnight, east":          {"Europe/Paris", "2026-11-26T10:00:00Z", "2027-01-01T00:00:00Z", "31 December 2026"},
		"its midnight, west":            {"America/New_York", "2026-11-26T10:00:00Z", "2027-01-01T05:00:00Z", "31 December 2026"},
		"UTC's midnight, west":          {"America/New_York", "2026-11-26T10:00:00Z", "2027-01-01T00:00:00Z", "30 December 2026"},
		"a merchant in another zone":    {"UTC", "2026-11-26T10:00:00Z", "2026-12-31T23:59:59-05:00", "31 December 2026"},
		"its midnight in summer":        {"Europe/Paris", "2026-11-26T10:00:00Z", "2027-06-30T22:00:00Z", "30 June 2027"},
		"before its midnight in summer": {"Europe/Paris", "2026-11-26T10:00:00Z", "2027-06-30T21:00:00Z", "29 June 2027"},
		"the day the clocks go forward": {"Europe/Paris", "2027-03-01T10:00:00Z", "2027-03-28T22:00:00Z", "28 March 2027"},
		"the day the clocks go back":    {"Europe/Paris", "2027-03-01T10:00:00Z", "2027-10-31T23:00:00Z", "31 October 2027"},
		"a day that begins at 01:00":    {"Africa/Cairo", "2026-04-01T10:00:00Z", "2026-04-23T22:00:00Z", "23 April 2026"},
		"half an hour east":             {"Asia/Kolkata", "2026-11-26T10:00:00Z", "2026-12-31T18:30:00Z", "31 December 2026"},
		"three quarters of an hour":     {"Asia/Kathmandu", "2026-11-26T10:00:00Z", "2026-12-31T18:15:00Z", "31 December 2026"},
		"fourteen hours east":           {"Pacific/Kiritimati", "2026-11-26T10:00:00Z", "2026-12-31T10:00:00Z", "31 December 2026"},
		"eleven hours west":             {"Pacific/Pago_Pago", "2026-11-26T10:00:00Z", "2027-01-01T11:00:00Z", "31 December 2026"},
		"the rest of today":             {"UTC", "2026-11-26T10:00:00Z", "2026-11-27T00:00:00Z", "26 November 2026"},
		"today, for a while":            {"UTC", "2026-11-26T10:00:00Z", "2026-11-26T18:00:00Z", "26 November 2026, 18:00 UTC"},
		"today, in summer":              {"America/New_York", "2026-07-01T14:00:00Z", "2026-07-01T22:30:00Z", "1 July 2026, 18:30 UTC-04:00"},
		"today, half an hour east":      {"Asia/Kolkata", "2026-11-26T05:00:00Z", "2026-11-26T12:00:00Z", "26 November 2026, 17:30 UTC+05:30"},
		"tomorrow, by the zone alone":   {"Asia/Tokyo", "2026-11-26T14:00:00Z", "2026-11-26T16:00:00Z", "26 November 2026"},
		"over night, no whole day":      {"Asia/Tokyo", "2026-11-26T15:30:00Z", "2026-11-27T03:00:00Z", "27 November 2026, 12:00 UTC+09:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gift()
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			g.Zone = zone
			for at, text := range map[*time.Time]string{&g.Now: c.now, &g.ExpiresAt: c.expires} {
				if *at, err = time.Parse(time.RFC3339, text); err != nil {
					t.Fatal(err)
				}
			}
			content := compose(t, templates, g)
			_, seen := page(t, content.HTML)
			for form, text := range map[string]string{"HTML": seen, "text": content.Text, "SMS": content.SMS} {
				_, after, _ := strings.Cut(text, "Valid until")
				shown, _, _ := strings.Cut(strings.TrimLeft(after, ": \n"), "\n")
				if shown != c.want {
					t.Errorf("the %s says %q, want %q", form, shown, c.want)
				}
			}
		})
	}
}
