package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"giftcards/server/telemetry"
	"giftcards/store"
	"giftcards/store/embedded"
)

// config declares every setting once, as a flag, an environment variable and a line of --help.
type config struct {
	Listen      string `env:"GIFTCARDS_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to listen (${default})."`
	BaseURL     string `env:"GIFTCARDS_BASE_URL" placeholder:"URL" help:"Address at which clients reach the server, with the path that a proxy serves it at; CSV links begin with it. Default: http:// or https:// and the address of --listen."`
	DatabaseURL string `env:"DATABASE_URL" placeholder:"URL" help:"PostgreSQL to use. Default: a private one in the state directory."`
	// The pool's settings are not part of the address, because other programs refuse
	// an address that has them.
	DatabaseConnections int    `env:"GIFTCARDS_DATABASE_CONNECTIONS" placeholder:"N" default:"0" help:"Connections to the database, at most. Default: 16."`
	DatabaseStatements  string `env:"GIFTCARDS_DATABASE_STATEMENTS" default:"prepare" placeholder:"prepare|describe" help:"prepare keeps prepared statements on each connection, describe only the types in them (${default}). Behind a transaction pooler such as PgBouncer: describe."`

	PollOnly bool   `env:"GIFTCARDS_POLL_ONLY" help:"Poll for new tasks once a second instead of listening for notifications; needed behind a transaction pooler such as PgBouncer."`
	StateDir string `env:"GIFTCARDS_STATE_DIR" placeholder:"DIR" help:"Where the private database, the keys and demo.json are. Default: /var/lib/giftcards as root, else giftcards in the XDG state directory; with -sandbox added for a sandbox."`
	KeysFile string `env:"GIFTCARDS_KEYS_FILE" placeholder:"FILE" help:"The server's secret keys, the same for all instances. Default: keys.json in the state directory."`

	Drain       time.Duration `env:"GIFTCARDS_DRAIN" default:"0s" help:"How long a stopping server still answers while /readyz fails; choose longer than a proxy needs to notice (${default})."`
	AdminListen string        `env:"GIFTCARDS_ADMIN_LISTEN" default:"127.0.0.1:9464" placeholder:"HOST:PORT" help:"Where operators find metrics, River's page and profiles, without a password (${default}, or no admin address if that is taken); off for none."`

	PostgresBin string `env:"GIFTCARDS_POSTGRES_BIN" placeholder:"DIR" help:"Directory of the private PostgreSQL's programs. Default: those of the newest installed PostgreSQL, or downloaded ones."`
	MavenMirror string `env:"GIFTCARDS_MAVEN_MIRROR" placeholder:"URL" help:"Maven repository to download PostgreSQL from. Default: the mirror in ~/.m2/settings.xml, else Maven Central."`

	CardPrefix        string        `env:"GIFTCARDS_CARD_PREFIX" default:"9" help:"First digits of card numbers, 1 to 8 (${default})."`
	BulkThreshold     int           `env:"GIFTCARDS_BULK_THRESHOLD" default:"50" help:"Most cards that a bulk request issues at once (${default}); a task issues more than these."`
	BulkMaximum       int           `env:"GIFTCARDS_BULK_MAXIMUM" default:"100000" help:"Most cards that a bulk request may ask for (${default})."`
	BulkBodyLimit     int           `env:"GIFTCARDS_BULK_BODY_LIMIT" default:"64" placeholder:"MIB" help:"Largest body of a bulk request, in MiB (${default})."`
	ShareTransactions bool          `env:"GIFTCARDS_SHARE_TRANSACTIONS" default:"true" negatable:"" help:"Let creates, changes and look-ups of the same moment share a transaction (default); --no-share-transactions gives each its own."`
	TokenLifetime     time.Duration `env:"GIFTCARDS_TOKEN_LIFETIME" default:"12h" help:"How long a login lasts (${default})."`
	LinkLifetime      time.Duration `env:"GIFTCARDS_LINK_LIFETIME" default:"24h" help:"How long a CSV link works (${default})."`

	IdempotencyLifetime time.Duration `env:"GIFTCARDS_IDEMPOTENCY_LIFETIME" default:"720h" help:"How long an idempotency key is kept (${default})."`
	TaskLifetime        time.Duration `env:"GIFTCARDS_TASK_LIFETIME" placeholder:"DURATION" help:"How long a finished task can be polled, at most --idempotency-lifetime, which is the default."`
	MessageLifetime     time.Duration `env:"GIFTCARDS_MESSAGE_LIFETIME" default:"2160h" help:"How long a message is kept after it was sent or has failed (${default})."`
	AuditLifetime       time.Duration `env:"GIFTCARDS_AUDIT_LIFETIME" default:"9600h" help:"How long the audit log is kept (${default})."`
	// KeyLifetime was renamed. It is still read, so that the error names its successor.
	KeyLifetime string `hidden:"" env:"GIFTCARDS_KEY_LIFETIME"`

	Sandbox bool `env:"GIFTCARDS_SANDBOX" help:"Be a sandbox: clients choose answers, times and faults, and nothing is sent. The database stays one of a sandbox for ever."`

	concurrency `embed:""`
	memory      `embed:""`
	delivery    `embed:""`
	protection  `embed:""`

	LogLevel  string `env:"GIFTCARDS_LOG_LEVEL" default:"info" help:"debug, info, warn or error (${default})."`
	LogFormat string `env:"GIFTCARDS_LOG_FORMAT" default:"text" help:"text or json (${default})."`
	LogSample int    `env:"GIFTCARDS_LOG_SAMPLE" default:"1" help:"Log one of this many successful requests, chosen at random (${default}, which logs all). Refused and failed requests are always logged."`

	listenURL string // where a client on this machine finds the server
}

