package adopt

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// brokersOwn is a transport to a broker beside an agent. What the agent answers itself
// in place of the broker is an error: whoever asks does not take it for the
// broker's answer, and no broker can pass for an agent, since a transport that leads
// to one directly knows no such answers.
type brokersOwn struct {
	next  http.RoundTripper
	agent ecp.AgentID
}

// RoundTrip sends a request and returns the broker's answer.
func (t brokersOwn) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if errors.Is(err, agentproto.ErrNotConnected) {
		return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: "ask agent " + string(t.agent), Message: "its connection has ended, and the broker was not asked; it connects again by itself, else see emqxee-agent status on its host", Cause: err}
	}
	if err != nil {
		return nil, err
	}
	if answer, ok := agentproto.AnswerIn(res); ok {
		return nil, t.errorOf(answer, res.StatusCode)
	}
	return res, nil
}

// asIf is the code of an error in place of which an agent has answered, and what is
// added to the agent's words.
type asIf struct {
	code ecp.Code
	next string
}

// answers are what agents answer in place of brokers.
var answers = map[agentproto.AnswerCode]asIf{
	agentproto.AnswerBadRequest:  {ecp.CodeInvalid, ""},
	agentproto.AnswerNotFound:    {ecp.CodeUnsupported, ""}, // the cluster is there
	agentproto.AnswerBadMethod:   {ecp.CodeInvalid, ""},
	agentproto.AnswerTooLong:     {ecp.CodeInvalid, ""},
	agentproto.AnswerReadOnly:    {ecp.CodeDenied, ""},
	agentproto.AnswerTooMany:     {ecp.CodeThrottled, ""},
	agentproto.AnswerUnknown:     {ecp.CodeUnavailable, ""},
	agentproto.AnswerRefused:     {ecp.CodeUnavailable, ""}, // it is the agent that is denied, not whoever asks
	agentproto.AnswerUnreachable: {ecp.CodeUnavailable, mayBeDone},
	agentproto.AnswerTimeout:     {ecp.CodeUnavailable, mayBeDone},
	agentproto.AnswerStops:       {ecp.CodeUnavailable, "; the broker was not asked; try again when the agent is back"},
}

const mayBeDone = "; what was asked of it may have been done all the same"

// byStatus is what an answer means whose code is not known, or was not sent.
func byStatus(status int) asIf {
	switch {
	case status == http.StatusForbidden:
		return asIf{ecp.CodeDenied, ""}
	case status == http.StatusTooManyRequests:
		return asIf{ecp.CodeThrottled, ""}
	case status/100 == 4:
		return asIf{ecp.CodeInvalid, ""}
	}
	return asIf{ecp.CodeUnavailable, mayBeDone}
}

func (t brokersOwn) errorOf(a agentproto.Answer, status int) error {
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
