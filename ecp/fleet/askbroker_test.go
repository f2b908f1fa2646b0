package fleet_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
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

// brokerQuestions are all there are.
var brokerQuestions = map[string]func(context.Context, *fleet.Manager, ecp.ID) error{
	"traffic": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.Traffic(ctx, id)
		return err
	},
	"series": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.TrafficSeries(ctx, id, time.Hour)
		return err
	},
	"alarms": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.ActiveAlarms(ctx, id)
		return err
	},
	"history": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.AlarmHistory(ctx, id)
		return err
	},
	"rules": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.Rules(ctx, id)
		return err
	},
	"integrations": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.Integrations(ctx, id)
		return err
	},
	"license": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.BrokerLicense(ctx, id)
		return err
	},
	"metrics": func(ctx context.Context, m *fleet.Manager, id ecp.ID) error {
		_, err := m.Monitor.WriteMetrics(ctx, id, io.Discard, ecp.MetricsOfNode)
		return err
	},
}

// nodeName is the EMQX name of a node of a cluster.
func (r *rig) nodeName(c ecp.Cluster, ordinal int) string { return r.found(c).Nodes[ordinal].Name }

// asks asks for traffic and says how long that took.
func (r *rig) asks(c ecp.Cluster) (ecp.Traffic, time.Duration, error) {
	began := time.Now()
	t, err := r.m.Monitor.Traffic(asSystem(), c.ID())
	return t, time.Since(began), err
}

// TestBrokerAnswers: both majors tell what is put into them.
func TestBrokerAnswers(t *testing.T) {
	for _, image := range []string{"emqx-ee-5.8.9", "emqx-ee-4.4.24"} {
		t.Run(image, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.run()
				info, _, err := r.m.Create(asSystem(),
					fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec(image, 2)})
				require.NoError(t, err)
				c := r.m.Cluster(info.ID)
				r.reaches(c, ecp.Running)
				sim := r.sim.Cluster(c.ID())
				sim.AddClients(emqxsim.Clients{
					Name:      "meter",
					Count:     6,
					Subscribe: []string{"to/%c"},
					Topic:     "from/%c",
					Rate:      1,
				})
				sim.AddConnector("http", "shop", nil)
				sim.AddRule("orders", `SELECT * FROM "from/#"`)
				sim.Node(r.nodeName(c, 1)).RaiseAlarm("too_hot", "the sun shines", map[string]any{"degrees": 41})
				<-time.After(90 * time.Second)

				traffic, err := r.m.Monitor.Traffic(asSystem(), c.ID())
				require.NoError(t, err)
				require.Equal(t, 6, traffic.Connections)
				require.Positive(t, traffic.Totals.Received)
				require.Len(t, traffic.Nodes, 2)

				series, err := r.m.Monitor.TrafficSeries(asSystem(), c.ID(), time.Hour)
				require.NoError(t, err)
				require.NotEmpty(t, series)
				require.Equal(t, 6, series[len(series)-1].Connections)

				alarms, err := r.m.Monitor.ActiveAlarms(asSystem(), c.ID())
				require.NoError(t, err)
				require.Len(t, alarms, 1)
				require.Equal(t, "too_hot", alarms[0].Name)
				require.Equal(t, []string{r.nodeName(c, 1)}, alarms[0].Nodes)
				sim.Node(r.nodeName(c, 1)).ClearAlarm("too_hot")
				alarms, err = r.m.Monitor.ActiveAlarms(asSystem(), c.ID())
				require.NoError(t, err)
				require.Empty(t, alarms)
				alarms, err = r.m.Monitor.AlarmHistory(asSystem(), c.ID())
				require.NoError(t, err)
				require.Len(t, alarms, 1)
				require.False(t, alarms[0].Active())

				rules, err := r.m.Monitor.Rules(asSystem(), c.ID())
				require.NoError(t, err)
				require.Len(t, rules, 1)
				require.Equal(t, "orders", rules[0].ID)
				outside, err := r.m.Monitor.Integrations(asSystem(), c.ID())
				require.NoError(t, err)
				require.Len(t, outside, 1)
				require.Equal(t, ecp.IntegrationConnected, outside[0].Status)

				var text strings.Builder
				n, err := r.m.Monitor.WriteMetrics(asSystem(), c.ID(), &text, ecp.MetricsOfNodes)
				require.NoError(t, err)
				require.EqualValues(t, text.Len(), n)
				if image == "emqx-ee-4.4.24" { // of which each node knows only itself
					require.Contains(t, text.String(), "\nemqx_connections_count 3\n")
					return
				}
				require.Contains(t, text.String(), `emqx_live_connections_count{node="`+r.nodeName(c, 1)+`"} 3`)
			})
		})
	}
}

