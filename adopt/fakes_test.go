package adopt

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

// fakeServer holds connections of agents that are not there. It calls the hub back
// as the real one does.
type fakeServer struct {
	hub  *Hub
	logs func(agent string, q agentproto.LogQuery) iter.Seq2[agentproto.LogLine, error]

	mu      sync.Mutex
	live    map[string]*fakeConnection // guarded by mu, as all below
	mute    map[string]bool            // agents that answer no request
	refused map[string][]agentproto.Refusal
	past    map[string][]agentproto.HistoryRecord // that agents have kept; nil means none keeps any
	asked   int                                   // for them
	slow    time.Duration                         // before each answer with them
	busy    int                                   // such answers under way, and most at once
	busiest int
}

type fakeConnection struct {
	info    agentproto.Connection
	reports chan agentproto.Report
	gone    chan struct{}
}

// KeptReports yields what was reported and not read yet.
func (s *fakeServer) KeptReports(ctx context.Context, agent string,
	_ agentproto.Position) iter.Seq2[agentproto.Report, error] {
	return func(yield func(agentproto.Report, error) bool) {
		s.mu.Lock()
		c := s.live[agent]
		s.mu.Unlock()
		if c == nil {
			yield(agentproto.Report{}, agentproto.ErrNotConnected)
			return
		}
		for ctx.Err() == nil {
			select {
			case r := <-c.reports:
				if !yield(r, nil) {
					return
				}
			default:
				return
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (s *fakeServer) Transport(agent string, host agentproto.Host) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		s.mu.Lock()
		c, mute := s.live[agent], s.mute[agent]
		s.mu.Unlock()
		if c == nil {
			return nil, errors.New("not connected")
		}
		if mute {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Agent": {agent}, "Host": {string(host)}},
			Body: http.NoBody}, nil
	})
}

func (s *fakeServer) Disconnect(agent string, r agentproto.Refusal) {
	s.mu.Lock()
	s.refused[agent] = append(s.refused[agent], r)
	s.mu.Unlock()
	s.end(agent, true)
}

func (s *fakeServer) end(agent string, clean bool) {
	s.mu.Lock()
	c := s.live[agent]
	delete(s.live, agent)
	s.mu.Unlock()
	if c != nil {
		close(c.gone)
		s.hub.Disconnected(c.info, agentproto.Ending{Clean: clean, At: time.Now()})
	}
}

// Announce tells nobody.
func (s *fakeServer) Announce(context.Context) {}

func (s *fakeServer) Shutdown(context.Context) error {
	s.mu.Lock()
	var all []string
	for agent := range s.live {
		all = append(all, agent)
	}
	s.mu.Unlock()
	for _, agent := range all {
		s.end(agent, true)
	}
	return nil
}

// fakeManager keeps agents of one cluster.
type fakeManager struct {
	mu     sync.Mutex
	agents map[ecp.AgentID]ecp.AgentRecord // guarded by mu, as all below
	notes  []ecp.AgentNote
	refuse error                   // of RegisterAgent and NoteAgent
	broken bool                    // nothing can be read
	stored [][]agents.AgentHistory // by transaction
}

func (m *fakeManager) Register(_ context.Context, r ecp.AgentRegistration) (ecp.AgentRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return ecp.AgentRecord{}, m.refuse
	}
	a := ecp.AgentRecord{ID: ecp.AgentID(r.Hostname), Cluster: testCluster, PublicKey: r.PublicKey, Node: r.Node}
	m.agents[a.ID] = a
	return a, nil
}

func (m *fakeManager) Unregister(_ context.Context, agent ecp.AgentID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.agents, agent)
	return nil
}

func (m *fakeManager) Key(_ context.Context, agent ecp.AgentID) (ecp.AgentRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return ecp.AgentRecord{}, errors.New("disk on fire")
	}
	a, ok := m.agents[agent]
	if !ok {
		return a, &ecp.Error{Code: ecp.CodeNotFound, Message: "no such agent"}
	}
	return a, nil
}

func (m *fakeManager) List(ctx context.Context, _ ecp.ID) (out []ecp.AgentInfo, _ error) {
	if _, ok := ecp.ActorFrom(ctx); !ok {
		return nil, ecp.ErrDenied
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.agents {
		out = append(out, ecp.AgentInfo{AgentRecord: a})
	}
	return out, nil
}

func (m *fakeManager) Note(_ context.Context, agent ecp.AgentID, n ecp.AgentNote) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	a := m.agents[agent]
	if n.Node != "" {
		a.Node = n.Node
	}
	if n.Hostname != "" {
		a.Hostname = n.Hostname
	}
	m.agents[agent] = a
	m.notes = append(m.notes, n)
	return nil
}

func (m *fakeManager) Cluster(ecp.ID) ecp.Cluster { return fakeCluster{} }

type fakeCluster struct{ ecp.Cluster }

func (fakeCluster) Get(context.Context) (ecp.Info, error) {
	return ecp.Info{ClusterRecord: ecp.ClusterRecord{Name: "meters"}}, nil
}

const testCluster ecp.ID = "emqx-00000001"

