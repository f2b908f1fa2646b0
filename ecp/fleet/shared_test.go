package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/fleet/internal/pruning"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// team is some daemons on one store and one platform.
type team struct {
	t     *testing.T
	store *memstore.Store
	sim   *emqxsim.Provisioner
	ahead time.Duration // of the clocks of those that join
	made  int           // clusters

	mu    sync.Mutex
	wrote map[ecp.ID][]written // to the platform, in order; guarded by mu
	busy  map[ecp.ID]string    // who writes now; guarded by mu
}

type written struct {
	by    string
	epoch int64
}

// mate is a daemon of a team: its Manager, its way to the platform and to the store.
type mate struct {
	*emqxsim.Peer
	*fleet.Manager
	team *team
	name string
	stop func()

	ahead  atomic.Int64                  // of its clock, in nanoseconds
	dead   atomic.Bool                   // nothing that it does arrives any more
	frozen atomic.Pointer[chan struct{}] // nor does it go on until that is closed; nil = it goes on
}

var errDead = errors.New("the process is dead")

// inTeam runs a test with daemons that share a store.
func inTeam(t *testing.T, n int, test func(*team, []*mate)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sim, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{})
		require.NoError(t, err)
		tm := &team{t: t, store: memstore.New(), sim: sim, wrote: map[ecp.ID][]written{}, busy: map[ecp.ID]string{}}
		var mates []*mate
		for i := range n {
			mates = append(mates, tm.join(fmt.Sprint("daemon-", i)))
		}
		tm.until("shared evenly", func() bool { return tm.even(mates...) })
		test(tm, mates)
		for id, all := range tm.wrote {
			for i := 1; i < len(all); i++ {
				require.GreaterOrEqual(t, all[i].epoch, all[i-1].epoch, "%s: %v", id, all)
				if all[i].epoch == all[i-1].epoch {
					require.Equal(t, all[i-1].by, all[i].by, "%s: two in one epoch: %v", id, all)
				}
			}
		}
	})
}

// join adds a daemon. before is called when it is made and does not run yet.
func (tm *team) join(name string, before ...func(*mate)) *mate {
	tm.t.Helper()
	d := &mate{Peer: tm.sim.Peer(name), team: tm, name: name}
	d.ahead.Store(int64(tm.ahead))
	m, err := fleet.New(context.Background(), fleet.Config{
		Store:        wire{tm.store, d},
		Provisioners: map[string]ecp.Provisioner{"default": d.platform()},
		Adapters:     []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
		Shared:       &fleet.Shared{Host: name, Address: name + ":8443", Version: "1.2.3"},
		Now:          func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) },
		Defaults: fleet.Defaults{
			Projects: []string{"default/default"},
			Pool:     &ecp.Pool{Connections: 1000, Clusters: 40},
		},
	})
	require.NoError(tm.t, err)
	d.Manager = m
	for _, do := range before {
		do(d)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !d.dead.Load() {
			tm.t.Errorf("Run: %v", err)
		}
	})
	tm.t.Cleanup(d.stop)
	return d
}

// kill ends a daemon without any word to anybody.
func (d *mate) kill() {
	d.dead.Store(true)
	d.Suspend(true)
	d.stop()
}

// seen is the way of a daemon to the platform, which notes who writes.
type seen struct {
	*emqxsim.Peer
	d *mate
}

func (d *mate) platform() ecp.Provisioner { return seen{d.Peer, d} }

func (s seen) Apply(ctx context.Context, want ecp.Desired) error {
	return s.d.noted(ctx, want.ID, func() error { return s.Peer.Apply(ctx, want) })
}

func (s seen) Delete(ctx context.Context, id ecp.ID) error {
	return s.d.noted(ctx, id, func() error { return s.Peer.Delete(ctx, id) })
}

