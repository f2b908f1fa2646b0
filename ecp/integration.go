package ecp

import (
	"context"
	"time"
)

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
	ID          string
	Name        string // v4: as ID
	Description string
	SQL         string
	Topics      []string // and events, that it is run for
	Actions     []string // ids of actions (5.x) or resources (4.x), and names of built-in functions
	Running     bool     // it is enabled; whether it does well is what its actions say
	Created     time.Time
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
	IntegrationUnknown      IntegrationStatus = "unknown"      // the broker does not say
)

// Integration is one thing that leads outside.
type Integration struct {
	Kind        IntegrationKind
	ID          string // "type:name" (5.x), as given (4.x)
	Type        string // e.g. "http", "web_hook"
	Name        string
	Description string
	Enabled     bool
	Status      IntegrationStatus
	Reason      string            // why it is not connected; "" = it is, or the broker does not say
	Nodes       []IntegrationNode // by name
	Connector   string            // of an action or source: id of its connector
	Rules       []string          // ids of the rules that use it, as far as told
}

// IntegrationNode is how an integration is on one node.
type IntegrationNode struct {
	Node   string
	Status IntegrationStatus
	Reason string
}