// TestWhoMayAskTheBroker: whoever may read the cluster; to others there is none.
func TestWhoMayAskTheBroker(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		as := func(role ecp.Role, project string) context.Context {
			return ecp.WithActor(context.Background(),
				ecp.Actor{Name: "somebody", Grants: []ecp.Grant{{Role: role, Project: "default/" + project}}})
		}
		for what, ask := range brokerQuestions {
			require.ErrorIs(t, ask(context.Background(), r.m, c.ID()), ecp.ErrDenied, what)
			require.NoError(t, ask(as(ecp.RoleUser, "default"), r.m, c.ID()), what)
			require.ErrorIs(t, ask(as(ecp.RoleProjectAdmin, "other"), r.m, c.ID()), ecp.ErrNotFound, what)
			require.ErrorIs(t, ask(asSystem(), r.m, "emqx-00000000"), ecp.ErrNotFound, what)
		}
		_, err := r.m.Monitor.TrafficSeries(asSystem(), c.ID(), monitor.LongestSeries+1)
		require.ErrorIs(t, err, ecp.ErrInvalid)
		_, err = r.m.Monitor.TrafficSeries(asSystem(), c.ID(), 0)
		require.ErrorIs(t, err, ecp.ErrInvalid)
		_, err = r.m.Monitor.WriteMetrics(asSystem(), c.ID(), io.Discard, "all")
		require.ErrorIs(t, err, ecp.ErrInvalid)
	})
}

// TestBrokerOfAState: where no node runs nobody is asked, and the error says
// what to do.
func TestBrokerOfAState(t *testing.T) {
	inBubble(t, func(r *rig) {
		refused := func(c ecp.Cluster, says ...string) {
			t.Helper()
			for what, ask := range brokerQuestions {
				asked, began := r.m.Stats().Asked, time.Now()
				err := ask(asSystem(), r.m, c.ID())
				require.ErrorIs(t, err, ecp.ErrConflict, what)
				require.Zero(t, time.Since(began))
				require.Equal(t, asked, r.m.Stats().Asked)
				for _, words := range says {
					require.Contains(t, err.Error(), words)
				}
			}
		}
		c, _ := r.create("a")
		refused(c, "the cluster is creating", "once it is running") // nobody works on it yet
		r.run()
		r.reaches(c, ecp.Running)
		r.settled(c)
		r.do(c, ecp.Stop{})
		refused(c, "the cluster is stopping", "start it")
		r.reaches(c, ecp.Stopped)
		refused(c, "the cluster is stopped", "start it first")
		r.do(c, ecp.Start{})
		refused(c, "the cluster is starting")
		r.reaches(c, ecp.Running)
		_, _, err := r.asks(c)
		require.NoError(t, err)
		r.do(c, ecp.Delete{})
		refused(c, "it is being deleted")
	})
}

