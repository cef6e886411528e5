// Command giftcards is the gift-card server and its operator's tools.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"giftcards/store"
)

// version is the tag of a release, or what git calls another revision; `make build` and the
// image set it.
var version = "unknown"

const (
	exitFailed   = 1 // the command failed
	exitSettings = 2 // the command line or a setting is invalid
)

func main() {
	// SIGHUP: closing the terminal should stop a server as cleanly as Ctrl-C.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the program at once
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// program is the command line. Every command's Run gets a *session.
type program struct {
	config

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`

	Serve      serveCommand      `cmd:"" help:"Run the server."`
	Demo       demoCommand       `cmd:"" help:"Print the demo merchant, user and program, and make them if there are none."`
	Migrate    migrateCommand    `cmd:"" help:"Migrate the database to this program's schema, or print its schema's version."`
	Merchant   merchantCommand   `cmd:"" help:"Create, list and rename merchants."`
	Program    programCommand    `cmd:"" help:"Create, list and rename gift-card programs, change their settings, and limit how much may be issued in them a day."`
	User       userCommand       `cmd:"" help:"Create and list users, change their password and role, deactivate them, and limit how much they may issue a day."`
	Audit      auditCommand      `cmd:"" help:"List who did what, from where."`
	Cards      cardsCommand      `cmd:"" help:"Suspend or void the cards that a task or a user issued, or print a task's physical cards."`
	Ledger     ledgerCommand     `cmd:"" help:"Prove that every balance follows from the ledger."`
	Tasks      tasksCommand      `cmd:"" help:"List bulk tasks, and cancel unfinished ones."`
	Recipients recipientsCommand `cmd:"" help:"Export what the server has about a recipient, or erase it."`
	Messages   messagesCommand   `cmd:"" help:"List messages to recipients, retry failed ones, drop unsent ones, and test the settings."`
	Keys       keysCommand       `cmd:"" help:"List, rotate and retire the server's secret keys."`
	Health     healthCommand     `cmd:"" help:"Ask the server on this machine whether it is ready; exit code 1 unless it is."`
	Licences   licencesCommand   `cmd:"" help:"Print the licences and notices of all software in this program."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// run is the whole program. Tests call it instead of main.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var p program
	faults := faults{}
	parser, err := kong.New(&p, append(faults.options(),
		kong.Name("giftcards"),
		kong.Description("Serves gift cards over LoyaltyDog's API. Every flag can be set by the environment variable beside it. The variable GIFTCARDS_DEMO_PASSWORD chooses the demo user's password; there is no flag for it."),
		kong.Vars{"version": version},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }), // --help
		kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)...)
	if err != nil {
		fmt.Fprintln(stderr, "giftcards:", err)
		return exitFailed
	}
	// Unreadable values go into faults and do not end the parsing.
	code, kongCtx := parse(parser, args, stderr)
	if kongCtx == nil {
		return code
	}
	// Collect the faults of all settings before failing, so that the operator can mend them at once.
	p.config.check(faults)
	checkVariables(parser.Model.Node, os.Environ(), faults)
	// Only the commands that send messages need their secrets.
	switch sends := map[string]bool{"serve": true, "messages test <address>": true}[kongCtx.Command()]; {
	case sends && p.config.Sandbox:
		p.config.delivery.checkSandbox(faults)
	case sends:
		p.config.delivery.check(faults, p.config.DatabaseURL == "" || kongCtx.Command() != "serve")
	}
	if len(faults) > 0 {
		fmt.Fprintln(stderr, faults)
		return exitSettings
	}
	err = kongCtx.Run(&session{Context: ctx, config: &p.config, connectPause: connectPause, stdin: stdin, stdout: stdout, stderr: stderr})
	if err != nil {
		// PostgreSQL's error only names the statement. The operator needs to know the cure.
		if denied := store.Denied(err); denied != "" && kongCtx.Command() != "serve" {
			err = fmt.Errorf("the role in DATABASE_URL may not do this (%s): use the owner of the tables", denied)
		}
		fmt.Fprintln(stderr, "giftcards:", err)
		return exitFailed
	}
	return 0
}

// exit is the exit code that kong asks for. It is a panic's value, because kong expects
// its exit function not to return.
type exit int

// parse returns a nil ctx if the program should end with code.
func parse(parser *kong.Kong, args []string, stderr io.Writer) (code int, ctx *kong.Context) {
	defer func() {
		if asked, ok := recover().(exit); ok {
			code, ctx = int(asked), nil
		}
	}()
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "giftcards: %s (see giftcards --help)\n", err)
		return exitSettings, nil
	}
	return 0, ctx
}

// session holds the settings and streams of one run of a command.
type session struct {
	context.Context
	config         *config
	log            serverLog     // of serve; the other commands log nothing
	connectPause   time.Duration // between attempts to reach the database
	stdin          io.Reader
	stdout, stderr io.Writer
}

type versionCommand struct{}

func (versionCommand) Run(s *session) error {
	_, err := fmt.Fprintln(s.stdout, version)
	return err
}
