package fleet

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fleet drives the engine by hand: random commands, looks, faults, crashes and
// time against a world, with everything that must always hold checked at every
// write and after every look.
type fleetTest struct {
	t    *rapid.T
	m    *Manager
	s    *mapstore.Store
	w    *world
	now  time.Time
	n    int // clusters ever made
	cmd  ecp.Command
	tale []string // what was done, for the failure

	stored map[ecp.ID]ecp.ClusterRecord
	task   map[ecp.ID]*task
	before map[ecp.OperationID]ecp.PreviousSpec // what was wanted before each operation
}

// task keeps the time that an unsteady state has had, apart from the engine.
type task struct {
	began time.Time
	stale time.Duration
}

func newFleet(t *rapid.T) *fleetTest {
	f := &fleetTest{
		t:      t,
		s:      mapstore.New(),
		w:      newWorld(),
		now:    t0,
		stored: map[ecp.ID]ecp.ClusterRecord{},
		task:   map[ecp.ID]*task{},
		before: map[ecp.OperationID]ecp.PreviousSpec{},
	}
	f.s.Wrote = f.wrote
	f.w.remade = func(id ecp.ID, what string) {
		require.False(t, f.stored[id].Status.Dispatched, "%s of %s was made anew unasked\n%s", what, id, f.story())
	}
	f.w.wrong = func(id ecp.ID, what string) { f.require(false, "%s: %s", id, what) }
	f.restart()
	for of, connections := range map[string]int{"default": 90, "default/default": 60, "default/other": 50} {
		_, err := f.m.Directory.UpdateQuota(asSystem(), ecp.Quota{Of: of, Connections: connections})
		require.NoError(t, err)
	}
	return f
}

func (f *fleetTest) restart() {
	m, err := New(asSystem(), Config{
		Store: f.s, Provisioners: map[string]ecp.Provisioner{
			"default": f.w,
		}, Adapters: []ecp.Adapter{worldAdapter{f.w}}, Now: func() time.Time { return f.now },
		Defaults: Defaults{
			Projects: []string{"default/default", "default/other"},
			Pool:     &ecp.Pool{Connections: 100, Clusters: 3},
			Images:   []ecp.Image{{ID: "a", Version: "5.8.9", Default: true}, {ID: "b", Version: "5.8.5"}},
		},
	})
	require.NoError(f.t, err)
	f.m = m
	m.setTick(func() time.Time { return f.now })
}

func (f *fleetTest) say(format string, args ...any) {
	f.tale = append(f.tale, f.now.Format("15:04:05.0 ")+fmt.Sprintf(format, args...))
}

func (f *fleetTest) story() string {
	out := ""
	for _, line := range f.tale[max(0, len(f.tale)-60):] {
		out += line + "\n"
	}
	return out
}

func (f *fleetTest) require(ok bool, format string, args ...any) {
	if !ok {
		f.t.Fatalf(format+"\n%s", append(args, f.story())...)
	}
}

// wrote checks everything that must hold of what one transaction stored.
func (f *fleetTest) wrote(puts []ecp.Record) {
	var hops []ecp.ClusterRecord
	for _, r := range puts {
		if rec, ok := r.Payload.(ecp.ClusterRecord); ok {
			hops = append(hops, rec)
		}
	}
	for i, rec := range hops {
		f.hop(rec, i == len(hops)-1)
	}
	f.ledger()
	f.operations()
}

func (f *fleetTest) hop(rec ecp.ClusterRecord, last bool) {
	old, known := f.stored[rec.ID]
	st := rec.Status
	f.say("%s %s (%s) %s", rec.ID, st.State, st.Reason, st.Message)
	f.require(known || st.State == ecp.Creating, "a new cluster is %s", st.State)
	f.require(last || st.State == ecp.Syncing || st.State == ecp.Stopped, "it shows %s in passing", st.State)
	if known && old.Status.State != st.State {
		f.edge(rec, old.Status.State)
	}
	f.require(!old.Deleting || rec.Deleting, "a deletion was taken back")
	f.require(rec.Revision >= old.Revision && rec.Generation >= old.Generation, "a counter fell")
	_, repair := f.cmd.(ecp.Repair)
	f.require(!old.Status.Dispatched || st.Dispatched || repair, "it was forgotten that it was dispatched")
	onItsWay := st.State.Unsteady() || (rec.Deleting && st.State == ecp.Stopped)
	f.require(!onItsWay || !st.Deadline.IsZero(), "%s without a deadline", st.State)
	f.require(st.State == ecp.Gone || ecp.HostedStates.Label(st.State).EN != string(st.State), "%q is no state",
		st.State)
	f.clock(old, rec, known)
	if st.Operation != old.Status.Operation {
		f.before[st.Operation] = ecp.PreviousSpec{Spec: old.Spec, Resolved: old.Resolved}
	}
	f.stored[rec.ID] = rec
	if st.State == ecp.Gone {
		delete(f.stored, rec.ID)
	}
}

