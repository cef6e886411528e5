// Package embedded runs a private PostgreSQL for one giftcards process. It finds or
// downloads the programs, makes the cluster, and starts the server as a child that never
// outlives the process.
//
// Only the operating system's user that called Start can connect, over a Unix socket. The
// package never deletes or upgrades data. It knows nothing of tables, migrations or requests.
package embedded

import (
	"errors"
	"log/slog"
)

// ErrLocked means that another process runs a PostgreSQL in the state directory.
var ErrLocked = errors.New("state directory in use")

// Options configures a private PostgreSQL. The zero value of each field except StateDir is a
// working default.
type Options struct {
	// StateDir contains the lock, the data, the socket and postgres.log. Start makes it if
	// it is missing. It must be "" if Ephemeral is set.
	StateDir string

	// BinDir is the directory of initdb and postgres. "" means the newest installed
	// PostgreSQL from 13 to 18, or with existing data the one of the major that made them,
	// or else a downloaded one.
	BinDir string

	// CacheDir contains downloaded programs. "" means /var/cache/giftcards for root, and
	// giftcards in the user's cache directory for others.
	CacheDir string

	// MirrorURL is the base address of a Maven repository to download from. "" means the
	// mirror of central in ~/.m2/settings.xml, or else Maven Central. A download from any
	// of them must have the hash that this package contains.
	MirrorURL string

	// Ephemeral is for tests. The cluster is in a directory of its own, which Stop removes.
	// It gives up durability for speed and allows 1,000 connections, and the role of URL
	// may create databases and roles.
	Ephemeral bool

	// Logger gets the package's own log; nil discards it. PostgreSQL's messages go to
	// postgres.log.
	Logger *slog.Logger
}
