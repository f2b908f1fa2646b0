// Command ecpd is the OpenECP daemon: a fleet of EMQX clusters behind a JSON
// API. It wires the packages of this module together and adds nothing but
// configuration.
//
// It exits with 0 after a signal to end, with 1 if it cannot start or go on, and with 2
// if its arguments are wrong. Errors are one line on stderr. stdout has the ready line
// and, with --dev, the first token.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	tuneCollector()
	ctx := untilSignal(context.Background(), os.Stderr)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Environ()))
}

// untilSignal returns a context that ends with the first SIGTERM or SIGINT, or when the
// terminal closes from which the program was started. A second signal ends the process
// at once; everything that was acknowledged is stored by then.
func untilSignal(parent context.Context, stderr io.Writer) context.Context {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if fromTerminal(os.Stdin) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		cancel()
		s := <-signals
		fmt.Fprintf(stderr, "ecpd: %v again: ending at once\n", s)
		os.Exit(exitFailed)
	}()
	return ctx
}

// fromTerminal reports whether the program was started from a terminal. /dev/null, which
// service managers use, is a character device, too.
func fromTerminal(stdin *os.File) bool {
	info, err := stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && !os.SameFile(info, null)
}