// check fills in the defaults that depend on other settings, and notes each fault in f.
func (c *config) check(f faults) {
	note := f.note
	c.checkAddresses(note)
	maps.Copy(f, telemetry.Faults())
	if fault := demoPasswordFault(os.Getenv(demoVariable)); fault != "" {
		f[demoVariable] = fault
	}
	c.checkDatabase(note)
	c.checkPaths(note)

	note("card-prefix", store.ValidCardPrefix(c.CardPrefix), fmt.Sprintf("want 1 to 8 digits, not %q", c.CardPrefix))
	note("bulk-threshold", c.BulkThreshold >= 0 && c.BulkThreshold <= maxThreshold, fmt.Sprintf("want 0 to %d, not %d", maxThreshold, c.BulkThreshold))
	note("bulk-maximum", c.BulkMaximum >= 1 && c.BulkMaximum <= maxMaximum, fmt.Sprintf("want 1 to %d, not %d", maxMaximum, c.BulkMaximum))
	note("bulk-body-limit", c.BulkBodyLimit >= 1 && c.BulkBodyLimit <= maxBodyMiB, fmt.Sprintf("want 1 to %d, not %d", maxBodyMiB, c.BulkBodyLimit))
	note("drain", c.Drain >= 0 && c.Drain <= maxDrain, fmt.Sprintf("want 0s to %s", maxDrain))
	note("token-lifetime", c.TokenLifetime >= time.Minute, "want a minute at least")
	note("link-lifetime", c.LinkLifetime >= time.Minute, "want a minute at least")
	// The following checks compare several settings and need the defaults above.
	c.checkLifetimes(note)
	note("merchant-backlog", c.MerchantBacklog >= c.BulkMaximum && c.MerchantBacklog <= maxBacklog,
		fmt.Sprintf("want --bulk-maximum (%d) to %d, not %d", c.BulkMaximum, maxBacklog, c.MerchantBacklog))
	c.concurrency.check(f)
	c.checkBodies(f, c.BulkBodyLimit)
	c.memory.check(f)
	c.protection.check(f)
	_, err := c.level()
	note("log-level", err == nil, fmt.Sprintf("want debug, info, warn or error, not %q", c.LogLevel))
	note("log-sample", c.LogSample >= 1 && c.LogSample <= maxLogSample, fmt.Sprintf("want 1 to %d, not %d", maxLogSample, c.LogSample))
	note("log-format", c.LogFormat == "text" || c.LogFormat == "json", fmt.Sprintf("want text or json, not %q", c.LogFormat))
}

// checkAddresses completes --listen and --base-url. --listen comes first, because the default
// of --base-url is made of it. Without a usable --listen, --base-url is only checked if it is
// set.
func (c *config) checkAddresses(note func(flag string, fit bool, want string)) {
	host, port, err := net.SplitHostPort(c.Listen)
	listens := err == nil && isPort(port)
	note("listen", listens, "want host:port, a port from 1 to 65535, not "+strconv.Quote(c.Listen))
	if listens {
		if host == "" || net.ParseIP(host).IsUnspecified() {
			host = "localhost"
		}
		c.listenURL = c.scheme() + net.JoinHostPort(host, port)
		c.BaseURL = cmp.Or(c.BaseURL, c.listenURL)
	}
	_, port, err = net.SplitHostPort(c.AdminListen)
	note("admin-listen", c.AdminListen == adminOff || err == nil && isPort(port) && c.AdminListen != c.Listen,
		"want host:port, not that of --listen, or off, not "+strconv.Quote(c.AdminListen))
	if c.BaseURL != "" || listens {
		err = checkBaseURL(c.BaseURL)
		note("base-url", err == nil, fmt.Sprint(err))
	}
	// Paths are appended to it and begin with a slash.
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
}

