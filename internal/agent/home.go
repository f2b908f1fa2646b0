package agent

import (
	"context"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/home"
)

// BrokerSettings are the address of EMQX and the credentials for it.
type BrokerSettings = broker.Settings

// DiscoverConfig configures [DiscoverBroker].
type DiscoverConfig = broker.DiscoverConfig

// SaveBroker stores the settings of EMQX in an agent's directory. A running agent uses them
// within a second.
func SaveBroker(dir string, s BrokerSettings) error { return broker.Save(home.Dir(dir), s) }

// LoadBroker reads the settings that SaveBroker stored. If there are none, the error is
// fs.ErrNotExist.
func LoadBroker(dir string) (BrokerSettings, error) { return broker.Load(home.Dir(dir)) }

// DiscoverBroker finds settings that EMQX accepts; see [broker.Discover].
func DiscoverBroker(ctx context.Context, c DiscoverConfig) (s BrokerSettings, tried []string, err error) {
	return broker.Discover(ctx, c)
}

// CheckBroker tries to connect to EMQX, and returns the steps.
func CheckBroker(ctx context.Context, s BrokerSettings) []agentproto.CheckStep {
	return broker.Check(ctx, s)
}

// StepLogin is the name of the step of [CheckBroker] that needs credentials.
const StepLogin = broker.StepLogin
