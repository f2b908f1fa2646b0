// Command emqxsim runs a simulated EMQX cluster on real sockets of this host,
// to point a program at that wants one: the management API of EMQX 4.4 or 5
// with the answers that running brokers gave, a page for the dashboard's, and
// faults on demand. Nothing speaks MQTT.
//
// It prints a line for each listener of each node, with its address and
// credentials, and ends on SIGINT or SIGTERM. It exits with 0 then, with 1 if
// it could not start, and with 2 if it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintf(stderr, "emqxsim: %v; see emqxsim --help\n", err)
		return exitUsage
	}
	if err := serve(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "emqxsim:", err)
		return exitFailed
	}
	return exitDone
}
