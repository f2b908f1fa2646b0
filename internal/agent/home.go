package agent

import (
	"context"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/home"
)

// Home returns the agent's directory: the one that was given, else that of the
// environment variable EMQXEE_AGENT_HOME, else the product's.
func Home(given string) home.Dir { return home.Of(given) }

// BrokerSettings say where EMQX is and how to log in to it.
type BrokerSettings = broker.Settings

// DiscoverConfig says where [DiscoverBroker] looks.
type DiscoverConfig = broker.DiscoverConfig

// SaveBroker writes EMQX's settings for the agent that runs on a directory, which
// takes them within a second.
func SaveBroker(dir string, s BrokerSettings) error { return broker.Save(home.Dir(dir), s) }

// LoadBroker reads them; fs.ErrNotExist is among the causes where there are none.
func LoadBroker(dir string) (BrokerSettings, error) { return broker.Load(home.Dir(dir)) }

// DiscoverBroker finds settings that EMQX takes; see [broker.Discover].
func DiscoverBroker(ctx context.Context, c DiscoverConfig) (s BrokerSettings, tried []string, err error) {
	return broker.Discover(ctx, c)
}

// CheckBroker tries the way to EMQX step by step.
func CheckBroker(ctx context.Context, s BrokerSettings) []agentproto.CheckStep {
	return broker.Check(ctx, s)
}

// StepLogin is the name of the step of [CheckBroker] that needs credentials.
const StepLogin = broker.StepLogin
