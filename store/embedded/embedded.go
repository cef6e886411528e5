//go:build unix

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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
	// The lock on the state directory comes first, because all other steps need to be alone.
	if err := s.takeStateDir(o); err != nil {
		return err
	}
	data := filepath.Join(s.stateDir, "data")
	runAs, err := s.chooseAccount(ctx, data)
	if err != nil {
		return err
	}
	if err := runAs.enter(ctx, s.stateDir); err != nil {
		return err
	}
	major, err := clusterMajor(data)
	if err != nil {
		return err
	}
	p, err := s.finder(o, runAs).find(ctx, major, data)
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
	if major == 0 {
		s.logger.DebugContext(ctx, "making a database cluster", "directory", data, "major", p.major)
		if err := s.makeCluster(ctx, data, p, runAs); err != nil {
			return err
		}
	}
	if err := s.writeAccess(); err != nil {
		return err
	}
	// The socket's directory is new, so that waitReady recognizes this start.
	if s.socketDir, err = makeSocketDir(s.stateDir, runAs); err != nil {
		return err
	}
	if err := s.startPostmaster(ctx, data, p, runAs); err != nil {
		return err
	}
	return s.ensureDatabase(ctx)
}

func (s *Server) finder(o Options, runAs account) finder {
	cache := o.CacheDir
	if cache == "" {
		cache = defaultCacheDir()
	}
	return finder{
		binDir: o.BinDir, cacheDir: cache, mirrorURL: o.MirrorURL,
		installDirs: installDirs, path: true, builds: builds, platform: thisPlatform(), runAs: runAs, log: s.logger,
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
	// The close comes last, because Err reads the error from then on.
	close(s.done)
}

// URL returns the complete address of the database giftcards for its owner, which is not a
// superuser.
func (s *Server) URL() string { return s.address(role, role) }

// SetupURL is URL for a session whose commits do not wait for the disk, such as that of many
// migrations. A crash may undo the last of them, in order. The next commit of any other session
// makes them durable.
func (s *Server) SetupURL() string { return unsynced(s.URL()) }

func unsynced(address string) string { return address + "&synchronous_commit=off" }

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
