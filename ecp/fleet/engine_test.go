package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/openecp/openecp/ecp/internal/sched"
	"github.com/stretchr/testify/require"
)

// bench is a Manager whose clock, store and platform a test moves by hand.
type bench struct {
	t   *testing.T
	m   *Manager
	s   *mapstore.Store
	w   *world
	now time.Time
	id  ecp.ID
}

// hooked lets a test do something in the middle of an Apply.
type hooked struct {
	*world
	apply func()
}

func (h *hooked) Apply(ctx context.Context, d ecp.Desired) error {
	h.apply()
	return h.world.Apply(ctx, d)
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, s: mapstore.New(), w: newWorld(), now: t0}
	b.restart(b.w)
	info, _, err := b.m.Create(asSystem(),
		CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 2, Connections: 5}}})
	require.NoError(t, err)
	b.id = info.ID
	return b
}

func (b *bench) restart(p ecp.Provisioner) {
	m, err := New(context.Background(), Config{
		Store: b.s, Provisioners: map[string]ecp.Provisioner{
			"default": p,
		}, Adapters: []ecp.Adapter{worldAdapter{b.w}}, Now: func() time.Time { return b.now },
		Defaults: Defaults{Projects: []string{"default/default", "default/other"}},
	})
	require.NoError(b.t, err)
	m.setTick(func() time.Time { return b.now })
	b.m = m
}

// look lets the engine work once, after some time, and gives the record.
func (b *bench) look(after time.Duration) ecp.ClusterRecord {
	b.now = b.now.Add(after)
	b.m.reconcile(context.Background(), b.id)
	return b.rec()
}

// watch lets the engine look all the time, and gives the record.
func (b *bench) watch(during time.Duration) ecp.ClusterRecord {
	for ; during > derive.ObserveSlack; during -= derive.ObserveSlack {
		b.look(derive.ObserveSlack)
	}
	return b.look(during)
}

func (b *bench) rec() ecp.ClusterRecord {
	r, ok := b.s.Records[ecp.KindCluster][string(b.id)]
	if !ok {
		return ecp.ClusterRecord{Status: ecp.Status{State: ecp.Gone}}
	}
	return r.Payload.(ecp.ClusterRecord)
}

// running brings the cluster up.
func (b *bench) running() {
	for range 4 {
		b.w.tick(b.id)
		b.look(time.Second)
	}
	require.Equal(b.t, ecp.Running, b.rec().Status.State)
}

func (b *bench) do(cmd ecp.Command) {
	_, err := b.m.Cluster(b.id).Do(asSystem(), cmd)
	require.NoError(b.t, err)
}

func TestACommandWhileApplyIsUnderWay(t *testing.T) {
	b := newBench(t)
	h := &hooked{world: b.w}
	h.apply = func() { b.do(ecp.Transfer{Project: "default/other"}); h.apply = func() {} }
	b.restart(h)
	rec := b.look(30 * time.Second)
	require.Equal(t, "default/other", rec.Project, "the command is not overwritten")
	require.True(t, rec.Status.Dispatched, "nor is it forgotten what was done")
	require.Equal(t, b.now.Add(patient.Create), rec.Status.Deadline, "and the task itself has begun")
	b.running()
}

func TestBackOff(t *testing.T) {
	b := newBench(t)
	b.w.failApply = true
	for range 12 {
		tried := b.w.applies
		b.look(0)
		require.Equal(t, tried+1, b.w.applies)
		mem := b.m.observed.MemoryOf(b.id)
		require.LessOrEqual(t, mem.Backoff.At.Sub(b.now), sched.LongestRetry)
		b.look(mem.Backoff.At.Sub(b.now) - time.Nanosecond)
		require.Equal(t, tried+1, b.w.applies, "not before its time")
		b.now = mem.Backoff.At
		b.s.Records[ecp.KindCluster][string(b.id)] = withDeadline(b.s.Records[ecp.KindCluster][string(b.id)],
			b.now.Add(time.Hour))
	}
	b.look(0)
	tried := b.w.applies
	b.do(ecp.Stop{})
	b.look(0)
	require.Equal(t, tried+1, b.w.applies, "a command does not wait for the back-off of another")
	require.LessOrEqual(t, b.m.observed.MemoryOf(b.id).Backoff.At.Sub(b.now), patient.Retry, "which begins anew")
	b.w.failApply = false
	b.look(time.Second)
	require.Zero(t, b.m.observed.MemoryOf(b.id).Backoff)
}

