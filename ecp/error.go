package ecp

import (
	"errors"
	"log/slog"
	"strings"
	"time"
)

// Code is the stable class of an [Error]. Codes travel over the API unchanged;
// new ones may be added, none is ever renamed.
type Code string

// Sentinels for errors.Is: they match every [Error] of the same code.
var (
	ErrInvalid       = &Error{Code: CodeInvalid}
	ErrNotFound      = &Error{Code: CodeNotFound}
	ErrExists        = &Error{Code: CodeExists}
	ErrConflict      = &Error{Code: CodeConflict}
	ErrDenied        = &Error{Code: CodeDenied}
	ErrQuotaExceeded = &Error{Code: CodeQuotaExceeded}
	ErrUnsupported   = &Error{Code: CodeUnsupported}
	ErrUnavailable   = &Error{Code: CodeUnavailable}
	ErrGone          = &Error{Code: CodeGone}
	ErrPrecondition  = &Error{Code: CodePrecondition}
	ErrKeyReused     = &Error{Code: CodeKeyReused}
	ErrThrottled     = &Error{Code: CodeThrottled}
	ErrInternal      = &Error{Code: CodeInternal}
)

// The codes. Each names who has to act: the caller (Invalid to Unsupported),
// nobody but time (Unavailable), the maintainers (Internal).
const (
	CodeInvalid       Code = "invalid"        // the request contradicts the rules; Fields says where
	CodeNotFound      Code = "not_found"      // no such thing, or not one the actor may know of
	CodeExists        Code = "exists"         // the name is taken
	CodeConflict      Code = "conflict"       // legal in itself, but not in the present state or revision
	CodeDenied        Code = "denied"         // the actor may not do this
	CodeQuotaExceeded Code = "quota_exceeded" // the pool does not hold what was asked for
	CodeUnsupported   Code = "unsupported"    // this cluster, version or build cannot do it, and why
	// something outside did not answer; the same call may succeed later
	CodeUnavailable  Code = "unavailable"
	CodeGone         Code = "gone"                   // the position asked for is older than what is kept
	CodePrecondition Code = "precondition_failed"    // it has changed since the revision the caller named
	CodeKeyReused    Code = "idempotency_key_reused" // the same key with another request
	CodeThrottled    Code = "throttled"              // too often in a short time; wait
	CodeInternal     Code = "internal"               // a fault of ours; the cause is in the log, never in the message
)

// FieldError is one thing wrong with one field of a request.
type FieldError struct {
	Field   string `json:"field"`   // path from the request's root, e.g. "spec.nodes"; "" = the request as a whole
	Message string `json:"message"` // what was wrong and what is allowed
}

// Error is the only error type that leaves this package. Message and Fields
// are fit for users; Cause is for the log and must not be shown to them.
type Error struct {
	Code    Code
	Op      string // what was being done, e.g. "create cluster"
	Message string // what was wrong and what to do next
	Fields  []FieldError
	Cause   error
	// RetryAfter is how long to wait at least before the same call may succeed;
	// 0 = not known.
	RetryAfter time.Duration
}

// Error returns operation, message and fields, without the cause.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if e.Message == "" {
		b.WriteString(string(e.Code))
	}
	b.WriteString(e.Message)
	for i, f := range e.Fields {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		if f.Field != "" {
			b.WriteString(f.Field + ": ")
		}
		b.WriteString(f.Message)
	}
	return b.String()
}

// Unwrap returns the cause, for errors.As and for the log.
func (e *Error) Unwrap() error { return e.Cause }

// Is matches a sentinel of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Op == "" && t.Message == "" && t.Cause == nil && t.Code == e.Code
}

// Retryable reports whether the same call may succeed later without a change:
// true for unavailable and throttled only. An edge that knows better implements the same
// method on its cause, which then decides.
func (e *Error) Retryable() bool {
	var r interface{ Retryable() bool }
	if errors.As(e.Cause, &r) {
		return r.Retryable()
	}
	return e.Code == CodeUnavailable || e.Code == CodeThrottled
}

// CodeOf returns the code of err; [CodeInternal] for an error that is not ours,
// "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// MessageOf returns the text of err that a user may see: for an error that is
// not an [Error] a bland sentence, because its text may hold anything.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Error()
	}
	if err == nil {
		return ""
	}
	return "internal error; the cause is logged"
}

// NewError builds an Error in one line.
func NewError(code Code, op, message string) *Error {
	return &Error{Code: code, Op: op, Message: message}
}

// ErrorAttr is an error for a log: the attribute "error" and, where there is
// one that is not shown to users, "cause".
func ErrorAttr(err error) slog.Attr {
	attrs := []any{slog.Any("error", err)}
	if cause := errors.Unwrap(err); cause != nil {
		attrs = append(attrs, slog.Any("cause", cause))
	}
	return slog.Group("", attrs...) // of no name: the attributes stand where it stands
}

// ErrNoRight is the cause of every refusal for want of a right, also where the
// actor is told that there is no such thing: the audit tells them apart.
var ErrNoRight = errors.New("the actor does not hold the right")
