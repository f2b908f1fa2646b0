package emqxsim_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/emqxsim"
)

// world is a cluster with what a test knows of it.
type world struct {
	k       *clock
	c       *emqxsim.Cluster
	twin    *emqxsim.Cluster // gets the same, but is never looked at in between
	down    map[string]bool
	evac    map[string]bool
	clients map[string]emqxsim.Clients
	limit   int
	counts  bool // sessions, not connections
}

var worldNodes = []string{"emqx@a", "emqx@b", "emqx@c"}

func newWorld(rt *rapid.T) *world {
	w := &world{k: newClock(), down: map[string]bool{}, evac: map[string]bool{}, clients: map[string]emqxsim.Clients{}}
	version := rapid.SampledFrom([]string{"5.6.1", "5.8.4", "5.8.9"}).Draw(rt, "version")
	w.limit = rapid.SampledFrom([]int{10, 25, 100, 1000}).Draw(rt, "limit")
	w.counts = version == "5.8.9"
	cfg := emqxsim.ClusterConfig{Version: version, Limit: w.limit, Now: w.k.Now, BootTime: 3 * time.Second}
	if rapid.Bool().Draw(rt, "slow") {
		cfg.Pace = emqxsim.Pace{Split: 45 * time.Second, Heal: 20 * time.Second}
	}
	w.c, w.twin = emqxsim.NewCluster(cfg), emqxsim.NewCluster(cfg)
	w.both(func(c *emqxsim.Cluster) {
		for _, n := range worldNodes {
			c.Join(n)
		}
	})
	w.k.advance(3 * time.Second)
	return w
}

func (w *world) both(do func(c *emqxsim.Cluster)) {
	do(w.c)
	do(w.twin)
}

func (w *world) onNode(rt *rapid.T, do func(n *emqxsim.Node)) string {
	name := rapid.SampledFrom(worldNodes).Draw(rt, "node")
	w.both(func(c *emqxsim.Cluster) { do(c.Node(name)) })
	return name
}

func (w *world) group(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"g1", "g2", "g3"}).Draw(rt, "group")
}

// ceiling is the most the license lets in.
func (w *world) ceiling() int {
	if w.counts && w.limit <= 25 {
		return w.limit
	}
	return w.limit + w.limit/10
}

// TestInvariants: whatever happens to the nodes, no client is on one that is
// down, none is lost or doubled, the license holds, and when something is looked
// at changes nothing.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"clients": func(rt *rapid.T) {
				g := emqxsim.Clients{
					Name: w.group(rt), Count: rapid.IntRange(0, 60).Draw(rt, "count"),
					Persistent: rapid.Bool().Draw(rt, "persistent"),
					Subscribe:  []string{"t/#", "own/%c"}, Topic: "t/1", Rate: 0.5,
				}
				w.clients[g.Name] = g
				w.both(func(c *emqxsim.Cluster) { c.AddClients(g) })
			},
			"leave alone": func(rt *rapid.T) {
				w.k.advance(time.Duration(rapid.IntRange(0, 200_000).Draw(rt, "ms")) * time.Millisecond)
			},
			"disconnect": func(rt *rapid.T) {
				g, n := w.group(rt), rapid.IntRange(0, 40).Draw(rt, "n")
				w.both(func(c *emqxsim.Cluster) { c.Disconnect(g, n) })
			},
			"reconnect": func(rt *rapid.T) {
				g, n := w.group(rt), rapid.IntRange(0, 40).Draw(rt, "n")
				w.both(func(c *emqxsim.Cluster) { c.Reconnect(g, n) })
			},
			"kill": func(rt *rapid.T) { w.down[w.onNode(rt, (*emqxsim.Node).Kill)] = true },
			"revive": func(rt *rapid.T) {
				name := rapid.SampledFrom(worldNodes).Draw(rt, "node")
				if w.down[name] {
					w.both(func(c *emqxsim.Cluster) { c.Node(name).Revive() })
					w.down[name] = false
				}
			},
			"evacuate": func(rt *rapid.T) {
				rate := rapid.IntRange(1, 50).Draw(rt, "rate")
				name := rapid.SampledFrom(worldNodes).Draw(rt, "node")
				if !w.evac[name] && !w.down[name] {
					w.evac[name] = true
					w.both(func(c *emqxsim.Cluster) {
						c.Node(name).StartEvacuation(rate, rate, 2*time.Second,
							time.Second)
					})
				}
			},
			"stop evacuation": func(rt *rapid.T) { w.evac[w.onNode(rt, (*emqxsim.Node).StopEvacuation)] = false },
			"listener": func(rt *rapid.T) {
				limit, enable := rapid.IntRange(0, 20).Draw(rt, "max"), rapid.Bool().Draw(rt, "enable")
				w.both(func(c *emqxsim.Cluster) { c.SetListener("tcp:default", limit, enable) })
			},
			"split": func(rt *rapid.T) {
				name := rapid.SampledFrom(worldNodes).Draw(rt, "node")
				w.both(func(c *emqxsim.Cluster) { c.Partition([]string{name}) })
			},
			"heal": func(*rapid.T) { w.both(func(c *emqxsim.Cluster) { c.Partition() }) },
			"":     w.check,
		})
		w.settle(rt)
	})
}

