package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// grove drives the engine of adopted clusters by hand: whatever agents, people,
// clocks and crashes do, what must always hold is checked at every write and after
// every step.
type grove struct {
	*plant
	t      *rapid.T
	stored map[ecp.ID]ecp.ClusterRecord
	ids    []ecp.ID
	keys   map[ecp.AgentID]ecp.ID // that may authenticate, and where
	crash  int                    // the store dies at that boundary; 0 = it does not
	died   bool
	tale   []string
}

var errDied = errors.New("the process died")

func newGrove(t *rapid.T) *grove {
	g := &grove{t: t, stored: map[ecp.ID]ecp.ClusterRecord{}, keys: map[ecp.AgentID]ecp.ID{}}
	g.plant = newPlant(t)
	for _, id := range []ecp.ID{g.id, g.adopt("second", "b/p")} {
		g.ids = append(g.ids, id)
		g.stored[id] = g.rec(id)
	}
	g.s.Wrote = g.wrote
	g.s.Fault = func(bool) error {
		if g.crash > 0 {
			g.crash--
			g.died = g.crash == 0
		}
		if g.died {
			return errDied
		}
		return nil
	}
	return g
}

func (g *grove) say(format string, args ...any) {
	g.tale = append(g.tale, g.now.Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (g *grove) require(ok bool, format string, args ...any) {
	if !ok {
		require.Fail(g.t, fmt.Sprintf(format, args...), "%s", strings.Join(g.tale, "\n"))
	}
}

// wrote checks every write of a cluster: one hop, along the tables.
func (g *grove) wrote(puts []ecp.Record) {
	for _, r := range puts {
		is, ok := r.Payload.(ecp.ClusterRecord)
		if !ok {
			continue
		}
		was := g.stored[is.ID]
		from, to := was.Status.State, is.Status.State
		asked := slices.ContainsFunc(ecp.AdoptedStates.Legal(from),
			func(k ecp.CommandKind) bool { s, _ := ecp.AdoptedStates.Next(from, k); return s == to })
		g.require(from == to || asked || slices.Contains(ecp.AdoptedStates.Edges(from), to), "%s goes from %s to %s",
			is.ID, from, to)
		g.require(!was.Deleting || is.Deleting, "%s is deleted no more", is.ID)
		g.require(!is.Deleting || to == ecp.Deleting || to == ecp.Abnormal || to == ecp.Gone,
			"%s is %s while it is being deleted", is.ID, to)
		g.require(to != ecp.Registering || !is.Status.Deadline.IsZero(), "%s registers for ever", is.ID)
		g.require(to != ecp.Running || !is.Deleting && is.Status.Reason == ecp.ReasonAsExpected, "%s runs: %s", is.ID,
			is.Status.Reason)
		if from != to {
			g.say("  %s %s > %s %s", is.ID, from, to, is.Status.Reason)
		}
		g.stored[is.ID] = is
	}
}

// check holds after every step.
func (g *grove) check() {
	n := 0
	for _, id := range g.ids {
		rec := g.rec(id)
		agents, err := observed.ChildrenOf[ecp.AgentRecord](context.Background(), g.m.observed, id)
		require.NoError(g.t, err)
		if rec.Status.State == ecp.Gone || rec.Deleting {
			g.require(len(agents) == 0, "%s has agents left", id)
			tokens, err := observed.ChildrenOf[ecp.RegistrationToken](context.Background(), g.m.observed, id)
			require.NoError(g.t, err)
			g.require(len(tokens) == 0, "%s has tokens left", id)
		}
		if rec.Status.State == ecp.Gone {
			continue
		}
		n++
		g.require(len(agents) == 0 || rec.Status.State != ecp.Created, "%s is created and has agents", id)
		g.require(len(agents) > 0 || rec.Status.State == ecp.Created || rec.Deleting, "%s is %s without agents", id,
			rec.Status.State)
	}
	g.require(g.pool().UsedClusters == n && g.pool().UsedConnections == 0, "%d clusters, booked are %+v", n, g.pool())
	for _, name := range groveAgents {
		id := ecp.AgentIDOf(keyOf(name))
		a, err := g.m.Agents.Key(context.Background(), id)
		if where, may := g.keys[id]; may {
			g.require(err == nil && a.Cluster == where, "%s cannot authenticate: %v", name, err)
		} else {
			g.require(errors.Is(err, ecp.ErrNotFound), "%s authenticates with a key that was taken away", name)
		}
	}
}

var groveAgents = []string{"x", "y", "z"}

// learnKeys takes up which keys are good after something that may have died before
// or after it was kept.
func (g *grove) learnKeys() {
	clear(g.keys)
	for key, r := range g.s.Records[ecp.KindAgent] {
		g.keys[ecp.AgentID(key)] = r.Payload.(ecp.AgentRecord).Cluster
	}
}

// lost takes up that an agent's key was taken away, where err says that it was.
func (g *grove) lost(agent ecp.AgentID, err error) {
	switch {
	case g.died:
		g.learnKeys()
	case err == nil:
		delete(g.keys, agent)
	}
}

// revive starts the program anew after a crash.
func (g *grove) revive() {
	g.crash, g.died = 0, false
	g.restart()
	g.learnKeys()
	g.say("restart")
}

func (g *grove) passAll() {
	for _, id := range g.ids {
		g.m.reconcile(context.Background(), id)
	}
}

// settled: where nothing happens, nothing is written.
func (g *grove) settled() {
	g.passAll()
	if g.died {
		return
	}
	g.passAll()
	writes := g.s.Writes
	g.passAll()
	g.require(g.s.Writes == writes || g.died, "a pass writes although nothing has happened")
}

func (g *grove) step() {
	id := rapid.SampledFrom(g.ids).Draw(g.t, "cluster")
	name := rapid.SampledFrom(groveAgents).Draw(g.t, "agent")
	agent := ecp.AgentIDOf(keyOf(name))
	what := rapid.SampledFrom([]string{
		"register", "register", "good", "good", "good", "alone", "bad", "bad", "down", "old", "away", "goodbye",
		"conflict", "mismatch",
		"wait", "wait", "long", "back", "restart", "crash", "remove", "unregister", "node", "delete", "force",
		"unheard", "rename", "transfer",
	}).Draw(g.t, "what")
	g.say("%s %s %s", what, id, name)
	g.id = id
	at, good := g.keys[agent]
	mine := good && at == id // only agents of the cluster are shown to it
	nodes := []string{"emqx@" + name}
	for _, other := range groveAgents {
		if other != name && what != "alone" {
			nodes = append(nodes, "emqx@"+other)
		}
	}
	switch what {
	case "register":
		_, secret, err := g.m.Agents.CreateRegistration(asSystem(), id, 0)
		if err == nil {
			_, _ = g.register(secret, name)
		}
		g.learnKeys()
	case "good", "alone":
		if mine {
			g.reports(agent, nodes...)
		}
	case "bad":
		if mine {
			code := rapid.SampledFrom([]string{ecp.AgentFaultAuth, ecp.AgentFaultTimeout}).Draw(g.t, "fault")
			g.show(agent, ecp.AgentReport{
				At:     g.now,
				Errors: []ecp.AgentError{{Stage: ecp.AgentStageNode, Code: code, Message: "x"}},
			})
		}
	case "down", "old":
		if mine {
			r := ecp.AgentReport{
				At:          g.now,
				Node:        nodes[0],
				Description: ecp.Description{Version: map[string]string{"down": "5.8.9", "old": "5.1.0"}[what]},
			}
			r.Description.Nodes = []ecp.BrokerNode{{
				Name:   nodes[0],
				Status: ecp.NodeRunning,
			}, {Name: "emqx@other", Status: ecp.NodeStopped}}
			g.show(agent, r)
		}
	case "away", "goodbye":
		if mine {
			g.away(agent, what == "goodbye")
		}
	case "conflict", "mismatch":
		if seen, ok := g.link.Observe(id).Of(agent); ok && mine {
			seen.Conflict, seen.Mismatch = map[bool]string{
				true: "twice",
			}[what == "conflict"], map[bool]string{true: "others"}[what == "mismatch"]
			g.link.Show(id, seen)
		}
	case "wait":
		g.now = g.now.Add(time.Duration(rapid.IntRange(1, 20_000).Draw(g.t, "ms")) * time.Millisecond)
	case "long":
		g.now = g.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(g.t, "hours")) * time.Hour)
	case "back":
		g.now = g.now.Add(-time.Duration(rapid.IntRange(1, 3600).Draw(g.t, "seconds")) * time.Second)
	case "restart":
		g.revive()
	case "crash":
		g.crash = rapid.IntRange(1, 8).Draw(g.t, "boundary")
	case "remove":
		g.lost(agent, g.m.Agents.Remove(asSystem(), id, agent))
	case "unregister":
		g.lost(agent, g.m.Agents.Unregister(context.Background(), agent))
	case "node":
		_ = g.m.Agents.Note(context.Background(), agent,
			ecp.AgentNote{Node: "emqx@" + rapid.SampledFrom(groveAgents).Draw(g.t, "node"), Seen: g.now})
	case "delete", "force":
		if rapid.IntRange(0, 3).Draw(g.t, "really") == 0 {
			_, _ = g.m.Cluster(id).Do(asSystem(), ecp.Delete{Force: what == "force"})
			g.learnKeys()
		}
	case "unheard":
		g.link.unheard = map[string]string{"": "no listener"}[g.link.unheard]
	case "rename":
		text := rapid.SampledFrom(groveAgents).Draw(g.t, "text")
		_, _ = g.m.Cluster(id).Do(asSystem(), ecp.Update{Description: &text})
	case "transfer":
		_, _ = g.m.Cluster(id).Do(asSystem(),
			ecp.Transfer{Project: rapid.SampledFrom([]string{"a/p", "a/q", "b/p"}).Draw(g.t, "project")})
	}
	g.settled()
	if g.died {
		g.revive()
		g.settled()
	}
	g.learnForgotten()
	g.check()
}

