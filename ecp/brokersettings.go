package ecp

import (
	"context"
)

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