// rig is a hub between both fakes, in a bubble of synctest.
type rig struct {
	t       *testing.T
	hub     *Hub
	server  *fakeServer
	manager *fakeManager

	mu    sync.Mutex
	woken int // guarded by mu
}

// inBubble runs a test with a hub that works, and ends it.
func inBubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, hub: newHub(Config{Name: "ecp"}),
			manager: &fakeManager{agents: map[ecp.AgentID]ecp.AgentRecord{}}}
		r.server = &fakeServer{hub: r.hub, live: map[string]*fakeConnection{}, mute: map[string]bool{},
			refused: map[string][]agentproto.Refusal{}}
		r.hub.server = r.server
		r.hub.bind(r.manager)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { _ = r.hub.Run(ctx) })
		group.Go(func() {
			_ = r.hub.Watch(ctx, func(ecp.ID) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.woken++
			})
		})
		synctest.Wait()
		test(r)
		cancel()
		group.Wait()
	})
}

// wakes returns how often the Manager was woken since it was asked last.
func (r *rig) wakes() int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.woken
	r.woken = 0
	return n
}

// register makes an agent, with the node that it was recorded to be beside.
func (r *rig) register(agent ecp.AgentID, node string) {
	r.manager.mu.Lock()
	defer r.manager.mu.Unlock()
	r.manager.agents[agent] = ecp.AgentRecord{ID: agent, Cluster: testCluster, PublicKey: make([]byte, 32), Node: node,
		Hostname: "host-" + string(agent)}
}

// connect lets an agent come.
func (r *rig) connect(agent ecp.AgentID) {
	r.t.Helper()
	_, err := r.hub.PublicKey(r.t.Context(), string(agent))
	require.NoError(r.t, err)
	c := &fakeConnection{
		info: agentproto.Connection{Agent: string(agent), Instance: "i" + string(agent),
			Carrier: agentproto.CarrierDirect,
			Remote:  "192.0.2.1:5", Since: time.Now(), Hello: agentproto.Hello{Hostname: "host-" + string(agent),
				Time: time.Now()}},
		reports: make(chan agentproto.Report, 1), gone: make(chan struct{}),
	}
	r.server.mu.Lock()
	r.server.live[string(agent)] = c
	r.server.mu.Unlock()
	r.hub.Connected(c.info)
	synctest.Wait()
}

// report lets an agent say something, and waits until that was considered; false =
// its connection is gone.
func (r *rig) report(agent ecp.AgentID, report agentproto.Report) bool {
	r.server.mu.Lock()
	c := r.server.live[string(agent)]
	r.server.mu.Unlock()
	if c == nil {
		return false
	}
	report.At = time.Now()
	select {
	case c.reports <- report:
		r.hub.Reported(string(agent))
	case <-c.gone:
		return false
	}
	for synctest.Wait(); len(c.reports) > 0; synctest.Wait() { // they are paced
		select {
		case <-time.After(time.Millisecond):
		case <-c.gone:
			return false
		}
	}
	return true
}

// says is a complete report of a node that sees members.
func says(node string, members ...string) agentproto.Report {
	r := agentproto.Report{Node: node, Version: "5.8.9", Edition: "enterprise", Dashboard: true}
	for _, m := range members {
		r.Members = append(r.Members, agentproto.Member{Name: m, Status: agentproto.MemberRunning})
	}
	return r
}

// fails is a report of a broker that does not answer as it should.
func fails(node string, code agentproto.ErrorCode) agentproto.Report {
	return agentproto.Report{Node: node, Errors: []agentproto.ReportError{{Stage: agentproto.StageNodeConnect,
		Code:    code,
		Message: "the broker says no"}}}
}

// seen is what the hub shows of an agent.
func (r *rig) seen(agent ecp.AgentID) ecp.AgentObservation {
	r.t.Helper()
	synctest.Wait()
	all := r.hub.Observe(testCluster).Agents
	i := slices.IndexFunc(all, func(a ecp.AgentObservation) bool { return a.Agent == agent })
	require.GreaterOrEqual(r.t, i, 0, "%s is not seen", agent)
	return all[i]
}

// leads returns which agent the way to a node leads by; empty means there is none, with
// the reason.
func (r *rig) leads(node string) (agent, why string) {
	e, err := r.hub.Endpoint(r.t.Context(), testCluster, node)
	if err != nil {
		require.ErrorIs(r.t, err, ecp.ErrUnavailable)
		return "", ecp.MessageOf(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, e.BaseURL, nil)
	require.NoError(r.t, err)
	res, err := e.Transport.RoundTrip(req)
	require.NoError(r.t, err)
	_ = res.Body.Close()
	require.Equal(r.t, string(agentproto.HostAPI), res.Header.Get("Host"))
	return res.Header.Get("Agent"), ""
}

// refusals returns the codes with which an agent was sent away.
func (r *rig) refusals(agent ecp.AgentID) (codes []agentproto.RefusalCode) {
	synctest.Wait()
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	for _, refusal := range r.server.refused[string(agent)] {
		codes = append(codes, refusal.Code)
	}
	return codes
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// Logs is what the test has set.
func (s *fakeServer) Logs(_ context.Context, agent string, q agentproto.LogQuery) iter.Seq2[agentproto.LogLine, error] {
	return s.logs(agent, q)
}