func withDeadline(r ecp.Record, at time.Time) ecp.Record {
	rec := r.Payload.(ecp.ClusterRecord)
	rec.Status.Deadline = at
	r.Payload = rec
	return r
}

func TestAClusterOutlivesTheRecordOfItsOperation(t *testing.T) {
	b := newBench(t)
	clear(b.s.Records[ecp.KindOperation])
	b.running()
	require.Empty(t, b.rec().Status.Operation)
	b.do(ecp.Stop{})
}

func TestATargetThatIsNotConfigured(t *testing.T) {
	b := newBench(t)
	b.running()
	p := b.m.observed.Provisioners["default"]
	delete(b.m.observed.Provisioners, "default")
	rec := b.look(time.Minute)
	require.Equal(t, ecp.Running, rec.Status.State)
	require.Equal(t, b.now, rec.Status.StaleFrom)
	b.m.observed.Provisioners["default"] = p
	require.Zero(t, b.look(time.Minute).Status.StaleFrom)
}

// A process that was away too long gives a fair chance, also when its first
// look shows nothing, or cannot be stored.
func TestTheFirstLookThatCounts(t *testing.T) {
	for name, trouble := range map[string]func(*bench){
		"none":   func(*bench) {},
		"unseen": func(b *bench) { b.w.unseen = true; b.look(0); b.w.unseen = false },
		"store": func(b *bench) {
			b.s.Fault = func(bool) error { return errFault }
			b.look(0)
			b.s.Fault = nil
		},
	} {
		b := newBench(t)
		b.look(0)
		b.now = b.now.Add(time.Hour)
		b.restart(b.w)
		trouble(b)
		require.Equal(t, ecp.Creating, b.look(time.Second).Status.State, name)
		require.Equal(t, ecp.Abnormal, b.watch(2*time.Minute).Status.State, name)
	}
}

func TestASilentBrokerMovesOnlyItsCondition(t *testing.T) {
	b := newBench(t)
	b.running()
	b.w.at(b.id).mute = true
	reachable := func() ecp.ConditionStatus {
		return ecp.ConditionOf(b.rec().Status.Conditions, ecp.CondManagementReachable).Status
	}
	b.look(time.Minute)
	require.Equal(t, ecp.True, reachable(), "once is nothing")
	b.look(900 * time.Millisecond)
	require.Equal(t, ecp.True, reachable(), "twice within a second is once")
	b.look(100 * time.Millisecond)
	require.Equal(t, ecp.False, reachable())
	require.Equal(t, ecp.Running, b.rec().Status.State)
	require.Equal(t, ecp.True, ecp.ConditionOf(b.rec().Status.Conditions, ecp.CondAvailable).Status)
	b.w.at(b.id).mute = false
	b.look(time.Millisecond)
	require.Equal(t, ecp.True, reachable(), "one good answer is enough")
}

func TestAPartitionNeedsTwoLooks(t *testing.T) {
	b := newBench(t)
	b.running()
	b.w.at(b.id).split[1], b.w.at(b.id).met = true, true
	require.Equal(t, ecp.Running, b.look(time.Minute).Status.State)
	rec := b.look(time.Second)
	require.Equal(t, ecp.Abnormal, rec.Status.State)
	require.Equal(t, ecp.ReasonPartitioned, rec.Status.Reason)
	require.Contains(t, rec.Status.Message,
		"nodes count different members: emqx@n0 sees emqx@n0; emqx@n1 sees emqx@n1; EMQX takes")
	b.w.at(b.id).split[1] = false
	require.Equal(t, ecp.Running, b.look(time.Second).Status.State)
}

