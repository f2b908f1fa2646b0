package ecp

import (
	"time"
)

// Truth is the status of a condition.
type Truth string

// The truths. Unknown means "not seen", never "broken".
const (
	True    Truth = "True"
	False   Truth = "False"
	Unknown Truth = "Unknown"
)

// ConditionType names one thing that was seen, or not, of a cluster.
type ConditionType string

// The condition types, in the order they are listed. Settled and Healthy are
// roll-ups: wait on those.
const (
	CondAccepted            ConditionType = "Accepted"            // the spec was checked and booked
	CondProvisioned         ConditionType = "Provisioned"         // every object is there as rendered
	CondAvailable           ConditionType = "Available"           // MQTT is served by at least one node
	CondExposed             ConditionType = "Exposed"             // the address that clients use is there; always so without a load balancer
	CondReady               ConditionType = "Ready"               // every wanted node serves and is a member
	CondManagementReachable ConditionType = "ManagementReachable" // the broker's management API answers
	CondAgentConnected      ConditionType = "AgentConnected"      // adopted only
	CondUpToDate            ConditionType = "UpToDate"            // rendered by the newest renderer, and every node is of the newest pod template; of an adopted cluster: its broker has the limit that was set from here
	CondConfigured          ConditionType = "Configured"          // EMQX runs with the settings that are asked for
	CondSettled             ConditionType = "Settled"             // nothing is left to do for this generation
	CondHealthy             ConditionType = "Healthy"             // no attention needed
)

// Condition is one thing seen of a cluster.
type Condition struct {
	Type       ConditionType `json:"type"`
	Status     Truth         `json:"status"`
	Reason     Reason        `json:"reason"`
	Message    string        `json:"message,omitempty"`
	Generation int64         `json:"generation"` // of the spec it was seen for
	Since      time.Time     `json:"since"`      // when Status last changed
}

// ConditionOf finds a condition by type; the zero Condition with Unknown if
// it was never set.
func ConditionOf(list []Condition, t ConditionType) Condition {
	for _, c := range list {
		if c.Type == t {
			return c
		}
	}
	return Condition{Type: t, Status: Unknown, Reason: ReasonNotAsked}
}
