package adopt_test

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// started is a cluster of some nodes with an agent beside each, all running.
type started struct {
	*site
	id     ecp.ID
	sim    *emqxsim.Cluster
	agents []*beside
}

func startedCluster(t *testing.T, version string, nodes int) *started {
	t.Helper()
	s := &started{site: newSite(t), sim: emqxsim.NewCluster(emqxsim.ClusterConfig{Version: version})}
	id, token := s.adopt("meters")
	s.id = id
	for i := range nodes {
		s.sim.Join(fmt.Sprintf("emqx@10.0.0.%d", i+1))
	}
	for i := range nodes {
		b := s.agent(fmt.Sprintf("host-%d", i+1), s.sim.Node(fmt.Sprintf("emqx@10.0.0.%d", i+1)), version)
		require.NoError(t, b.register(token))
		b.start()
		s.agents = append(s.agents, b)
	}
	eventually(t, func() bool { return s.hub.Stats().Connected["direct"] == nodes && s.reported() == nodes },
		func() string { return fmt.Sprintf("%+v", s.hub.Observe(id).Agents) })
	s.until(id, ecp.Running, ecp.ReasonAsExpected)
	return s
}

// reported counts the agents that are connected and have reported.
func (s *started) reported() (n int) {
	for _, a := range s.hub.Observe(s.id).Agents {
		if a.Connected && a.Report != nil && a.Report.Complete() {
			n++
		}
	}
	return n
}

// TestFromTokenToRunning: the way of a cluster, with brokers of both majors and both
// carriers.
func TestFromTokenToRunning(t *testing.T) {
	for _, c := range []struct {
		version string
		tunnel  agentproto.TunnelMode
	}{{"4.4.24", agentproto.TunnelAuto}, {"5.8.9", agentproto.TunnelAuto}, {"5.8.9", agentproto.TunnelWebSocket}} {
		t.Run(c.version+" "+string(c.tunnel), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			sim := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: c.version})
			node := sim.Join("emqx@10.0.0.1")
			id, token := s.adopt("meters")
			s.until(id, ecp.Created, "")
			b := s.agent("host-1", node, c.version)
			b.tunnel = c.tunnel
			require.NoError(t, b.register(token))
			require.Equal(t, "meters", b.identity.Cluster)
			s.until(id, ecp.Registering, "")
			b.start()
			info := s.until(id, ecp.Running, ecp.ReasonAsExpected)
			require.Equal(t, c.version, info.Version)

			// The way to the broker goes through the agent, which has the credentials.
			e, err := s.hub.Endpoint(s.as(), id, "")
			require.NoError(t, err)
			require.Zero(t, e.Credentials)
			broker, err := adapterFor(c.version).Open(e)
			require.NoError(t, err)
			defer broker.Close()
			d, err := broker.Describe(t.Context())
			require.NoError(t, err)
			require.Equal(t, "emqx@10.0.0.1", d.Nodes[0].Name)

			s.untilBeside(id, map[string]string{"host-1": "emqx@10.0.0.1"})
			agents, err := s.manager.Agents.List(s.as(), id)
			require.NoError(t, err)
			require.True(t, agents[0].Seen.Connected)
			stats := s.hub.Stats()
			require.Equal(t, uint64(1), stats.Registrations)
			require.Equal(t, 1, stats.Connected[agents[0].Seen.Carrier])
		})
	}
}

func TestBrokerStopped(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"4.4.24", "5.8.9"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := startedCluster(t, version, 1)
			s.agents[0].node.Kill()
			s.until(s.id, ecp.Abnormal, ecp.ReasonEMQXUnreachable)
			_, err := s.hub.Endpoint(s.as(), s.id, "")
			require.ErrorIs(t, err, ecp.ErrUnavailable)
			s.agents[0].node.Revive()
			s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
		})
	}
}

func TestBrokerRefusesAgent(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 1)
	wrong, right := "wrong", *s.agents[0].password.Load()
	s.agents[0].password.Store(&wrong)
	s.until(s.id, ecp.Abnormal, ecp.ReasonEMQXAuthFailed)
	s.agents[0].password.Store(&right)
	s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
}

func TestOneNodeOfThreeDown(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 3)
	s.agents[1].node.Kill()
	info := s.until(s.id, ecp.Abnormal, "")
	require.Contains(t, []ecp.Reason{ecp.ReasonNodeDown, ecp.ReasonEMQXUnreachable}, info.Status.Reason)
	require.Contains(t, info.Status.Message, "emqx@10.0.0.2")
	eventually(t, func() bool { return s.reported() == 2 }, func() string { return "its own agent has not told yet" })
	e, err := s.hub.Endpoint(s.as(), s.id, "")
	require.NoError(t, err, "another node answers")
	broker, err := adapterFor("5").Open(e)
	require.NoError(t, err)
	defer broker.Close()
	_, err = broker.Describe(t.Context())
	require.NoError(t, err)
	s.agents[1].node.Revive()
	s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
}

