package shards

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fleet is some daemons on one store, whose clock a test moves by hand.
type fleet struct {
	require.TestingT
	store *memstore.Store
	now   time.Time
	all   []*Keeper // that run
	wrote map[int][]entry
}

// entry is one write for a cluster, in the order in which they were stored.
type entry struct {
	epoch int64
	by    string
}

func newFleet(t require.TestingT) *fleet {
	return &fleet{
		TestingT: t, store: memstore.New(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), wrote: map[int][]entry{},
	}
}

func (f *fleet) join() *Keeper {
	clock := func() time.Time { return f.now }
	k := New(Config{Store: f.store, Log: slog.New(slog.DiscardHandler), Now: clock, Tick: clock})
	f.all = append(f.all, k)
	return k
}

func (f *fleet) step(k *Keeper) []int {
	gained, err := k.Step(context.Background())
	require.NoError(f, err)
	return gained
}

// calm lets all daemons work undisturbed for a while.
func (f *fleet) calm(seconds int) {
	for range seconds {
		f.now = f.now.Add(time.Second)
		for _, k := range f.all {
			f.step(k)
		}
	}
}

// table returns what is stored of the shards.
func (f *fleet) table() (table [Count]Shard) {
	require.NoError(f, f.store.Read(context.Background(), func(tx ecp.Tx) (err error) {
		table, err = readShards(tx)
		return err
	}))
	return table
}

// balanced demands that every shard has one owner, which knows it, and that the shares are even.
func (f *fleet) balanced() {
	owners := map[int]string{}
	for _, k := range f.all {
		owned := k.Owned()
		require.InDelta(f, Count/len(f.all), len(owned), 1, "of %d daemons", len(f.all))
		for n := range owned {
			require.Empty(f, owners[n], "shard %d has two owners", n)
			owners[n] = k.Self.ID
		}
	}
	for n, s := range f.table() {
		require.Equal(f, s.Owner, owners[n], "shard %d", n)
		require.NotEmpty(f, s.Owner)
	}
}

// write writes for the cluster of a pass.
func (f *fleet) write(ctx context.Context, k *Keeper) error {
	o, _ := ecp.OwnershipFrom(ctx)
	err := k.Fence(f.store).Write(ctx, func(tx ecp.Tx) error {
		return ecp.Put(tx, ecp.Image{ID: fmt.Sprint(o.Shard)}, ecp.AnyVersion)
	})
	if err == nil {
		f.wrote[o.Shard] = append(f.wrote[o.Shard], entry{o.Epoch, k.Self.ID})
	}
	return err
}

func (f *fleet) remove(k *Keeper) {
	for i := range f.all {
		if f.all[i] == k {
			f.all = append(f.all[:i:i], f.all[i+1:]...)
			return
		}
	}
}

func TestTheFirstTakesAllAndSharesWithOthers(t *testing.T) {
	f := newFleet(t)
	a := f.join()
	require.ErrorContains(t, a.Ready(), "has not joined")
	require.Len(t, f.step(a), Count, "nobody else is there: it waits for nothing")
	require.NoError(t, a.Ready())
	f.balanced()
	b := f.join()
	f.calm(5)
	f.balanced()
	f.join()
	f.calm(8)
	f.balanced()
	first := b.Owned()
	f.calm(60)
	require.Equal(t, first, b.Owned(), "nothing moves without a reason")
}

func TestOneThatDiesIsReplacedInTime(t *testing.T) {
	f := newFleet(t)
	a, b := f.join(), f.join()
	f.calm(6)
	f.balanced()
	before := f.table()
	f.remove(a)
	f.calm(11)
	require.Len(t, b.Owned(), Count/2, "it may be alive")
	require.Empty(t, a.Owned(), "and has stopped by itself")
	require.ErrorContains(t, a.Ready(), "could not renew")
	f.calm(3)
	require.Len(t, b.Owned(), Count)
	for n, s := range f.table() {
		if before[n].Owner == a.Self.ID {
			require.Equal(t, before[n].Epoch+1, s.Epoch)
		}
	}
}

func TestHandOverWaitsForThePass(t *testing.T) {
	f := newFleet(t)
	a := f.join()
	f.step(a)
	ends := map[int]func(){}
	for n := range Count {
		_, end, ok := a.begin(t.Context(), n)
		require.True(t, ok)
		ends[n] = end
	}
	b := f.join()
	f.calm(30)
	require.Empty(t, b.Owned(), "every shard has a pass under way")
	require.Len(t, a.handover, Count/2)
	for n := range a.handover {
		_, _, ok := a.begin(t.Context(), n)
		require.False(t, ok, "no other pass begins")
		ends[n]()
	}
	f.calm(4)
	f.balanced()
}

