//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"giftcards/store/private"
)

// Server is a running private PostgreSQL.
type Server struct {
	stateDir   string
	socketDir  string
	ephemeral  bool
	flush      func(*os.File) error // makes a new cluster's file durable
	lock       *lock
	log        *os.File // PostgreSQL's log; not a pipe, because surviving children would keep it open
	logger     *slog.Logger
	postmaster *process

	stopping atomic.Bool
	done     chan struct{}
	err      error // valid after done is closed
	stopOnce sync.Once
	stopErr  error
}

// Start starts a server that accepts connections and has the role and database giftcards. It
// keeps the data of an earlier start. ctx bounds only the start. The server ends with Stop,
// or with this process, even if the process is killed. Start fails if another process uses
// the state directory. Each error is one sentence with the fault and its cure.
//
// Start removes libpq's variables (PGHOST, PGSERVICE, ...) from the environment of this
// process, see forgetVariables.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{ephemeral: o.Ephemeral, flush: fsync, logger: o.Logger, done: make(chan struct{})}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	begin := time.Now()
	forgetVariables()
	if err := s.start(ctx, o); err != nil {
		s.abandon()
		return nil, fmt.Errorf("private PostgreSQL: %w", err)
	}
	go s.watch()
	s.logger.DebugContext(ctx, "private PostgreSQL started", "state_dir", s.stateDir, "took", time.Since(begin))
	return s, nil
}

// start runs the steps of Start. A failed step leaves the rest to abandon.
func (s *Server) start(ctx context.Context, o Options) error {
	// The lock on the state directory comes first: all other steps rely on being alone.
	if err := s.takeStateDir(o); err != nil {
		return err
	}
	data := filepath.Join(s.stateDir, "data")
	as, err := s.chooseAccount(ctx, data)
	if err != nil {
		return err
	}
	if err := as.enter(ctx, s.stateDir); err != nil {
		return err
	}
	major, err := clusterMajor(data)
	if err != nil {
		return err
	}
	p, err := s.finder(o, as).find(ctx, major, data)
	if err != nil {
		return err
	}
	// A postmaster that outlived its giftcards must be gone before its files are touched.
	if err := clearLeftovers(ctx, data); err != nil {
		return err
	}
	if err := s.sweep(); err != nil {
		return err
	}
	// The owner of old data may change only while no PostgreSQL runs.
	if as, err = s.leaveNobody(ctx, data, as); err != nil {
		return err
	}
	if major == 0 {
		s.logger.DebugContext(ctx, "making a database cluster", "directory", data, "major", p.major)
		if err := s.makeCluster(ctx, data, p, as); err != nil {
			return err
		}
	}
	if err := s.writeAccess(); err != nil {
		return err
	}
	// The socket's directory is new, so that waitReady recognizes this start.
	if s.socketDir, err = makeSocketDir(s.stateDir, as); err != nil {
		return err
	}
	if err := s.startPostmaster(ctx, data, p, as); err != nil {
		return err
	}
	return s.ensureDatabase(ctx)
}

// takeStateDir makes and locks the state directory, and opens the log.
func (s *Server) takeStateDir(o Options) error {
	dir := o.StateDir
	switch {
	case o.Ephemeral && dir != "":
		return errors.New("an ephemeral server chooses its own state directory, because it removes it")
	case o.Ephemeral:
		made, err := makeEphemeralDir()
		if err != nil {
			return err
		}
		dir = made
	case dir == "":
		return errors.New("no state directory is set")
	}
	dir, err := private.Dir(dir)
	if err != nil {
		return err
	}
	held, err := lockDir(dir)
	if err != nil {
		return err
	}
	// From here on abandon can release the lock.
	s.stateDir, s.lock = dir, held
	if s.log, err = private.Open(s.logPath(), os.O_RDWR|os.O_CREATE|os.O_APPEND); err != nil {
		return err
	}
	return s.rotateLog()
}

