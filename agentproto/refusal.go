package agentproto

import (
	"encoding/json"
	"time"
)

// RefusalCode identifies the reason for which a server refuses an agent.
type RefusalCode string

// The codes of refusals. An agent treats a code that it does not know as
// [RefusedBusy]: it waits and asks again.
const (
	RefusedTokenUnknown        RefusalCode = "token_unknown"
	RefusedTokenExpired        RefusalCode = "token_expired"
	RefusedTokenRevoked        RefusalCode = "token_revoked"
	RefusedUnknownAgent        RefusalCode = "unknown_agent"     // there is no such agent, or no longer
	RefusedBadSignature        RefusalCode = "bad_signature"     // the proof does not fit the agent's key
	RefusedIdentityConflict    RefusalCode = "identity_conflict" // another process with this key serves
	RefusedClusterMismatch     RefusalCode = "cluster_mismatch"  // the broker belongs to another cluster
	RefusedUnsupportedProtocol RefusalCode = "unsupported_protocol"
	RefusedUnsupportedVersion  RefusalCode = "unsupported_version"
	RefusedBusy                RefusalCode = "busy"        // ask again after RetryAfter
	RefusedGoingAway           RefusalCode = "going_away"  // the server stops; ask again after RetryAfter
	RefusedBadRequest          RefusalCode = "bad_request" // what the agent sent cannot be understood
	RefusedRemoved             RefusalCode = "removed"     // a person removed the agent
)

// Refusal is the error with which a server refuses an agent. A [Registry] returns it, and
// the agent gets the same error from [Register] or [Agent.Run].
type Refusal struct {
	Code RefusalCode `json:"code"`

	// Message is for the person who runs the agent: what was refused, and what to do.
	Message string `json:"message,omitempty"`

	// RetryAfter is the earliest time to ask again; zero leaves it to the agent.
	// It travels in milliseconds ("retryAfterMs").
	RetryAfter time.Duration `json:"-"`
}

// ofToken reports whether a registration token was refused.
func (r *Refusal) ofToken() bool {
	return r.Code == RefusedTokenUnknown || r.Code == RefusedTokenExpired || r.Code == RefusedTokenRevoked
}

// Error returns the message or, if there is none, the code.
func (r *Refusal) Error() string {
	if r.Message == "" {
		return "refused by the server: " + string(r.Code)
	}
	return r.Message
}

// Final reports whether the same identity will always be refused, so that the agent has
// to be registered again. [Agent.Run] returns on a final refusal.
func (r *Refusal) Final() bool {
	return r.Code == RefusedUnknownAgent || r.Code == RefusedRemoved
}

// maxRetryAfter is the longest time for which a refusal can make an agent wait.
const maxRetryAfter = time.Hour

type wireRefusal struct {
	Code         RefusalCode `json:"code"`
	Message      string      `json:"message,omitempty"`
	RetryAfterMS int64       `json:"retryAfterMs,omitempty"`
}

// MarshalJSON writes the refusal as it travels.
func (r Refusal) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireRefusal{r.Code, r.Message, r.RetryAfter.Milliseconds()})
}

// UnmarshalJSON reads a refusal as it travels. A RetryAfter above an hour is
// read as one hour.
func (r *Refusal) UnmarshalJSON(data []byte) error {
	var w wireRefusal
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	ms := min(max(w.RetryAfterMS, 0), maxRetryAfter.Milliseconds())
	*r = Refusal{w.Code, w.Message, time.Duration(ms) * time.Millisecond}
	return nil
}
