package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"net/http"

	"github.com/openecp/openecp/agentproto"
)

// tunnelServer is agentproto as ecpd uses it.
type tunnelServer struct{ server *agentproto.Server }

func newTunnelServer(*serverEnv) (carrierServer, error) {
	server, err := agentproto.NewServer(agentproto.ServerConfig{Name: serverName, Registry: knownAgents{}})
	if err != nil {
		return nil, err
	}
	return &tunnelServer{server: server}, nil
}

func (s *tunnelServer) configure(h *http.Server) {
	h.Handler.(*http.ServeMux).Handle("/agent/v1/", s.server)
	s.server.ConfigureTLS(h)
}

func (s *tunnelServer) transport(id string) http.RoundTripper {
	return s.server.Transport(id, agentproto.HostAPI)
}

func (s *tunnelServer) connected() int { return len(s.server.Connections()) }

// knownAgents knows every agent: both processes derive the same keys from the
// agents' names, which is enough where nothing is to be kept secret.
type knownAgents struct{}

func agentKey(id string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(id))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (knownAgents) PublicKey(_ context.Context, agent string) (ed25519.PublicKey, error) {
	key, ok := agentKey(agent).Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	return key, nil
}

func (knownAgents) Register(context.Context, agentproto.Registration) (agentproto.Registered, error) {
	return agentproto.Registered{}, errors.ErrUnsupported
}

func (knownAgents) Unregister(context.Context, string) error { return errors.ErrUnsupported }

// tunnelAgent returns an agent that uses one of the carriers.
func tunnelAgent(mode agentproto.TunnelMode) func(context.Context, *agentEnv, string) error {
	return func(ctx context.Context, env *agentEnv, id string) error {
		block, _ := pem.Decode(env.pair.Cert)
		if block == nil {
			return errors.New("read the certificate: no PEM block in it")
		}
		agent, err := agentproto.NewAgent(agentproto.AgentConfig{
			Identity: agentproto.Identity{
				Agent: id, Key: agentKey(id), Server: "https://" + env.server, ServerName: serverName,
				Authorities: [][]byte{block.Bytes},
			},
			Tunnel: mode,
			API:    env.handler,
		})
		if err != nil {
			return err
		}
		return agent.Run(ctx)
	}
}
