//go:build unix

package embedded

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"giftcards/store/private"
)

// makeClusterFlushing makes a cluster in a new state directory, and flushes files by flush. It
// returns the path of the data directory, which does not exist if flush fails.
func makeClusterFlushing(t *testing.T, flush func(*os.File) error) (data string, err error) {
	t.Helper()
	state, err := private.Dir(newStateDir(t))
	if err != nil {
		t.Fatal(err)
	}
	data = filepath.Join(state, "data")
	s := &Server{stateDir: state, flush: flush, logger: slog.New(slog.DiscardHandler)}
	if s.log, err = private.Open(s.logPath(), os.O_RDWR|os.O_CREATE|os.O_APPEND); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.log.Close() })
	runAs, err := (&Server{ephemeral: true, logger: s.logger}).chooseAccount(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.finder(Options{}, runAs).find(t.Context(), 0, data)
	if err != nil {
		t.Fatal(err)
	}
	return data, s.makeCluster(t.Context(), data, p, runAs)
}

// TestNewDataAreDurableBeforeTheyHaveTheirName: a power loss leaves either a complete cluster or
// none, and then the next start makes it.
func TestNewDataAreDurableBeforeTheyHaveTheirName(t *testing.T) {
	t.Parallel()
	var (
		mutex   sync.Mutex
		flushed []string
		named   bool
	)
	data, err := makeClusterFlushing(t, func(file *os.File) error {
		mutex.Lock()
		defer mutex.Unlock()
		// The directory is data.new-* until everything is flushed.
		state, below, _ := strings.Cut(file.Name(), "/data.new-")
		_, path, _ := strings.Cut(below, "/")
		flushed, named = append(flushed, path), named || exists(filepath.Join(state, "data"))
		return fsync(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	if named {
		t.Error("the data had their name before they were flushed")
	}
	var all []string
	err = filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		below, _ := filepath.Rel(data, path)
		all = append(all, below)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	slices.Sort(flushed)
	if !slices.Equal(all, flushed) || len(all) < 100 {
		t.Errorf("%d files and directories exist and %d were flushed", len(all), len(flushed))
	}
}

func TestDataThatCannotBeFlushedGetNoName(t *testing.T) {
	t.Parallel()
	data, err := makeClusterFlushing(t, func(file *os.File) error {
		if filepath.Base(file.Name()) == "pg_control" {
			return errors.New("the disk is broken")
		}
		return nil
	})
	wantError(t, err, "the disk is broken")
	if exists(data) {
		t.Error("the data have their name")
	}
	if left := names(t, filepath.Dir(data)); strings.Contains(left, "data.new-") {
		t.Errorf("the unfinished data are left: %s", left)
	}
}
