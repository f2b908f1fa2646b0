// Command kubelab-up keeps one test control plane of package kubelab running in
// the background, with a simulated EMQX behind every pod of a cluster, so that
// kubectl and the daemon can be tried by hand.
//
//	kubelab-up up     start it, unless it runs, and print how to reach it
//	kubelab-up down   stop it and wait until everything is gone
//	kubelab-up run    run it in the foreground until SIGINT or SIGTERM
//
// What a crash leaves behind is removed by the next up.
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
	"syscall"

	"github.com/openecp/openecp/internal/kubelab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage is the error for an invalid command line.
var errUsage = errors.New("usage: kubelab-up [-dir folder] up | down | run")

// run carries out a command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, err)
		return 2
	}
	fmt.Fprintln(stderr, "kubelab-up:", err)
	return 1
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("kubelab-up", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() { fmt.Fprintln(stderr, errUsage); fs.PrintDefaults() }
	dir := fs.String("dir", "", "where its kubeconfig, log and lock are (default: \"up\" in the cache folder)")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if fs.NArg() != 1 {
		return errUsage
	}
	p, err := placeAt(*dir)
	if err != nil {
		return err
	}
	switch fs.Arg(0) {
	case "up":
		return up(ctx, p, stdout)
	case "down":
		return down(ctx, p, stdout)
	case "run":
		return serve(ctx, p, stdout, stderr)
	}
	return errUsage
}

// placeAt creates the folder for the files. An empty name means the default one.
func placeAt(dir string) (place, error) {
	if dir == "" {
		cache, err := kubelab.CacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "up")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder: %w; give another with -dir", err)
	}
	return place(dir), nil
}