func TestTheEndHandsOverAtOnce(t *testing.T) {
	f := newFleet(t)
	a, b := f.join(), f.join()
	f.calm(6)
	a.leave(t.Context())
	f.remove(a)
	require.NotEmpty(t, f.step(b))
	f.balanced()
}

// TestSuspendedDaemonDoesNothing: what it was about to do when it was stopped is refused
// when it wakes, by its own clock and by the store.
func TestSuspendedDaemonDoesNothing(t *testing.T) {
	f := newFleet(t)
	a, b := f.join(), f.join()
	f.calm(6)
	n := firstOf(a.Owned())
	ctx, end, ok := a.begin(t.Context(), n)
	require.True(t, ok)
	defer end()
	require.NoError(t, f.write(ctx, a))
	f.remove(a)
	f.calm(30)
	require.Len(t, b.Owned(), Count)
	_, _, ok = a.begin(t.Context(), n)
	require.False(t, ok)
	require.ErrorIs(t, f.write(ctx, a), ecp.ErrLostOwnership)
	require.ErrorIs(t, context.Cause(ctx), ecp.ErrLostOwnership)

	a.renewed = mark{f.now, f.now} // it does not even notice that time has passed
	ctx, end, ok = a.begin(t.Context(), n)
	require.True(t, ok)
	defer end()
	require.ErrorIs(t, f.write(ctx, a), ecp.ErrLostOwnership, "the store refuses it all the same")
	_, _, ok = a.begin(t.Context(), n)
	require.False(t, ok, "and it has learned from that")

	f.all = append(f.all, a)
	f.calm(6)
	f.balanced()
}

// TestNobodyWritesAfterHandingOver: nor before another one has taken the shard.
func TestNobodyWritesAfterHandingOver(t *testing.T) {
	f := newFleet(t)
	a := f.join()
	f.step(a)
	ctx, end, _ := a.begin(t.Context(), 3)
	defer end()
	require.NoError(t, f.write(ctx, a))
	require.NoError(t, f.store.Write(t.Context(), func(tx ecp.Tx) error {
		return ecp.Put(tx, Shard{Number: 3, Epoch: a.held[3]}, ecp.AnyVersion)
	}))
	require.ErrorIs(t, f.write(ctx, a), ecp.ErrLostOwnership)
	require.Error(t, ctx.Err())
}

func firstOf(owned map[int]int64) int {
	for n := range Count {
		if owned[n] > 0 {
			return n
		}
	}
	return -1
}

// TestWhoSawNothingTakesNobodyForDead: while the database was away no counter could move.
func TestWhoSawNothingTakesNobodyForDead(t *testing.T) {
	f := newFleet(t)
	a, b := f.join(), f.join()
	f.calm(6)
	f.step(a) // it has seen what b did last
	before := f.table()
	f.now = f.now.Add(time.Minute)
	require.Empty(t, a.Owned())
	require.Len(t, f.step(a), Count/2, "work that was cut short begins again")
	f.step(b)
	require.Equal(t, before, f.table())
	f.balanced()
}

// TestTheWallClockCounts: only it goes on while a machine is suspended.
func TestTheWallClockCounts(t *testing.T) {
	f := newFleet(t)
	a := f.join()
	tick := f.now
	a.Tick = func() time.Time { return tick }
	f.step(a)
	f.now = f.now.Add(-time.Hour)
	require.NotEmpty(t, a.Owned(), "a clock that was set back ends nothing")
	f.now = f.now.Add(time.Hour + life - margin)
	require.Empty(t, a.Owned())
	f.step(a)
	require.NotEmpty(t, a.Owned())
}

// TestACopyOfTheDatabaseIsAnotherGroup: its daemons do not take the original ones for theirs.
func TestACopyOfTheDatabaseIsAnotherGroup(t *testing.T) {
	f := newFleet(t)
	a, b := f.join(), f.join()
	f.calm(6)
	group, _ := a.Group()
	same, _ := b.Group()
	require.Equal(t, group, same)
	require.NotEmpty(t, group)
	require.NoError(t, f.store.Write(t.Context(), func(tx ecp.Tx) error { // as the copy has it
		return ecp.Put(tx, Daemon{ID: "left behind", Group: "of the original", Renewals: 7}, 0)
	}))
	f.all = nil // nor do a and b write to the copy
	c, d := f.join(), f.join()
	f.calm(11)
	require.Empty(t, c.Owned(), "somebody may be alive")
	f.calm(8)
	f.balanced()
	fresh, changed := c.Group()
	other, _ := d.Group()
	require.NotEqual(t, group, fresh)
	require.Equal(t, fresh, other)
	c.leave(t.Context())
	<-changed
}

