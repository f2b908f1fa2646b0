package ecp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var sentinels = map[Code]*Error{
	CodeInvalid: ErrInvalid, CodeNotFound: ErrNotFound, CodeExists: ErrExists, CodeConflict: ErrConflict,
	CodeDenied:        ErrDenied,
	CodeQuotaExceeded: ErrQuotaExceeded, CodeUnsupported: ErrUnsupported, CodeUnavailable: ErrUnavailable,
	CodeGone: ErrGone, CodeInternal: ErrInternal,
	CodePrecondition: ErrPrecondition, CodeKeyReused: ErrKeyReused, CodeThrottled: ErrThrottled,
}

func TestErrorsMatchTheirCodeOnly(t *testing.T) {
	for code := range sentinels {
		err := fmt.Errorf("create: %w", &Error{Code: code, Op: "x", Message: "y", Cause: io.EOF})
		for other, sentinel := range sentinels {
			require.Equal(t, code == other, errors.Is(err, sentinel), "%s is %s", code, other)
		}
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, code, CodeOf(err))
		require.Equal(t, "x: y", MessageOf(err))
		var e *Error
		require.ErrorAs(t, err, &e)
	}
	a, b := NewError(CodeConflict, "x", "y"), NewError(CodeConflict, "x", "z")
	require.NotErrorIs(t, a, b, "only a sentinel matches a whole code")
}

func TestErrorTexts(t *testing.T) {
	secret := errors.New("password=hunter2")
	for want, e := range map[string]*Error{
		"not_found":   {Code: CodeNotFound},
		"read: gone":  {Code: CodeGone, Op: "read"},
		"read: no":    {Code: CodeInvalid, Op: "read", Message: "no", Cause: secret},
		"no: a: b":    {Code: CodeInvalid, Message: "no", Fields: []FieldError{{"a", "b"}}},
		"no: a: b; c": {Code: CodeInvalid, Message: "no", Fields: []FieldError{{"a", "b"}, {"", "c"}}},
	} {
		require.Equal(t, want, e.Error())
		require.Equal(t, want, MessageOf(e))
		require.NotContains(t, fmt.Sprintf("%v %s", e, e), "hunter2")
	}
}

func TestForeignErrorsAreBland(t *testing.T) {
	err := errors.New("dial tcp 10.0.0.1: password=hunter2")
	require.Equal(t, CodeInternal, CodeOf(err))
	require.NotContains(t, MessageOf(err), "hunter2")
	require.Empty(t, CodeOf(nil))
	require.Empty(t, MessageOf(nil))
}

type retryable bool

func (r retryable) Error() string   { return "edge" }
func (r retryable) Retryable() bool { return bool(r) }

func TestRetryability(t *testing.T) {
	for code, e := range sentinels {
		require.Equal(t, code == CodeUnavailable || code == CodeThrottled, e.Retryable(), code)
	}
	edge := fmt.Errorf("x: %w", retryable(true))
	require.True(t, (&Error{Code: CodeConflict, Cause: edge}).Retryable(), "the edge knows better")
	require.False(t, (&Error{Code: CodeUnavailable, Cause: retryable(false)}).Retryable())
	require.True(t, (&Error{Code: CodeInternal, Cause: ErrUnavailable}).Retryable())
	require.False(t, (&Error{Code: CodeInternal, Cause: context.Canceled}).Retryable())
}

func TestCredentialsDoNotPrint(t *testing.T) {
	c := Credentials{Username: "key", Password: "hunter2"}
	e := Endpoint{BaseURL: "http://a", Credentials: c}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %q", c, c, c), fmt.Sprintf("%v %+v %#v", e, e, e)} {
		require.NotContains(t, s, "hunter2")
	}
	b, err := c.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `"[redacted]"`, string(b))
}

// A log has the cause where there is one, and no word of it where there is none.
func TestErrorAttr(t *testing.T) {
	for _, row := range []struct {
		err  error
		want string
	}{
		{&Error{Code: CodeUnavailable, Message: "away"}, "level=WARN msg=m cluster=c error=away\n"},
		{
			&Error{Code: CodeUnavailable, Message: "away", Cause: errors.New("refused")},
			"level=WARN msg=m cluster=c error=away cause=refused\n",
		},
	} {
		var b strings.Builder
		h := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
		slog.New(h).Warn("m", "cluster", "c", ErrorAttr(row.err))
		require.Equal(t, row.want, b.String())
	}
}
