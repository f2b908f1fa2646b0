package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// drill is one command from a state to another, to be crashed at every point.
type drill struct {
	kind  ecp.OperationKind
	first []ecp.Command // what is done before, without a crash; nil = there is no cluster yet
	cmd   ecp.Command   // nil = create
	end   ecp.State
	tale  string // the states shown in all
}

var drills = []drill{
	{kind: ecp.OpCreate, first: nil, cmd: nil, end: ecp.Running, tale: "creating running"},
	{
		kind:  ecp.OpStop,
		first: []ecp.Command{ecp.Start{}},
		cmd:   ecp.Stop{},
		end:   ecp.Stopped,
		tale:  "creating running stopping stopped",
	},
	{
		kind:  ecp.OpStart,
		first: []ecp.Command{ecp.Stop{}},
		cmd:   ecp.Start{},
		end:   ecp.Running,
		tale:  "creating running stopping stopped starting running",
	},
	{
		kind:  ecp.OpUpdate,
		first: []ecp.Command{ecp.Start{}},
		cmd:   ecp.Update{Patch: []byte(`{"connections":25}`)},
		end:   ecp.Running,
		tale:  "creating running updating syncing running",
	},
	{
		kind:  ecp.OpDelete,
		first: []ecp.Command{ecp.Start{}},
		cmd:   ecp.Delete{},
		end:   ecp.Gone,
		tale:  "creating running stopping stopped gone",
	},
}

// stores are what a drill is run on. A look writes nothing: on the durable
// store, which takes its time, the crashes around one are left out.
var stores = []struct {
	name string
	skip []string
	open func(t *testing.T) ecp.Store
}{
	{"memstore", nil, func(*testing.T) ecp.Store { return memstore.New() }},
	{"sqlstore", []string{ecptest.BeforeObserve, ecptest.AfterObserve}, openSQL},
}

func openSQL(t *testing.T) ecp.Store {
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: t.TempDir(), Kinds: fleet.Kinds()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Crash at every point, start again, and it ends as without.
func TestCrashAnywhere(t *testing.T) {
	for _, store := range stores {
		for _, d := range drills {
			t.Run(store.name+"/"+string(d.kind), func(t *testing.T) {
				t.Parallel()
				var points []string
				inDrill(t, store.open, d, func(r *crashRig) { points = r.whole() })
				require.Contains(t, points, ecptest.AfterWrite)
				require.Contains(t, points, ecptest.AfterObserve)
				t.Logf("%d points", len(points))
				for n, point := range points {
					if slices.Contains(store.skip, point) {
						continue
					}
					t.Run(fmt.Sprint(n+1, " ", point), func(t *testing.T) {
						inDrill(t, store.open, d, func(r *crashRig) { r.crashedAt(n + 1) })
					})
				}
			})
		}
	}
}

// crashRig is a rig and the drill it is for.
type crashRig struct {
	*rig
	drill
	before ecp.Observation // of the cluster, before the drill
	ops    int
}

func inDrill(t *testing.T, open func(*testing.T) ecp.Store, d drill, test func(*crashRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &crashRig{rig: newRig(t, open(t)), drill: d}
		defer func() { r.stop() }()
		if d.first != nil {
			r.prepare()
		}
		test(r)
	})
}

// prepare brings the cluster to where the drill begins.
func (r *crashRig) prepare() {
	r.run()
	c, op := r.create("a")
	r.ends(op, ecp.PhaseSucceeded)
	for _, cmd := range r.first {
		if op := r.do(c, cmd); op.ID != "" {
			r.ends(op, ecp.PhaseSucceeded)
		}
	}
	r.settled(c)
	r.stop()
	r.before, r.ops = r.found(c), len(r.operations())
}

// whole runs the drill without a crash and gives its points.
func (r *crashRig) whole() []string {
	c := ecptest.NewCrasher()
	require.NoError(r.t, r.life(c))
	points := c.Points()
	r.check(ecp.Observation{})
	return points
}

// crashedAt runs the drill, crashes it at a point, and goes on with another
// process.
func (r *crashRig) crashedAt(n int) {
	c := ecptest.NewCrasher()
	c.Arm(n)
	if err := r.life(c); err != nil {
		require.ErrorIs(r.t, err, ecptest.ErrCrashed)
	}
	var then ecp.Observation
	if rec := r.record(); rec.ID != "" {
		then = r.found(r.m.Cluster(rec.ID))
	}
	r.make(r.store, &r.applied)
	r.run()
	if !r.taken() {
		require.NoError(r.t, r.command(r.m), "whoever asked asks again")
	}
	r.until("the end", r.over, func() any { return r.record().Status })
	r.check(then)
}