// noted lets a daemon write to the platform, and fails the test where another one does.
func (d *mate) noted(ctx context.Context, id ecp.ID, write func() error) error {
	if err := d.alive(); err != nil {
		return err
	}
	o, ok := ecp.OwnershipFrom(ctx)
	if !ok {
		d.team.t.Errorf("%s writes to %s without any ownership", d.name, id)
	}
	d.team.mu.Lock()
	if other := d.team.busy[id]; other != "" {
		d.team.t.Errorf("%s and %s write to %s at once", other, d.name, id)
	}
	d.team.busy[id] = d.name
	d.team.mu.Unlock()
	err := write()
	d.team.mu.Lock()
	defer d.team.mu.Unlock()
	delete(d.team.busy, id)
	if err == nil {
		d.team.wrote[id] = append(d.team.wrote[id], written{d.name, o.Epoch})
	}
	return err
}

// wire is the way of a daemon to the store.
type wire struct {
	ecp.Store
	d *mate
}

// alive waits while the daemon is suspended; the error is that it is dead.
func (d *mate) alive() error {
	if thaw := d.frozen.Load(); thaw != nil {
		<-*thaw
	}
	if d.dead.Load() {
		return errDead
	}
	return nil
}

// suspend stops a daemon in the middle of everything, and wake lets it go on.
func (d *mate) suspend() {
	thaw := make(chan struct{})
	d.frozen.Store(&thaw)
}

func (d *mate) wake() { close(*d.frozen.Swap(nil)) }

func (w wire) cut() error { return w.d.alive() }

func (w wire) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := w.cut(); err != nil {
		return err
	}
	return w.Store.Read(ctx, fn)
}

func (w wire) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := w.cut(); err != nil {
		return err
	}
	return w.Store.Write(ctx, fn)
}

