//go:build unix

package embedded

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const mavenCentral = "https://repo.maven.apache.org/maven2"

// build is a ready-made PostgreSQL of the zonky project in Maven Central. Its hash is part
// of this source, because a hash downloaded from the same place would prove nothing.
type build struct {
	version  string // PostgreSQL's, with a third part by the packager
	platform string
	sha256   string
}

// builds holds the newest major for every platform that has one. The older majors can open
// data whose package was removed.
var builds = []build{
	{"18.6.0", "linux-amd64", "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1"},
	{"18.6.0", "linux-arm64v8", "5f54e016723afa6213925a8acb939bac52944b1d348f65c7a20f0cd2928c31be"},
	{"18.6.0", "linux-amd64-alpine", "1568b3805c3a3b99b5f4f0d7f6cf16e2a39075462ed47a614bfbabd92508350d"},
	{"18.6.0", "darwin-amd64", "690941008aac9ee360820fde9bb7870a4f3dcac5e9e2f9e45e42333a436ad0f9"},
	{"18.6.0", "darwin-arm64v8", "8f6ed6f38195b50a40712ada8b2a12060b6193c1a6977a6eb5cff053bb5a1b89"},
	{"17.11.0", "linux-amd64", "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d"},
	{"16.15.0", "linux-amd64", "653abc065c682b85d3da50168fb95dc524bd85426cdec9ce3695a550ef431df2"},
	{"15.19.0", "linux-amd64", "95f0b66fe72d4ca66c815773c44cb1196ea38552463e89a35f18114b3ed1565f"},
}

// build returns the ready-made build of a major for this platform.
func (f finder) build(major int) (build, error) {
	prefix := fmt.Sprintf("%d.", major)
	i := slices.IndexFunc(f.builds, func(b build) bool {
		return b.platform == f.platform && strings.HasPrefix(b.version, prefix)
	})
	if i < 0 {
		return build{}, fmt.Errorf("no ready-made build of PostgreSQL %d for %s is known", major, f.platform)
	}
	return f.builds[i], nil
}

// dir is the name of the unpacked build in the cache.
func (b build) dir() string { return "postgresql-" + b.version + "-" + b.platform }

// address returns the build's address in a Maven repository.
func (b build) address(repository string) string {
	artifact := "embedded-postgres-binaries-" + b.platform
	return fmt.Sprintf("%s/io/zonky/test/postgres/%s/%s/%s-%s.jar",
		strings.TrimRight(repository, "/"), artifact, b.version, artifact, b.version)
}

// thisPlatform returns the machine's platform as the builds name it. A Linux that only has
// the dynamic loader of musl needs the Alpine build.
func thisPlatform() string {
	arch := runtime.GOARCH
	if arch == "arm64" {
		arch = "arm64v8"
	}
	platform := runtime.GOOS + "-" + arch
	if musl, _ := filepath.Glob("/lib/ld-musl-*"); len(musl) > 0 {
		if glibc, _ := filepath.Glob("/lib*/ld-linux*"); len(glibc) == 0 {
			platform += "-alpine"
		}
	}
	return platform
}

// repository returns the Maven repository to download from: the configured one, else the
// mirror of central in the user's Maven settings, else Maven Central.
func repository(configured string) string {
	if configured != "" {
		return configured
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return mavenCentral
	}
	settings, err := os.ReadFile(filepath.Join(home, ".m2", "settings.xml"))
	if err != nil {
		return mavenCentral
	}
	return cmp.Or(centralMirror(settings), mavenCentral)
}

// centralMirror returns the first mirror of central in Maven's settings, "" if there is none
// or the file is not valid.
func centralMirror(settings []byte) string {
	var parsed struct {
		Mirrors []struct {
			URL string `xml:"url"`
			Of  string `xml:"mirrorOf"`
		} `xml:"mirrors>mirror"`
	}
	if xml.Unmarshal(settings, &parsed) != nil {
		return ""
	}
	for _, mirror := range parsed.Mirrors {
		of := strings.Split(strings.ReplaceAll(mirror.Of, " ", ""), ",")
		// external:* is every repository that is not on this machine.
		serves := slices.ContainsFunc(of, func(id string) bool { return id == "central" || id == "*" || id == "external:*" })
		if serves && !slices.Contains(of, "!central") {
			return strings.TrimSpace(mirror.URL)
		}
	}
	return ""
}