// edge checks that a hop is one of the tables'.
func (f *fleetTest) edge(rec ecp.ClusterRecord, from ecp.State) {
	to := rec.Status.State
	if f.cmd != nil {
		want, _ := ecp.HostedStates.Next(from, f.cmd.Kind())
		f.require(want == to || (want == ecp.Updating && to == ecp.Stopping && derive.WantedNodes(rec) == 0),
			"%s leads from %s to %s", f.cmd.Kind(), from, to)
		return
	}
	f.require(slices.Contains(ecp.HostedStates.Edges(from), to), "a look leads from %s to %s", from, to)
}

// clock measures the time a task had, and that it was not cut short.
func (f *fleetTest) clock(old, rec ecp.ClusterRecord, known bool) {
	id, st := rec.ID, rec.Status
	if !known || (f.cmd != nil && (old.Status.State != st.State || old.Deleting != rec.Deleting)) ||
		(st.State.Unsteady() && !old.Status.State.Unsteady() && !rec.Deleting) {
		f.task[id] = &task{began: f.now}
	}
	tk := f.task[id]
	if from := old.Status.StaleFrom; !from.IsZero() && st.StaleFrom.IsZero() {
		if from.Before(tk.began) {
			from = tk.began
		}
		tk.stale += f.now.Sub(from)
	}
	patience, failed := map[ecp.Reason]time.Duration{
		ecp.ReasonCreateFailed:  f.m.observed.Timings.Dispatch,
		ecp.ReasonNotDispatched: f.m.observed.Timings.Dispatch,
		ecp.ReasonStartFailed:   f.m.observed.Timings.Start,
		ecp.ReasonUpdateFailed:  f.m.observed.Timings.Create,
		ecp.ReasonSyncFailed:    f.m.observed.Timings.Create,
		ecp.ReasonStopFailed:    f.m.observed.Timings.Stop,
		ecp.ReasonDeleteFailed:  f.m.observed.Timings.Delete,
	}[st.Reason]
	if gaveUp := st.Draining != nil && st.Draining.TimedOut; failed && !gaveUp && old.Status.Reason != st.Reason {
		had := f.now.Sub(tk.began) - tk.stale
		f.require(had >= patience, "%s after %s of %s", st.Reason, had, patience)
	}
}

func (f *fleetTest) ledger() {
	var want ecp.Pool
	for _, r := range f.s.Records[ecp.KindCluster] {
		want.UsedClusters++
		want.UsedConnections += r.Payload.(ecp.ClusterRecord).Spec.Connections()
	}
	got, _ := f.s.Records[ecp.KindPool][ecp.PoolKey].Payload.(ecp.Pool)
	f.require(got.UsedClusters == want.UsedClusters && got.UsedConnections == want.UsedConnections,
		"the ledger says %+v, the clusters %+v", got, want)
	for _, r := range f.s.Records[ecp.KindQuota] {
		q, used := r.Payload.(ecp.Quota), 0
		for _, r := range f.s.Records[ecp.KindCluster] {
			c := r.Payload.(ecp.ClusterRecord)
			if c.Project == q.Of || strings.HasPrefix(c.Project, q.Of+"/") {
				used += c.Booked()
			}
		}
		f.require(q.UsedConnections == used && used <= q.Connections, "the quota is %+v, the clusters have %d", q, used)
	}
}

