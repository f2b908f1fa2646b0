package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
)

// The exit codes, as the help prints them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotRunning  = 3 // as LSB init scripts; also "not registered"
	exitNotAllowed  = 4
	exitTimedOut    = 8
	exitInterrupted = 130 // as shells tell of SIGINT
)

const exitHelp = `Exit codes:
  0  done; for status: the agent runs, is connected, and nothing is to be done
  1  it failed; for status and doctor: something is wrong, the output says what
  2  called wrongly
  3  the agent does not run, or is not registered
  4  not allowed: the files or the process belong to another user
  8  no answer in time
  130  interrupted`

// failure is an error with the exit code of the program, and what to do next.
type failure struct {
	code int
	err  error
	next string // one line or more for the person; empty if err says it all
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// fail makes an error of a code. next may be empty.
func fail(code int, next, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...), next}
}

// errSilent ends the program with the code of its failure and prints nothing,
// because the output has said it.
var errSilent = errors.New("the output says it")

func silent(code int) error { return &failure{code: code, err: errSilent} }

// report prints what went wrong and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	code, next := classify(err)
	if errors.Is(err, errSilent) {
		return code
	}
	fmt.Fprintf(stderr, "emqxee-agent: %s\n", oneLine(err))
	for line := range strings.Lines(next) {
		fmt.Fprintf(stderr, "  %s\n", strings.TrimRight(line, "\n"))
	}
	return code
}

// classify finds the exit code of an error, and the advice that goes with it.
func classify(err error) (code int, next string) {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f.code, f.next
	case errors.Is(err, context.Canceled):
		return exitInterrupted, ""
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimedOut, ""
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EPERM):
		return exitNotAllowed, "Run it as the user that owns the agent's directory, or with sudo."
	case errors.Is(err, syscall.ENOSPC):
		return exitFailed, "The disk is full: free some space and run it again."
	}
	return exitFailed, ""
}

// oneLine joins the lines of an error, so that each failure is one line.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
