package report

import (
	"context"
	"errors"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// mostMessage is the largest size of the message of an error, in bytes.
const mostMessage = 1000

// codeOf returns the code for a failed query. answered means that the broker has answered
// something.
func codeOf(err error, found ecp.Detection, answered bool) agentproto.ErrorCode {
	var said *ecp.BrokerError
	switch {
	case errors.Is(err, ecp.ErrDenied):
		return agentproto.CodeAuthFailed
	case errors.Is(err, ecp.ErrUnsupported) && found.Edition == ecp.EditionOpenSource:
		return agentproto.CodeOpenSource
	case errors.Is(err, ecp.ErrUnsupported) && found.Major == 0: // something else answers there
		return agentproto.CodeUnreachable
	case errors.Is(err, ecp.ErrUnsupported):
		return agentproto.CodeUnsupportedVersion
	case errors.Is(err, context.DeadlineExceeded):
		return agentproto.CodeTimeout
	case errors.Is(err, ecp.ErrUnavailable) && answered && !errors.As(err, &said):
		return agentproto.CodeMalformed
	case errors.Is(err, ecp.ErrUnavailable):
		return agentproto.CodeUnreachable
	}
	return agentproto.CodeInternal
}

// failure returns an error of a report.
func failure(stage agentproto.Stage, code agentproto.ErrorCode, err error) agentproto.ReportError {
	return agentproto.ReportError{Stage: stage, Code: code, Message: short(ecp.MessageOf(err), mostMessage)}
}
