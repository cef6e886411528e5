package jobs

import (
	"fmt"
	"regexp"
	"sync"
	"time"

	"giftcards/jobs/transport"
)

const (
	// faultEvery is the time between two log lines about one cause.
	faultEvery = time.Minute
	// maxCauses bounds the memory, because a server may use other words in each answer.
	maxCauses = 20
)

// settingsFaults counts failed attempts by their cause. It is for causes that concern
// every message, so that the log gets a line per cause and not per message.
type settingsFaults struct {
	now func() time.Time

	mutex  sync.Mutex
	causes map[string]*cause
}

type cause struct {
	loggedAt time.Time
	attempts int // since loggedAt
}

// changing matches the parts of an error that differ from attempt to attempt: ports, times
// and ids of a session.
var changing = regexp.MustCompile(`[0-9a-zA-Z-]*[0-9][0-9a-zA-Z-]*`)

// attemptsToLog counts a failed attempt. If its cause is to be logged now, it returns the
// number of attempts with this cause since the last log line. Otherwise it returns 0.
func (s *settingsFaults) attemptsToLog(channel string, failed *transport.Error) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.now()
	kind := fmt.Sprintf("%s %s %d", channel, failed.Stage, failed.Code)
	key := kind + " " + changing.ReplaceAllString(failed.Err.Error(), "")
	// Make room for a new cause. If all are recent, count it under its stage and code alone.
	if s.causes[key] == nil && len(s.causes) >= maxCauses {
		for old, c := range s.causes {
			if now.Sub(c.loggedAt) >= faultEvery {
				delete(s.causes, old)
			}
		}
		if len(s.causes) >= maxCauses {
			key = kind
		}
	}
	if s.causes == nil {
		s.causes = map[string]*cause{}
	}
	c := s.causes[key]
	if c == nil {
		c = &cause{}
		s.causes[key] = c
	}
	c.attempts++
	if !c.loggedAt.IsZero() && now.Sub(c.loggedAt) < faultEvery {
		return 0
	}
	attempts := c.attempts
	c.loggedAt, c.attempts = now, 0
	return attempts
}
