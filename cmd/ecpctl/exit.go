package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
)

// The exit codes.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitFailed      = 3 // the operation failed, or another took its place
	exitDenied      = 4
	exitTimeout     = 8
	exitInterrupted = 130
)

const exitHelp = "Exit codes: 0 done, 1 error, 2 wrong usage, 3 the operation failed, 4 not allowed, 8 time-out, " +
	"130 Ctrl-C."

var (
	errInterrupted = errors.New("interrupted")
	errTimeout     = errors.New("timed out")
	errDeclined    = errors.New("nothing was changed")
)

// usageError means that the command was called wrongly.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// failedError is an operation that did not do what it was for.
type failedError struct{ operation ecp.Operation }

func (e failedError) Error() string {
	o := e.operation
	text := fmt.Sprintf("operation %s (%s) of %s ended as %s", o.ID, o.Kind, o.Cluster, o.Phase)
	if o.Error != "" {
		text += ": " + o.Error
	}
	if o.SupersededBy != "" {
		text += "; " + string(o.SupersededBy) + " took its place"
	}
	return text
}

// exitCode is the code that a command ends with after an error.
func exitCode(err error) int {
	var usage usageError
	var failed failedError
	var broker brokerError
	var p *client.Problem
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &failed):
		return exitFailed
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case errors.As(err, &p) && refusal(p.Status), errors.As(err, &broker) && refusal(broker.status):
		return exitDenied
	case errors.Is(err, errNoToken):
		return exitDenied
	}
	return exitError
}

// refusal reports whether an HTTP status is that of a request which is not allowed.
func refusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// advice is what to do about an error, where the command line knows more than the server.
func advice(err error) string {
	var p *client.Problem
	var u *client.UnreachableError
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return "; see --help"
	case errors.As(err, &p) && p.Unauthorized():
		return "; log in with: ecpctl login"
	case errors.Is(err, ecp.ErrPrecondition):
		return "; run it again to decide on what is there now"
	case errors.As(err, &u):
		return "; is the daemon running there? --server, ECPCTL_SERVER or a context says where it is"
	}
	return ""
}

// oneLine returns a text without line breaks.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
