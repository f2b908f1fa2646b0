package ecp

import "context"

// ListenerManager is a Broker that tells its MQTT listeners and lets them be
// changed. A change is made on all nodes, without touching clients that are
// connected unless it says so. What one node says MUST NOT be taken for what
// all have: each node of a cluster applies changes by itself, and may fail.
type ListenerManager interface {
	// Listeners lists them, by id. A node that does not answer MUST be named: in
	// each listener with its Error, or in the error of the call where the broker
	// tells nothing without it.
	Listeners(ctx context.Context) ([]BrokerListener, error)
	// SetListenerLimit sets how many connections a listener takes on each
	// node; 0 = no limit. Clients beyond it stay; new ones are refused.
	//
	// It MUST return nil only where every node that runs has the limit. Where
	// some have it and others do not, the error MUST be unavailable and name
	// those that do not. The same call again MUST NOT return nil for what is
	// stored where it is not in force.
	SetListenerLimit(ctx context.Context, id string, limit int) error
	// StartListener lets it take connections again; nil where it does.
	//
	// For it and StopListener goes what goes for SetListenerLimit: nil only where
	// every node that runs has done so, else unavailable with the names of those
	// that have not, also the second time.
	StartListener(ctx context.Context, id string) error
	// StopListener closes it with its connections; nil where it is stopped.
	StopListener(ctx context.Context, id string) error
}

// BrokerListener is a listener with its figures, of all nodes and of each.
type BrokerListener struct {
	ID          string          `json:"id"`       // e.g. "tcp:default" (5.x), "mqtt:tcp:external" (4.x)
	Protocol    Protocol        `json:"protocol"` // [MQTT], [MQTTS], [WS], [WSS], or the broker's word, e.g. "quic"
	Bind        string          `json:"bind"`     // address, e.g. "0.0.0.0:1883"
	Enabled     bool            `json:"enabled"`
	Running     ConditionStatus `json:"running"`     // on all nodes: Unknown = nodes differ
	Connections int             `json:"connections"` // all nodes
	// Limit is how many connections each node takes, the lowest of the nodes'
	// limits where they differ; 0 = none of them has a limit.
	Limit int            `json:"limit,omitempty"`
	Nodes []ListenerNode `json:"nodes"`
}

// LimitOfAll returns the limit that goes for all nodes: the lowest of theirs, 0
// where none has one.
func (l BrokerListener) LimitOfAll() int {
	lowest := 0
	for _, n := range l.Nodes {
		if n.Error == "" && n.Limit > 0 && (lowest == 0 || n.Limit < lowest) {
			lowest = n.Limit
		}
	}
	return lowest
}

// Without returns the names of the nodes whose limit is another one, or that do
// not tell it.
func (l BrokerListener) Without(limit int) []string {
	var names []string
	for _, n := range l.Nodes {
		if n.Error != "" || n.Limit != limit {
			names = append(names, n.Node)
		}
	}
	return names
}

// ListenerNode is a listener on one node.
type ListenerNode struct {
	Node        string `json:"node"`
	Running     bool   `json:"running"`
	Connections int    `json:"connections"`
	Limit       int    `json:"limit,omitempty"` // 0 = none
	Error       string `json:"error,omitempty"` // why nothing is told of it; "" = it is
}

// SettingsSource is a Broker that tells the settings it runs with. EMQX 4.4 has
// none: it cannot be asked for them.
type SettingsSource interface {
	// Settings returns the settings in force on the node that answers, below
	// these first words of keys, e.g. "mqtt". What the node does not tell of is
	// left out. Secrets are among them: they MUST NOT be in an error or a log, and
	// the caller keeps and shows none of them.
	Settings(ctx context.Context, roots []string) (BrokerSettings, error)
}

// BrokerSettings are settings of one node.
type BrokerSettings struct {
	// InForce is a tree by the words of keys, of map[string]any, []any, string, bool
	// and json.Number.
	InForce map[string]any
	// Defaults are the values of keys that nobody sets, as far as they are known
	// and the same in every version.
	Defaults map[string]string
}

// SettingsChanger is a SettingsSource that can also change settings while EMQX runs.
// EMQX 4.4 has none: it reads them when it starts.
type SettingsChanger interface {
	SettingsSource
	// ChangeSettings puts settings into force on all nodes of the cluster, now and when
	// they start, where nothing else is in their own files. Keys and values are as in
	// [HostedSpec.Config]; those in reset get EMQX's own values again. EMQX checks them
	// all before it takes any: one that it refuses is [CodeInvalid] with EMQX's words,
	// which may repeat values, and then nothing has changed. Doing it again is harmless.
	ChangeSettings(ctx context.Context, set map[string]string, reset []string) error
}

// SettingsDrift is how the settings that the nodes of a cluster run with differ from those that are asked for.
type SettingsDrift struct {
	Settings []SettingDrift `json:"settings"` // by key
	// Unanswered are the nodes that were asked and did not answer: what they have is not known.
	Unanswered []string `json:"unanswered"`
	// Changing reports that an operation runs: nodes may differ until it has ended.
	Changing bool `json:"changing"`
}

// SettingDrift is a setting that nodes have another value of than asked for.
type SettingDrift struct {
	Key  string    `json:"key"` // the whole key of one value
	Kind DriftKind `json:"kind"`
	// Source is what asks for it: the key in [HostedSpec.Config] that it is, or is part of; "openecp" where OpenECP
	// writes it by itself into the file that nodes start with; empty where nothing does.
	Source string `json:"source,omitempty"`
	// Wanted is the value that is asked for; nil where none is, and where Secret.
	Wanted *string         `json:"wanted,omitempty"`
	Nodes  []SettingOnNode `json:"nodes"` // every node that answered, by name
	// Secret reports that the value may be a secret: none is shown.
	Secret bool `json:"secret"`
	// NoPutBack and NoTakeOver are why [EndDrift] cannot end it in that way; empty means it can.
	NoPutBack  string `json:"noPutBack,omitempty"`
	NoTakeOver string `json:"noTakeOver,omitempty"`
}

// SettingOnNode is what one node has of a setting.
type SettingOnNode struct {
	Node    string  `json:"node"`            // its pod
	Value   *string `json:"value,omitempty"` // nil where it does not tell, and where it may be a secret
	Differs bool    `json:"differs"`
}

// DriftKind is how a setting differs.
type DriftKind string

// The kinds.
const (
	// DriftDiffers: it is asked for, and EMQX has another value.
	DriftDiffers DriftKind = "differs"
	// DriftLingers: it is not asked for any more, and EMQX still has that value.
	DriftLingers DriftKind = "lingers"
	// DriftMayLinger is the same, where that may be EMQX's own value, too.
	DriftMayLinger DriftKind = "mayLinger"
	// DriftUnasked: nobody asks for it, and EMQX has another value than its own.
	DriftUnasked DriftKind = "unasked"
)

// SourceOpenECP is the [SettingDrift.Source] of what OpenECP writes by itself.
const SourceOpenECP = "openecp"
