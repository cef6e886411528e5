package server

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// shares is a semaphore of which no holder, such as a merchant, takes more than a
// share. A holder that asks for more waits for itself, not in front of the others.
type shares struct {
	all     *semaphore.Weighted
	share   int64
	mutex   sync.Mutex
	holders map[string]*holder // those with a request
}

type holder struct {
	*semaphore.Weighted

	requests int
}

func newShares(all, share int64) *shares {
	return &shares{all: semaphore.NewWeighted(all), share: share, holders: map[string]*holder{}}
}

// take waits until the holder may have weight, which must not be more than a share,
// and returns how it is given back. It fails when ctx ends.
func (s *shares) take(ctx context.Context, name string, weight int64) (release func(), err error) {
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
	h, known := s.holders[name]
	if !known {
		h = &holder{Weighted: semaphore.NewWeighted(s.share)}
		s.holders[name] = h
	}
	h.requests++
	return h
}

// leave forgets a holder with its last request.
func (s *shares) leave(name string, h *holder) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if h.requests--; h.requests == 0 {
		delete(s.holders, name)
	}
}