func (w *world) check(rt *rapid.T) {
	u := w.c.Usage()
	total := 0
	for _, g := range w.clients {
		total += g.Count
	}
	require.Equal(rt, total, u.Clients)
	require.LessOrEqual(rt, u.Connected+u.Waiting, total)
	require.LessOrEqual(rt, u.Connected, w.ceiling(), "license")
	require.LessOrEqual(rt, u.Sessions, total, "nobody has two sessions")
	if w.counts {
		require.LessOrEqual(rt, u.Sessions, w.ceiling(), "license of sessions")
	}
	for name, n := range u.Nodes {
		require.GreaterOrEqual(rt, n.Sessions, n.Connected)
		if w.down[name] {
			require.Equal(rt, emqxsim.NodeUsage{}, n, "%s is down", name)
		}
	}
	require.Equal(rt, u, w.c.Usage(), "the same clock, the same answers")
}

// settle mends everything: then each evacuated node is empty, and all clients
// the license lets in are back, those apart that were sent away.
func (w *world) settle(rt *rapid.T) {
	free := slices.DeleteFunc(slices.Clone(worldNodes), func(n string) bool { return w.evac[n] })
	w.both(func(c *emqxsim.Cluster) {
		c.SetListener("tcp:default", 0, true)
		c.Partition()
		for name, down := range w.down {
			if down {
				c.Node(name).Revive()
			}
		}
	})
	clear(w.down)
	w.k.advance(20 * time.Second) // the smaller side of a split restarts
	lost := w.c.Usage().Lost
	for range 40 {
		w.k.advance(10 * time.Second)
		w.check(rt)
	}
	u := w.c.Usage()
	require.Equal(rt, lost, u.Lost, "sessions end with nodes only")
	require.Equal(rt, u, w.twin.Usage(), "looking changes nothing")
	require.Equal(rt, w.c.Refused(), w.twin.Refused())
	if len(free) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(w.evac)) {
		if w.evac[name] {
			require.Equal(rt, emqxsim.NodeUsage{}, u.Nodes[name], "%s is evacuated", name)
			state := call(rt, w.c.Node(name), "GET", "/load_rebalance/status", "").o["state"]
			require.Equal(rt, "prohibiting", state)
		}
	}
	if u.Waiting > 0 {
		used := u.Connected
		if w.counts {
			used = u.Sessions
		}
		require.GreaterOrEqual(rt, used, w.ceiling(), "only the license keeps clients out: %+v", u)
	}
	w.checkAlarms(rt)
}

// checkAlarms: the quota's alarm is on every node or on none.
func (w *world) checkAlarms(rt *rapid.T) {
	u := w.c.Usage()
	used := u.Connected
	if w.counts {
		used = u.Sessions
	}
	a := call(rt, w.c.Node("emqx@a"), "GET", "/alarms", "")
	count := int(a.o["meta"].(map[string]any)["count"].(float64))
	switch {
	case used*100 >= 80*w.limit:
		require.Equal(rt, 3, count, a.body)
	case used*100 < 75*w.limit:
		require.Zero(rt, count, a.body)
	}
}
