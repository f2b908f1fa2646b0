package agentproto

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// AnsweredBy is the header of answers that the agent gives itself on the hosts [HostAPI]
// and [HostDashboard], in place of the broker; its value is [ByAgent]. Agents remove the
// header from the broker's answers, so that a broker cannot forge it.
const (
	AnsweredBy = "Ecp-Answered-By"
	ByAgent    = "agent"
)

// AnswerCode is the reason for which the agent answered in place of the broker.
type AnswerCode string

// The codes of answers. For a code that a server does not know, the HTTP status counts.
const (
	AnswerBadRequest  AnswerCode = "BAD_REQUEST"        // the target or the form of the request is wrong
	AnswerNotFound    AnswerCode = "NOT_FOUND"          // the path is not offered, or the whole host is not
	AnswerBadMethod   AnswerCode = "METHOD_NOT_ALLOWED" // the method is never passed on
	AnswerReadOnly    AnswerCode = "READ_ONLY"          // the agent is configured to pass on no changes
	AnswerTooLong     AnswerCode = "TOO_LONG"           // the body of the request is too long
	AnswerTooMany     AnswerCode = "TOO_MANY_REQUESTS"  // there are too many requests at once
	AnswerUnknown     AnswerCode = "BROKER_UNKNOWN"     // the agent has not found its broker yet
	AnswerUnreachable AnswerCode = "BROKER_UNREACHABLE" // the broker did not answer, or not to the end
	AnswerTimeout     AnswerCode = "BROKER_TIMEOUT"     // the broker did not answer in time
	AnswerRefused     AnswerCode = "BROKER_REFUSES"     // the broker refuses the agent's credentials
	AnswerStops       AnswerCode = "AGENT_STOPS"        // the agent stops
)

// Answer is the body of an answer that the agent gives in place of the broker. It has the
// form of EMQX 5's own errors.
type Answer struct {
	Code    AnswerCode `json:"code"`
	Message string     `json:"message"` // for people: what is wrong and what to do
}

// Write writes the answer with its headers.
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

// AnswerIn returns the answer that the agent gave in place of the broker, with printable
// texts, and reports whether it did so. It then reads and closes the body of the response;
// a response of the broker is left alone. Answers to HEAD have neither code nor message.
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
