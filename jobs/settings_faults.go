package jobs

import (
	"fmt"
	"regexp"
	"sync"
	"time"

	"giftcards/jobs/transport"
)

const (
	// faultEvery is how often the log tells of a cause.
	faultEvery = time.Minute
	// maxCauses bounds what is remembered: servers may put another word into each answer.
	maxCauses = 20
)

// settingsFaults are the causes for which messages cannot be handed over, whichever
// message it is: the log tells of each once in a while, and not of every message.
type settingsFaults struct {
	now func() time.Time

	mutex  sync.Mutex
	causes map[string]*cause
}

type cause struct {
	told     time.Time
	attempts int // since it was told
}

// changing are the parts of an error that differ from attempt to attempt: ports, times
// and ids of a session.
var changing = regexp.MustCompile(`[0-9a-zA-Z-]*[0-9][0-9a-zA-Z-]*`)

// tell counts an attempt that failed. It returns how many did for the same cause since
// the log told of it, if that is to be told now, otherwise 0.
func (s *settingsFaults) tell(channel string, failed *transport.Error) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.now()
	kind := fmt.Sprintf("%s %s %d", channel, failed.Stage, failed.Code)
	key := kind + " " + changing.ReplaceAllString(failed.Err.Error(), "")
	if s.causes[key] == nil && len(s.causes) >= maxCauses {
		for old, c := range s.causes {
			if now.Sub(c.told) >= faultEvery {
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
	if !c.told.IsZero() && now.Sub(c.told) < faultEvery {
		return 0
	}
	attempts := c.attempts
	c.told, c.attempts = now, 0
	return attempts
}