func (w wire) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) {
		for c, err := range w.Store.Changes(ctx, after) {
			if cut := w.cut(); cut != nil {
				yield(ecp.Change{}, cut)
				return
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// until waits for something, ten minutes of the bubble's time at most.
func (tm *team) until(what string, holds func() bool) {
	tm.t.Helper()
	for range 6_000 {
		if holds() {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	require.FailNow(tm.t, "never: "+what)
}

// even reports whether these daemons, and no others, share the fleet evenly.
func (tm *team) even(mates ...*mate) bool {
	all, err := mates[0].Daemons(asSystem())
	require.NoError(tm.t, err)
	for _, d := range all {
		if d.Shards < 256/len(mates) || d.Shards > 256/len(mates)+1 {
			return false
		}
	}
	return len(all) == len(mates)
}

// create makes clusters, each by another daemon, and waits until all run.
func (tm *team) create(n int, by ...*mate) (ids []ecp.ID) {
	tm.t.Helper()
	for i := range n {
		info, _, err := by[i%len(by)].Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted,
			Name: fmt.Sprint("c", tm.made), Spec: spec("emqx-ee-5.8.9", 2)})
		require.NoError(tm.t, err)
		tm.made++
		ids = append(ids, info.ID)
	}
	tm.until("all run", func() bool { return tm.in(by[0], ecp.Running, ids...) })
	return ids
}

func (tm *team) in(d *mate, s ecp.State, ids ...ecp.ID) bool {
	for _, id := range ids {
		info, err := d.Cluster(id).Get(asSystem())
		require.NoError(tm.t, err)
		if info.Status.State != s {
			return false
		}
	}
	return true
}

// TestDaemonsShareTheFleet: any of them takes a command and shows a cluster, one does what
// is due; where one dies in the middle another goes on, and operations end as ever.
func TestDaemonsShareTheFleet(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inTeam(t, n, func(tm *team, mates []*mate) {
				clusters := 20
				if n == 2 && !long() {
					clusters = 8
				}
				ids := tm.create(clusters, mates...)
				parts := func() map[string]int {
					by := map[string]int{}
					for _, id := range ids {
						by[tm.wrote[id][0].by]++
					}
					return by
				}
				for len(parts()) < n && len(ids) < clusters+15 { // by chance one has none of the first
					ids = append(ids, tm.create(1, mates...)...)
				}
				require.Len(t, parts(), n, "each has its part: %v", parts())
				for _, d := range mates {
					tm.until("each shows them", func() bool {
						return !slices.ContainsFunc(ids, func(id ecp.ID) bool {
							info, err := d.Cluster(id).Get(asSystem())
							return err != nil || info.ReadyNodes != 2 || info.Waits != "" || !info.Nodes[0].Member
						})
					})
				}
				all, err := mates[1].Daemons(asSystem())
				require.NoError(t, err)
				require.Len(t, all, n)
				for _, d := range all {
					require.Equal(t, d.Host == "daemon-1", d.Self)
					require.Equal(t, "1.2.3", d.Version)
					require.Equal(t, d.Host+":8443", d.Address)
				}

				var ops []ecp.Operation
				for i, id := range ids {
					op, err := mates[i%n].Cluster(id).Do(asSystem(), patched(`{"nodes":3,"size":"2C4G"}`))
					require.NoError(t, err)
					ops = append(ops, op)
				}
				<-time.After(7 * time.Second)
				mates[0].kill()
				killed, survivors := time.Now(), mates[1:]
				tm.until("shared by those who are left", func() bool { return tm.even(survivors...) })
				require.Less(t, time.Since(killed), 13*time.Second)
				for _, op := range ops {
					got, err := survivors[0].WaitOperation(asSystem(), op.ID, time.Hour)
					require.NoError(t, err)
					require.Equal(t, ecp.PhaseSucceeded, got.Phase, got.Error)
				}
				for _, id := range ids {
					found, err := tm.sim.Observe(t.Context(), id)
					require.NoError(t, err)
					require.Len(t, found.Nodes, 3)
				}

				late := tm.join("late")
				tm.until("shared with the new one", func() bool { return tm.even(append(survivors, late)...) })
				survivors[0].stop()
				began := time.Now()
				tm.until("handed over", func() bool { return tm.even(append(slices.Clone(survivors[1:]), late)...) })
				require.Less(t, time.Since(began), 2*time.Second, "nobody waits for a claim to run out")
				for _, id := range ids {
					_, err := late.Cluster(id).Do(asSystem(), ecp.Delete{})
					require.NoError(t, err)
				}
				tm.until("all are gone", func() bool {
					page, err := late.Clusters(asSystem(), ecp.ListOptions{})
					require.NoError(t, err)
					return len(page.Items) == 0
				})
			})
		})
	}
}

// TestASuspendedDaemonDoesNothing: it is stopped in the middle of everything, and finds
// that others have gone on when it wakes.
func TestASuspendedDaemonDoesNothing(t *testing.T) {
	inTeam(t, 2, func(tm *team, mates []*mate) {
		ids := tm.create(6, mates...)
		for _, id := range ids {
			_, err := mates[1].Cluster(id).Do(asSystem(), ecp.Restart{})
			require.NoError(t, err)
		}
		<-time.After(5 * time.Second)
		d := mates[0]
		d.suspend()
		<-time.After(30 * time.Second)
		require.True(t, tm.even(mates[1]))
		tm.mu.Lock()
		before := maps.Clone(tm.wrote)
		tm.mu.Unlock()
		d.wake()
		synctest.Wait()
		tm.mu.Lock()
		for id, all := range tm.wrote {
			for _, w := range all[len(before[id]):] {
				require.NotEqual(t, d.name, w.by, "it has written when it woke")
			}
		}
		tm.mu.Unlock()
		tm.until("all run again", func() bool { return tm.in(mates[1], ecp.Running, ids...) && tm.even(mates...) })
	})
}

