//go:build unix

package embedded

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ulikunitz/xz"
)

const data = "/state/data"

func TestErrorAboutMissingProgramsSaysWhatToDo(t *testing.T) {
	t.Parallel()
	f := newFinder(t)
	f.platform = "plan9-mips"
	_, err := f.find(t.Context(), 0, data)
	wantError(t, err, "no PostgreSQL 13 to 18 is installed, and PostgreSQL 18 could not be downloaded (no ready-made build of PostgreSQL 18 for plan9-mips is known): install PostgreSQL or set DATABASE_URL")
	_, err = f.find(t.Context(), 14, data)
	wantError(t, err, "/state/data was made by PostgreSQL 14, which is not installed and could not be downloaded (no ready-made build of PostgreSQL 14 for plan9-mips is known): install PostgreSQL 14, move the data away or set DATABASE_URL")
}

func TestProgramsOfAnotherMajorThanTheDataAreRefused(t *testing.T) {
	t.Parallel()
	f := newFinder(t)
	f.binDir = installFake(t, f, 16)
	_, err := f.find(t.Context(), 15, data)
	wantError(t, err, "/state/data was made by PostgreSQL 15 and "+f.binDir+" holds PostgreSQL 16")
}

func TestExplicitProgramsMustBeThereAndNotTooOld(t *testing.T) {
	t.Parallel()
	f := newFinder(t)
	f.binDir = installFake(t, f, 12)
	_, err := f.find(t.Context(), 0, data)
	wantError(t, err, "holds PostgreSQL 12: at least 13 is needed")
	if err := os.Remove(filepath.Join(f.binDir, "initdb")); err != nil {
		t.Fatal(err)
	}
	_, err = f.find(t.Context(), 0, data)
	wantError(t, err, "does not hold both initdb and postgres")
}

func TestNewestInstalledMajorIsUsedUnlessTheDataSayOtherwise(t *testing.T) {
	t.Parallel()
	f := newFinder(t)
	for _, major := range []int{13, 15, 17, 19} {
		installFake(t, f, major)
	}
	for major, want := range map[int]int{0: 17, 13: 13, 15: 15} {
		p, err := f.find(t.Context(), major, data)
		if err != nil || p.major != want {
			t.Errorf("for data of %d: PostgreSQL %d, %v; want %d", major, p.major, err, want)
		}
	}
}

func TestFetchedProgramsAreKept(t *testing.T) {
	t.Parallel()
	f := newFinder(t)
	requests := serveBuild(t, &f, fakeJar(t, "bin"), true)
	for range 2 {
		p, err := f.find(t.Context(), 0, data)
		if err != nil {
			t.Fatal(err)
		}
		if p.major != 18 || p.dir != filepath.Join(f.cacheDir, "postgresql-18.9.0-test", "bin") {
			t.Errorf("found %+v", p)
		}
	}
	if got := *requests; got != "/maven2/io/zonky/test/postgres/embedded-postgres-binaries-test/18.9.0/embedded-postgres-binaries-test-18.9.0.jar" {
		t.Errorf("requested %s", got)
	}
	if got := names(t, f.cacheDir); got != "postgresql-18.9.0-test" {
		t.Errorf("the cache holds %s", got)
	}
	if target, err := os.Readlink(filepath.Join(f.cacheDir, "postgresql-18.9.0-test", "bin", "link")); err != nil || target != "postgres" {
		t.Errorf("link to %q, %v", target, err)
	}
}

func TestFetchRefusesBuildsThatAreNotAsExpected(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		jar     []byte
		hashed  bool
		message string
	}{
		"another hash than the pinned one": {fakeJar(t, "bin"), false, "is not the expected build: its SHA-256 is "},
		"a path out of the directory":      {fakeJar(t, "../../bin"), true, "path escapes from parent"},
		"a file that is no jar":            {[]byte("hello"), true, "not a valid zip file"},
		"a jar without an archive":         {zipOf(t, "README", nil), true, "no .txz archive in it"},
		"a missing build":                  {nil, true, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFinder(t)
			serveBuild(t, &f, test.jar, test.hashed)
			_, err := f.find(t.Context(), 0, data)
			wantError(t, err, test.message)
			wantError(t, err, "install PostgreSQL or set DATABASE_URL")
			if got := names(t, filepath.Dir(f.cacheDir)); got != "cache" {
				t.Errorf("beside the cache: %s", got)
			}
			if got := names(t, f.cacheDir); got != "" {
				t.Errorf("the cache holds %s", got)
			}
		})
	}
}

