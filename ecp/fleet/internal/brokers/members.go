package brokers

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// headStart is what the likeliest node gets to answer before the others are
// asked beside it: one that hangs must not hold up what all wait for.
const headStart = time.Second

// membersQuery is one round of questions to the nodes of a cluster.
type membersQuery struct {
	ask     func(ctx context.Context, node string) (ecp.Description, error)
	answers chan nodeAnswer
	open    map[string]bool // asked, not answered yet
	views   map[string][]derive.Member
	found   map[string]ecp.Description
	why     string // the last refusal
}

type nodeAnswer struct {
	node string
	d    ecp.Description
	err  error
}

// queryMembers asks a node, and side by side those that it does not count: they may
// see a cluster of their own. Where it does not answer soon all others are asked.
// The round ends when every node has answered or is counted by one that has. The
// descriptions begin with that of the largest cluster seen; why is the last
// refusal.
func (m *Brokers) queryMembers(ctx context.Context, access ecp.Accessor, adapter ecp.Adapter, v derive.View,
	ready []ecp.NodeObservation) (views map[string][]derive.Member, knows map[string][]string, found []ecp.Description,
	why string) {
	a := membersQuery{
		ask: func(ctx context.Context, node string) (ecp.Description, error) {
			return m.describeThrough(ctx, access, adapter, v, node)
		},
		answers: make(chan nodeAnswer, len(ready)), open: map[string]bool{}, views: map[string][]derive.Member{},
		found: map[string]ecp.Description{},
	}
	nodes := make([]string, len(ready))
	for i, n := range ready {
		nodes[i] = n.Name
	}
	knows = map[string][]string{}
	a.round(ctx, nodes)
	if ctx.Err() != nil {
		return nil, nil, nil, ""
	}
	for _, n := range nodes {
		if d, ok := a.found[n]; ok {
			knows[n] = memberNames(d)
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(x, y ecp.Description) int {
		return cmp.Compare(len(observed.RunningMembers(y)), len(observed.RunningMembers(x)))
	})
	return a.views, knows, found, a.why
}

// round asks, the first node with a head start, and returns when no question is
// under way any more.
func (a *membersQuery) round(ctx context.Context, nodes []string) {
	asks, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	begin := func(node string) {
		a.open[node] = true
		group.Go(func() {
			d, err := a.ask(asks, node)
			a.answers <- nodeAnswer{node, d, err}
		})
	}
	head := time.NewTimer(headStart)
	defer head.Stop()
	begin(nodes[0])
	rest := nodes[1:]
	for a.awaited() {
		select {
		case <-ctx.Done():
			return
		case <-head.C:
		case x := <-a.answers:
			a.take(x)
		}
		for _, n := range rest {
			if !a.counted(n) {
				begin(n)
			}
		}
		rest = nil
	}
}

// awaited reports whether an answer is still to come that would tell more.
func (a *membersQuery) awaited() bool {
	for n := range a.open {
		if !a.counted(n) {
			return true
		}
	}
	return false
}

// counted reports whether a node that answered counts this one.
func (a *membersQuery) counted(node string) bool {
	for _, view := range a.views {
		if derive.HasMember(view, node) {
			return true
		}
	}
	return false
}

func (a *membersQuery) take(x nodeAnswer) {
	delete(a.open, x.node)
	if x.err != nil {
		a.why = ecp.MessageOf(x.err)
		return
	}
	a.views[x.node], a.found[x.node] = observed.RunningMembers(x.d), x.d
}

// byAnswer returns the nodes with those first that answered last time.
func byAnswer(nodes []ecp.NodeObservation, views map[string][]derive.Member) []ecp.NodeObservation {
	out := slices.Clone(nodes)
	slices.SortStableFunc(out, func(x, y ecp.NodeObservation) int {
		_, a := views[x.Name]
		_, b := views[y.Name]
		return cmp.Compare(derive.OneIf(b), derive.OneIf(a))
	})
	return out
}