func (s *Server) logPath() string { return filepath.Join(s.stateDir, "postgres.log") }

func (s *Server) finder(o Options, as account) finder {
	cache := o.CacheDir
	if cache == "" {
		cache = defaultCacheDir()
	}
	return finder{
		binDir: o.BinDir, cacheDir: cache, mirrorURL: o.MirrorURL,
		installDirs: installDirs, path: true, builds: builds, platform: thisPlatform(), as: as, log: s.logger,
	}
}

// sweep removes the leftovers of killed starts from the state directory.
func (s *Server) sweep() error {
	for _, pattern := range []string{"data.new-*", "sock-*"} {
		found, err := filepath.Glob(filepath.Join(s.stateDir, pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// startPostmaster starts PostgreSQL. It retries for 5 seconds if sessions of a killed
// postmaster have not ended yet.
func (s *Server) startPostmaster(ctx context.Context, data string, p programs, as account) error {
	for deadline := time.Now().Add(5 * time.Second); ; {
		err := s.tryPostmaster(ctx, data, p, as)
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

func (s *Server) tryPostmaster(ctx context.Context, data string, p programs, as account) error {
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
	cmd := as.command(context.WithoutCancel(ctx), filepath.Join(p.dir, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if s.postmaster, err = launch(cmd, onOurDeath); err != nil {
		return err
	}
	if err := waitReady(ctx, s.postmaster, data, s.socketDir); err != nil {
		return s.withLog(err, begin)
	}
	return nil
}

// watch closes done when the postmaster has ended. Until then it rotates the log.
func (s *Server) watch() {
	look := time.NewTicker(logCheck)
	defer look.Stop()
	for running := true; running; {
		select {
		case <-s.postmaster.done:
			running = false
		case <-look.C:
			if err := s.rotateLog(); err != nil {
				s.logger.Warn("rotating the log of the private PostgreSQL failed", "error", err)
			}
		}
	}
	if !s.stopping.Load() {
		s.err = fmt.Errorf("PostgreSQL ended by itself: %w; its log is %s", exitError(s.postmaster), s.logPath())
	}
	close(s.done)
}

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

// URL returns the complete address of the database giftcards for its owner, which is not a
// superuser.
func (s *Server) URL() string { return s.address(role, role) }

// AdminURL returns the address of the same database for the superuser. Tests and psql use it.
func (s *Server) AdminURL() string { return s.address(superuser, role) }

// address returns a complete address, so that psql adds no defaults of its own.
func (s *Server) address(user, database string) string {
	host := strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s.socketDir))
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%s&sslmode=disable", user, database, host, postgresPort)
}

// Done returns a channel that is closed when PostgreSQL has exited.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns the reason why PostgreSQL exited. It is nil while PostgreSQL runs and after
// Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop ends the server and frees the state directory. PostgreSQL ends its sessions and
// writes its data. If that takes longer than 30 seconds or than ctx, Stop ends it at once,
// and the next start recovers the data. Further calls return the result of the first.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		// watch must not report this end as unexpected.
		s.stopping.Store(true)
		if s.ephemeral {
			s.stopErr = s.postmaster.stopAtOnce()
		} else {
			s.stopErr = s.postmaster.stop(ctx)
		}
		s.release()
	})
	return s.stopErr
}

// abandon undoes a start that has failed at any step.
func (s *Server) abandon() {
	if s.postmaster != nil {
		_ = s.postmaster.stopAtOnce()
	}
	s.release()
}

// release removes and unlocks everything after PostgreSQL has ended.
func (s *Server) release() {
	if s.socketDir != "" {
		_ = os.RemoveAll(s.socketDir)
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	if s.lock == nil {
		return
	}
	// The directory goes before its lock, so that no other process takes it meanwhile.
	if s.ephemeral {
		_ = os.RemoveAll(s.stateDir)
	}
	s.lock.release()
}