// operations: at most one of a cluster is not final, and the cluster names it.
func (f *fleetTest) operations() {
	open := map[ecp.ID]ecp.OperationID{}
	for _, r := range f.s.Records[ecp.KindOperation] {
		o := r.Payload.(ecp.Operation)
		if o.Phase.Final() {
			f.require(!o.EndedAt.IsZero(), "operation %s has ended, but not when", o.ID)
			continue
		}
		f.require(open[o.Cluster] == "", "%s has two operations: %s and %s", o.Cluster, open[o.Cluster], o.ID)
		open[o.Cluster] = o.ID
	}
	for id, r := range f.s.Records[ecp.KindCluster] {
		st := r.Payload.(ecp.ClusterRecord).Status
		f.require(st.Operation == open[ecp.ID(id)], "%s names operation %q, %q is open", id, st.Operation,
			open[ecp.ID(id)])
		f.require(st.Operation == "" || st.State.Unsteady() || st.State == ecp.Stopped || f.cmd != nil ||
			r.Payload.(ecp.ClusterRecord).Deleting, "%s is %s, and its operation goes on", id, st.State)
		delete(open, ecp.ID(id))
	}
	f.require(len(open) == 0, "operations of clusters that are gone: %v", open)
}

// live lists the clusters in the order of their making: ids are random.
func (f *fleetTest) live() []ecp.ID {
	var out []ecp.ID
	for _, key := range slices.Sorted(maps.Keys(f.s.Records[ecp.KindCluster])) {
		out = append(out, ecp.ID(key))
	}
	order := func(id ecp.ID) string {
		return f.s.Records[ecp.KindCluster][string(id)].Payload.(ecp.ClusterRecord).Name
	}
	slices.SortFunc(out, func(a, b ecp.ID) int { return strings.Compare(order(a), order(b)) })
	return out
}

func (f *fleetTest) create() {
	f.n++
	spec := ecp.HostedSpec{
		Nodes:       rapid.IntRange(1, 3).Draw(f.t, "nodes"),
		Connections: rapid.IntRange(1, 60).Draw(f.t, "connections"),
	}
	if rapid.IntRange(0, 4).Draw(f.t, "off") == 0 {
		spec.Power = ecp.PowerOff
	}
	_, _, err := f.m.Create(asSystem(),
		CreateRequest{Mode: ecp.Hosted, Name: fmt.Sprintf("c%03d", f.n), Spec: ecp.Spec{Hosted: &spec}})
	f.require(err == nil || errors.Is(err, ecp.ErrQuotaExceeded) || errors.Is(err, errFault), "create: %v", err)
}

var someCommands = []ecp.Command{ecp.Start{}, ecp.Stop{}, ecp.Repair{}, ecp.Delete{}, ecp.Delete{
	Force: true,
}, ecp.Transfer{Project: "default/other"}, ecp.Transfer{Project: "default/default"},
	ecp.Update{Patch: []byte(`{"connections":5}`)}, ecp.Update{Patch: []byte(`{"connections":50}`)}, ecp.Update{Patch: []byte(`{"connections":101}`)}, ecp.Update{Patch: []byte(`{"evacuation":{"rate":7}}`)},
	ecp.Restart{}, ecp.Update{Patch: []byte(`{"nodes":1}`)}, ecp.Update{Patch: []byte(`{"nodes":2}`)},
	ecp.Update{Patch: []byte(`{"nodes":4}`)}, ecp.Update{Patch: []byte(`{"image":"b"}`)},
	ecp.Update{Patch: []byte(`{"image":"a","nodes":3}`)}, ecp.Update{Patch: []byte(`{"size":"2C4G"}`)}, ecp.Update{Patch: []byte(`{"evacuation":{"deadline":60,"onDeadline":"stop"}}`)}}

func (f *fleetTest) command(id ecp.ID) {
	f.do(id, rapid.SampledFrom(someCommands).Draw(f.t, "command"))
}

