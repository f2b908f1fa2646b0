package ecp

import (
	"context"
	"time"
)

// Adapter speaks to running EMQX clusters of one major version. What a broker
// can do beyond Describe it says by further interfaces, found by assertion:
// [ConnectionLimiter], [Monitor], [AlarmSource], [IntegrationSource],
// [Evacuator], [MemberManager], [ListenerManager], [LicenseManager],
// [Metrics] and [HealthSource].
type Adapter interface {
	// Major is the EMQX major version it speaks to, e.g. 5.
	Major() int
	// Open prepares to talk over e. It does no I/O; the error is invalid where
	// the endpoint itself is wrong.
	Open(e Endpoint) (Broker, error)
}

// Broker is one EMQX cluster seen through one of its nodes. What holds for
// every call, those of the further interfaces too:
//
//   - It MUST end in bounded time and memory whatever the far side does, and
//     MUST honour ctx. It may be made from several goroutines at once.
//   - Its error is an [*Error]. What the broker itself said is a
//     [*BrokerError] in its chain. Unavailable means that the same call may
//     succeed later; denied, unsupported and invalid that it will not without a
//     change, which the message names.
//   - Units are the same for both majors: durations, bytes, UTC, lower case.
//   - A call that this version, edition or licence does not have is
//     unsupported, and says what was found and what is needed.
type Broker interface {
	// Describe says who the members are and how they are. A cluster some of
	// whose nodes are down still describes: those nodes say so.
	Describe(ctx context.Context) (Description, error)
	// Close gives back idle connections. The broker must not be used after it.
	Close()
}

// BrokerError is what a broker answered, in its own words.
type BrokerError struct {
	Status  int    // of HTTP; v4 answers many errors with 200
	Code    string // as the broker spells it, e.g. "BAD_TOKEN", "404"; "" = none
	Message string // one line, shortened, without credentials; "" = none
}

// Error gives code and message.
func (e *BrokerError) Error() string {
	if e.Code == "" || e.Message == "" {
		return e.Code + e.Message
	}
	return e.Code + ": " + e.Message
}

// Description is a cluster as one of its nodes sees it. Units are the same
// for both majors.
type Description struct {
	Version string       `json:"version,omitempty"` // of the node that answered, e.g. "5.8.9"
	Edition string       `json:"edition,omitempty"` // [EditionEnterprise] or [EditionOpenSource]; "" = the broker does not say
	Nodes   []BrokerNode `json:"nodes"`             // every member the node knows of, by name
	// Connections are those of the MQTT clients connected now, all nodes.
	Connections int `json:"connections"`
	// Limit is the number of connections the broker's licence allows; 0 = it
	// does not say.
	Limit int `json:"limit,omitempty"`
}

// The editions of EMQX.
const (
	EditionEnterprise = "enterprise"
	EditionOpenSource = "opensource"
)

// NodeStatus is how a member is, in lower case for both majors.
type NodeStatus string

// The statuses.
const (
	NodeRunning NodeStatus = "running"
	NodeStopped NodeStatus = "stopped"
	NodeUnknown NodeStatus = "unknown" // the node that answered could not reach it
)

// BrokerNode is one member of an EMQX cluster.
type BrokerNode struct {
	Name        string        `json:"name"` // e.g. "emqx@10.0.0.1"
	Status      NodeStatus    `json:"status"`
	Role        string        `json:"role,omitempty"` // "core" or "replicant"; v4 has core only
	Version     string        `json:"version,omitempty"`
	Uptime      time.Duration `json:"-"`           // left to views, which say in what unit
	Connections int           `json:"connections"` // MQTT clients connected now
	Sessions    int           `json:"sessions"`    // including those of clients that are away
	MemoryUsed  int64         `json:"memoryUsedBytes"`
	MemoryTotal int64         `json:"memoryTotalBytes"` // bytes; 0 = unknown
	Error       string        `json:"error,omitempty"`  // why Status is unknown
}
