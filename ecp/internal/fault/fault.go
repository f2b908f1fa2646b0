// Package fault makes the errors that the rooms of ecp return: each names the
// operation in which it happened, and one about a request every field that is wrong.
package fault

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// Fields collects what is wrong with a request, field by field.
type Fields []ecp.FieldError

// Add notes that a field, named as in the request, is wrong; the message goes on after
// the name, as in "is 0; at least 1 is wanted".
func (f *Fields) Add(field, format string, args ...any) {
	*f = append(*f, ecp.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// Err returns an invalid error that names every field; nil if there is none.
func (f Fields) Err(op string) error {
	if len(f) == 0 {
		return nil
	}
	return &ecp.Error{Code: ecp.CodeInvalid, Op: op, Message: "the request is not valid", Fields: f}
}

// NotFound returns the error for a record that does not exist, or that the actor may not
// see: the two read alike. The cause is nil for the latter.
func NotFound(what, name string, cause error) error {
	if cause == nil {
		cause = ecp.ErrNoRight
	}
	return &ecp.Error{Code: ecp.CodeNotFound, Message: fmt.Sprintf("there is no %s %q", what, name), Cause: cause}
}

// Wrap returns err with the operation in which it happened. What is no [ecp.Error]
// comes from a store or from a context that has ended, and is not shown to users.
func Wrap(op string, err error) error {
	var e *ecp.Error
	switch {
	case errors.As(err, &e):
		out := *e
		out.Op = op
		return &out
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &ecp.Error{
			Code: ecp.CodeUnavailable, Op: op, Cause: err,
			Message: "it was given up before it was done: the caller went away or its time was over",
		}
	}
	return &ecp.Error{
		Code:    ecp.CodeInternal,
		Op:      op,
		Message: "it could not be stored; the cause is logged",
		Cause:   err,
	}
}

// WrapTaken is Wrap where a store's exists means that a name is taken: the error
// then says so of the field, unless the message is empty.
func WrapTaken(op string, err error, field, message string) error {
	err = Wrap(op, err)
	var e *ecp.Error
	if errors.As(err, &e) && e.Code == ecp.CodeExists && message != "" {
		e.Message, e.Fields = "the name is taken", []ecp.FieldError{{Field: field, Message: message}}
	}
	return err
}