func TestMirrorOfCentralIsFoundInMavenSettings(t *testing.T) {
	t.Parallel()
	const form = `<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>
		<mirror><id>a</id><mirrorOf>%s</mirrorOf><url> https://mirror.example/maven </url></mirror></mirrors></settings>`
	for of, mirrors := range map[string]bool{
		"central": true, "*": true, "external:*": true, "repo, central": true,
		"repo": false, "*,!central": false, "": false,
	} {
		if got := centralMirror(fmt.Appendf(nil, form, of)) == "https://mirror.example/maven"; got != mirrors {
			t.Errorf("mirrorOf %q serves central: %v", of, got)
		}
	}
	if got := centralMirror([]byte("<settings>")); got != "" {
		t.Errorf("a broken file gave %q", got)
	}
	if got := repository("https://own.example"); got != "https://own.example" {
		t.Errorf("our own setting gave way to %q", got)
	}
}

func TestEveryBuildHasAPinnedHash(t *testing.T) {
	t.Parallel()
	for _, b := range builds {
		if sum, err := hex.DecodeString(b.sha256); err != nil || len(sum) != sha256.Size {
			t.Errorf("%s: %q is no SHA-256", b.dir(), b.sha256)
		}
	}
	f := finder{builds: builds}
	for _, f.platform = range []string{"linux-amd64", "linux-arm64v8", "linux-amd64-alpine", "darwin-amd64", "darwin-arm64v8"} {
		if _, err := f.build(newestMajor); err != nil {
			t.Error(err)
		}
	}
}

// newFinder returns a finder whose directories are empty.
func newFinder(t *testing.T) finder {
	t.Helper()
	runAs, err := (&Server{ephemeral: true, logger: slog.New(slog.DiscardHandler)}).chooseAccount(t.Context(), filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	dir := newStateDir(t)
	if err := makeOpenDir(dir); err != nil {
		t.Fatal(err)
	}
	install := newStateDir(t)
	if err := makeOpenDir(install); err != nil {
		t.Fatal(err)
	}
	return finder{
		cacheDir: filepath.Join(dir, "cache"), installDirs: []string{install + "/%d/bin"},
		platform: "test", runAs: runAs, log: slog.New(slog.DiscardHandler),
	}
}

func fakeProgram(major int) string {
	return fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %d.9 (Debian 1)'\n", major)
}

func installFake(t *testing.T, f finder, major int) string {
	t.Helper()
	dir := fmt.Sprintf(f.installDirs[0], major)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fakeProgram(major)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// serveBuild makes jar the only build that f can fetch. A nil jar is not found. It returns the
// paths that were requested, in one string.
func serveBuild(t *testing.T, f *finder, jar []byte, hashed bool) *string {
	t.Helper()
	var requests string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests += r.URL.Path
		if jar == nil {
			http.NotFound(w, r)
			return
		}
		w.Write(jar)
	}))
	t.Cleanup(server.Close)
	sum := sha256.Sum256(jar)
	if !hashed {
		sum = sha256.Sum256([]byte("another"))
	}
	f.mirrorURL = server.URL + "/maven2/"
	f.builds = []build{{"18.9.0", "test", hex.EncodeToString(sum[:])}}
	return &requests
}

func fakeJar(t *testing.T, bin string) []byte {
	t.Helper()
	var compressed bytes.Buffer
	compressor, err := xz.NewWriter(&compressed)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(compressor)
	program := fakeProgram(18)
	for _, header := range []tar.Header{
		{Name: "share/postgresql/", Typeflag: tar.TypeDir, Mode: 0o700},
		{Name: bin + "/initdb", Typeflag: tar.TypeReg, Mode: 0o700, Size: int64(len(program))},
		{Name: bin + "/postgres", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))},
		{Name: bin + "/link", Typeflag: tar.TypeSymlink, Linkname: "postgres"},
	} {
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			if _, err := archive.Write([]byte(program)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressor.Close(); err != nil {
		t.Fatal(err)
	}
	return zipOf(t, "postgres-test.txz", compressed.Bytes())
}

func zipOf(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	entry, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, ExternalAttrs: uint32(fs.FileMode(0o644)) << 16})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
