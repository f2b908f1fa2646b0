package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/openecp/openecp/agentproto"
)

// Names of what others are compared with.
const (
	reference = "tls"
	rival     = "remotedialer"
)

// candidate is one way to bring HTTP requests from the server to an agent.
type candidate struct {
	name   string
	server func(*serverEnv) (carrierServer, error)
	agent  func(ctx context.Context, env *agentEnv, id string) error // nil = agents do not dial
}

// carrierServer is the server's half of a candidate.
type carrierServer interface {
	// configure adds what the candidate needs to the server that all agents dial.
	configure(*http.Server)
	// transport returns what sends requests to one agent.
	transport(id string) http.RoundTripper
	// connected returns how many agents are connected.
	connected() int
}

// serverEnv is what the harness gives to a candidate's server half. The
// addresses are known when the agents' process has started.
type serverEnv struct {
	agentTLS *tls.Config // trusts the agents' own listener, for the reference
	direct   string      // address of that listener; the delaying proxy's if there is one
	origin   string      // address of the HTTP service beside the agents
}

// agentEnv is what the harness gives to a candidate's agent half.
type agentEnv struct {
	server  string // host:port to dial; the delaying proxy's if there is one
	tls     *tls.Config
	origin  string       // address of the HTTP service beside the agent
	handler http.Handler // reverse proxy to the origin
	pair    certificate
}

// candidates are in the order in which each round measures them.
var candidates = []candidate{
	{reference, newDirectServer, nil},
	{rival, newRemotedialerServer, remotedialerAgent},
	{"agentproto-direct", newTunnelServer, tunnelAgent(agentproto.TunnelDirect)},
	{"agentproto-websocket", newTunnelServer, tunnelAgent(agentproto.TunnelWebSocket)},
	{"yamux-direct", newYamuxServer, yamuxAgent(dialALPN)},
	{"yamux-websocket", newYamuxServer, yamuxAgent(dialWebSocket)},
}

func findCandidate(name string) (candidate, error) {
	for _, c := range candidates {
		if c.name == name {
			return c, nil
		}
	}
	return candidate{}, fmt.Errorf("candidate %q: there is none of this name", name)
}
