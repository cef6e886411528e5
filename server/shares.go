package server

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// shares is a semaphore in which each holder, such as a merchant, has at most a share. A
// holder that asks for more waits for its own share, and does not block other holders.
type shares struct {
	all     *semaphore.Weighted
	share   int64
	mutex   sync.Mutex
	holders map[string]*holder // only those that have or wait for weight
}

type holder struct {
	*semaphore.Weighted

	requests int
}

func newShares(all, share int64) *shares {
	return &shares{all: semaphore.NewWeighted(all), share: share, holders: map[string]*holder{}}
}

// take waits until the holder named so may have weight, which must not exceed a share. The
// caller must call release when it no longer needs the weight. It fails when ctx ends.
func (s *shares) take(ctx context.Context, name string, weight int64) (release func(), err error) {
	// Its own share comes first, because a holder at its limit must not queue before others.
	h := s.enter(name)
	if err := h.Acquire(ctx, weight); err != nil {
		s.leave(name, h)
		return nil, err
	}
	if err := s.all.Acquire(ctx, weight); err != nil {
		h.Release(weight)
		s.leave(name, h)
		return nil, err
	}
	return func() {
		s.all.Release(weight)
		h.Release(weight)
		s.leave(name, h)
	}, nil
}

func (s *shares) enter(name string) *holder {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	h, exists := s.holders[name]
	if !exists {
		h = &holder{Weighted: semaphore.NewWeighted(s.share)}
		s.holders[name] = h
	}
	h.requests++
	return h
}

// leave ends a request of a holder, and forgets the holder after its last one.
func (s *shares) leave(name string, h *holder) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if h.requests--; h.requests == 0 {
		delete(s.holders, name)
	}
}
