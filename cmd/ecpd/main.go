// Command ecpd is the OpenECP daemon: a fleet of EMQX clusters behind a JSON
// API. It wires the packages of this module together and adds nothing but
// configuration.
//
// It exits with 0 after it was told to end, with 1 if it could not start or go
// on, and with 2 if it was called wrongly. What went wrong is one line on
// stderr; stdout carries the ready line and, in --dev, the first token.
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

// untilSignal gives a context that ends with the first SIGTERM or SIGINT, or
// when the terminal goes that the program was started from. The second one ends
// the process where it stands: what was acknowledged is stored.
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

// fromTerminal says whether somebody sits before the program. /dev/null, which
// daemons are given, is a device like a terminal, too.
func fromTerminal(stdin *os.File) bool {
	info, err := stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && !os.SameFile(info, null)
}
