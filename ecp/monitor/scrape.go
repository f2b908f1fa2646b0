package monitor

import (
	"context"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// ScrapeTarget is one place of a cluster where its broker's metrics are read, for
// whoever scrapes a fleet. All targets of a fleet together give the metrics of every
// node once.
type ScrapeTarget struct {
	Cluster ecp.ID
	Name    string // of the cluster
	Project string // org/project
	Mode    ecp.Mode
	State   ecp.State
	Version string // of EMQX; empty = nothing has told it yet
	// Node is the EMQX name of the one node whose metrics are there, for
	// [Monitor.WriteNodeMetrics]. Where it is empty, they are those that
	// [Monitor.WriteMetrics] writes for [ecp.MetricsOfNodes].
	Node string
}

// unscraped are the states in which no broker is meant to answer: a target there
// would only look like a failure.
var unscraped = map[ecp.Mode][]ecp.State{
	ecp.Hosted:  {ecp.Creating, ecp.Starting, ecp.Stopping, ecp.Stopped, ecp.Nonexistent},
	ecp.Adopted: {ecp.Created, ecp.Registering, ecp.Deleting},
}

// ScrapeTargets lists where the metrics of the clusters are that the actor may
// read, in the order of their ids and of their nodes' names. An EMQX 5 tells those
// of all its nodes in one place; of an EMQX 4, each node knows only itself: there is
// a target for each node that can be reached, which of an adopted cluster is each
// with an agent beside it. Clusters stay in the list while they do not answer:
// scraping them then fails, which is how Prometheus notices. Those of which no
// broker is meant to run, such as stopped ones, are left out. It asks nobody. Of o
// only the filters count.
func (m *Monitor) ScrapeTargets(ctx context.Context, o ecp.ListOptions) ([]ScrapeTarget, error) {
	const op = "list targets for Prometheus"
	actor, err := ecp.Authorize(ctx, op, ecp.RightRead, "")
	if err != nil {
		return nil, err
	}
	all, err := m.observed.Order(ctx, ecp.SortID)
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	out := make([]ScrapeTarget, 0, len(all))
	seen := observed.Filter(o, actor)
	for _, l := range all {
		if !serving(l) || !seen(l) {
			continue
		}
		t := ScrapeTarget{Cluster: l.ID, Name: l.Name, Project: l.Project, Mode: l.Mode, State: l.State,
			Version: l.Version}
		nodes := m.scrapedNodes(l)
		if len(nodes) == 0 {
			out = append(out, t)
		}
		for _, t.Node = range nodes {
			out = append(out, t)
		}
	}
	return out, nil
}

// scrapedNodes returns the nodes of a cluster that have to be scraped one by one;
// none where all of them are in one place, or are not known.
func (m *Monitor) scrapedNodes(l *observed.Entry) (nodes []string) {
	if v, _ := ecp.ParseVersion(l.Version); v.Major != 4 {
		return nil
	}
	if l.Mode == ecp.Adopted {
		for _, a := range m.observed.Observe(l.ID).Agents {
			if a.Report != nil && a.Report.Node != "" && a.Mismatch == "" && a.Conflict == "" {
				nodes = append(nodes, a.Report.Node)
			}
		}
	} else {
		snap, _ := m.observed.Last(l.ID)
		for _, n := range snap.Found.Nodes {
			if !n.Terminating {
				nodes = append(nodes, n.Name)
			}
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}