// brokerFaults are what can be wrong with nodes, and what is said then: "" =
// there is an answer.
var brokerFaults = []struct {
	name   string
	faults func(r *rig, c ecp.Cluster) []emqxsim.Fault
	code   ecp.Code
	says   []string
	within time.Duration
	asked  uint64 // questions to nodes at most
}{
	{"one node is down", func(r *rig, c ecp.Cluster) []emqxsim.Fault {
		return []emqxsim.Fault{{Node: r.nodeName(c, 0), Refuse: true}}
	}, "", nil, 3 * time.Second, 2},
	{"one node hangs", func(r *rig, c ecp.Cluster) []emqxsim.Fault {
		return []emqxsim.Fault{{Node: r.nodeName(c, 0), Hang: true}}
	}, "", nil, 11 * time.Second, 2},
	{"two nodes fail", func(r *rig, c ecp.Cluster) []emqxsim.Fault {
		return []emqxsim.Fault{
			{Node: r.nodeName(c, 0), Status: 500, Body: "{}"}, {Node: r.nodeName(c, 1), Status: 500, Body: "{}"},
		}
	}, "", nil, 3 * time.Second, 3},
	{"all are down", func(*rig, ecp.Cluster) []emqxsim.Fault { return []emqxsim.Fault{{Refuse: true}} },
		ecp.CodeUnavailable, []string{"-0.", "-1.", "-2.", "connection refused"}, 20 * time.Second, 3},
	{"all hang", func(*rig, ecp.Cluster) []emqxsim.Fault { return []emqxsim.Fault{{Hang: true}} },
		ecp.CodeUnavailable, []string{"-0.", "-1.", "-2.", "no answer in time"}, 20 * time.Second, 3},
	{"all are somebody else", func(*rig, ecp.Cluster) []emqxsim.Fault {
		return []emqxsim.Fault{{ContentType: "text/html"}}
	},
		ecp.CodeUnavailable, []string{"of type text/html"}, 3 * time.Second, 3},
	{"an answer that is no answer", func(*rig, ecp.Cluster) []emqxsim.Fault {
		return []emqxsim.Fault{{Status: 400, Body: `{"code":"BAD_REQUEST","message":"no such\nthing"}`, ContentType: "application/json"}}
	}, ecp.CodeUnavailable, []string{"answered 400 (BAD_REQUEST: no such thing)"}, 3 * time.Second, 3},
	{"credentials are refused", func(*rig, ecp.Cluster) []emqxsim.Fault {
		return []emqxsim.Fault{{Status: 401, Body: `{"code":"BAD_API_KEY_OR_SECRET","message":"Check api_key/api_secret"}`, ContentType: "application/json"}}
	}, ecp.CodeDenied, []string{"not yours", "-0.", "BAD_API_KEY_OR_SECRET", "answered 401"}, time.Second, 1},
	{"an endless answer", func(*rig, ecp.Cluster) []emqxsim.Fault { return []emqxsim.Fault{{Size: 17 << 20}} },
		ecp.CodeUnavailable, []string{"longer than it may be"}, 20 * time.Second, 3},
}

// TestBrokerFaults: every question ends in time, with an answer if any node
// gives one, else with what each has said; and no secret is in it.
func TestBrokerFaults(t *testing.T) {
	for _, f := range brokerFaults {
		t.Run(f.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.running()
				key, err := r.m.Access.Endpoint(asSystem(), ecp.RightWrite, c.ID(), "")
				require.NoError(t, err)
				r.stop() // nobody but the test asks
				r.make(r.store, &r.applied)
				r.m.Pass(context.Background(), c.ID()) // and the nodes are known
				for _, fault := range f.faults(r, c) {
					r.sim.Cluster(c.ID()).AddFault(fault)
				}
				asked := r.m.Stats().Asked
				traffic, took, err := r.asks(c)
				require.Equal(t, f.code, ecp.CodeOf(err), "%v", err)
				require.LessOrEqual(t, took, f.within)
				require.LessOrEqual(t, r.m.Stats().Asked-asked, f.asked)
				if f.code == "" {
					require.Len(t, traffic.Nodes, 3)
					return
				}
				for _, words := range f.says {
					require.Contains(t, err.Error(), words)
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					require.NotContains(t, e.Error(), key.Credentials.Password)
				}
				require.Zero(t, traffic)
			})
		})
	}
}

