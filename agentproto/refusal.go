package agentproto

import (
	"encoding/json"
	"time"
)

// RefusalCode says why a server refuses an agent, for programs.
type RefusalCode string

// The codes of refusals. An agent treats a code it does not know as
// [RefusedBusy]: it waits and asks again.
const (
	RefusedTokenUnknown        RefusalCode = "token_unknown"
	RefusedTokenExpired        RefusalCode = "token_expired"
	RefusedTokenRevoked        RefusalCode = "token_revoked"
	RefusedUnknownAgent        RefusalCode = "unknown_agent"     // no such agent (any more)
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

// Refusal is a server's no to an agent. It is an error on both sides: a
// [Registry] returns one, and the agent gets the same one back.
type Refusal struct {
	Code RefusalCode `json:"code"`

	// Message is for the person at the agent: what was refused, and what to do.
	Message string `json:"message,omitempty"`

	// RetryAfter is the earliest time to ask again; zero leaves it to the agent.
	// It travels in milliseconds ("retryAfterMs").
	RetryAfter time.Duration `json:"-"`
}

// ofToken reports whether a registration token was not taken.
func (r *Refusal) ofToken() bool {
	return r.Code == RefusedTokenUnknown || r.Code == RefusedTokenExpired || r.Code == RefusedTokenRevoked
}

// Error returns the message, or the code where there is no message.
func (r *Refusal) Error() string {
	if r.Message == "" {
		return "refused by the server: " + string(r.Code)
	}
	return r.Message
}

// Final reports whether asking again with the same identity can never help: the
// agent has to be registered again. [Agent.Run] ends with a final refusal.
func (r *Refusal) Final() bool {
	return r.Code == RefusedUnknownAgent || r.Code == RefusedRemoved
}

// maxRetryAfter bounds what a refusal may ask for: an agent never waits longer.
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
