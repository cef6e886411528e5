//go:build unix

package embedded

import (
	"io"
	"os"
	"time"

	"giftcards/store/private"
)

const (
	logLimit = 10 << 20 // bytes; postgres.log.1 keeps as much
	logCheck = 10 * time.Minute
)

// rotateLog moves the content of a log that has grown too long to postgres.log.1. It copies
// the file and empties it, because PostgreSQL holds it open and appends.
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
	// The end says the most.
	begin := info.Size() - logLimit
	if _, err := io.Copy(kept, io.NewSectionReader(s.log, begin, logLimit)); err != nil {
		return err
	}
	return s.log.Truncate(0)
}
