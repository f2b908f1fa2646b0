package adopt

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// brokerTransport is a transport to a broker beside an agent. If the agent answers in place
// of the broker, RoundTrip returns an error, so that the caller does not mistake the answer
// for the broker's. Transports that lead to a broker directly know no such answers; a broker
// thus cannot forge them.
type brokerTransport struct {
	next  http.RoundTripper
	agent ecp.AgentID
}

// RoundTrip sends a request and returns the broker's answer.
func (t brokerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if errors.Is(err, agentproto.ErrNotConnected) {
		return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: "ask agent " + string(t.agent),
			Message: "its connection has ended, and the broker was not asked; it connects again by itself, else see " +
				"emqxee-agent status on its host", Cause: err}
	}
	if err != nil {
		return nil, t.brokenOff(r, err)
	}
	if answer, ok := agentproto.AnswerIn(res); ok {
		return nil, t.errorOf(answer, res.StatusCode)
	}
	return res, nil
}

// brokenOff returns the error for a connection that ended before an answer. The errors of
// contexts, and those that have a code, are returned as they are.
func (t brokerTransport) brokenOff(r *http.Request, err error) error {
	if r.Context().Err() != nil || ecp.CodeOf(err) != ecp.CodeInternal {
		return err
	}
	return &ecp.Error{
		Code: ecp.CodeUnavailable, Op: "ask the broker beside agent " + string(t.agent),
		Message: "the connection to the agent ended before it answered" + mayBeApplied, Cause: err,
	}
}

// errorClass is the code of the error for an agent's answer, and a text that is added to the
// agent's message.
type errorClass struct {
	code ecp.Code
	next string
}

// answers has the errors for the answers of agents.
var answers = map[agentproto.AnswerCode]errorClass{
	agentproto.AnswerBadRequest:  {ecp.CodeInvalid, ""},
	agentproto.AnswerNotFound:    {ecp.CodeUnsupported, ""}, // the cluster is there
	agentproto.AnswerBadMethod:   {ecp.CodeInvalid, ""},
	agentproto.AnswerTooLong:     {ecp.CodeInvalid, ""},
	agentproto.AnswerReadOnly:    {ecp.CodeDenied, ""},
	agentproto.AnswerTooMany:     {ecp.CodeThrottled, ""},
	agentproto.AnswerUnknown:     {ecp.CodeUnavailable, ""},
	agentproto.AnswerRefused:     {ecp.CodeUnavailable, ""}, // the agent is denied, not the caller
	agentproto.AnswerUnreachable: {ecp.CodeUnavailable, mayBeApplied},
	agentproto.AnswerTimeout:     {ecp.CodeUnavailable, mayBeApplied},
	agentproto.AnswerStops:       {ecp.CodeUnavailable, "; the broker was not asked; try again when the agent is back"},
}

const mayBeApplied = "; what was asked of it may have been done all the same"

// byStatus returns the error for an answer with an unknown code, or without one.
func byStatus(status int) errorClass {
	switch {
	case status == http.StatusForbidden:
		return errorClass{ecp.CodeDenied, ""}
	case status == http.StatusTooManyRequests:
		return errorClass{ecp.CodeThrottled, ""}
	case status == http.StatusNotFound:
		return errorClass{ecp.CodeUnsupported, ""}
	case status/100 == 4:
		return errorClass{ecp.CodeInvalid, ""}
	}
	return errorClass{ecp.CodeUnavailable, mayBeApplied}
}

func (t brokerTransport) errorOf(a agentproto.Answer, status int) error {
	as, known := answers[a.Code]
	if !known {
		as = byStatus(status)
	}
	e := &ecp.Error{
		Code: as.code, Op: "ask the broker beside agent " + string(t.agent),
		Message: cmp.Or(a.Message, "the agent does not pass this on; see emqxee-agent status on its host") + as.next,
	}
	if e.Code == ecp.CodeThrottled {
		e.RetryAfter = time.Second
	}
	return e
}
