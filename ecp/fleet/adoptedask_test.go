package fleet_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecp/monitor"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// outpost is a running adopted cluster of three nodes whose agents are a test's.
type outpost struct {
	t     *testing.T
	m     *fleet.Manager
	id    ecp.ID
	sim   *emqxsim.Cluster
	nodes []*emqxsim.Node
	link  *fleet.FakeLink
	mu    sync.Mutex                   // guards what follows while the Manager runs
	ways  map[string]http.RoundTripper // by node; what is missing leads there
	asked []string                     // nodes that a way was wanted to
}

// newOutpost lets the first so many of three nodes have agents.
func newOutpost(t *testing.T, version string, agents int) *outpost {
	t.Helper()
	o := &outpost{
		t:    t,
		sim:  emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Username: "key", Password: "secret"}),
		ways: map[string]http.RoundTripper{},
	}
	for i := range 3 {
		o.nodes = append(o.nodes, o.sim.Join(fmt.Sprintf("emqx@10.0.0.%d", i+1)))
	}
	o.link = &fleet.FakeLink{API: o.way}
	var err error
	o.m, err = fleet.New(t.Context(), fleet.Config{
		Store:        memstore.New(),
		Link:         o.link,
		AgentAddress: "https://ecp.example.com",
		Adapters:     []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
	})
	require.NoError(t, err)
	info, _, err := o.m.Create(asSystem(),
		fleet.CreateRequest{Mode: ecp.Adopted, Name: "a", Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
	require.NoError(t, err)
	o.id = info.ID
	for i := range agents {
		o.shows(registered(t, o.m, o.id), i, version)
	}
	for range 3 {
		o.m.Pass(t.Context(), o.id)
	}
	return o
}

// shows lets the agent beside a node report all three; version "" = that it cannot
// ask its broker.
func (o *outpost) shows(agent ecp.AgentID, node int, version string) {
	r := ecp.AgentReport{At: time.Now(), Node: o.nodes[node].Name(), Description: ecp.Description{Version: version}}
	for _, n := range o.nodes {
		r.Description.Nodes = append(r.Description.Nodes,
			ecp.BrokerNode{Name: n.Name(), Status: ecp.NodeRunning, Version: version})
	}
	if version == "" {
		r.Node, r.Description = "", ecp.Description{}
		r.Errors = []ecp.AgentError{
			{Stage: ecp.AgentStageNode, Code: ecp.AgentFaultAuth, Message: "BAD_USERNAME_OR_PWD"},
		}
	}
	o.link.Show(o.id, ecp.AgentObservation{Agent: agent, Connected: true, Since: r.At, Report: &r})
}

// leads lets the way to a node be another from now on.
func (o *outpost) leads(node string, way http.RoundTripper) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ways[node] = way
}

// count returns how often a way was wanted.
func (o *outpost) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

func (o *outpost) way(node string) (ecp.Endpoint, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, node)
	for _, n := range o.nodes {
		if n.Name() == node {
			e := n.Endpoint()
			if rt := o.ways[node]; rt != nil {
				e.Transport = rt
			}
			return e, nil
		}
	}
	return ecp.Endpoint{}, &ecp.Error{
		Code:    ecp.CodeUnavailable,
		Message: "no agent beside the node " + node + " is connected",
	}
}

// loadPrometheus loads the plugin that gives metrics of EMQX 4 on every node.
func (o *outpost) loadPrometheus() {
	for _, n := range o.nodes {
		e := n.Endpoint()
		r, err := http.NewRequestWithContext(o.t.Context(), http.MethodPut,
			e.BaseURL+"/api/v4/nodes/"+n.Name()+"/plugins/emqx_prometheus/load", http.NoBody)
		require.NoError(o.t, err)
		r.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
		res, err := e.Transport.RoundTrip(r)
		require.NoError(o.t, err)
		require.Equal(o.t, http.StatusOK, res.StatusCode)
		require.NoError(o.t, res.Body.Close())
	}
}

// agentSays is a transport on whose far side an agent answers in place of its broker.
func agentSays(code ecp.Code, message string) http.RoundTripper {
	return transport(func(*http.Request) (*http.Response, error) {
		return nil,
			ecp.NewError(code, "ask the broker", message)
	})
}

// transport is a function that is one.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// hangs answers nothing.
var hangs = transport(func(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
})

