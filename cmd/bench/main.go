// Command bench measures the giftcards server from outside. Beside each measurement it
// measures a floor: the same work done by PostgreSQL or echo without the server. It starts
// a PostgreSQL with durable default settings, the server, and a bare echo server. The load
// comes from this process. docs/performance.md explains each line. The command runs on
// Linux only, because it reads /proc.
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

// echoCommand is the argument with which this program starts itself as the bare echo server.
const echoCommand = "echo-server"

// options are the settings of a run.
type options struct {
	rounds    int
	duration  time.Duration // of a round under load
	only      []string      // names of lines; empty means all except growth and the peers
	quick     bool
	growth    bool
	peers     bool
	listCards int    // cards among which the lines of lists and searches read
	giftcards string // path of the server's program
	dir       string // parent of the database's directory
	port      int    // first of six ports
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
		return 2 // parse has printed the error
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
	flags.IntVar(&o.rounds, "rounds", 5, "number of rounds; each measures the line and then its floor")
	seconds := flags.Int("seconds", 5, "duration of a round under load, in seconds")
	only := flags.String("only", "", "names of lines to measure, separated by commas; default: all except growth and the peers")
	flags.BoolVar(&o.quick, "quick", false, "use small sizes, to check that the program works")
	flags.BoolVar(&o.growth, "growth", false, "also measure growth, up to 10 million cards: takes much longer, and 10 GB")
	flags.BoolVar(&o.peers, "peers", false, "also measure FastAPI and Prism (python3, npm), which are installed for the run")
	flags.IntVar(&o.listCards, "list-cards", 1_000_000, "number of cards among which the lines of lists and searches read; search-text needs 500000; 10000000 takes minutes, and 5 GB")
	flags.StringVar(&o.giftcards, "giftcards", besideMe("giftcards"), "path of the server's program")
	flags.StringVar(&o.dir, "dir", "/var/tmp", "parent of the database's directory; it must be on the disk to measure, not in memory")
	flags.IntVar(&o.port, "port", 21780, "port of the server; the next five ports are used too")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	o.duration = time.Duration(*seconds) * time.Second
	if flags.NArg() > 0 || o.rounds < 1 || *seconds < 1 || o.listCards < 1000 {
		// Parse prints its own errors. This one is printed here, because run prints no error of parse.
		fmt.Fprintln(stderr, "bench: want at least one round, one second and 1,000 cards to list, and no arguments")
		return o, errors.New("unusable flags")
	}
	return o, nil
}

// besideMe returns the path of a program in this program's directory.
func besideMe(name string) string {
	me, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(me), name)
}