func (f *fleetTest) do(id ecp.ID, cmd ecp.Command) {
	before, at := f.stored[id], f.s.Seq
	plan, planErr := f.m.Cluster(id).Plan(asSystem(), cmd)
	f.cmd = cmd
	defer func() { f.cmd = nil }()
	op, err := f.m.Cluster(id).Do(asSystem(), cmd)
	f.say("%s: %s %+v: %v", id, cmd.Kind(), cmd, err)
	if errors.Is(err, errFault) {
		return
	}
	f.require(ecp.CodeOf(err) == ecp.CodeOf(planErr), "plan says %v, do says %v", planErr, err)
	if err != nil {
		f.require(errors.Is(err, ecp.ErrConflict) || ((cmd.Kind() == ecp.CommandUpdate ||
			cmd.Kind() == ecp.CommandTransfer) && errors.Is(err, ecp.ErrQuotaExceeded)), "%v", err)
		f.require(before.Deleting && cmd.Kind() != ecp.CommandDelete || !before.Deleting, "deletion was refused: %v",
			err)
		f.require(f.s.Seq == at, "what was refused wrote something")
		return
	}
	f.require(f.stored[id].Status.State == plan.To, "plan says %s, it is %s", plan.To, f.stored[id].Status.State)
	f.require(plan.Nothing == (f.s.Seq == at), "plan says nothing=%v", plan.Nothing)
	f.require(op.ID == "" || f.stored[id].Status.Operation == op.ID, "the operation is not the cluster's")
}

// cancel takes the cluster's operation back, if it has one.
func (f *fleetTest) cancel(id ecp.ID) {
	before, at := f.stored[id], f.s.Seq
	o, there := f.s.Records[ecp.KindOperation][string(before.Status.Operation)].Payload.(ecp.Operation)
	if !there {
		return
	}
	var way ecp.Command
	if back := waysBack[o.Kind]; back != nil {
		way = back(f.before[o.ID])
	}
	f.cmd = way
	defer func() { f.cmd = nil }()
	back, err := f.m.CancelOperation(asSystem(), o.ID)
	f.say("%s: cancel %s: %v", id, o.Kind, err)
	if errors.Is(err, errFault) {
		return
	}
	if err != nil {
		f.require(way == nil && errors.Is(err, ecp.ErrConflict) || way != nil && errors.Is(err, ecp.ErrQuotaExceeded),
			"cancel %s: %v", o.Kind, err)
		f.require(f.s.Seq == at, "what was refused wrote something")
		return
	}
	f.require(way != nil, "a %s was cancelled", o.Kind)
	is, was := f.stored[id], f.before[o.ID]
	f.require(reflect.DeepEqual(is.Spec, was.Spec), "%+v is wanted, before it was %+v", is.Spec.Hosted, was.Spec.Hosted)
	f.require(is.Status.Operation == back.ID, "the way back is not the cluster's operation")
	o = f.s.Records[ecp.KindOperation][string(o.ID)].Payload.(ecp.Operation)
	f.require(o.Phase == ecp.PhaseCancelled && o.SupersededBy == back.ID, "what was cancelled is %+v", o)
}

// look lets the engine work on a cluster once, and checks what it then says.
func (f *fleetTest) look(id ecp.ID) {
	f.m.reconcile(asSystem(), id)
	rec, there := f.stored[id]
	if !there || f.s.Fault != nil {
		return
	}
	st, p := rec.Status, f.w.at(id)
	if f.w.unseen {
		f.require(!st.StaleFrom.IsZero(), "not stale while nothing can be seen")
		for _, c := range []ecp.ConditionType{
			ecp.CondAvailable, ecp.CondReady, ecp.CondSettled, ecp.CondHealthy, ecp.CondProvisioned,
			ecp.CondManagementReachable,
		} {
			f.require(ecp.ConditionOf(st.Conditions, c).Status == ecp.Unknown, "%s is known of what cannot be seen", c)
		}
		return
	}
	f.require(st.StaleFrom.IsZero(), "stale although everything can be seen")
	f.require(st.Deadline.Sub(f.now) <= f.m.observed.Timings.Create+ecp.MaxNodes*derive.DefaultDrainDeadline,
		"%s has %s left", st.State, st.Deadline.Sub(f.now))
	f.require(!st.State.Unsteady() || !f.now.After(st.Deadline), "%s is overdue", st.State)
	if p.lagging {
		return
	}
	switch st.State {
	case ecp.Running:
		f.require(ecp.ConditionOf(st.Conditions, ecp.CondAvailable).Status == ecp.True, "running, but not available")
		f.require(p.ready() > 0, "running, but no node is ready")
	case ecp.Degraded:
		f.require(p.ready() > 0, "degraded, but no node is ready")
	case ecp.Stopped:
		f.require(len(p.pods) == 0 || p.foreign != "", "stopped, but there are pods")
	default:
	}
	settled := ecp.ConditionOf(st.Conditions, ecp.CondSettled).Status == ecp.True
	f.require(!settled || p.applied.Generation == rec.Generation, "settled, but generation %d is there, not %d",
		p.applied.Generation, rec.Generation)
}

