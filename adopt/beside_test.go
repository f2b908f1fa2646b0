package adopt_test

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
)

// beside is an agent beside a simulated node: the real protocol, and reports by
// the real adapters.
type beside struct {
	site     *site
	host     string
	node     *emqxsim.Node
	adapter  ecp.Adapter
	password atomic.Pointer[string] // that it has for the broker
	identity agentproto.Identity
	tunnel   agentproto.TunnelMode

	// Of an agent of a team:
	serverName string // empty means that of the site
	relay      *relay // by which it reaches a daemon
	dashboard  http.Handler
	logs       agentproto.LogSource

	mu      sync.Mutex
	status  agentproto.AgentStatus // guarded by mu
	refused *agentproto.Refusal    // guarded by mu
	end     func() error           // stops it and returns how Run ended; nil means it does not run
}

func adapterFor(version string) ecp.Adapter {
	if version[0] == '4' {
		return emqxv4.New(emqxv4.Config{})
	}
	return emqxv5.New(emqxv5.Config{})
}

// agent makes one that is not registered yet.
func (s *site) agent(host string, node *emqxsim.Node, version string) *beside {
	b := &beside{site: s, host: host, node: node, adapter: adapterFor(version)}
	good := node.Endpoint().Credentials.Password
	b.password.Store(&good)
	s.t.Cleanup(func() { _ = b.stop() })
	return b
}

// register redeems a token, with a new key unless it has one.
func (b *beside) register(token ecp.Secret) error {
	key := b.identity.Key
	if key == nil {
		_, key, _ = ed25519.GenerateKey(rand.Reader)
	}
	id, err := agentproto.Register(b.site.t.Context(), agentproto.RegisterConfig{
		URL: "https://" + b.site.name, ServerName: cmp.Or(b.serverName, b.site.name), Token: string(token),
		CASHA256: []string{b.site.pin}, Key: key, Hello: b.hello(),
	})
	if err == nil {
		b.identity = id
	}
	return err
}

func (b *beside) hello() agentproto.Hello {
	return agentproto.Hello{Version: "1.0.0", OS: "linux", Arch: "amd64", Hostname: b.host}
}

// start lets it run.
func (b *beside) start() {
	b.site.t.Helper()
	b.note(agentproto.AgentStatus{})
	log := agentproto.NewReportLog(10)
	agent, err := agentproto.NewAgent(agentproto.AgentConfig{
		Identity: b.identity, Hello: b.hello, Tunnel: b.tunnel, API: b.api(), Dashboard: b.dashboardHandler(),
		Reports: log, Logs: b.logs,
		Status:  b.note,
		Timings: agentproto.AgentTimings{BackoffMin: 20 * time.Millisecond, BackoffMax: 100 * time.Millisecond},
	})
	require.NoError(b.site.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var ended error
	group.Go(func() { ended = agent.Run(ctx) })
	group.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			log.Append(b.report(ctx))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	b.end = func() error {
		cancel()
		group.Wait()
		return ended
	}
}

// stop says goodbye.
func (b *beside) stop() (err error) {
	if b.end != nil {
		err = b.end()
		b.end = nil
	}
	return err
}

func (b *beside) note(s agentproto.AgentStatus) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = s
	if s.Refusal != nil {
		b.refused = s.Refusal
	}
}

// refusal is the code that it was refused with last; empty means it was not.
func (b *beside) refusal() agentproto.RefusalCode {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status.Refusal == nil {
		return ""
	}
	return b.status.Refusal.Code
}

// lastRefusal is what it was refused with last; nil means it was not.
func (b *beside) lastRefusal() *agentproto.Refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

func (b *beside) dashboardHandler() http.Handler {
	if b.dashboard != nil {
		return b.dashboard
	}
	return b.node.Dashboard()
}

func (b *beside) endpoint() ecp.Endpoint {
	e := b.node.Endpoint()
	e.Credentials.Password = *b.password.Load()
	return e
}

// report asks the broker as agents do.
func (b *beside) report(ctx context.Context) agentproto.Report {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := agentproto.Report{At: time.Now(), Node: b.node.Name(), Dashboard: true}
	broker, err := b.adapter.Open(b.endpoint())
	if err == nil {
		defer broker.Close()
		var d ecp.Description
		if d, err = broker.Describe(ctx); err == nil {
			r.Version, r.Edition, r.Connections, r.Limit = d.Version, d.Edition, d.Connections, d.Limit
			for _, n := range d.Nodes {
				r.Members = append(r.Members, agentproto.Member{Name: n.Name, Status: agentproto.MemberStatus(n.Status),
					Role: n.Role, Version: n.Version, UptimeMS: n.Uptime.Milliseconds(), Connections: n.Connections})
			}
			return r
		}
	}
	code := agentproto.CodeUnreachable
	if ecp.CodeOf(err) == ecp.CodeDenied {
		code = agentproto.CodeAuthFailed
	}
	r.Dashboard, r.Errors = false, []agentproto.ReportError{{Stage: agentproto.StageNodeConnect, Code: code,
		Message: ecp.MessageOf(err)}}
	return r
}

// api passes calls on with the agent's credentials.
func (b *beside) api() http.Handler {
	return &httputil.ReverseProxy{
		Transport: b.node.Endpoint().Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			e := b.endpoint()
			to, _ := url.Parse(e.BaseURL)
			r.SetURL(to)
			r.Out.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
		},
	}
}
