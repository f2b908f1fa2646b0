package agentproto_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/openecp/openecp/agentproto"
)

// arrivals is an observer that tells when an agent has come, or is gone.
type arrivals struct{ came, left chan string }

func (a arrivals) Connected(c agentproto.Connection)                         { a.came <- c.Agent }
func (a arrivals) Disconnected(c agentproto.Connection, _ agentproto.Ending) { a.left <- c.Agent }
func (a arrivals) Conflicted(agentproto.Connection, agentproto.Connection)   {}
func noProxy(*url.URL) (*url.URL, error)                                     { return nil, nil }
func broker(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "broker: %s %s", r.Method, r.URL.Path)
}
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// connect starts a server and an agent that has registered with it, and waits
// until it is connected. stop ends both.
func connect(reports *agentproto.ReportLog) (server *agentproto.Server, agent string, stop func()) {
	registry := agentproto.NewMemoryRegistry()
	seen := arrivals{make(chan string, 1), make(chan string, 1)}
	web := httptest.NewUnstartedServer(nil)
	server = must(agentproto.NewServer(agentproto.ServerConfig{Name: web.Listener.Addr().String(), Registry: registry,
		Observer: seen}))
	web.Config.Handler = server
	server.ConfigureTLS(web.Config) // adds the direct carrier
	web.TLS = web.Config.TLSConfig
	web.StartTLS()

	ctx, cancel := context.WithCancel(context.Background())
	identity := must(agentproto.Register(ctx, agentproto.RegisterConfig{
		URL: web.URL, Token: registry.MintToken(time.Hour), CASHA256: []string{agentproto.Fingerprint(web.Certificate())},
		Proxy: noProxy,
	}))
	a := must(agentproto.NewAgent(agentproto.AgentConfig{Identity: identity, API: http.HandlerFunc(broker),
		Reports: reports, Proxy: noProxy}))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	agent = <-seen.came
	return server, agent, func() {
		cancel()
		<-ended //nolint:errcheck // it ends with its context
		<-seen.left
		_ = server.Shutdown(context.Background())
		web.Close()
	}
}

// A server asks the broker beside an agent that it cannot dial. Whatever the URL's
// host is, the request goes to this agent's virtual host.
func ExampleServer_Transport() {
	server, agent, stop := connect(nil)
	defer stop()
	client := &http.Client{Transport: server.Transport(agent, agentproto.HostAPI)}
	resp := must(client.Get("http://broker/api/v5/nodes")) //nolint:bodyclose // the next line closes it
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, string(must(io.ReadAll(resp.Body))))

	dashboard := &http.Client{Transport: server.Transport(agent, agentproto.HostDashboard)}
	none := must(dashboard.Get("http://broker/")) //nolint:bodyclose // the next line closes it
	defer none.Body.Close()
	fmt.Print(none.StatusCode, " ", string(must(io.ReadAll(none.Body))))
	// Output:
	// 200 broker: GET /api/v5/nodes
	// 404 {"code":"NOT_FOUND","message":"this agent does not offer the broker's dashboard"}
}

// Dial opens a connection that speaks HTTP/1.1 to a virtual host, for libraries that
// want one.
func ExampleServer_Dial() {
	server, agent, stop := connect(nil)
	defer stop()
	conn := must(server.Dial(context.Background(), agent, agentproto.HostAPI))
	defer conn.Close()
	fmt.Fprint(conn, "GET /status HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n")
	resp := must(http.ReadResponse(bufio.NewReader(conn), nil)) //nolint:bodyclose // the next line closes it
	defer resp.Body.Close()
	fmt.Println(resp.Status, string(must(io.ReadAll(resp.Body))))
	// Output: 200 OK broker: GET /status
}

// A server that stores reports asks for those after the last one that it has.
func ExampleServer_Reports() {
	log := agentproto.NewReportLog(100)
	first := log.Append(agentproto.Report{Node: "emqx@a", Version: "5.8.0"})
	log.Append(agentproto.Report{Node: "emqx@a", Connections: 7})
	server, agent, stop := connect(log)
	defer stop()
	for report, err := range server.Reports(context.Background(), agent, first.Position()) {
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(report.Seq, report.Node, report.Connections)
		break // the next ones would follow, as they come
	}
	// Output: 2 emqx@a 7
}

// An agent that was removed is told so, and does not ask again.
func ExampleAgent_Run() {
	registry := agentproto.NewMemoryRegistry()
	web := httptest.NewUnstartedServer(nil)
	server := must(agentproto.NewServer(agentproto.ServerConfig{Name: web.Listener.Addr().String(), Registry: registry}))
	web.Config.Handler = server
	web.StartTLS() // without ConfigureTLS there is the WebSocket carrier only
	defer web.Close()
	defer func() { _ = server.Shutdown(context.Background()) }()
	ctx := context.Background()
	identity := must(agentproto.Register(ctx, agentproto.RegisterConfig{
		URL: web.URL, Token: registry.MintToken(time.Hour), CASHA256: []string{agentproto.Fingerprint(web.Certificate())},
		Proxy: noProxy,
	}))
	registry.Remove(identity.Agent)
	agent := must(agentproto.NewAgent(agentproto.AgentConfig{Identity: identity, Proxy: noProxy,
		Status: func(s agentproto.AgentStatus) {
			if s.Carrier != "" {
				fmt.Println("carrier", s.Carrier)
			}
		}}))
	err := agent.Run(ctx)
	fmt.Println(strings.Replace(err.Error(), identity.Agent, "X", 1))
	// Output: agent X is not known here (any more); register it again
}