func TestNodesAreAskedNoMoreThanNeeded(t *testing.T) {
	b := newBench(t)
	b.running()
	for range 10 {
		b.look(time.Second)
	}
	asked := b.m.Stats().Asked
	b.look(patient.Poll)
	require.Equal(t, asked+1, b.m.Stats().Asked, "one node that counts all others")
	b.look(time.Second)
	require.Equal(t, asked+1, b.m.Stats().Asked)
}

func TestWhatIsSeenIsShown(t *testing.T) {
	b := newBench(t)
	b.running()
	info, err := b.m.Cluster(b.id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, 2, info.ReadyNodes)
	require.Len(t, info.Nodes, 2)
	require.True(t, info.Nodes[1].Member)
	require.Equal(t, "5.8.9", info.Version)
	require.Equal(t, ecp.ConnectionsInfo{EnforcedBy: ecp.EnforcedByUnknown}, info.Current,
		"this broker says nothing of limits")
	require.Equal(t, b.now, info.LookedAt)
	b.w.unseen = true
	b.look(time.Second)
	info, err = b.m.Cluster(b.id).Get(asSystem())
	require.NoError(t, err)
	require.Equal(t, 2, info.ReadyNodes, "what was seen last is the best there is")
	require.Equal(t, b.now.Add(-time.Second), info.LookedAt)
}

func TestNeverDispatched(t *testing.T) {
	b := newBench(t)
	b.w.failApply = true
	require.Equal(t, ecp.Creating, b.watch(patient.Dispatch).Status.State)
	b.look(0)
	rec := b.watch(2 * patient.Dispatch)
	require.Equal(t, ecp.Nonexistent, rec.Status.State)
	require.Contains(t, rec.Status.Message, "admission webhook is away")

	b.do(ecp.Repair{})
	require.Equal(t, b.now.Add(patient.Dispatch), b.rec().Status.Deadline, "the same time to be dispatched as at first")
	b.w.failApply = false
	b.running()
}

func TestRepairOfWhatIsPoweredOff(t *testing.T) {
	b := newBench(t)
	b.running()
	b.do(ecp.Stop{})
	for range 3 {
		b.w.tick(b.id)
		b.look(time.Second)
	}
	require.Equal(t, ecp.Stopped, b.rec().Status.State)
	delete(b.w.at(b.id).claims, 0)
	require.Equal(t, ecp.ReasonDataLost, b.look(time.Second).Status.Reason)
	plan, err := b.m.Cluster(b.id).Plan(asSystem(), ecp.Repair{})
	require.NoError(t, err)
	require.Equal(t, ecp.Stopping, plan.To)
	b.do(ecp.Repair{})
	require.Equal(t, ecp.Stopped, b.look(time.Second).Status.State)
	require.Contains(t, b.w.at(b.id).claims, 0)
}

func TestAdoptedClustersRefuseWhatTheyNeverTake(t *testing.T) {
	b := newBench(t)
	info, op, err := b.m.Create(asSystem(),
		CreateRequest{Mode: ecp.Adopted, Name: "theirs", Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
	require.NoError(t, err)
	require.Zero(t, op)
	require.Equal(t, ecp.Created, info.Status.State)
	for _, cmd := range []ecp.Command{
		ecp.Start{}, ecp.Stop{}, ecp.Restart{IfRevision: 99}, ecp.Repair{}, ecp.TakeOver{}, ecp.PutBack{},
		ecp.Update{Patch: json.RawMessage(`{"nodes":"many"}`)}, ecp.Update{Patch: json.RawMessage(`{"connections":5,"size":null,"image":"x"}`)},
	} {
		_, err := b.m.Cluster(info.ID).Do(asSystem(), cmd)
		require.ErrorIs(t, err, ecp.ErrUnsupported, "%T", cmd)
		require.Contains(t, err.Error(), "only for hosted clusters")
		_, err = b.m.Cluster(info.ID).Plan(asSystem(), cmd)
		require.ErrorIs(t, err, ecp.ErrUnsupported, "%T", cmd)
	}
	_, err = b.m.Cluster(info.ID).Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"replicas":2}`)})
	require.ErrorIs(t, err, ecp.ErrInvalid, "nobody has such a field")
	_, err = b.m.Cluster(info.ID).Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"connections":2}`)})
	require.ErrorIs(t, err, ecp.ErrUnsupported, "nobody would enforce it")
}