// What an agent answers by itself is its word, not the broker's, and the next agent
// is asked.
func TestAnswersOfAgents(t *testing.T) {
	for name, c := range map[string]struct {
		way  http.RoundTripper
		want string
	}{
		"no broker": {
			agentSays(ecp.CodeUnavailable, "EMQX at http://127.0.0.1:18083 refuses the connection"),
			"EMQX at http://127.0.0.1:18083 refuses the connection",
		},
		"too much":        {agentSays(ecp.CodeThrottled, "too many requests to EMQX run already"), "too many requests"},
		"it does not let": {agentSays(ecp.CodeDenied, "the agent is read-only"), "the agent is read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutpost(t, "5.8.9", 2)
			first, second := o.nodes[0].Name(), o.nodes[1].Name()
			o.ways[first] = c.way
			for what, ask := range brokerQuestions {
				require.NoError(t, ask(asSystem(), o.m, o.id), "%s is answered through the other agent", what)
			}
			o.ways[second] = c.way
			for what, ask := range brokerQuestions {
				err := ask(asSystem(), o.m, o.id)
				require.ErrorContains(t, err, c.want, what)
				require.ErrorIs(t, err, ecp.ErrUnavailable, what)
				require.NotRegexp(t, `answered \d`, err.Error(), "it was not EMQX")
				require.NotContains(t, err.Error(), "10.9.8.7")
			}
		})
	}
}

// The credentials that a broker refuses are its agent's.
func TestBrokerRefusesAnAgent(t *testing.T) {
	o := newOutpost(t, "5.8.9", 2)
	for _, n := range o.nodes {
		o.ways[n.Name()] = transport(func(*http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			http.Error(w, `{"code":"BAD_USERNAME_OR_PWD"}`, http.StatusUnauthorized)
			return w.Result(), nil
		})
	}
	_, err := o.m.Monitor.Traffic(asSystem(), o.id)
	require.ErrorIs(t, err, ecp.ErrDenied)
	require.ErrorContains(t, err, "the credentials of the agent beside it, not yours")
	require.ErrorContains(t, err, "emqxee-agent register --emqx-dashboard-username")
}

// An agent that hangs is waited for once: for a while then the others come first.
func TestAgentThatHangsIsAskedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutpost(t, "5.8.9", 2)
		o.ways[o.nodes[0].Name()] = hangs
		var took [3]time.Duration
		for i := range took {
			began := time.Now()
			_, err := o.m.Monitor.Rules(asSystem(), o.id)
			require.NoError(t, err)
			took[i] = time.Since(began)
		}
		require.Equal(t, 10*time.Second, took[0])
		require.Zero(t, took[1]+took[2])
		delete(o.ways, o.nodes[0].Name())
		<-time.After(31 * time.Second)
		o.asked = nil
		for i, a := range o.link.Observe(o.id).Agents { // reports are old by now
			o.shows(a.Agent, i, "5.8.9")
		}
		_, err := o.m.Monitor.Rules(asSystem(), o.id)
		require.NoError(t, err)
		require.Equal(t, []string{o.nodes[0].Name()}, o.asked, "it gets another chance")
	})
}

// Where a member hangs the others are asked by name, those without an agent, too.
func TestMembersWithoutAgents(t *testing.T) {
	for _, version := range []string{"4.4.24", "5.8.9"} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutpost(t, version, 1)
				o.sim.AddClients(emqxsim.Clients{Name: "meter", Count: 9})
				next := o.nodes[0].Endpoint().Transport
				o.ways[o.nodes[0].Name()] = transport(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.URL.Path, "/stats") && !strings.Contains(r.URL.Path, "/nodes/") {
						return hangs(r)
					}
					return next.RoundTrip(r)
				})
				traffic, err := o.m.Monitor.Traffic(asSystem(), o.id)
				require.NoError(t, err)
				require.Equal(t, 9, traffic.Connections, "%+v", traffic)
			})
		})
	}
}

// A cluster whose agents never got through to EMQX says why, and is not said to be
// unable to answer.
func TestAskBeforeEMQXWasReached(t *testing.T) {
	o := newOutpost(t, "", 1)
	info, err := o.m.Cluster(o.id).Get(asSystem())
	require.NoError(t, err)
	for _, f := range info.Features {
		if f.Feature == ecp.FeatureMonitoring {
			require.False(t, f.Available)
			require.Equal(t, "not known yet: the agent cannot ask EMQX: BAD_USERNAME_OR_PWD", f.Why)
		}
	}
}

// Each node of an EMQX 4 tells its own metrics, and no other's.
func TestMetricsOfANode(t *testing.T) {
	o := newOutpost(t, "4.4.24", 2)
	_, err := o.m.Monitor.WriteNodeMetrics(asSystem(), o.id, "emqx@10.0.0.1", &strings.Builder{})
	require.ErrorIs(t, err, ecp.ErrUnsupported, "nothing is loaded in what is not ours")
	require.ErrorContains(t, err, "emqx_ctl plugins load emqx_prometheus")
	o.loadPrometheus()
	o.sim.AddClients(emqxsim.Clients{Name: "meter", Count: 3})
	for _, n := range o.nodes[:2] {
		o.asked = nil
		var out strings.Builder
		written, err := o.m.Monitor.WriteNodeMetrics(asSystem(), o.id, n.Name(), &out)
		require.NoError(t, err)
		require.EqualValues(t, out.Len(), written)
		require.Contains(t, out.String(), "\nemqx_connections_count 1\n")
		require.Equal(t, []string{n.Name()}, o.asked)
	}
	o.ways[o.nodes[0].Name()] = agentSays(ecp.CodeUnavailable, "EMQX is gone")
	for node, want := range map[string]error{
		o.nodes[0].Name(): ecp.ErrUnavailable,
		"emqx@elsewhere":  ecp.ErrNotFound,
		"":                ecp.ErrInvalid,
	} {
		_, err := o.m.Monitor.WriteNodeMetrics(asSystem(), o.id, node, &strings.Builder{})
		require.ErrorIs(t, err, want, node)
	}
	o.nodes = o.nodes[:2] // no agent is beside the third
	_, err = o.m.Monitor.WriteNodeMetrics(asSystem(), o.id, "emqx@10.0.0.3", &strings.Builder{})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.ErrorContains(t, err, "no agent beside the node emqx@10.0.0.3 is connected")
	_, err = o.m.Monitor.WriteNodeMetrics(context.Background(), o.id, "emqx@10.0.0.1", &strings.Builder{})
	require.ErrorIs(t, err, ecp.ErrDenied)
}

