package observed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// Query is one question of a user to a cluster's own broker.
type Query struct {
	Op      string // in words, e.g. "read traffic of emqx-0a1b2c3d"
	ID      ecp.ID
	Feature ecp.Feature // that it is part of
	Out     *Stream     // that the answer is written to as it comes; nil means it comes at once
	Node    string      // EMQX name of the one that has to answer; empty means any may
}

// QueryBroker lets a node of a cluster answer: one after the other, the likeliest
// first, until one does. Another node is asked where one cannot be reached or
// answers what makes no sense; where it refuses, all would.
func QueryBroker[I, R any](ctx context.Context, m *Clusters, q Query,
	question func(context.Context, I) (R, error)) (answer R, err error) {
	rec, err := m.LoadReadable(ctx, q.Op, ecp.RightRead, q.ID)
	if err != nil {
		return answer, err
	}
	version, nodes, err := m.queryable(rec, q)
	if err == nil && q.Node != "" {
		nodes, err = []string{q.Node}, m.hasNode(rec, q)
	}
	if err != nil {
		return answer, err
	}
	bounded, end := q.WithTimeout(ctx, QueryTimeout)
	defer end()
	actor, _ := ecp.ActorFrom(ctx)
	if err := m.Queries.Acquire(bounded, q.ID, actor); err != nil {
		return answer, q.TimeoutError(ctx, "too many questions to this cluster are under way; ask again in a moment",
			err)
	}
	defer m.Queries.Release(q.ID, actor)
	var told NodeErrors
	for _, node := range nodes {
		if bounded.Err() != nil {
			told.Add(node, ecp.NewError(ecp.CodeUnavailable, "", "was not asked, the time was over"))
			continue
		}
		answer, err = QueryNode(bounded, m, q, rec, version, node, nodes, question)
		if err == nil {
			m.noteAnswer(rec, node, true)
			return answer, nil
		}
		if ctx.Err() != nil {
			return answer, q.TimeoutError(ctx, "", err)
		}
		told.Add(node, err)
		if IsFinal(err) || q.Out.begun() {
			return answer, q.refusedBy(rec, node, err)
		}
		m.noteAnswer(rec, node, false)
		if ecp.CodeOf(err) == ecp.CodeInternal {
			m.Log.WarnContext(ctx, "broker gave no answer that makes sense", "cluster", q.ID, "node", node,
				ecp.ErrorAttr(err))
		}
	}
	return answer, &ecp.Error{Code: ecp.CodeUnavailable, Op: q.Op, Message: "no node gives an answer: " + told.String(),
		Cause: errors.Join(told.Causes...)}
}

// QueryNode asks one node. The names of all let it tell of the others while one
// of them hangs.
func QueryNode[I, R any](ctx context.Context, m *Clusters, q Query, rec ecp.ClusterRecord, version, node string,
	all []string, question func(context.Context, I) (R, error)) (answer R, err error) {
	ctx, end := q.WithTimeout(ctx, nodeTimeout)
	defer end()
	m.Counters.Queries.Add(1)
	endpoint, err := m.brokerEndpoint(ctx, rec, node)
	if err != nil {
		return answer, inTime(ctx, err)
	}
	adapter, err := m.adapterAt(ctx, endpoint, version)
	if err != nil {
		return answer, inTime(ctx, err)
	}
	if node != "" && len(endpoint.Nodes) == 0 {
		endpoint.Nodes = all
	}
	broker, err := adapter.Open(endpoint)
	if err != nil {
		return answer, err
	}
	defer broker.Close()
	able, ok := broker.(I)
	if !ok {
		return answer, ecp.NewError(ecp.CodeUnsupported, "",
			fmt.Sprintf("the adapter for EMQX %d in this build has no such question", adapter.Major()))
	}
	answer, err = question(ctx, able)
	return answer, inTime(ctx, err)
}

// adapterAt returns the adapter for a version; empty means that of whatever answers, as
// with a cluster of somebody else's that has not been reported on yet.
func (m *Clusters) adapterAt(ctx context.Context, e ecp.Endpoint, version string) (ecp.Adapter, error) {
	adapter := m.AdapterFor(version)
	if version == "" {
		var all []ecp.Adapter
		for _, major := range slices.Sorted(maps.Keys(m.Adapters)) {
			all = append(all, m.Adapters[major])
		}
		found, err := ecp.Detect(ctx, e, all...)
		if err != nil {
			return nil, err
		}
		adapter, version = m.adapterOf(found.Major), strconv.Itoa(found.Major)
	}
	if adapter == nil {
		return nil, ecp.NewError(ecp.CodeUnsupported, "",
			"it is EMQX "+version+", and this program has no adapter for that major version")
	}
	return adapter, nil
}

