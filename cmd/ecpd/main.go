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
	ctx := untilSignal(context.Background(), os.Stderr)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Environ()))
}

// untilSignal gives a context that ends with the first SIGTERM or SIGINT. The
// second one ends the process where it stands: what was acknowledged is stored.
func untilSignal(parent context.Context, stderr io.Writer) context.Context {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		cancel()
		s := <-signals
		fmt.Fprintf(stderr, "ecpd: %v again: ending at once\n", s)
		os.Exit(exitFailed)
	}()
	return ctx
}
