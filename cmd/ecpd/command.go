package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError means that the arguments are wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, environ []string) int {
	root := newCommand(stdout, stderr, environ)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var usage usageError
	var many manyLines
	switch {
	case errors.As(err, &many):
		for line := range strings.Lines(many.Error() + "\n") {
			fmt.Fprint(stderr, "ecpd: ", line)
		}
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "ecpd: %s; see ecpd --help\n", oneLine(err))
		return exitUsage
	}
	fmt.Fprintf(stderr, "ecpd: %s\n", oneLine(err))
	return exitFailed
}

func newCommand(stdout, stderr io.Writer, environ []string) *cobra.Command {
	serveCommand := func(use string) *cobra.Command {
		var c config
		cmd := &cobra.Command{
			Use:   use,
			Short: "run the daemon (what ecpd does without a command)",
			Long:  "ecpd keeps a fleet of EMQX clusters and serves its JSON API.\n\n" + environmentHelp,
			Args:  noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				warnings, err := c.resolve(cmd, environ)
				if err := errors.Join(err, c.check()); err != nil {
					return err
				}
				return serve(cmd.Context(), c, started{warnings, stdout, stderr, environ})
			},
		}
		c.define(cmd)
		return cmd
	}
	root := serveCommand("ecpd")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.Version = buildInfo().Version
	root.SetVersionTemplate(versionLine())
	root.AddCommand(serveCommand("serve"), tokenCommand(stdout, stderr, environ), checkCommand(stdout, stderr, environ),
		backupCommand(stdout, stderr, environ), restoreCommand(stdout, environ), migrateCommand(stdout, environ),
		versionCommand(stdout))
	return root
}

// oneFile accepts the name of one file and nothing else.
func oneFile(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return usageError{fmt.Errorf("%s takes the name of a file", cmd.CommandPath())}
	case len(args) > 1:
		return usageError{fmt.Errorf("%s takes one file, and no argument %q", cmd.CommandPath(), args[1])}
	}
	return nil
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[0])}
}

// oneLine returns the text of an error without line breaks.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
