package ecp

import (
	"context"
	"errors"
)

// WrapError gives an error the operation it happened in, and a store's exists
// the field and words a user understands.
func WrapError(op string, err error, field, exists string) error {
	var e *Error
	if !errors.As(err, &e) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return &Error{Code: CodeUnavailable, Op: op, Message: "it was given up before it was done: the caller went away or its time was over", Cause: err}
	}
	if !errors.As(err, &e) {
		return &Error{Code: CodeInternal, Op: op, Message: "it could not be stored; the log has the cause", Cause: err}
	}
	out := *e
	out.Op = op
	if e.Code == CodeExists && exists != "" {
		out.Code, out.Message = CodeExists, "the name is taken"
		out.Fields = []FieldError{{Field: field, Message: exists}}
	}
	return &out
}