// checkPaths fills in the defaults of the state directory and of the key file.
func (c *config) checkPaths(note func(flag string, fit bool, want string)) {
	var err error
	if c.StateDir == "" {
		c.StateDir, err = embedded.DefaultStateDir()
		note("state-dir", err == nil, fmt.Sprint(err))
		if c.Sandbox { // another server of this account may use the directory
			c.StateDir += "-sandbox"
		}
	}
	// PostgreSQL runs in another directory and gets this path.
	if c.StateDir, err = filepath.Abs(c.StateDir); err != nil {
		note("state-dir", false, err.Error())
	}
	if c.KeysFile == "" {
		c.KeysFile = filepath.Join(c.StateDir, "keys.json")
	}
}

// checkDatabase notes an address that pgx cannot read, and adds the mode of statements to the
// address.
func (c *config) checkDatabase(note func(flag string, fit bool, want string)) {
	fault := store.CheckURL(c.DatabaseURL)
	note("database-url", fault == nil, fmt.Sprint(fault))
	note("database-connections", c.DatabaseConnections == 0 || c.DatabaseConnections >= minConnections && c.DatabaseConnections <= maxConnections,
		fmt.Sprintf("want %d to %d, not %d", minConnections, maxConnections, c.DatabaseConnections))
	note("database-statements", c.DatabaseStatements == "prepare" || c.DatabaseStatements == "describe",
		fmt.Sprintf("want prepare or describe, not %q", c.DatabaseStatements))
	if c.DatabaseStatements == "describe" {
		c.DatabaseURL = store.DescribeStatements(c.DatabaseURL)
	}
}

// basePathPattern matches the paths that a base URL may have. None of them needs escapes.
var basePathPattern = regexp.MustCompile(`^(/[A-Za-z0-9][A-Za-z0-9._~-]*)*/?$`)

// ownPaths are the first elements of the server's own paths. A base path must not begin
// with one of them, because the server also answers without its base path.
var ownPaths = []string{"v2", "docs", "healthz", "readyz", "openapi.json", "openapi-complete.json", "openapi-sdk.json", "sandbox", "openapi-sandbox.json"}

func checkBaseURL(address string) error {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil ||
		base.RawQuery != "" || base.ForceQuery || base.Fragment != "" || !basePathPattern.MatchString(base.EscapedPath()) {
		return fmt.Errorf("want an http or https address such as https://example.com/cards, not %q", address)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(base.Path, "/"), "/")
	if slices.Contains(ownPaths, first) {
		return fmt.Errorf("the path must not begin with /%s, which is a path of the server itself", first)
	}
	return nil
}

func isPort(port string) bool {
	number, err := strconv.Atoi(port)
	return err == nil && number > 0 && number < 1<<16
}

func (c *config) checkLifetimes(note func(flag string, fit bool, want string)) {
	note("key-lifetime", c.KeyLifetime == "", "was renamed: set --idempotency-lifetime (GIFTCARDS_IDEMPOTENCY_LIFETIME)")
	note("idempotency-lifetime", c.IdempotencyLifetime >= time.Hour, "want an hour at least")
	if c.TaskLifetime == 0 {
		c.TaskLifetime = c.IdempotencyLifetime
	}
	// A lifetime of keys that is too short is noted above, and not once more here.
	note("task-lifetime", c.IdempotencyLifetime < time.Hour || c.TaskLifetime >= time.Hour && c.TaskLifetime <= c.IdempotencyLifetime,
		fmt.Sprintf("want an hour at least, and not more than --idempotency-lifetime (%s)", c.IdempotencyLifetime))
	note("message-lifetime", c.MessageLifetime >= 7*24*time.Hour, "want 168h at least")
	note("audit-lifetime", c.AuditLifetime >= 30*24*time.Hour, "want 720h at least, which the database keeps in any case")
}

// lifetimes returns the lifetimes for the jobs' sweep.
func (c *config) lifetimes() store.Lifetimes {
	return store.Lifetimes{Keys: c.IdempotencyLifetime, Tasks: c.TaskLifetime, Messages: c.MessageLifetime, Audit: c.AuditLifetime}
}

// adminOff is the value of --admin-listen that opens no admin address.
const adminOff = "off"

// Upper bounds of settings.
const (
	maxThreshold = 1_000      // cards at once are written row by row
	maxMaximum   = 10_000_000 // a task is one transaction
	maxBacklog   = 1_000_000_000
	maxBodyMiB   = 1_024            // a body is held in memory
	maxDrain     = 10 * time.Minute // the operator waits for it

	// Fewer connections would leave too few for requests beside those of the tasks.
	minConnections = 4
	maxConnections = 1_000
)

func (c *config) level() (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(c.LogLevel))
	return level, err
}
