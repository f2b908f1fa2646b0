package derive

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

type (
	nodes   = ecp.PlannedNodes
	counted = ecp.PlannedClients
)

func hostedWith(nodes int, power ecp.Power, image string) ecp.ClusterRecord {
	return ecp.ClusterRecord{Mode: ecp.Hosted, Spec: ecp.Spec{Hosted: &ecp.HostedSpec{
		Nodes: nodes, Power: power, Image: image, Connections: 10,
	}}}
}

func TestPlannedNodes(t *testing.T) {
	three := hostedWith(3, ecp.PowerOn, "a")
	off := hostedWith(3, ecp.PowerOff, "a")
	kept := three.Clone()
	kept.Status.KeepOutdated = true
	leaving := hostedWith(1, ecp.PowerOn, "a")
	leaving.Status.Ordinals = 3
	for name, c := range map[string]struct {
		kind          ecp.OperationKind
		before, after ecp.ClusterRecord
		outdated      []int
		want          ecp.PlannedNodes
	}{
		"create":        {ecp.OpCreate, ecp.ClusterRecord{}, three, nil, nodes{Added: []int{0, 1, 2}}},
		"start":         {ecp.OpStart, off, three, nil, nodes{Added: []int{0, 1, 2}}},
		"stop":          {ecp.OpStop, three, off, nil, nodes{Stopped: []int{2, 1, 0}}},
		"stopped twice": {ecp.OpDelete, off, off, nil, nodes{}},
		"more":          {ecp.OpUpdate, three, hostedWith(5, ecp.PowerOn, "a"), nil, nodes{Added: []int{3, 4}}},
		"fewer":         {ecp.OpUpdate, three, hostedWith(1, ecp.PowerOn, "a"), nil, nodes{Removed: []int{2, 1}}},
		"image": {ecp.OpUpdate, three, hostedWith(2, ecp.PowerOn, "b"), nil,
			nodes{Removed: []int{2}, Replaced: []int{1, 0}}},
		"restart":          {ecp.OpRestart, three, three, nil, nodes{Replaced: []int{2, 1, 0}}},
		"repair":           {ecp.OpRepair, three, three, []int{1}, nodes{Replaced: []int{1}}},
		"outdated is kept": {ecp.OpUpdate, three, kept, []int{1}, nodes{}},
		"no node runs":     {ecp.OpUpdate, off, hostedWith(5, ecp.PowerOff, "b"), nil, nodes{}},
		"back to three":    {ecp.OpUpdate, leaving, three, nil, nodes{}},
		"renamed":          {"", three, three, []int{1}, nodes{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := PlannedNodes(c.kind, c.before, c.after, c.outdated)
			for _, list := range [][2][]int{
				{c.want.Replaced, got.Replaced}, {c.want.Added, got.Added},
				{c.want.Removed, got.Removed}, {c.want.Stopped, got.Stopped},
			} {
				require.NotNil(t, list[1])
				require.ElementsMatch(t, list[0], list[1])
			}
		})
	}
}

func TestPlannedClients(t *testing.T) {
	times := ecp.Timings{Notice: 20 * time.Second, Takeover: 10 * time.Second}
	three := map[int]int{0: 100, 1: 200, 2: 300}
	for name, c := range map[string]struct {
		version string
		nodes   ecp.PlannedNodes
		clients map[int]int
		want    ecp.PlannedClients
		takes   time.Duration
	}{
		"stop":  {"5.8.1", nodes{Stopped: []int{2, 1, 0}}, three, counted{Cut: 600}, 0},
		"fewer": {"5.8.1", nodes{Removed: []int{2}}, three, counted{Moved: 300}, 33 * time.Second},
		"all": {"5.8.1", nodes{Replaced: []int{2, 1, 0}}, three, counted{Moved: 600},
			96 * time.Second},
		"the only node": {"5.8.1", nodes{Replaced: []int{0}}, map[int]int{0: 7},
			counted{Cut: 7}, 0},
		"4.4.11": {"4.4.11", nodes{Replaced: []int{1, 0}}, three, counted{Cut: 300}, 0},
		"more":   {"5.8.1", nodes{Added: []int{3}}, three, counted{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, takes := PlannedClients(times, c.version, ecp.Evacuation{Rate: 100}, c.nodes, c.clients, false)
			require.Equal(t, c.want, got)
			require.Equal(t, c.takes, takes)
		})
	}
}
