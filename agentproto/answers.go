package agentproto

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// AnsweredBy is the header by which the agent marks what it answers itself on the
// hosts [HostAPI] and [HostDashboard] in place of the broker; its value is [ByAgent].
// Agents remove it from what brokers answer, so that no broker can pass for them.
const (
	AnsweredBy = "Ecp-Answered-By"
	ByAgent    = "agent"
)

// AnswerCode says why the agent answered in place of the broker.
type AnswerCode string

// The codes. A server counts one that it does not know by the status.
const (
	AnswerBadRequest  AnswerCode = "BAD_REQUEST"        // the target or the form of the request
	AnswerNotFound    AnswerCode = "NOT_FOUND"          // a path that leads nowhere here, or a host that the agent does not offer
	AnswerBadMethod   AnswerCode = "METHOD_NOT_ALLOWED" // a method that is passed on nowhere
	AnswerReadOnly    AnswerCode = "READ_ONLY"          // whoever set the agent up allows no changes
	AnswerTooLong     AnswerCode = "TOO_LONG"           // the request's body
	AnswerTooMany     AnswerCode = "TOO_MANY_REQUESTS"  // at once
	AnswerUnknown     AnswerCode = "BROKER_UNKNOWN"     // the agent has not found its broker yet
	AnswerUnreachable AnswerCode = "BROKER_UNREACHABLE" // nothing answered, or not to the end
	AnswerTimeout     AnswerCode = "BROKER_TIMEOUT"     // nothing answered in time
	AnswerRefused     AnswerCode = "BROKER_REFUSES"     // the broker refuses the agent's credentials
	AnswerStops       AnswerCode = "AGENT_STOPS"        // nothing is begun any more
)

// Answer is what the agent answers in place of the broker: the body, in the form of
// EMQX 5's own errors.
type Answer struct {
	Code    AnswerCode `json:"code"`
	Message string     `json:"message"` // for people: what is wrong and what to do
}

// Write answers a request.
func (a Answer) Write(w http.ResponseWriter, status int) {
	body, err := json.Marshal(a)
	if err != nil {
		body = nil // of strings only
	}
	h := w.Header()
	h.Set(AnsweredBy, ByAgent)
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// AnswerIn returns what the agent answered in place of the broker, made fit to be
// shown, and reads and closes the response's body. False means that the response is
// the broker's, which is left alone. Answers to HEAD have neither code nor message.
func AnswerIn(res *http.Response) (a Answer, ok bool) {
	if res.Header.Get(AnsweredBy) != ByAgent {
		return a, false
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswerBody)) // what is missing is not known
	if json.Unmarshal(body, &a) != nil {
		a = Answer{}
	}
	a.Code, a.Message = AnswerCode(cleanText(string(a.Code), maxID)), cleanText(a.Message, maxMessage)
	return a, true
}