// TestClocksOfDaemonsDiffer: an operation has the time that it is given, whoever was asked for
// it, and whoever works on it.
func TestClocksOfDaemonsDiffer(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			inTeam(t, 2, func(tm *team, mates []*mate) {
				ids := tm.create(8, mates...)
				mates[0].ahead.Store(int64(ahead))
				<-time.After(time.Minute)
				for _, asked := range mates {
					var ops []ecp.Operation
					for _, id := range ids {
						op, err := asked.Cluster(id).Do(asSystem(), ecp.Restart{})
						require.NoError(t, err)
						ops = append(ops, op)
					}
					for _, op := range ops {
						tm.until("it ends", func() bool {
							got, err := asked.Operation(asSystem(), op.ID)
							require.NoError(t, err)
							require.NotEqual(t, ecp.PhaseFailed, got.Phase, "asked of %s: %+v", asked.name, got)
							return got.Phase.Final()
						})
					}
				}
				tm.until("all run", func() bool { return tm.in(mates[1], ecp.Running, ids...) })
			})
		})
	}
}

// TestOldRecordsGoOnce: what is over is removed by one of two daemons, once, and by neither
// early, whichever of their clocks is wrong and whoever is left.
func TestOldRecordsGoOnce(t *testing.T) {
	inTeam(t, 1, func(tm *team, mates []*mate) {
		tm.ahead = 200 * 24 * time.Hour
		ahead := tm.join("ahead")
		tm.until("shared evenly", func() bool { return tm.even(mates[0], ahead) })
		from, last, ctx := int64(0), int64(0), context.Background()
		seq := func(tx ecp.Tx) (n int64) { n, err := tx.Seq(); require.NoError(t, err); return n }
		session := func(hash string, left time.Duration) tenancy.StoredSession {
			return tenancy.StoredSession{ID: hash, Hash: hash, User: "u", ExpiresAt: time.Now().Add(left).UTC()}
		}
		require.NoError(t, tm.store.Write(ctx, func(tx ecp.Tx) error {
			from = seq(tx)
			for i := range 2 * pruning.Batch {
				if err := ecp.Put(tx, session(fmt.Sprint("over-", i), 0), ecp.AnyVersion); err != nil {
					return err
				}
			}
			return ecp.Put(tx, session("good", 8*time.Hour), ecp.AnyVersion)
		}))
		<-time.After(65 * time.Minute)
		mates[0].stop() // the one with the wrong clock takes its part over, and looks at once
		<-time.After(5 * time.Minute)
		removed := map[string]int{}
		require.NoError(t, tm.store.Read(ctx, func(tx ecp.Tx) error { last = seq(tx); return nil }))
		for c, err := range tm.store.Changes(ctx, from) {
			require.NoError(t, err)
			if c.Deleted && c.Kind == ecp.KindSession {
				removed[c.Key]++
			}
			if c.Seq >= last {
				break
			}
		}
		require.NotContains(t, removed, "good")
		require.Len(t, removed, 2*pruning.Batch)
		for key, times := range removed {
			require.Equal(t, 1, times, key)
		}
	})
}

// TestAloneCostsNothing: no record and no transaction where nobody shares the store.
func TestAloneCostsNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.running()
		before, err := r.m.Position(asSystem())
		require.NoError(t, err)
		<-time.After(time.Hour)
		after, err := r.m.Position(asSystem())
		require.NoError(t, err)
		require.Equal(t, before, after)
		all, err := r.m.Daemons(asSystem())
		require.NoError(t, err)
		require.Empty(t, all)
		_, err = r.m.Daemons(t.Context())
		require.ErrorIs(t, err, ecp.ErrDenied)
	})
}

