package bench

import (
	"context"
	"net/http"
	"sync"
)

// directServer is the reference: the server dials the agent over TLS, which
// no NAT would let it do, and speaks HTTP/1.1 to a reverse proxy there.
type directServer struct {
	env *serverEnv

	mu      sync.Mutex
	clients map[string]*http.ClientConn // for the memory of idle connections
}

func newDirectServer(env *serverEnv) (carrierServer, error) {
	return &directServer{env: env, clients: map[string]*http.ClientConn{}}, nil
}

func (s *directServer) configure(*http.Server) {}

func (s *directServer) base() *http.Transport {
	return &http.Transport{
		TLSClientConfig:     s.env.agentTLS,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 16,
		ReadBufferSize:      32 << 10,
	}
}

func (s *directServer) transport(string) http.RoundTripper {
	base := s.base()
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r.URL.Scheme, r.URL.Host = "https", s.env.direct
		return base.RoundTrip(r)
	})
}

// open makes one idle connection for each of n agents.
func (s *directServer) open(ctx context.Context, id string, base *http.Transport) error {
	client, err := base.NewClientConn(ctx, "https", s.env.direct)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[id] = client
	return nil
}

func (s *directServer) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