// TestBrokerTimeIsOver: who could not be asked any more is named, too.
func TestBrokerTimeIsOver(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		info, _, err := r.m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-5.8.9", 4)})
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		r.reaches(c, ecp.Running)
		r.sim.Cluster(c.ID()).AddFault(emqxsim.Fault{Path: "/api/v5/rules", Hang: true})
		for _, patience := range []time.Duration{20 * time.Second, 7 * time.Second} {
			began := time.Now()
			ctx, cancel := context.WithTimeout(asSystem(), patience+time.Millisecond)
			_, err := r.m.Monitor.Rules(ctx, c.ID())
			cancel()
			require.ErrorIs(t, err, ecp.ErrUnavailable)
			if patience < 20*time.Second {
				require.Contains(t, err.Error(), "its time was over")
			} else {
				require.Contains(t, err.Error(), "no answer in time (emqx@")
				require.Regexp(t, `was not asked, the time was over \([^)]*`+regexp.QuoteMeta(r.nodeName(c, 3))+`\)`, err.Error())
			}
			require.InDelta(t, patience.Seconds(), time.Since(began).Seconds(), 0.01)
		}
	})
}

// TestBrokerErrorIsKept: what the broker itself said can be found in the chain.
func TestBrokerErrorIsKept(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.sim.Cluster(c.ID()).AddFault(emqxsim.Fault{
			Path:        "/api/v5/alarms",
			Status:      503,
			Body:        `{"code":"BUSY","message":"later"}`,
			ContentType: "application/json",
		})
		_, err := r.m.Monitor.ActiveAlarms(asSystem(), c.ID())
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		var said *ecp.BrokerError
		require.ErrorAs(t, err, &said)
		require.Equal(t, ecp.BrokerError{Status: 503, Code: "BUSY", Message: "later"}, *said)
	})
}

// TestBrokerThatAnsweredLast is asked first, so that one that hangs is waited
// for once and not by everybody.
func TestBrokerThatAnsweredLast(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.sim.Cluster(c.ID()).AddFault(emqxsim.Fault{Node: r.nodeName(c, 0), Hang: true})
		<-time.After(2 * time.Minute) // the Manager has noticed
		_, took, err := r.asks(c)
		require.NoError(t, err)
		require.Less(t, took, 5*time.Second)
	})
}

// TestBrokerOfNodesThatAreNotReady: they are asked where nobody is ready.
func TestBrokerOfNodesThatAreNotReady(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		require.NoError(t, r.sim.KillAll(c.ID()))
		r.reaches(c, ecp.Abnormal)
		_, took, err := r.asks(c)
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.Contains(t, err.Error(), "connection refused")
		for i := range 3 {
			require.Contains(t, err.Error(), r.nodeName(c, i))
		}
		require.Less(t, took, 20*time.Second)
	})
}

// TestBrokerBeforeTheFirstLook: a program that has just begun knows no node
// and asks any.
func TestBrokerBeforeTheFirstLook(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.stop()
		r.make(r.store, &r.applied)
		traffic, _, err := r.asks(c)
		require.NoError(t, err)
		require.Len(t, traffic.Nodes, 3)
		r.sim.SetUnreachable(true)
		_, _, err = r.asks(c)
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.Contains(t, err.Error(), "the simulated platform does not answer; it is tried again (any node)")
	})
}

