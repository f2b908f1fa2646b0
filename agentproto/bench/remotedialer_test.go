package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
	"github.com/rancher/remotedialer"
	"github.com/sirupsen/logrus"
)

type remotedialerServer struct {
	server *remotedialer.Server
	origin func() string
}

func newRemotedialerServer(env *serverEnv) (carrierServer, error) {
	logrus.SetOutput(io.Discard)
	authorize := func(r *http.Request) (string, bool, error) { return r.Header.Get(idHeader), true, nil }
	return &remotedialerServer{server: remotedialer.New(authorize, remotedialer.DefaultErrorWriter),
		origin: func() string { return env.origin }}, nil
}

func (s *remotedialerServer) configure(h *http.Server) {
	h.Handler.(*http.ServeMux).Handle(prototypePath, s.server)
}

func (s *remotedialerServer) transport(id string) http.RoundTripper {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.server.Dialer(id)(ctx, "tcp", s.origin())
		},
		MaxIdleConnsPerHost: 16,
		DisableCompression:  true,
		ReadBufferSize:      32 << 10,
	}
}

func (s *remotedialerServer) connected() int { return len(s.server.ListClients()) }

func remotedialerAgent(ctx context.Context, env *agentEnv, id string) error {
	logrus.SetOutput(io.Discard)
	config := env.tls.Clone()
	config.NextProtos = []string{"http/1.1"}
	dialer := &websocket.Dialer{TLSClientConfig: config, HandshakeTimeout: handshakeTimeout}
	allow := func(proto, address string) bool { return proto == "tcp" && address == env.origin }
	err := remotedialer.ConnectToProxy(ctx, "wss://"+env.server+prototypePath, http.Header{idHeader: {id}}, allow,
		dialer, nil)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