func TestAgentStops(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 1)
	require.NoError(t, s.agents[0].stop())
	info := s.until(s.id, ecp.Abnormal, ecp.ReasonAgentDisconnected)
	require.Contains(t, info.Status.Message, "stopped")
	s.agents[0].start()
	s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
}

// TestServerRestarts: the state stays while agents come back.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 2)
	s.restart()
	require.Equal(t, ecp.Running, s.status(s.id).Status.State)
	eventually(t, func() bool { return s.reported() == 2 }, func() string { return fmt.Sprint(s.hub.Observe(s.id)) })
	s.stays(s.id, ecp.Running, time.Second)
	_, err := s.hub.Endpoint(s.as(), s.id, "")
	require.NoError(t, err)

	// One that does not come back is missed.
	require.NoError(t, s.agents[1].stop())
	s.restart()
	s.stays(s.id, ecp.Running, time.Second)
	info := s.until(s.id, ecp.Abnormal, ecp.ReasonAgentDisconnected)
	require.Contains(t, info.Status.Message, "host-2")
}

// TestKeyOnASecondHost: the first goes on, both are told of, and it ends with the
// second.
func TestKeyOnASecondHost(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 1)
	thief := s.agent("thief", s.sim.Join("emqx@10.0.0.9"), "5.8.9")
	thief.identity = s.agents[0].identity
	thief.start()
	info := s.until(s.id, ecp.Abnormal, ecp.ReasonIdentityConflict)
	require.Contains(t, info.Status.Message, "thief")
	eventually(t, func() bool { return thief.refusal() == agentproto.RefusedIdentityConflict },
		func() string { return string(thief.refusal()) })
	require.Empty(t, s.agents[0].refusal())
	e, err := s.hub.Endpoint(s.as(), s.id, "emqx@10.0.0.1")
	require.NoError(t, err)
	require.NotNil(t, e.Transport)
	require.NoError(t, thief.stop())
	s.sim.Node("emqx@10.0.0.9").Leave()
	s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
}

// TestSameNodeName: of two agents beside one node the first goes on; the second
// serves when the first has gone.
func TestSameNodeName(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 1)
	second := s.agent("host-2", s.agents[0].node, "5.8.9")
	require.NoError(t, second.register(s.token(s.id)))
	second.start()
	info := s.until(s.id, ecp.Abnormal, ecp.ReasonIdentityConflict)
	require.Contains(t, info.Status.Message, "host-1")
	eventually(t, func() bool { return second.refusal() == agentproto.RefusedIdentityConflict },
		func() string { return string(second.refusal()) })
	require.NoError(t, s.agents[0].stop())
	s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
	s.untilBeside(s.id, map[string]string{"host-1": "", "host-2": "emqx@10.0.0.1"}) // taken over
}

// untilBeside waits until the agents of a cluster, by host, are recorded to be beside nodes.
// That is stored a little after what they report counts.
func (s *site) untilBeside(id ecp.ID, nodes map[string]string) {
	s.t.Helper()
	var recorded map[string]string
	eventually(s.t, func() bool {
		all, err := s.manager.Agents.List(s.as(), id)
		require.NoError(s.t, err)
		recorded = map[string]string{}
		for _, a := range all {
			recorded[a.Hostname] = a.Node
		}
		return maps.Equal(nodes, recorded)
	}, func() string { return fmt.Sprint(recorded) })
}

func TestForeignBroker(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 2)
	other := emqxsim.NewCluster(emqxsim.ClusterConfig{})
	foreign := s.agent("foreign", other.Join("emqx@10.9.9.9"), "5.8.9")
	require.NoError(t, foreign.register(s.token(s.id)))
	foreign.start()
	info := s.until(s.id, ecp.Abnormal, ecp.ReasonClusterMismatch)
	require.Contains(t, info.Status.Message, "emqx@10.9.9.9")
	eventually(t, func() bool { return foreign.refusal() == agentproto.RefusedClusterMismatch },
		func() string { return string(foreign.refusal()) })
	_, err := s.hub.Endpoint(s.as(), s.id, "emqx@10.9.9.9")
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	for range 20 {
		e, err := s.hub.Endpoint(s.as(), s.id, "")
		require.NoError(t, err)
		broker, err := adapterFor("5").Open(e)
		require.NoError(t, err)
		d, err := broker.Describe(t.Context())
		broker.Close()
		require.NoError(t, err)
		require.NotEqual(t, "emqx@10.9.9.9", d.Nodes[0].Name)
	}
	require.NoError(t, foreign.stop())
	require.NoError(t, s.manager.Agents.Remove(s.as(), s.id, ecp.AgentID(foreign.identity.Agent)))
	s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
}

