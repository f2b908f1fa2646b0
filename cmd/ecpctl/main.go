// Command ecpctl is the command line of ecpd: it makes, changes, watches and explains EMQX
// clusters over the daemon's public API, and nothing else.
//
// What was asked for goes to stdout, in the form that -o names; progress, questions and
// errors go to stderr. It exits with 0 if all is well, with 1 after an error, with 2 if it
// was called wrongly, with 3 if an operation failed, with 4 if something is not allowed,
// with 8 if time ran out, and with 130 after Ctrl-C. An operation that was begun goes on
// after Ctrl-C.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(program()) }

func program() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // the next one ends the process at once
		cancel(errInterrupted)
	}()
	return run(ctx, os.Args, systemTerminal(), os.Getenv)
}
