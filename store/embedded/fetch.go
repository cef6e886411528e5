//go:build unix

package embedded

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

const (
	fetchTimeout = 10 * time.Minute
	maxFetched   = 200 << 20 // bytes; the largest build is 71 MB
	maxUnpacked  = 2 << 30   // bytes; the largest is 325 MB
)

// fetched returns the programs' directory of a build in the cache. It downloads and unpacks
// the build if it is not there.
func (f finder) fetched(ctx context.Context, major int) (string, error) {
	b, err := f.build(major)
	if err != nil {
		return "", err
	}
	if f.cacheDir == "" {
		return "", errors.New("there is no home directory to store it in")
	}
	unpacked := filepath.Join(f.cacheDir, b.dir())
	bin := filepath.Join(unpacked, "bin")
	// This check comes first, because cached programs that others could change must not run.
	if err := makeOpenDir(f.cacheDir); err != nil {
		return "", err
	}
	if _, err := os.Stat(unpacked); !errors.Is(err, fs.ErrNotExist) {
		return bin, err
	}
	// A killed download leaves its directory.
	sweepOlder(filepath.Join(f.cacheDir, "fetch-*"), time.Hour)
	// The build is unpacked elsewhere and renamed, so that a killed process leaves no half
	// of it.
	work, err := os.MkdirTemp(f.cacheDir, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	address := b.address(repository(f.mirrorURL))
	f.log.InfoContext(ctx, "downloading PostgreSQL", "build", b.dir())
	jar := filepath.Join(work, "jar")
	if err := download(ctx, address, jar, b.sha256); err != nil {
		return "", err
	}
	tree := filepath.Join(work, "tree")
	if err := unpackJar(jar, tree); err != nil {
		return "", fmt.Errorf("unpack %s: %w", b.dir(), err)
	}
	// If another process was faster, its build has the same hash.
	if err := os.Rename(tree, unpacked); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return bin, nil
}

// download writes the content of address to a new file, and fails if its hash differs.
func download(ctx context.Context, address, path, hash string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	from := request.URL.Redacted() // a mirror's address may contain a password
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("download %s: %s", from, response.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	// The hash is calculated while the file is written, and checked before anybody uses it.
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(response.Body, maxFetched)); err != nil {
		return fmt.Errorf("download %s: %w", from, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != hash {
		return fmt.Errorf("the content of %s is not the expected build: its SHA-256 is %s and not %s", from, got, hash)
	}
	return file.Close()
}

// unpackJar unpacks the only archive in a build's jar into a new directory.
func unpackJar(jar, dir string) error {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer archive.Close()
	for _, entry := range archive.File {
		if !strings.HasSuffix(entry.Name, ".txz") {
			continue
		}
		compressed, err := entry.Open()
		if err != nil {
			return err
		}
		// A defer in a loop is right here, because the first archive ends the loop.
		defer compressed.Close()
		plain, err := xz.NewReader(compressed)
		if err != nil {
			return err
		}
		return unpackTar(tar.NewReader(io.LimitReader(plain, maxUnpacked)), dir)
	}
	return errors.New("no .txz archive in it")
}

// unpackTar unpacks an archive into a new directory and never outside of it. Other users may
// read and run its files, whatever the umask is.
func unpackTar(archive *tar.Reader, dir string) error {
	if err := makeOpenDir(dir); err != nil {
		return err
	}
	// The root follows no name and no link that leads out of dir.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(root, header, archive); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

func unpackEntry(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.Clean(header.Name)
	if err := makeDirIn(root, filepath.Dir(name)); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return makeDirIn(root, name)
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := io.Copy(file, content); err != nil {
			return err
		}
		// The umask must not take away the right to read and run the programs.
		if err := file.Chmod(header.FileInfo().Mode().Perm()&0o755 | 0o444); err != nil {
			return err
		}
		return file.Close()
	default:
		return fmt.Errorf("unexpected kind of entry %q", header.Typeflag)
	}
}

// makeDirIn makes a directory and its parents, because the archive does not list all of
// them. Other users may enter it.
func makeDirIn(root *os.Root, name string) error {
	if name == "." {
		return nil
	}
	if err := makeDirIn(root, filepath.Dir(name)); err != nil {
		return err
	}
	if err := root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return root.Chmod(name, 0o755)
}

// sweepOlder removes the leftovers of killed processes. It keeps those younger than age,
// because they may belong to a running process.
func sweepOlder(pattern string, age time.Duration) {
	found, _ := filepath.Glob(pattern)
	for _, path := range found {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > age {
			_ = os.RemoveAll(path)
		}
	}
}
