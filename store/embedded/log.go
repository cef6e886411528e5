//go:build unix

package embedded

import (
	"io"
	"os"
	"time"

	"giftcards/store/private"
)

const (
	logLimit = 10 << 20 // bytes; as much again is kept of what was before
	logCheck = 10 * time.Minute
)

// rotateLog moves what is in a log that has grown too long to postgres.log.1. It
// copies and empties the file, since PostgreSQL holds it open, and appends.
func (s *Server) rotateLog() error {
	info, err := s.log.Stat()
	if err != nil || info.Size() <= logLimit {
		return err
	}
	kept, err := private.Open(s.logPath()+".1", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer kept.Close()
	// The end of it tells most.
	begin := info.Size() - logLimit
	if _, err := io.Copy(kept, io.NewSectionReader(s.log, begin, logLimit)); err != nil {
		return err
	}
	return s.log.Truncate(0)
}
