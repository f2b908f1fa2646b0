// Command dist makes what a release of OpenECP consists of, from the checkout it is called
// in: Debian and RPM packages, OCI images, the Helm chart, the agents that are downloaded, a bill of
// materials of each program, and a signed list of checksums. It needs Go and no container
// engine, and the same commit makes the same bytes.
//
//	go -C tools/dist run . --out DIR [--arch amd64,arm,arm64] [--key FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// release is what is made.
type release struct {
	root    string   // of the checkout
	out     string   // where everything goes
	arches  []string // of Go; arm is for agents only
	version string   // without "v", e.g. 0.3.0 or 0.0.0-dev.20260102030405.g1a2b3c4
	commit  string
	date    time.Time // of the commit, for all files
	pages   []manual  // of ecpctl
}

// all architectures, as Go names them.
var all = []string{"amd64", "arm", "arm64"}

// daemons are the architectures of the daemon, and of images.
func (r release) daemons() []string {
	return slices.DeleteFunc(slices.Clone(r.arches), func(arch string) bool { return arch == "arm" })
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dist: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("dist", flag.ContinueOnError)
	out := flags.String("out", "", "folder to make everything in; it must be empty or not there")
	arches := flags.String("arch", strings.Join(all, ","), "architectures, as Go names them; arm is for agents only")
	key := flags.String("key", "", "file with the Ed25519 key, PKCS #8 in PEM, that signs SHA256SUMS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("--out DIR says where everything goes")
	}
	r, err := describe(ctx, *out, strings.Split(*arches, ","))
	if err != nil {
		return err
	}
	signer, err := readKey(*key)
	if err != nil {
		return err
	}
	return r.make(ctx, signer)
}

// describe finds the checkout, and which version of what it is.
func describe(ctx context.Context, out string, arches []string) (release, error) {
	r := release{arches: arches}
	for _, arch := range arches {
		if !slices.Contains(all, arch) {
			return r, fmt.Errorf("--arch %q is none of %s", arch, strings.Join(all, ", "))
		}
	}
	root, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return r, fmt.Errorf("find the checkout: %w", err)
	}
	r.root = root
	if r.out, err = filepath.Abs(out); err != nil {
		return r, err
	}
	if r.commit, err = output(ctx, root, "git", "rev-parse", "HEAD"); err != nil {
		return r, fmt.Errorf("find the commit: %w", err)
	}
	date, err := output(ctx, root, "git", "log", "-1", "--format=%cI")
	if err != nil {
		return r, fmt.Errorf("find the date of the commit: %w", err)
	}
	if r.date, err = time.Parse(time.RFC3339, date); err != nil {
		return r, err
	}
	r.date = r.date.UTC()
	changed, err := output(ctx, root, "git", "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return r, fmt.Errorf("find what is not committed: %w", err)
	}
	if tag, err := output(ctx, root, "git", "describe", "--tags", "--exact-match", "--match", "v*"); err == nil {
		r.version = strings.TrimPrefix(tag, "v")
	} else {
		r.version = untagged(r.date, r.commit)
	}
	if changed != "" {
		r.version += ".changed"
	}
	r.pages, err = r.readManuals()
	return r, err
}

// untagged is the version of a commit without a tag, which is older than every version that is
// tagged later. The g, as git describe has it, is there because a number with a zero before it
// may not be part of a version, and a commit may be called by digits alone.
func untagged(date time.Time, commit string) string {
	return "0.0.0-dev." + date.UTC().Format("20060102150405") + ".g" + commit[:7]
}

// output runs a program in a folder, and returns what it has printed, without spaces around.
func output(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	b, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSpace(string(b)), err
}

// make makes everything in r.out.
func (r release) make(ctx context.Context, signer signer) error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if left, err := os.ReadDir(r.out); err != nil || len(left) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty; name another folder, or remove it", r.out))
	}
	built, err := os.MkdirTemp("", "openecp-dist-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(built) }() // a folder for what is between
	for _, step := range []func(context.Context, string) error{r.programs, r.agents, r.manuals,
		r.packages, r.images, r.chart, r.materials} {
		if err := step(ctx, built); err != nil {
			return err
		}
	}
	return r.sums(signer)
}
