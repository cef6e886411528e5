// Command bench measures the giftcards server from outside, and beside each
// measurement its floor: what PostgreSQL, or echo, does without the server. It
// starts a PostgreSQL of its own with durable default settings, the server, and
// a bare echo server; the load comes from this process. docs/performance.md says
// what each line means. It runs on Linux, as it reads /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// echoCommand is how this program starts itself as the bare echo server.
const echoCommand = "echo-server"

// options are the settings of a run.
type options struct {
	rounds    int
	duration  time.Duration // of a round under load
	only      []string      // names of lines; none: all but growth
	quick     bool
	growth    bool
	giftcards string // the server's program
	dir       string // where a directory for the databases is made
	port      int    // and the three that follow
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if address, ok := strings.CutPrefix(strings.Join(args, " "), echoCommand+" "); ok {
		return report(serveEcho(ctx, address), stderr)
	}
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2 // the flags' own messages are told
	}
	return report(measure(ctx, o, stdout, stderr), stderr)
}

func report(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each line and its floor are measured, in turns")
	seconds := flags.Int("seconds", 5, "how long a round under load takes")
	only := flags.String("only", "", "lines to measure, by name, with commas between; default: all but growth")
	flags.BoolVar(&o.quick, "quick", false, "small sizes: to see that the program works")
	flags.BoolVar(&o.growth, "growth", false, "measure growth too, up to 10 million cards: much longer, and 10 GB")
	flags.StringVar(&o.giftcards, "giftcards", besideMe("giftcards"), "the server's program")
	flags.StringVar(&o.dir, "dir", "/var/tmp", "where the database is put: on the disk to be measured, not in memory")
	flags.IntVar(&o.port, "port", 21780, "port of the server; the three that follow are used too")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	o.duration = time.Duration(*seconds) * time.Second
	if flags.NArg() > 0 || o.rounds < 1 || *seconds < 1 {
		fmt.Fprintln(stderr, "bench: want at least one round and one second, and nothing but flags")
		return o, errors.New("unusable flags")
	}
	return o, nil
}

// besideMe is a program in the directory of this one.
func besideMe(name string) string {
	me, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(me), name)
}