// TestTheStoreGoesAway: nobody takes anybody for dead for it, and nobody works meanwhile.
func TestTheStoreGoesAway(t *testing.T) {
	inTeam(t, 2, func(tm *team, mates []*mate) {
		ids := tm.create(4, mates...)
		before, err := mates[0].Daemons(asSystem())
		require.NoError(t, err)
		for _, d := range mates {
			d.dead.Store(true)
		}
		<-time.After(time.Minute)
		for _, d := range mates {
			d.dead.Store(false)
		}
		<-time.After(10 * time.Second)
		after, err := mates[1].Daemons(asSystem())
		require.NoError(t, err)
		require.Len(t, after, 2)
		for i := range after {
			require.Equal(t, before[i].ID, after[i].ID)
			require.Equal(t, before[i].Shards, after[i].Shards)
		}
		for _, id := range ids {
			op, err := mates[0].Cluster(id).Do(asSystem(), ecp.Stop{})
			require.NoError(t, err)
			got, err := mates[1].WaitOperation(asSystem(), op.ID, time.Hour)
			require.NoError(t, err)
			require.Equal(t, ecp.PhaseSucceeded, got.Phase, got.Error)
		}
	})
}

// TestTheStoreIsAwayAtFirst: a daemon that begins while the store is away waits for it.
func TestTheStoreIsAwayAtFirst(t *testing.T) {
	inTeam(t, 1, func(tm *team, mates []*mate) {
		ids := tm.create(2, mates...)
		late := tm.join("late", func(d *mate) { d.dead.Store(true) })
		<-time.After(20 * time.Second)
		late.dead.Store(false)
		tm.until("shared evenly", func() bool { return tm.even(mates[0], late) })
		mates[0].kill()
		tm.until("shared by the late one", func() bool { return tm.even(late) })
		op, err := late.Cluster(ids[0]).Do(asSystem(), ecp.Stop{})
		require.NoError(t, err)
		got, err := late.WaitOperation(asSystem(), op.ID, time.Hour)
		require.NoError(t, err)
		require.Equal(t, ecp.PhaseSucceeded, got.Phase, got.Error)
	})
}

// TestDaemonsComeAndGo lets daemons be killed, suspended, ended and started at random
// under random commands: afterwards every cluster is as it was asked for last, and
// nobody has written where another one did.
func TestDaemonsComeAndGo(t *testing.T) {
	rounds := 1
	if long() {
		rounds = 20
	}
	for n := range rounds {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dice := dice(t)
			inTeam(t, 2, func(tm *team, mates []*mate) {
				ids := tm.create(8, mates...)
				nodes := map[ecp.ID]int{}
				var frozen []*mate
				for step := range 25 {
					d := mates[dice.IntN(len(mates))]
					switch what := dice.IntN(8); {
					case what == 0 && len(mates) > 1:
						d.kill()
						mates = slices.DeleteFunc(mates, func(m *mate) bool { return m == d })
					case what == 1 && len(mates) > 1:
						d.stop()
						mates = slices.DeleteFunc(mates, func(m *mate) bool { return m == d })
					case what == 2 && len(mates) > 1:
						d.suspend()
						mates = slices.DeleteFunc(mates, func(m *mate) bool { return m == d })
						frozen = append(frozen, d)
					case what == 3 && len(mates) < 4:
						mates = append(mates, tm.join(fmt.Sprint("later-", step)))
					case what == 4 && len(frozen) > 0:
						frozen[0].wake()
						mates, frozen = append(mates, frozen[0]), frozen[1:]
					default:
						id := ids[dice.IntN(len(ids))]
						nodes[id] = 1 + dice.IntN(3)
						_, err := d.Cluster(id).Do(asSystem(), patched(fmt.Sprintf(`{"nodes":%d}`, nodes[id])))
						require.NoError(t, err)
					}
					<-time.After(time.Duration(dice.IntN(20_000)) * time.Millisecond)
				}
				for _, d := range frozen {
					d.wake()
					mates = append(mates, d)
				}
				tm.until("shared evenly", func() bool { return tm.even(mates...) })
				tm.until("all run", func() bool { return tm.in(mates[0], ecp.Running, ids...) })
				for id, n := range nodes {
					found, err := tm.sim.Observe(t.Context(), id)
					require.NoError(t, err)
					require.Len(t, found.Nodes, n)
				}
			})
		})
	}
}