// TestADatabaseThatIsSetBackRaisesEpochs: clusters were written to in epochs that it does not
// know of, and nobody else may be given these.
func TestADatabaseThatIsSetBackRaisesEpochs(t *testing.T) {
	f := newFleet(t)
	f.join()
	b := f.join()
	f.calm(6)
	earlier := f.table()
	var daemons []Daemon
	require.NoError(t, f.store.Read(t.Context(), func(tx ecp.Tx) error {
		for d, err := range ecp.List[Daemon](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			daemons = append(daemons, d)
		}
		return nil
	}))
	f.remove(b)
	f.calm(30)
	c := f.join()
	f.calm(6)
	f.balanced()
	later := f.table()
	n := firstOf(c.Owned())
	ctx, end, ok := c.begin(t.Context(), n)
	require.True(t, ok)
	defer end()

	require.NoError(t, f.store.Write(t.Context(), func(tx ecp.Tx) error {
		if err := remove(tx, c.Self.ID); err != nil {
			return err
		}
		for _, d := range daemons {
			if err := ecp.Put(tx, d, ecp.AnyVersion); err != nil {
				return err
			}
		}
		for _, s := range earlier {
			if err := ecp.Put(tx, s, ecp.AnyVersion); err != nil {
				return err
			}
		}
		return nil
	}))
	require.ErrorIs(t, f.write(ctx, c), ecp.ErrLostOwnership)
	f.calm(30)
	f.balanced()
	for n, s := range f.table() {
		if later[n].Epoch > earlier[n].Epoch {
			require.Greater(t, s.Epoch, later[n].Epoch, "shard %d", n)
		}
	}
}

// TestChangesAreAnsweredAtOnce: what others do wakes Run, their mere renewals do not.
func TestChangesAreAnsweredAtOnce(t *testing.T) {
	f := newFleet(t)
	a, b := f.join(), f.join()
	f.calm(6)
	group, _ := a.Group()
	poked := func(c ecp.Change) bool {
		a.Changed(c)
		select {
		case <-a.poke:
			return true
		default:
			return false
		}
	}
	select {
	case <-a.poke:
	default:
	}
	require.False(t, poked(ecp.Change{Payload: Daemon{ID: b.Self.ID, Group: group, Renewals: 99}}))
	require.False(t, poked(ecp.Change{Payload: Shard{Owner: a.Self.ID}}))
	require.True(t, poked(ecp.Change{Payload: Shard{}}))
	require.True(t, poked(ecp.Change{Payload: Daemon{ID: "new"}}))
	require.True(t, poked(ecp.Change{Payload: Daemon{ID: b.Self.ID, Group: group}, Deleted: true}))
}

func TestShardsAreEven(t *testing.T) {
	counts := [Count]int{}
	for i := range 256 * 100 {
		counts[Of(ecp.ID(fmt.Sprintf("emqx-%08x", i*7919)))]++
	}
	for n, c := range counts {
		require.InDelta(t, 100, c, 60, "shard %d", n)
	}
	require.Equal(t, 138, Of("emqx-0a1b2c3d"), "it is part of what is stored")
}

