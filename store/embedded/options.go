// Package embedded runs a private PostgreSQL for one giftcards process: it
// finds or fetches the programs, makes the cluster, starts the server as a child, and makes
// sure that the server never outlives the process.
//
// The server is reached over a Unix socket only, by the operating system's
// user that called Start and by nobody else. Data are never wiped and never
// upgraded. The package knows nothing of tables, migrations or requests.
package embedded

import (
	"errors"
	"log/slog"
)

// ErrLocked means that another process runs a PostgreSQL in the state directory.
var ErrLocked = errors.New("state directory in use")

// Options are the places and properties of a private PostgreSQL. Every field except StateDir
// may be zero.
type Options struct {
	// StateDir holds the lock, the data, the socket and postgres.log. It is
	// created if missing. It must be empty when Ephemeral is set.
	StateDir string

	// BinDir is the directory of initdb and postgres. Empty: the newest of
	// PostgreSQL 13 to 18 that is installed (of the major that made the data,
	// when there are data), else a fetched one.
	BinDir string

	// CacheDir holds fetched programs. Empty: /var/cache/giftcards as root,
	// giftcards in the user's cache directory otherwise.
	CacheDir string

	// MirrorURL is the base address of a Maven repository to fetch from.
	// Empty: the mirror of central in ~/.m2/settings.xml, else Maven Central.
	// A fetched file must have the hash that is written in this package in any case.
	MirrorURL string

	// Ephemeral is for tests: a cluster in a directory of its own, removed at
	// Stop, that gives up durability for speed and allows 1,000 connections.
	// The role of URL may then create databases and roles.
	Ephemeral bool

	// Logger receives the package's own log; nil discards it. PostgreSQL's messages go to
	// postgres.log.
	Logger *slog.Logger
}
