//go:build unix

package embedded

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"giftcards/store/private"
)

const (
	logLimit = 10 << 20 // bytes of each of the two files
	logCheck = 10 * time.Minute
)

// rotateLog moves the content of a log above logLimit to postgres.log.1. It copies and
// truncates the file instead of renaming it, because PostgreSQL keeps it open and appends.
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
	// Only the end is kept, because it is the newest part.
	begin := info.Size() - logLimit
	if _, err := io.Copy(kept, io.NewSectionReader(s.log, begin, logLimit)); err != nil {
		return err
	}
	// PostgreSQL appends, so that it continues at the beginning.
	return s.log.Truncate(0)
}

func (s *Server) logPath() string { return filepath.Join(s.stateDir, "postgres.log") }

// withLog adds to err the end of PostgreSQL's log after the offset begin.
func (s *Server) withLog(err error, begin int64) error {
	const most = 2000
	end, seekErr := s.log.Seek(0, io.SeekEnd)
	if seekErr != nil || end <= begin {
		return err
	}
	// An error must stay short; the log has the rest.
	begin = max(begin, end-most)
	text, readErr := io.ReadAll(io.NewSectionReader(s.log, begin, end-begin))
	if readErr != nil {
		return err
	}
	return fmt.Errorf("%w: %s", err, strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; "))
}
