package fleet

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// FakeLink is a Link whose agents are what a test says. The zero value has none,
// and could have heard them for a year.
type FakeLink struct {
	mu      sync.Mutex
	since   time.Time
	unheard string
	of      map[ecp.ID][]ecp.AgentObservation
	wake    func(ecp.ID)
	dropped []ecp.AgentID
	all     []ecp.ID // dropped as a whole

	// API and Pages are what leads to the broker and to its dashboard.
	API, Pages func(node string) (ecp.Endpoint, error)
	// Files are the logs beside agents.
	Files func(ctx context.Context, agent ecp.AgentID, q ecp.AgentLogQuery) iter.Seq2[ecp.AgentLogLine, error]
	// Kept is what agents have kept of the broker's figures.
	Kept func(since time.Time) ([][]ecp.AgentSample, error)
}

// Samples tells what was Kept.
func (l *FakeLink) Samples(_ context.Context, _ ecp.ID, since time.Time) ([][]ecp.AgentSample, error) {
	if l.Kept == nil {
		return nil, ecp.NewError(ecp.CodeUnsupported, "", "no samples")
	}
	return l.Kept(since)
}

// Read reads Files.
func (l *FakeLink) Logs(
	ctx context.Context, _ ecp.ID, agent ecp.AgentID, q ecp.AgentLogQuery,
) iter.Seq2[ecp.AgentLogLine, error] {
	if l.Files == nil {
		return func(yield func(ecp.AgentLogLine, error) bool) {
			yield(ecp.AgentLogLine{}, ecp.NewError(ecp.CodeUnsupported, "", "no files"))
		}
	}
	return l.Files(ctx, agent, q)
}

// Observe tells what the test has said.
func (l *FakeLink) Observe(id ecp.ID) ecp.AgentsObservation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ecp.AgentsObservation{Since: l.since, Unheard: l.unheard, Agents: slices.Clone(l.of[id])}
}

// Watch waits for ctx.
func (l *FakeLink) Watch(ctx context.Context, wake func(ecp.ID)) error {
	l.mu.Lock()
	l.wake = wake
	l.mu.Unlock()
	<-ctx.Done()
	return nil
}

// Endpoint leads to API.
func (l *FakeLink) Endpoint(_ context.Context, _ ecp.ID, node string) (ecp.Endpoint, error) {
	if l.API == nil {
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnavailable, "", observed.NoAgentConnected)
	}
	return l.API(node)
}

// Dashboard leads to Pages.
func (l *FakeLink) Dashboard(_ context.Context, _ ecp.ID, node string) (ecp.Endpoint, error) {
	if l.Pages == nil {
		return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnavailable, "", observed.NoAgentConnected)
	}
	return l.Pages(node)
}

// Drop forgets agents.
func (l *FakeLink) Drop(id ecp.ID, agents ...ecp.AgentID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(agents) == 0 {
		l.all = append(l.all, id)
		delete(l.of, id)
		return
	}
	l.dropped = append(l.dropped, agents...)
	if l.of == nil {
		return
	}
	l.of[id] = slices.DeleteFunc(l.of[id],
		func(a ecp.AgentObservation) bool { return slices.Contains(agents, a.Agent) })
}

// Show lets an agent of a cluster be seen so, and wakes the cluster.
func (l *FakeLink) Show(id ecp.ID, a ecp.AgentObservation) {
	l.mu.Lock()
	if l.of == nil {
		l.of = map[ecp.ID][]ecp.AgentObservation{}
	}
	l.of[id] = slices.DeleteFunc(l.of[id], func(b ecp.AgentObservation) bool { return b.Agent == a.Agent })
	l.of[id] = append(l.of[id], a)
	wake := l.wake
	l.mu.Unlock()
	if wake != nil {
		wake(id)
	}
}
