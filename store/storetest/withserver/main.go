// Command withserver starts a PostgreSQL server for tests, runs a command such as
// `go test ./...`, and stops the server. Package storetest finds the server by an environment
// variable. If the variable is set already, withserver starts no server.
//
// Build it before running it, because `go run` does not pass signals on.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"giftcards/store/embedded"
	"giftcards/store/storetest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withserver command [argument ...]")
		os.Exit(2)
	}
	status, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withserver:", err)
	}
	os.Exit(status)
}

// run returns the command's exit code, or 1 if the command or the server did not start.
func run(ctx context.Context, command []string) (status int, err error) {
	signals := make(chan os.Signal, 1)
	// The command gets the signals, and the server stops after it.
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	if os.Getenv(storetest.Variable) != "" {
		return runCommand(command, os.Environ(), signals)
	}
	server, err := embedded.Start(ctx, embedded.Options{Ephemeral: true})
	if err != nil {
		return 1, err
	}
	status, err = runCommand(command, append(os.Environ(), storetest.Variable+"="+server.URL()), signals)
	if err == nil {
		err = server.Err() // the server ended while the command ran
	}
	if stopErr := server.Stop(ctx); err == nil {
		err = stopErr
	}
	return status, err
}

// runCommand runs the command and passes signals on to it.
func runCommand(command, environment []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = environment
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ProcessState has the result, too
		close(ended)
	}()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // it may have ended by now
		case <-ended:
			if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
				return 128 + int(s.Signal()), nil // the convention of shells
			}
			return cmd.ProcessState.ExitCode(), nil
		}
	}
}
