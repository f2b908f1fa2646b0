// Command emqxee-agent connects one EMQX broker to an OpenECP server. It runs
// beside the broker, dials the server, and answers what the server asks of the
// broker; it listens on nothing but a socket in its own directory.
//
// Its exit codes are in exit.go. What went wrong is printed to stderr, with what
// to do next.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	args := takeArguments()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, args, os.Stdin, os.Stdout, os.Stderr, os.Environ())
	stop()
	os.Exit(code)
}