// rest looks until nothing more follows, which may take the hops of one
// deletion or the nodes that never ran of one change, and then sees that another
// look with nothing new writes nothing.
func (f *fleetTest) rest(id ecp.ID) {
	for range 4 + 2*ecp.MaxNodes {
		f.look(id)
	}
	writes, applies := f.s.Writes, f.w.applies
	f.look(id)
	f.require(f.s.Writes == writes, "a look that showed nothing new wrote something")
	f.require(f.w.applies == applies || f.w.at(id).lagging, "a look that showed nothing new applied something")
}

var errFault = errors.New("the disk is away")

// broken lets the store fail during what is done, before or after it keeps the
// change; then the process may end.
func (f *fleetTest) broken(do func()) {
	after, left := rapid.Bool().Draw(f.t, "after"), rapid.IntRange(0, 1).Draw(f.t, "writes")
	f.s.Fault = func(kept bool) error {
		if kept == after {
			left--
		}
		if left < 0 && kept == after {
			return &ecp.Error{Code: ecp.CodeUnavailable, Op: "store", Message: "it did not take it", Cause: errFault}
		}
		return nil
	}
	f.say("the store breaks (after=%v)", after)
	do()
	f.s.Fault = nil
	if rapid.Bool().Draw(f.t, "restart") {
		f.say("restart")
		f.restart()
	}
}

func (f *fleetTest) fault(id ecp.ID) {
	p, n := f.w.at(id), rapid.IntRange(0, 2).Draw(f.t, "ordinal")
	faults := []struct {
		name string
		do   func()
	}{
		{"kill", func() { p.touch(n, func(pod *worldPod) { pod.down, pod.ready = true, false }) }},
		{"revive", func() { p.touch(n, func(pod *worldPod) { pod.down = false }) }},
		{"delete pod", func() { p.touch(n, func(pod *worldPod) { pod.going, pod.ready = true, false }) }},
		{"scale by hand", func() { p.replicas = n }},
		{"delete service", func() { p.service = false }},
		{"delete auth", func() { p.auth = "" }},
		{"delete claim", func() { delete(p.claims, n) }},
		{"delete namespace", func() { p.going = p.there }},
		{"foreign", func() { f.w.erase(id); f.w.at(id).foreign = "team-a" }},
		{"not foreign", func() { p.foreign = "" }},
		{"mute", func() { p.mute = !p.mute }},
		{"split", func() { p.split[n] = !p.split[n] }},
		{"lag", func() { p.lagging = !p.lagging }},
		{"unseen", func() { f.w.unseen = !f.w.unseen }},
		{"apply fails", func() { f.w.failApply = !f.w.failApply }},
		{"everything is refused", func() { f.w.refuse = !f.w.refuse }},
		{"a Service is refused", func() { f.w.refuseLB = !f.w.refuseLB }},
		{"delete fails", func() { f.w.failDelete = !f.w.failDelete }},
	}
	x := faults[rapid.IntRange(0, len(faults)-1).Draw(f.t, "fault")]
	f.say("%s: %s %d", id, x.name, n)
	x.do()
}

func (p *platform) touch(n int, do func(*worldPod)) {
	if pod := p.pods[n]; pod != nil {
		do(pod)
	}
}

func (f *fleetTest) wait() {
	d := rapid.SampledFrom([]time.Duration{
		300 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, 16 * time.Minute,
	}).Draw(f.t, "wait")
	if rapid.Bool().Draw(f.t, "nobody looks") {
		f.now = f.now.Add(d)
		return
	}
	for ; d > 0; d -= derive.ObserveSlack {
		f.now = f.now.Add(min(d, derive.ObserveSlack))
		for _, id := range f.live() {
			f.look(id)
		}
	}
}

