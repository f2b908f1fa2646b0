package observed

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// answeredBy is the header with which an agent marks an answer of its own; it
// removes the header from answers of the broker.
const (
	answeredBy      = "Ecp-Answered-By"
	answeredByAgent = "agent"
)

// mostAgentAnswer is how many bytes are read of an answer of an agent's own.
const mostAgentAnswer = 4 << 10

// agentCodes classify an agent's own answers by status. Every other status means
// that the broker could not be asked now.
var agentCodes = map[int]ecp.Code{
	http.StatusForbidden:             ecp.CodeDenied, // it is read-only, or its list does not allow the call
	http.StatusNotFound:              ecp.CodeUnsupported,
	http.StatusBadRequest:            ecp.CodeUnsupported,
	http.StatusRequestEntityTooLarge: ecp.CodeInvalid,
}

// agentTransport returns an agent's own answers as errors that say so, so that
// nobody takes them for words of the broker. It is for questions that the Manager
// itself asks; calls that are passed through for a person keep the answer.
type agentTransport struct{ next http.RoundTripper }

// RoundTrip sends a request through the agent.
func (t agentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	switch {
	case err == nil && res.Header.Get(answeredBy) == answeredByAgent:
		return nil, answerOfAgent(res)
	case err == nil || r.Context().Err() != nil || ecp.CodeOf(err) != ecp.CodeInternal:
		return res, err
	}
	return nil, &ecp.Error{Code: ecp.CodeUnavailable, Message: "the connection to the agent ended before it answered", Cause: err}
}

// answerOfAgent reads and closes an answer of an agent's own.
func answerOfAgent(res *http.Response) error {
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(res.Body, mostAgentAnswer)) // half of it says enough
	var said struct{ Code, Message string }
	_ = json.Unmarshal(body, &said) // an agent of another version may say it otherwise
	code, ok := agentCodes[res.StatusCode]
	if !ok {
		code = ecp.CodeUnavailable
	}
	words := strings.TrimSpace(said.Message)
	if words == "" {
		words = res.Status
	}
	return &ecp.Error{Code: code, Message: "the agent says: " + derive.Cause(words)}
}
