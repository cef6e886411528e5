//go:build unix

package embedded

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startPostmaster starts PostgreSQL. It retries for 5 seconds if sessions of a killed
// postmaster have not ended yet.
func (s *Server) startPostmaster(ctx context.Context, data string, p programs, runAs account) error {
	for deadline := time.Now().Add(5 * time.Second); ; {
		err := s.tryPostmaster(ctx, data, p, runAs)
		if err == nil || !strings.Contains(err.Error(), "pre-existing shared memory block") || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * pollEvery):
		}
	}
}

func (s *Server) tryPostmaster(ctx context.Context, data string, p programs, runAs account) error {
	begin, err := s.log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	args := []string{"-D", data, "-k", s.socketDir, "-p", postgresPort, "-c", "listen_addresses=",
		"-c", "hba_file=" + s.hbaFile(), "-c", "ident_file=" + s.identFile()}
	onOurDeath := syscall.SIGINT
	// Nobody needs the data of a test after a crash.
	if s.ephemeral {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=1000")
		onOurDeath = syscall.SIGQUIT
	}
	// The server must outlive ctx, which bounds only the start.
	cmd := runAs.command(context.WithoutCancel(ctx), filepath.Join(p.dir, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if s.postmaster, err = launch(cmd, onOurDeath); err != nil {
		return err
	}
	if err := waitReady(ctx, s.postmaster, data, s.socketDir); err != nil {
		return s.withLog(err, begin)
	}
	return nil
}