// step does one random thing.
func (f *fleetTest) step() {
	ids := f.live()
	if len(ids) == 0 {
		f.create()
		return
	}
	id := ids[rapid.IntRange(0, len(ids)-1).Draw(f.t, "cluster")]
	switch k := rapid.IntRange(0, 99).Draw(f.t, "step"); {
	case k < 3:
		f.create()
	case k < 11:
		f.command(id)
	case k < 13:
		f.cancel(id)
	case k < 23:
		f.fault(id)
	case k < 35:
		f.wait()
	case k < 55:
		f.w.tick(id)
	case k < 58:
		f.say("restart")
		f.restart()
	case k < 64:
		f.broken(func() { f.look(id) })
	case k < 67:
		f.broken(func() { f.command(id) })
	case k < 75:
		f.rest(id)
	default:
		f.look(id)
	}
}

// heal takes every fault away and sees that all clusters end where they should.
func (f *fleetTest) heal() {
	f.say("everything is mended")
	f.w.unseen, f.w.failApply, f.w.failDelete, f.w.refuse, f.w.refuseLB = false, false, false, false, false
	for _, p := range f.w.clusters {
		p.foreign, p.mute, p.lagging, p.split = "", false, false, map[int]bool{}
		for _, pod := range p.pods {
			pod.down = false
		}
	}
	for round := range 80 {
		f.now = f.now.Add(time.Second)
		if round == 40 { // what was lost before it was ever seen shows by its deadline only
			for range 16 * 6 {
				f.now = f.now.Add(derive.ObserveSlack)
				for _, id := range f.live() {
					f.look(id)
				}
			}
		}
		for _, id := range f.live() {
			f.w.tick(id)
			f.look(id)
			st := f.stored[id].Status
			if round%20 == 10 && !f.stored[id].Deleting && (st.State == ecp.Abnormal || st.State == ecp.Nonexistent) {
				f.do(id, ecp.Repair{})
			}
		}
	}
	for _, id := range f.live() {
		rec := f.stored[id]
		f.require(!rec.Deleting, "%s was never removed: %s %s", id, rec.Status.State, rec.Status.Message)
		want := map[bool]ecp.State{true: ecp.Running, false: ecp.Stopped}[rec.Spec.Hosted.Power == ecp.PowerOn]
		f.require(rec.Status.Operation == "", "%s is %s, and its operation has not ended", id, rec.Status.State)
		f.require(rec.Status.State == want, "%s ends %s (%s: %s), not %s", id, rec.Status.State, rec.Status.Reason,
			rec.Status.Message, want)
		f.require(ecp.ConditionOf(rec.Status.Conditions, ecp.CondSettled).Status == ecp.True && ecp.ConditionOf(
			rec.Status.Conditions, ecp.CondHealthy,
		).Status == ecp.True, "%s is not settled and healthy: %+v", id, rec.Status)
		f.rest(id)
	}
}

func TestWhatAlwaysHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(t)
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			f.step()
		}
		f.heal()
	})
}

// Every path is walked by looks alone, and shows nothing in passing that the
// cluster is not.
func TestRoutesShowNothingUntrue(t *testing.T) {
	wanted := map[ecp.State][]ecp.State{
		ecp.Creating:    {ecp.Running, ecp.Abnormal, ecp.Nonexistent, ecp.Stopped},
		ecp.Updating:    {ecp.Syncing, ecp.Running, ecp.Abnormal},
		ecp.Syncing:     {ecp.Running, ecp.Abnormal, ecp.Updating},
		ecp.Starting:    {ecp.Running, ecp.Abnormal},
		ecp.Running:     {ecp.Degraded, ecp.Abnormal},
		ecp.Degraded:    {ecp.Running, ecp.Abnormal},
		ecp.Stopping:    {ecp.Stopped, ecp.Abnormal, ecp.Gone},
		ecp.Stopped:     {ecp.Stopping, ecp.Abnormal, ecp.Gone},
		ecp.Abnormal:    {ecp.Running, ecp.Degraded, ecp.Stopped, ecp.Gone},
		ecp.Nonexistent: {ecp.Gone},
	}
	for from, all := range wanted {
		for _, to := range all {
			path := ecp.HostedStates.Route(from, to)
			require.NotEmpty(t, path, "%s to %s", from, to)
			for _, s := range path[:len(path)-1] {
				require.Contains(t, []ecp.State{ecp.Syncing, ecp.Stopped}, s, "%s to %s", from, to)
			}
		}
	}
}
