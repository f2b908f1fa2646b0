package monitor

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Overview sums up the clusters that the actor may read, of one project or, where
// project is empty, of all. It asks no broker: what brokers have to tell is gathered
// beside it, at a bounded rate, while somebody looks, and comes with its age. Not
// found where there is no such project for the actor.
func (m *Monitor) Overview(ctx context.Context, project string) (Overview, error) {
	const op = "sum up clusters"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return Overview{}, err
	}
	if project != "" {
		if _, err := m.directory.Project(ctx, project); err != nil {
			return Overview{}, fault.Wrap(op, err)
		}
	}
	all, err := m.observed.Order(ctx, ecp.SortID)
	if err != nil {
		return Overview{}, fault.Wrap(op, err)
	}
	now := m.observed.Now()
	seen := observed.Filter(ecp.ListOptions{Project: project}, actor)
	figures := make([]clusterFigures, 0, len(all))
	projects := map[string]bool{}
	for _, l := range all {
		if seen(l) {
			projects[l.Project] = true
			figures = append(figures, m.figuresOf(l, now))
		}
	}
	m.surveys.fill(figures)
	m.surveys.want(projects, m.observed.Tick())
	return summarize(now.UTC(), figures), nil
}

// figuresOf returns what is known of a cluster without asking anybody.
func (m *Monitor) figuresOf(l *observed.Entry, now time.Time) clusterFigures {
	c := clusterFigures{
		id: l.ID, name: l.Name, mode: l.Mode, state: l.State, version: l.Version, stale: l.Stale, booked: l.Connections,
		serves: serving(l),
	}
	if l.Mode == ecp.Adopted {
		c.takeAgents(m.observed.Observe(l.ID).Agents, now, m.observed.Timings.ReportStale)
		return c
	}
	c.nodes = l.Nodes
	snap, at, said := m.observed.LastBrokers(l.ID)
	if snap.Unseen != "" {
		return c
	}
	for _, n := range snap.Found.Nodes {
		c.running += derive.OneIf(n.Ready)
	}
	if c.seen, c.seenAt = len(snap.Views) > 0, at; c.seen {
		for _, n := range said {
			c.live += n.Connections
		}
	}
	return c
}

// takeAgents counts agents, and the nodes that their reports tell of: each once, and
// as the report has it that says it runs.
func (c *clusterFigures) takeAgents(agents []ecp.AgentObservation, now time.Time, stale time.Duration) {
	type node struct {
		name string
		runs bool
		live int
	}
	var nodes []node
	for i := range agents {
		a := &agents[i]
		c.connected += derive.OneIf(a.Connected)
		c.away += derive.OneIf(!a.Connected)
		if a.Report == nil || a.Mismatch != "" || a.Conflict != "" {
			continue
		}
		fresh := a.Connected && now.Before(a.Report.At.Add(stale)) && len(a.Report.Description.Nodes) > 0
		if fresh && (!c.seen || a.Report.At.After(c.seenAt)) {
			c.seen, c.seenAt = true, a.Report.At
		}
	members:
		for _, n := range a.Report.Description.Nodes {
			runs := fresh && n.Status == ecp.NodeRunning
			for j := range nodes {
				if nodes[j].name == n.Name {
					if runs && !nodes[j].runs {
						nodes[j] = node{n.Name, true, n.Connections}
					}
					continue members
				}
			}
			seen := node{name: n.Name, runs: runs}
			if runs {
				seen.live = n.Connections
			}
			nodes = append(nodes, seen)
		}
	}
	for _, n := range nodes {
		c.nodes++
		c.running += derive.OneIf(n.runs)
		c.live += n.live
	}
}