// TestEditWhileConnected: no connection drops, nor is one opened anew, when a cluster
// gets another name, description, service address and project, nor when an agent
// registers anew.
func TestEditWhileConnected(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 2)
	opened, before := s.hub.Stats().Connections, s.connections()
	require.Len(t, before, 2)
	_, err := s.manager.Directory.CreateProject(s.as(), "default/elsewhere", "")
	require.NoError(t, err)
	name, about := "electricity meters", "of the town"
	for _, cmd := range []ecp.Command{
		ecp.Update{Name: &name},
		ecp.Update{Description: &about},
		ecp.Update{Patch: []byte(`{"serviceAddress":"https://emqx.example.com:18083"}`)},
		ecp.Update{Patch: []byte(`{"serviceAddress":null}`)},
		ecp.Update{Spec: &ecp.Spec{Adopted: &ecp.AdoptedSpec{ServiceAddress: "http://emqx.example.com:18083"}}},
		ecp.Transfer{Project: "default/elsewhere"},
	} {
		op, err := s.manager.Cluster(s.id).Do(s.as(), cmd)
		require.NoError(t, err)
		require.Zero(t, op, "nothing is left to be done")
		require.Equal(t, before, s.connections(), "%+v", cmd)
	}
	s.stays(s.id, ecp.Running, 500*time.Millisecond)
	info := s.status(s.id)
	require.Equal(t, []any{"default/elsewhere", name, about, "http://emqx.example.com:18083"},
		[]any{info.Project, info.Name, info.Description, info.Spec.Adopted.ServiceAddress})
	require.EqualValues(t, 1, info.Generation)

	// One that registers anew with its own key stays connected as well.
	_, err = s.manager.Agents.Register(t.Context(), ecp.AgentRegistration{Token: s.token(s.id),
		PublicKey: s.agents[0].identity.Key.Public().(ed25519.PublicKey)})
	require.NoError(t, err)
	s.stays(s.id, ecp.Running, 300*time.Millisecond)
	require.Equal(t, before, s.connections())
	require.Equal(t, opened, s.hub.Stats().Connections)
	_, err = s.hub.Endpoint(s.as(), s.id, "emqx@10.0.0.2")
	require.NoError(t, err)
}

// connections are those that stand, by agent: process and beginning.
func (s *site) connections() map[string]string {
	out := map[string]string{}
	for _, c := range s.hub.Server().Connections() {
		out[c.Agent] = c.Instance + " since " + c.Since.String()
	}
	return out
}

func TestRemoveAgent(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 2)
	gone := s.agents[1]
	require.NoError(t, s.manager.Agents.Remove(s.as(), s.id, ecp.AgentID(gone.identity.Agent)))
	eventually(t, func() bool { return gone.refusal() != "" }, func() string { return "not told" })
	var refusal *agentproto.Refusal
	require.ErrorAs(t, gone.stop(), &refusal)
	require.True(t, refusal.Final())
	s.stays(s.id, ecp.Running, 500*time.Millisecond)
	gone.start()
	eventually(t, func() bool { return gone.refusal() == agentproto.RefusedUnknownAgent },
		func() string { return string(gone.refusal()) })
	require.Error(t, gone.stop())

	// With a token it comes back as the same agent.
	was := gone.identity.Agent
	require.NoError(t, gone.register(s.token(s.id)))
	require.Equal(t, was, gone.identity.Agent)
	gone.start()
	eventually(t, func() bool { return len(s.hub.Observe(s.id).Agents) == 2 }, func() string { return "not back" })
	s.until(s.id, ecp.Running, ecp.ReasonAsExpected)
}

func TestDeleteCluster(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 2)
	token := s.token(s.id)
	_, err := s.manager.Cluster(s.id).Do(s.as(), ecp.Delete{})
	require.NoError(t, err)
	for _, b := range s.agents {
		eventually(t, func() bool {
			return b.refusal() == agentproto.RefusedRemoved || b.refusal() == agentproto.RefusedUnknownAgent
		}, func() string { return string(b.refusal()) })
		require.Error(t, b.stop())
	}
	eventually(t, func() bool {
		_, err := s.manager.Cluster(s.id).Get(s.as())
		return ecp.CodeOf(err) == ecp.CodeNotFound
	}, func() string { return "still there" })
	late := s.agent("late", s.agents[0].node, "5.8.9")
	var refusal *agentproto.Refusal
	require.ErrorAs(t, late.register(token), &refusal)
	require.Equal(t, agentproto.RefusedTokenUnknown, refusal.Code)
	require.Empty(t, s.hub.Observe(s.id).Agents)
}

func TestUnregister(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 1)
	require.NoError(t, s.hub.Unregister(t.Context(), s.agents[0].identity.Agent))
	s.until(s.id, ecp.Created, "")
	eventually(t, func() bool { return s.agents[0].refusal() != "" }, func() string { return "not told" })
}

// TestRegisterElsewhere: an agent that registers with another cluster serves there,
// without anybody's help.
func TestRegisterElsewhere(t *testing.T) {
	t.Parallel()
	s := startedCluster(t, "5.8.9", 1)
	other, token := s.adopt("other")
	require.NoError(t, s.agents[0].register(token))
	s.until(other, ecp.Running, ecp.ReasonAsExpected)
	s.until(s.id, ecp.Created, "")
}