// learnForgotten takes up agents that were forgotten because of their age: that
// takes a key away as well.
func (g *grove) learnForgotten() {
	for id := range g.keys {
		if _, there := g.s.Records[ecp.KindAgent][string(id)]; !there {
			delete(g.keys, id)
		}
	}
}

// TestAdoptedInvariants: whatever happens in whatever order, clusters move along
// the tables, keys that were taken away are worth nothing, the ledger is exact, and
// a deletion ends.
func TestAdoptedInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGrove(t)
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			g.step()
		}
		g.crash = 0
		for _, id := range g.ids {
			if g.rec(id).Status.State != ecp.Gone {
				_, err := g.m.Cluster(id).Do(asSystem(), ecp.Delete{})
				require.NoError(t, err)
			}
		}
		g.learnKeys()
		for range 3 {
			g.now = g.now.Add(time.Minute)
			g.passAll()
		}
		g.check()
		for _, id := range g.ids {
			g.require(g.rec(id).Status.State == ecp.Gone, "%s is %s and not gone", id, g.rec(id).Status.State)
		}
		require.Empty(t, g.s.Records[ecp.KindAgent])
		require.Empty(t, g.s.Records[ecp.KindRegistrationToken])
	})
}

// TestAdoptedCrashes: the process dies before or after every write of a life, is
// started again, and who repeats what was asked gets to the same end.
func TestAdoptedCrashes(t *testing.T) {
	boundaries := 0
	for n := 1; ; n++ {
		g := &grove{stored: map[ecp.ID]ecp.ClusterRecord{}, keys: map[ecp.AgentID]ecp.ID{}}
		g.plant = newPlant(t)
		_, secret := g.token(g.id)
		left, passed := n, 0
		g.s.Fault = func(bool) error {
			passed++
			if left--; left == 0 || g.died {
				g.died = true
				return errDied
			}
			return nil
		}
		life := []func() error{
			func() error { _, err := g.register(secret, "x"); return err },
			func() error { g.reports(ecp.AgentIDOf(keyOf("x")), "emqx@x"); g.look(time.Second); return nil },
			func() error { _, err := g.register(secret, "y"); return err },
			func() error {
				if err := g.m.Agents.Remove(asSystem(), g.id,
					ecp.AgentIDOf(keyOf("x"))); !errors.Is(err, ecp.ErrNotFound) {
					return err
				}
				return nil // it went before the crash
			},
			func() error { g.away(ecp.AgentIDOf(keyOf("y")), true); g.look(10 * time.Second); return nil },
			func() error { _, err := g.m.Cluster(g.id).Do(asSystem(), ecp.Delete{}); return ignoreGone(err) },
			func() error { g.look(0); g.look(time.Minute); return nil },
		}
		crashed := false
		for _, step := range life {
			err := step()
			if g.died {
				crashed, g.died = true, false
				g.restart()
				err = step()
			}
			require.NoError(t, err, "boundary %d", n)
		}
		g.look(time.Minute)
		require.Equal(t, ecp.Gone, g.rec(g.id).Status.State, "boundary %d", n)
		require.Empty(t, g.s.Records[ecp.KindAgent], "boundary %d", n)
		require.Empty(t, g.s.Records[ecp.KindRegistrationToken], "boundary %d", n)
		require.Zero(t, g.pool().UsedClusters, "boundary %d", n)
		if !crashed {
			break
		}
		boundaries = n
	}
	require.GreaterOrEqual(t, boundaries, 12)
}

func ignoreGone(err error) error {
	if errors.Is(err, ecp.ErrNotFound) {
		return nil
	}
	return err
}
