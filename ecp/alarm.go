package ecp

import (
	"context"
	"encoding/json"
	"time"
)

// AlarmSource is a Broker that tells its alarms. What several nodes raise for
// one cause is one [Alarm].
type AlarmSource interface {
	// ActiveAlarms lists what is wrong now, the newest first. A list from which
	// alarms of a member that hangs are missing MUST NOT pass for the whole: the
	// error is unavailable and names the member.
	ActiveAlarms(ctx context.Context) ([]Alarm, error)
	// AlarmHistory lists what was wrong and is over, the newest first, as far
	// back as the broker keeps it and no more than [MaxAlarms].
	AlarmHistory(ctx context.Context) ([]Alarm, error)
}

// MaxAlarms is how many alarms of a history are read.
const MaxAlarms = 10_000

// Alarm is one thing that is or was wrong with a cluster.
type Alarm struct {
	Name    string          `json:"name"`              // the broker's, e.g. "license_quota", "connector:http:c1"
	Message string          `json:"message"`           // the broker's words
	Details json.RawMessage `json:"details,omitempty"` // the broker's, an object; nil = none
	Nodes   []string        `json:"nodes"`             // that raised it, by name
	Since   time.Time       `json:"since,omitzero"`    // UTC, of the first of them
	Until   time.Time       `json:"until,omitzero"`    // of the last of them; zero = not over yet
}

// Active reports whether the cause is still there.
func (a Alarm) Active() bool { return a.Until.IsZero() }

// IntegrationSource is a Broker that tells its rules and what they lead to.
type IntegrationSource interface {
	// Rules lists the rules, by id.
	Rules(ctx context.Context) ([]Rule, error)
	// Integrations lists what leads outside, by kind and id: connectors,
	// actions and sources (5.x), resources (4.x).
	Integrations(ctx context.Context) ([]Integration, error)
}

// Rule is a rule of the broker's rule engine.
type Rule struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"` // v4: as ID
	Description string    `json:"description,omitempty"`
	SQL         string    `json:"sql"`
	Topics      []string  `json:"topics"`  // and events, that it is run for
	Actions     []string  `json:"actions"` // ids of actions (5.x) or resources (4.x), and names of built-in functions
	Running     bool      `json:"running"` // it is enabled; whether it does well is what its actions say
	Created     time.Time `json:"created,omitzero"`
}

// IntegrationKind is what an [Integration] is to the broker.
type IntegrationKind string

// The kinds.
const (
	ConnectorIntegration IntegrationKind = "connector" // a connection to a system outside (5.x)
	ActionIntegration    IntegrationKind = "action"    // sends to a connector (5.x)
	SourceIntegration    IntegrationKind = "source"    // receives from a connector (5.x)
	ResourceIntegration  IntegrationKind = "resource"  // a connection to a system outside (4.x)
)

// IntegrationStatus is how a connection outside is.
type IntegrationStatus string

// The statuses.
const (
	IntegrationConnected    IntegrationStatus = "connected"
	IntegrationConnecting   IntegrationStatus = "connecting"
	IntegrationDisconnected IntegrationStatus = "disconnected"
	IntegrationInconsistent IntegrationStatus = "inconsistent" // nodes differ
	IntegrationStopped      IntegrationStatus = "stopped"      // it is disabled
	IntegrationUnknown      IntegrationStatus = "unknown"      // the broker does not say
)

// Integration is one thing that leads outside.
type Integration struct {
	Kind        IntegrationKind   `json:"kind"`
	ID          string            `json:"id"`   // "type:name" (5.x), as given (4.x)
	Type        string            `json:"type"` // e.g. "http", "web_hook"
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Enabled     bool              `json:"enabled"`
	Status      IntegrationStatus `json:"status"`
	// Reason: why it is not connected; "" = it is, or the broker does not say
	Reason    string            `json:"reason,omitempty"`
	Nodes     []IntegrationNode `json:"nodes"`               // by name
	Connector string            `json:"connector,omitempty"` // of an action or source: id of its connector
	Rules     []string          `json:"rules"`               // ids of the rules that use it, as far as told
}

// IntegrationNode is how an integration is on one node.
type IntegrationNode struct {
	Node   string            `json:"node"`
	Status IntegrationStatus `json:"status"`
	Reason string            `json:"reason,omitempty"`
}