// life is one process that carries out the drill, or dies in it.
func (r *crashRig) life(c *ecptest.Crasher) error {
	m, err := r.manager(ecptest.NewFaultyStore(r.store, c), ecptest.NewFaultyProvisioner(&r.applied, c))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	asked := r.command(m)
	for asked == nil && !r.over() && !dead(c) {
		<-time.After(20 * time.Millisecond)
	}
	cancel()
	return errors.Join(asked, <-ended)
}

func dead(c *ecptest.Crasher) bool {
	select {
	case <-c.Crashed():
		return true
	default:
		return false
	}
}

func (r *crashRig) command(m *fleet.Manager) (err error) {
	if r.cmd == nil {
		_, _, err = m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec("emqx-ee-5.8.9", 3)})
		return err
	}
	if rec := r.record(); rec.ID != "" {
		_, err = m.Cluster(rec.ID).Do(asSystem(), r.cmd)
	}
	return err
}

// record reads the cluster behind everybody's back; zero if there is none.
func (r *crashRig) record() (rec ecp.ClusterRecord) {
	r.read(func(tx ecp.Tx) error {
		for c, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			require.NoError(r.t, err)
			require.Empty(r.t, rec.ID, "a second cluster")
			rec = c
		}
		return nil
	})
	return rec
}

func (r *crashRig) operations() (ops []ecp.Operation) {
	r.read(func(tx ecp.Tx) error {
		for o, err := range ecp.List[ecp.Operation](tx, ecp.Query{}) {
			require.NoError(r.t, err)
			ops = append(ops, o)
		}
		return nil
	})
	return ops
}

func (r *crashRig) read(fn func(ecp.Tx) error) {
	require.NoError(r.t, r.store.Read(context.Background(), fn))
}

// taken says whether the command was stored.
func (r *crashRig) taken() bool { return len(r.operations()) > r.ops }

// over says whether the drill has reached its end.
func (r *crashRig) over() bool {
	rec := r.record()
	if r.end == ecp.Gone {
		return rec.ID == "" && r.taken()
	}
	settled := ecp.ConditionOf(rec.Status.Conditions, ecp.CondSettled)
	return r.taken() && rec.Status.State == r.end && settled.Status == ecp.True && settled.Generation == rec.Generation
}

// check holds the end against what it must be. then is what was there when the
// first process died.
func (r *crashRig) check(then ecp.Observation) {
	r.t.Helper()
	<-time.After(time.Minute) // nothing comes after the end
	require.True(r.t, r.over(), "%+v", r.record().Status)
	require.Equal(r.t, r.tale, r.states())
	require.Len(r.t, r.applied.ids, 1, "one cluster was ever made")

	ops := r.operations()
	require.Len(r.t, ops, r.ops+1, "%+v", ops)
	same := 0
	for _, o := range ops {
		require.Equal(r.t, ecp.PhaseSucceeded, o.Phase, "%s", o.Kind)
		if o.Kind == r.kind {
			same++
		}
	}
	require.Equal(r.t, 1, same, "one %s", r.kind)

	found, err := r.sim.Observe(context.Background(), r.applied.ids[0])
	require.NoError(r.t, err)
	used := ecp.Pool{Connections: 1000, Clusters: 40, UsedConnections: 10, UsedClusters: 1}
	if r.kind == ecp.OpUpdate {
		used.UsedConnections = 25
	}
	if r.end == ecp.Gone {
		require.False(r.t, found.Exists)
		used.UsedConnections, used.UsedClusters = 0, 0
	} else {
		require.Equal(r.t, map[ecp.State]int{ecp.Running: 3, ecp.Stopped: 0}[r.end], len(found.Nodes))
		require.Contains(r.t, claims(found), claims(r.before)[len("auth "):], "nothing was made anew")
		require.Contains(r.t, claims(found), claims(then)[len("auth "):], "nothing was made anew")
	}
	r.read(func(tx ecp.Tx) error {
		pool, _, err := ecp.Get[ecp.Pool](tx, "pool")
		require.Equal(r.t, used, pool)
		return err
	})
}

// states lists the states of the cluster from the first on, each once in a row.
func (r *crashRig) states() string {
	var last int64
	r.read(func(tx ecp.Tx) (err error) { last, err = tx.Seq(); return err })
	var out []string
	for c, err := range r.store.Changes(context.Background(), 0) {
		require.NoError(r.t, err)
		if c.Kind == ecp.KindCluster && (len(out) == 0 || out[len(out)-1] != c.Index.State) {
			out = append(out, c.Index.State)
		}
		if c.Seq >= last {
			break
		}
	}
	return strings.Join(out, " ")
}