// queryable returns the version that is asked, empty means not known yet, and the nodes;
// the error says why nobody can be asked.
func (m *Clusters) queryable(rec ecp.ClusterRecord, q Query) (version string, nodes []string, err error) {
	info := m.Info(rec)
	if rec.Mode == ecp.Adopted {
		nodes, err = m.QueryableAgents(rec, q)
		if err != nil {
			return "", nil, err
		}
	}
	for _, f := range info.Features {
		unknown := rec.Mode == ecp.Adopted && info.Version == "" // whatever hinders its agents is for them to say
		if f.Feature == q.Feature && !f.Available && !unknown {
			return "", nil, ecp.NewError(ecp.CodeUnsupported, q.Op, f.Why)
		}
	}
	if rec.Mode == ecp.Adopted {
		return info.Version, nodes, nil
	}
	nodes, ready := m.likeliestNodes(rec)
	if why := whyNotQueryable(rec, ready); why != "" {
		return "", nil, ecp.NewError(ecp.CodeConflict, q.Op,
			fmt.Sprintf("the cluster is %s: %s", rec.Status.State, why))
	}
	return info.Version, nodes, nil
}

// hasNode returns an error unless the node that a question is for is one of the
// cluster's, as far as its nodes are known.
func (m *Clusters) hasNode(rec ecp.ClusterRecord, q Query) error {
	known := membersReported(m.Observe(rec.ID).Agents)
	if rec.Mode == ecp.Hosted {
		m.mu.Lock()
		if mem := m.memories[rec.ID]; mem != nil {
			for _, n := range mem.Snapshot.Found.Nodes {
				known = append(known, n.Name)
			}
		}
		m.mu.Unlock()
	}
	if len(known) == 0 || slices.Contains(known, q.Node) {
		return nil
	}
	return ecp.NewError(ecp.CodeNotFound, q.Op,
		fmt.Sprintf("the cluster has no node %q; its nodes are %s", derive.Clip(q.Node, MaxAgentText),
			strings.Join(known, ", ")))
}

// whyNotQueryable returns why a cluster in its state answers nothing, and what to do;
// empty means it may.
func whyNotQueryable(rec ecp.ClusterRecord, ready bool) string {
	upcoming := rec.Status.State == ecp.Creating || rec.Status.State == ecp.Starting
	switch why := noBroker[rec.Status.State]; {
	case rec.Deleting:
		return "it is being deleted"
	case upcoming && ready:
		return ""
	default:
		return why
	}
}

// noBroker are the states in which no node is meant to run, or none does yet.
var noBroker = map[ecp.State]string{
	ecp.Creating:    "no node is ready yet; ask again once it is running",
	ecp.Starting:    "no node is ready yet; ask again once it is running",
	ecp.Stopping:    "its nodes go away; start it to ask it",
	ecp.Stopped:     "no node runs; start it first",
	ecp.Nonexistent: "it was never made; repair it, or delete it",
}

// likeliestNodes returns the names of the nodes to ask, those first that are likeliest to answer:
// who answered the Manager's own last question, then who else is ready; where
// nobody is ready everybody who is not going away. empty means any, where nobody is known.
func (m *Clusters) likeliestNodes(rec ecp.ClusterRecord) (nodes []string, ready bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.memories[rec.ID]
	if mem == nil {
		return []string{""}, false
	}
	var answered, others, rest []string
	for _, n := range mem.Snapshot.Found.Nodes {
		_, told := mem.Snapshot.Views[n.Name]
		switch {
		case n.Terminating:
		case n.Ready && told:
			answered = append(answered, n.Name)
		case n.Ready:
			others = append(others, n.Name)
		default:
			rest = append(rest, n.Name)
		}
	}
	switch up := append(answered, others...); {
	case len(up) > 0:
		return up, true
	case len(rest) > 0:
		return rest, false
	}
	return []string{""}, false
}

// How long a user's question may take: at each node, and in all with the wait
// for a turn.
const (
	nodeTimeout  = 10 * time.Second
	QueryTimeout = 20 * time.Second
)

// errQueryTimeout is why a question to a node was ended.
var errQueryTimeout = errors.New("the time for the question is over")

// WithTimeout bounds a question, or how long its answer may take to begin. The
// function ends it.
func (q Query) WithTimeout(ctx context.Context, d time.Duration) (context.Context, func()) {
	if q.Out == nil {
		return context.WithTimeoutCause(ctx, d, errQueryTimeout)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(d, func() { cancel(errQueryTimeout) })
	q.Out.late = append(q.Out.late, late)
	return ctx, func() {
		late.Stop()
		cancel(nil)
	}
}

// Stream is what an answer is written to that cannot be taken back.
type Stream struct {
	W    io.Writer
	N    int64
	late []*time.Timer // stopped before anything is written
}

// Write writes on.
func (s *Stream) Write(b []byte) (int, error) {
	for _, t := range s.late {
		t.Stop()
	}
	n, err := s.W.Write(b)
	s.N += int64(n)
	return n, err
}

// begun reports whether something was written; nil means never.
func (s *Stream) begun() bool { return s != nil && s.N > 0 }

// inTime says of a question that took too long that it did: to the broker's
// client it was given up.
func inTime(ctx context.Context, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errQueryTimeout) {
		return err
	}
	return &ecp.Error{Code: ecp.CodeUnavailable, Message: "no answer in time", Cause: err}
}