// TestOwnershipIsExclusive lets daemons come, die, end, be suspended and lag behind at
// random: no two believe to own a shard at once, and the writes of a shard are those of
// one daemon per epoch, whose epochs grow.
func TestOwnershipIsExclusive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(t)
		type pass struct {
			write func() error
			end   func()
		}
		var passes []pass
		var away []*Keeper // suspended; they go on where they were
		most := 120
		if os.Getenv("OPENECP_LONG") != "" {
			most = 1000
		}
		f.join()
		for range rapid.IntRange(1, most).Draw(t, "steps") {
			draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") }
			switch rapid.IntRange(0, 12).Draw(t, "what") {
			case 0:
				if len(f.all) < 4 {
					f.join()
				}
			case 1: // dies
				if len(f.all) > 0 {
					f.remove(f.all[draw(len(f.all))])
				}
			case 2: // ends
				if len(f.all) > 0 {
					k := f.all[draw(len(f.all))]
					k.leave(context.Background())
					f.remove(k)
				}
			case 3:
				if len(f.all) > 0 {
					k := f.all[draw(len(f.all))]
					f.remove(k)
					away = append(away, k)
				}
			case 4:
				if len(away) > 0 {
					i := draw(len(away))
					f.all = append(f.all, away[i])
					away = append(away[:i:i], away[i+1:]...)
				}
			case 5:
				f.now = f.now.Add(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond)
			case 6, 7:
				if len(f.all) > 0 {
					k := f.all[draw(len(f.all))]
					if ctx, end, ok := k.begin(context.Background(), draw(Count)); ok {
						passes = append(passes, pass{func() error { return f.write(ctx, k) }, end})
					}
				}
			case 8:
				if len(passes) > 0 {
					i := draw(len(passes))
					passes[i].end()
					passes = append(passes[:i:i], passes[i+1:]...)
				}
			case 9, 10:
				if len(passes) > 0 {
					_ = passes[draw(len(passes))].write() // refused is well
				}
			case 11:
				f.calm(rapid.IntRange(1, 15).Draw(t, "seconds"))
			default:
				if len(f.all) > 0 {
					f.step(f.all[draw(len(f.all))])
				}
			}
			owners := map[int]bool{}
			for _, k := range append(append([]*Keeper{}, f.all...), away...) {
				for n := range k.Owned() {
					require.False(t, owners[n], "two believe to own shard %d", n)
					owners[n] = true
				}
			}
		}
		for n, all := range f.wrote {
			for i := 1; i < len(all); i++ {
				require.GreaterOrEqual(t, all[i].epoch, all[i-1].epoch, "shard %d", n)
				if all[i].epoch == all[i-1].epoch {
					require.Equal(t, all[i-1].by, all[i].by, "two wrote shard %d in one epoch", n)
				}
			}
		}
		for _, p := range passes {
			p.end()
		}
		if f.all = append(f.all, away...); len(f.all) == 0 {
			f.join()
		}
		f.calm(30)
		f.balanced()
	})
}

func BenchmarkFence(b *testing.B) {
	f := newFleet(b)
	k := f.join()
	f.step(k)
	ctx, end, _ := k.begin(b.Context(), 1)
	defer end()
	for name, s := range map[string]ecp.Store{"without": f.store, "with": k.Fence(f.store)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, s.Write(ctx, func(tx ecp.Tx) error {
					return ecp.Put(tx, ecp.Image{ID: "a"}, ecp.AnyVersion)
				}))
			}
		})
	}
	b.Run("renewal", func(b *testing.B) {
		for b.Loop() {
			f.step(k)
		}
	})
}

// TestSeenByTheClockOfWhoLooks: when a daemon was seen last does not depend on its own clock,
// nor on that of the store, and how far that is ahead is told.
func TestSeenByTheClockOfWhoLooks(t *testing.T) {
	f := newFleet(t)
	f.now = time.Now().Add(-time.Hour) // by which records are stored in the future
	a, b := f.join(), f.join()
	seen := func(by *Keeper, id string) Listed {
		t.Helper()
		all, err := by.List(t.Context())
		require.NoError(t, err)
		for _, o := range all {
			if o.ID == id {
				return o
			}
		}
		require.Fail(t, "not listed")
		return Listed{}
	}
	f.step(b)
	require.Equal(t, f.now, seen(a, b.Self.ID).LastSeen, "nobody has looked before")
	require.Zero(t, seen(a, b.Self.ID).ClockSkew, "it may be long dead")
	f.calm(4)
	f.step(a)
	last := seen(a, b.Self.ID)
	require.Equal(t, f.now, last.LastSeen)
	require.InDelta(t, time.Hour, last.ClockSkew, float64(time.Minute))
	require.True(t, seen(b, b.Self.ID).Self)
	f.remove(b)
	was := f.now
	f.calm(7)
	require.Equal(t, was, seen(a, b.Self.ID).LastSeen)
	b.renewals += 5
	f.step(b)
	require.Equal(t, f.now, seen(a, b.Self.ID).LastSeen, "it was not looked at since")
	f.now = f.now.Add(time.Second)
	a.Changed(ecp.Change{Payload: Daemon{ID: b.Self.ID, Renewals: b.renewals}})
	f.now = f.now.Add(time.Second)
	require.Equal(t, f.now.Add(-time.Second), seen(a, b.Self.ID).LastSeen, "the feed of changes was first")
}