// TestBrokerWithoutAdapter says what was found.
func TestBrokerWithoutAdapter(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.stop()
		var err error
		r.m, err = fleet.New(context.Background(),
			fleet.Config{Store: r.store, Provisioners: map[string]ecp.Provisioner{"default": r.sim}})
		require.NoError(t, err)
		_, _, err = r.asks(c)
		require.ErrorIs(t, err, ecp.ErrUnsupported)
		require.Contains(t, err.Error(), "it is EMQX 5.8.9")
		r.m, err = fleet.New(context.Background(), fleet.Config{
			Store:        r.store,
			Provisioners: map[string]ecp.Provisioner{"default": r.sim},
			Adapters:     []ecp.Adapter{mute{}},
		})
		require.NoError(t, err)
		_, _, err = r.asks(c)
		require.ErrorIs(t, err, ecp.ErrUnsupported)
		require.Contains(t, err.Error(), "the adapter for EMQX 5")
	})
}

// mute is an adapter that can ask nothing of the kind.
type mute struct{}

func (mute) Major() int                                              { return 5 }
func (mute) Open(ecp.Endpoint) (ecp.Broker, error)                   { return mute{}, nil }
func (mute) Close()                                                  {}
func (mute) Describe(context.Context) (d ecp.Description, err error) { return d, nil }

// TestBrokerOfAdopted: where nobody can be asked the error says so and what to do;
// with an agent they are asked like any other.
func TestBrokerOfAdopted(t *testing.T) {
	adopted := func(t *testing.T, l ecp.Link) (*fleet.Manager, ecp.ID) {
		m, err := fleet.New(t.Context(), fleet.Config{
			Store:    memstore.New(),
			Link:     l,
			Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		})
		require.NoError(t, err)
		info, _, err := m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Adopted, Name: "a", Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
		require.NoError(t, err)
		return m, info.ID
	}
	for _, version := range []string{"4.4.24", "5.8.9"} {
		sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version, Username: "key", Password: "secret"})
		node := sim.Join("emqx@10.0.0.1")
		link := &fleet.FakeLink{API: func(string) (ecp.Endpoint, error) { return node.Endpoint(), nil }}
		m, id := adopted(t, link)
		agent := registered(t, m, id)
		link.Show(id, ecp.AgentObservation{Agent: agent, Connected: true, Since: time.Now(), Report: &ecp.AgentReport{
			At: time.Now(), Node: node.Name(), Description: ecp.Description{
				Version: version,
				Nodes:   []ecp.BrokerNode{{Name: node.Name(), Status: ecp.NodeRunning}},
			},
		}})
		for what, ask := range brokerQuestions {
			require.ErrorIs(t, ask(asSystem(), m, id), ecp.ErrConflict, "%s: it is still registering", what)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- m.Run(ctx) }()
		require.Eventually(t, func() bool {
			info, err := m.Cluster(id).Get(asSystem())
			return err == nil && info.Status.State == ecp.Running
		}, time.Minute, time.Millisecond)
		traffic, err := m.Monitor.Traffic(asSystem(), id)
		require.NoError(t, err)
		require.Len(t, traffic.Nodes, 1)
		link.Show(id, ecp.AgentObservation{Agent: agent, Since: time.Now()})
		for what, ask := range brokerQuestions {
			require.ErrorIs(t, ask(asSystem(), m, id), ecp.ErrUnavailable, what)
		}
		cancel()
		require.NoError(t, <-ran)
	}
	m, id := adopted(t, nil)
	for what, ask := range brokerQuestions {
		err := ask(asSystem(), m, id)
		require.ErrorIs(t, err, ecp.ErrConflict, what)
		require.Contains(t, err.Error(), "set `cluster.agent`")
	}
}

// registered lets an agent register with a cluster.
func registered(t *testing.T, m *fleet.Manager, id ecp.ID) ecp.AgentID {
	_, secret, err := m.Agents.CreateRegistration(asSystem(), id, 0)
	require.NoError(t, err)
	key, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	a, err := m.Agents.Register(t.Context(), ecp.AgentRegistration{Token: secret, PublicKey: key})
	require.NoError(t, err)
	return a.ID
}
