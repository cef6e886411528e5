//go:build unix

package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestALogThatGrewTooLongStartsAnew: its old content is kept in another file, and a process that
// has the log open goes on writing into the new log.
func TestALogThatGrewTooLongStartsAnew(t *testing.T) {
	t.Parallel()
	s := &Server{stateDir: t.TempDir()}
	var err error
	if s.log, err = os.OpenFile(s.logPath(), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		t.Fatal(err)
	}
	defer s.log.Close()
	write := func(text []byte) {
		t.Helper()
		if _, err := s.log.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := s.rotateLog(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		text, _ := os.ReadFile(filepath.Join(s.stateDir, name))
		return text
	}
	write(bytes.Repeat([]byte("a"), logLimit))
	if len(read("postgres.log")) != logLimit || read("postgres.log.1") != nil {
		t.Error("a log of exactly the limit was rotated")
	}
	write([]byte("the end"))
	if kept := read("postgres.log.1"); len(kept) != logLimit || !bytes.HasSuffix(kept, []byte("athe end")) {
		t.Errorf("%d bytes were kept", len(kept))
	}
	write([]byte("next"))
	if got := read("postgres.log"); string(got) != "next" {
		t.Errorf("the new log has %d bytes", len(got))
	}
}