// failingWatcher is a platform whose watch cannot go on.
type failingWatcher struct {
	*world
	err error
}

func (f failingWatcher) Watch(ctx context.Context, _ func(ecp.ID)) error {
	if f.err == nil {
		<-ctx.Done()
	}
	return f.err
}

func TestHowRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := New(context.Background(), Config{
			Store:        mapstore.New(),
			Provisioners: map[string]ecp.Provisioner{"default": failingWatcher{world: newWorld()}},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancelCause(context.Background())
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		synctest.Wait()
		require.ErrorIs(t, m.Run(ctx), ecp.ErrConflict, "it runs already")
		cancel(errors.New("SIGTERM"))
		require.NoError(t, <-ended, "whatever the caller's reason is, it is no failure")
		require.NoError(t, m.Run(ctx), "it can be run again")

		m, err = New(context.Background(), Config{
			Store:        mapstore.New(),
			Provisioners: map[string]ecp.Provisioner{"eu": failingWatcher{newWorld(), errFault}},
		})
		require.NoError(t, err)
		err = m.Run(context.Background())
		require.ErrorIs(t, err, errFault)
		require.ErrorContains(t, err, `watch the target "eu"`)
	})
}

func TestNewChecksItsConfig(t *testing.T) {
	_, err := New(context.Background(), Config{})
	require.ErrorIs(t, err, ecp.ErrInvalid)
	require.ErrorContains(t, err, "Config.Store is missing")
	_, err = New(context.Background(),
		Config{Store: mapstore.New(), Adapters: []ecp.Adapter{worldAdapter{}, worldAdapter{}}})
	require.ErrorContains(t, err, "two for EMQX 5")

	s := mapstore.New()
	for range 2 {
		_, err = New(context.Background(), Config{Store: s})
		require.NoError(t, err)
	}
	require.Equal(t, 1, s.Writes, "defaults are stored once")
	require.Len(t, s.Records[ecp.KindImage], len(ecp.DefaultImages()))

	m := observed.New(observed.Config{Adapters: map[int]ecp.Adapter{5: worldAdapter{}}})
	require.NotNil(t, m.AdapterFor("5.8.9"))
	require.NotNil(t, m.AdapterFor("6.1.0"), "a later major is spoken to by the newest")
	require.Nil(t, m.AdapterFor("4.4.24"))
	require.Nil(t, m.AdapterFor("latest"))
}

func TestWhatWasDoneIsLookedAt(t *testing.T) {
	b := newBench(t)
	rec := b.look(0)
	require.True(t, rec.Status.Dispatched)
	require.True(t, rec.Status.Seen, "what one pass makes, the same pass sees")
}

// An Apply that was under way when a repair was asked for did not make anew
// what was lost: the repair's own has to.
func TestARepairWhileApplyIsUnderWay(t *testing.T) {
	b := newBench(t)
	b.running()
	b.w.at(b.id).touch(1, func(pod *worldPod) { pod.down, pod.ready = true, false })
	require.Equal(t, ecp.Degraded, b.look(time.Second).Status.State)
	h := &hooked{world: b.w}
	h.apply = func() { b.do(ecp.Repair{}); h.apply = func() {} }
	b.restart(h)
	b.w.at(b.id).service = false
	b.w.at(b.id).touch(1, func(pod *worldPod) { pod.down, pod.ready = false, true })
	rec := b.look(time.Second)
	require.Equal(t, ecp.Updating, rec.Status.State)
	require.False(t, rec.Status.Dispatched)
	delete(b.w.at(b.id).claims, 0)
	b.look(time.Second)
	require.Contains(t, b.w.at(b.id).claims, 0)
}
