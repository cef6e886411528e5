package faults_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"giftcards/cmd/giftcards/processtest"
)

// fullDisk fills PostgreSQL's disk while cards are issued, and then frees it. The disk is a small file
// system in memory. If this process may not mount one, a limit on the size of files takes its place.
func fullDisk(tr *trial) {
	tr.Helper()
	dir := processtest.StateDir(tr)
	disk, means := tr.newDisk(dir)
	tr.note = means.name
	pg := tr.newPostgres(disk)
	m := tr.newMerchant(dir, pg.url())
	server := tr.newGiftcards(dir, pg.url())
	m.login(tr, server.URL())
	l := tr.newLoad(m, server.URL)
	l.during(8, func() {
		for range 15 {
			time.Sleep(tr.upTo(500 * time.Millisecond))
			means.fill(pg)
			failed := l.failed.Load()
			for begin := time.Now(); l.failed.Load() < failed+5 && time.Since(begin) < 10*time.Second; {
				time.Sleep(time.Millisecond)
			}
			if l.failed.Load() > failed {
				tr.faults.Add(1)
			}
			time.Sleep(tr.upTo(500 * time.Millisecond))
			means.free(pg)
			if !pg.accepts() { // PostgreSQL has ended or is about to
				pg.crash()
				pg.start()
			}
		}
	})
	l.audit(pg.adminIn())
}

// fullness fills a disk and frees it again.
type fullness struct {
	name       string
	fill, free func(*postgres)
}

// newDisk returns a directory for the database.
func (tr *trial) newDisk(dir string) (string, fullness) {
	tr.Helper()
	disk := filepath.Join(dir, "disk")
	tr.must(os.Mkdir(disk, 0o755))
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", disk).CombinedOutput()
	if err != nil {
		tr.Logf("no disk of our own (mount: %v %s): files are limited instead", err, out)
		return disk, fullness{"files limited, as no disk could be mounted", limitFiles, unlimitFiles}
	}
	tr.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	ballast := filepath.Join(disk, "ballast")
	return disk, fullness{
		name: "a disk of 160 MB",
		fill: func(*postgres) {
			file, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			tr.must(err)
			defer file.Close()
			for err == nil {
				_, err = file.Write(make([]byte, 64<<10))
			}
			if !errors.Is(err, syscall.ENOSPC) {
				tr.must(err)
			}
		},
		free: func(*postgres) { tr.must(os.Remove(ballast)) },
	}
}

// limitFiles restarts PostgreSQL with a limit on the size of files. The limit is the size
// of the largest file.
func limitFiles(p *postgres) {
	largest := int64(2 << 20) // room for WAL segments
	_ = filepath.WalkDir(filepath.Join(p.data, "base"), func(_ string, entry os.DirEntry, _ error) error {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			largest = max(largest, info.Size())
		}
		return nil
	})
	_ = p.Stop(syscall.SIGINT)
	p.through = []string{"/bin/sh", "-c", fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, largest/512)}
	p.start()
}

func unlimitFiles(p *postgres) {
	_ = p.Stop(syscall.SIGINT)
	p.through = nil
	p.start()
}
