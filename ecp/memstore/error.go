package memstore

import (
	"fmt"

	"github.com/openecp/openecp/ecp"
)

func notFound(verb string, kind ecp.Kind, key string) error {
	return &ecp.Error{
		Code: ecp.CodeNotFound, Op: verb + " " + string(kind),
		Message: fmt.Sprintf("there is no %s %q", kind, key),
	}
}

// misuse is a mistake of the caller's program.
func misuse(op, message string) error {
	return &ecp.Error{
		Code: ecp.CodeInternal, Op: op,
		Message: message,
	}
}

func gone(after, kept, last int64) error {
	return &ecp.Error{Code: ecp.CodeGone, Op: "read changes", Message: fmt.Sprintf(
		"changes are kept from %d to %d, position %d is outside; list again and go on from there", kept, last, after)}
}

// check refuses a record that could not be found again as it says.
func check(r ecp.Record) error {
	if r.Payload == nil || r.Key == "" {
		return &ecp.Error{
			Code: ecp.CodeInvalid, Op: "write " + string(r.Kind),
			Message: "a record needs a key and a payload",
		}
	}
	if kind, key, index := r.Payload.Describe(); kind != r.Kind || key != r.Key || index != r.Index {
		return &ecp.Error{
			Code: ecp.CodeInvalid, Op: "write " + string(r.Kind),
			Message: "kind, key and index are not those of the payload; ecp.NewRecord makes them so",
		}
	}
	return nil
}