// Of an EMQX 4 each node with an agent is scraped by itself, of an EMQX 5 one place
// has all; agents that are away stay.
func TestScrapeTargetsOfAdopted(t *testing.T) {
	for version, want := range map[string][]string{"4.4.24": {"emqx@10.0.0.1", "emqx@10.0.0.2"}, "5.8.9": {""}} {
		o := newOutpost(t, version, 2)
		nodes := func() (out []string) {
			all, err := o.m.Monitor.ScrapeTargets(asSystem(), ecp.ListOptions{})
			require.NoError(t, err)
			for _, target := range all {
				require.Equal(t, monitor.ScrapeTarget{
					Cluster: o.id,
					Name:    "a",
					Project: "default/default",
					Mode:    ecp.Adopted,
					State:   ecp.Running,
					Version: version,
					Node:    target.Node,
				}, target)
				out = append(out, target.Node)
			}
			return out
		}
		require.Equal(t, want, nodes())
		away := o.link.Observe(o.id).Agents[0]
		away.Connected, away.Since = false, time.Now()
		o.link.Show(o.id, away)
		require.Equal(t, want, nodes())
	}
	_, err := newOutpost(t, "5.8.9", 1).m.Monitor.ScrapeTargets(context.Background(), ecp.ListOptions{})
	require.ErrorIs(t, err, ecp.ErrDenied)
}

// An overview has what brokers tell soon after somebody looks, and asks nobody while
// nobody does; what stops answering becomes unknown.
func TestOverviewIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutpost(t, "5.8.9", 1)
		o.sim.AddClients(emqxsim.Clients{Name: "meter", Count: 9})
		o.sim.AddConnector("http", "shop", nil)
		o.sim.AddRule("orders", `SELECT * FROM "t"`)
		o.nodes[0].RaiseAlarm("high_cpu_usage", "it is so", nil)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- o.m.Run(ctx) }()
		defer func() { cancel(); require.NoError(t, <-ran) }()
		look := func() monitor.Overview {
			o.shows(o.link.Observe(o.id).Agents[0].Agent, 0, "5.8.9")
			v, err := o.m.Monitor.Overview(asSystem(), "default/default")
			require.NoError(t, err)
			return v
		}
		<-time.After(time.Minute)
		asked := o.count()
		require.Zero(t, asked, "nobody has looked")
		v := look()
		require.Equal(t, 1, v.Rules.Unknown)
		require.Contains(t, v.Missing[0].Why, "it has not been asked yet")
		synctest.Wait()
		v = look()
		require.Equal(t, []int{1, 1, 1, 1, 9, 1}, []int{
			v.Rules.Known, v.Rules.Running, v.Connectors.Connected, v.Alarms.Kinds["high_cpu_usage"], v.Connections.All,
			v.Agents.Connected,
		}, "%+v", v)
		require.Empty(t, v.Missing)
		asked = o.count()
		for range 20 {
			look()
			synctest.Wait()
		}
		require.Equal(t, asked, o.count(), "looking often asks nobody more often")
		o.leads(o.nodes[0].Name(), agentSays(ecp.CodeUnavailable, "EMQX is gone"))
		<-time.After(90 * time.Second)
		v = look()
		require.Equal(t, []int{0, 1, 0}, []int{v.Rules.Known, v.Rules.Unknown, v.Rules.Running}, "%+v", v)
		require.Contains(t, v.Missing[0].Why, "EMQX is gone")

		_, err := o.m.Monitor.Overview(asSystem(), "default/nothing")
		require.ErrorIs(t, err, ecp.ErrNotFound)
		_, err = o.m.Monitor.Overview(context.Background(), "")
		require.ErrorIs(t, err, ecp.ErrDenied)
		none, err := o.m.Monitor.Overview(ecp.WithActor(t.Context(),
			ecp.Actor{Name: "x", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "other/one"}}}), "")
		require.NoError(t, err)
		require.Zero(t, none.Clusters)
	})
}
