package agentproto_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
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
func connect(change func(*agentproto.AgentConfig)) (server *agentproto.Server, agent string, stop func()) {
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
		URL: web.URL, Token: registry.MintToken(time.Hour),
		CASHA256: []string{agentproto.Fingerprint(web.Certificate())},
		Proxy:    noProxy,
	}))
	cfg := agentproto.AgentConfig{Identity: identity, API: http.HandlerFunc(broker), Proxy: noProxy}
	change(&cfg)
	a := must(agentproto.NewAgent(cfg))
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

// A server sends requests to the broker beside an agent that it cannot dial. The host in
// the URL does not matter: the requests go to the virtual host of this agent.
func ExampleServer_Transport() {
	server, agent, stop := connect(func(*agentproto.AgentConfig) {})
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

// Dial opens a connection for HTTP/1.1 to a virtual host, for libraries that need one.
func ExampleServer_Dial() {
	server, agent, stop := connect(func(*agentproto.AgentConfig) {})
	defer stop()
	conn := must(server.Dial(context.Background(), agent, agentproto.HostAPI))
	defer conn.Close()
	fmt.Fprint(conn, "GET /status HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n")
	resp := must(http.ReadResponse(bufio.NewReader(conn), nil)) //nolint:bodyclose // the next line closes it
	defer resp.Body.Close()
	fmt.Println(resp.Status, string(must(io.ReadAll(resp.Body))))
	// Output: 200 OK broker: GET /status
}

// A server that stores reports requests those after the last one that it has.
func ExampleServer_Reports() {
	log := agentproto.NewReportLog(100)
	first := log.Append(agentproto.Report{Node: "emqx@a", Version: "5.8.0"})
	log.Append(agentproto.Report{Node: "emqx@a", Connections: 7})
	server, agent, stop := connect(func(c *agentproto.AgentConfig) { c.Reports = log })
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

// alarms is the history of an agent.
type alarms []agentproto.HistoryRecord

func (all alarms) History(_ context.Context, q agentproto.HistoryQuery) iter.Seq2[agentproto.HistoryRecord, error] {
	return func(yield func(agentproto.HistoryRecord, error) bool) {
		for _, r := range all {
			if q.Wants(r) && !yield(r, nil) {
				return
			}
		}
	}
}

// A server that was away reads what has happened in the meantime.
func ExampleServer_History() {
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	history := alarms{
		{Epoch: 1, Seq: 1, At: at, Kind: agentproto.HistoryAlarm,
			Alarm: &agentproto.Alarm{Name: "high_cpu", Active: true}},
		{Epoch: 1, Seq: 2, At: at.Add(time.Minute), Kind: agentproto.HistoryAlarm,
			Alarm: &agentproto.Alarm{Name: "high_cpu"}},
	}
	server, agent, stop := connect(func(c *agentproto.AgentConfig) { c.History = history })
	defer stop()
	for record, err := range server.History(context.Background(), agent, agentproto.HistoryQuery{Since: at}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(record.At.Format(time.TimeOnly), record.Alarm.Name, record.Alarm.Active)
	}
	// Output:
	// 08:00:00 high_cpu true
	// 08:01:00 high_cpu false
}

// An agent that was removed gets a final refusal, and Run returns it.
func ExampleAgent_Run() {
	registry := agentproto.NewMemoryRegistry()
	web := httptest.NewUnstartedServer(nil)
	server := must(agentproto.NewServer(agentproto.ServerConfig{Name: web.Listener.Addr().String(),
		Registry: registry}))
	web.Config.Handler = server
	web.StartTLS() // without ConfigureTLS there is the WebSocket carrier only
	defer web.Close()
	defer func() { _ = server.Shutdown(context.Background()) }()
	ctx := context.Background()
	identity := must(agentproto.Register(ctx, agentproto.RegisterConfig{
		URL: web.URL, Token: registry.MintToken(time.Hour),
		CASHA256: []string{agentproto.Fingerprint(web.Certificate())},
		Proxy:    noProxy,
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
