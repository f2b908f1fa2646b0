package brokers

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// QueryTimeout bounds one question to one node of EMQX.
const QueryTimeout = 5 * time.Second

// Observe lets EMQX itself say who its members are, where that is due: while
// something is awaited, when other pods are ready than at the last time, and
// at an interval.
func (m *Brokers) Observe(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
	snap *derive.Snapshot) {
	m.takeProbe(ctx, mem, snap, 0)
	v := derive.NewView(snap.At, rec, *snap)
	if snap.Unseen != "" || len(v.Ready) == 0 || v.Want == 0 {
		snap.Unanswered, snap.UnansweredWhy, snap.MissingMembers, mem.AskedPods = 0, "", 0, ""
		snap.MQTT = derive.MQTTObservation{}
		return
	}
	access, ok := p.(ecp.Accessor)
	adapter := m.observed.AdapterFor(rec.Resolved.Image.Version)
	if !ok || adapter == nil {
		snap.NoAdapter = true
		return
	}
	pods := readyPods(v.Ready)
	awaited := rec.Status.State != ecp.Running || mem.Snapshot.Unanswered > 0 || mem.Snapshot.MissingMembers > 0 ||
		snap.MQTT.Unserved > 0 ||
		// it may be about to stop
		slices.ContainsFunc(mem.Snapshot.ForeignMembers, func(f ecp.ForeignMember) bool { return f.Running })
	if pods == mem.AskedPods && !awaited && snap.Tick.Sub(mem.AskedAt) < m.observed.Timings.Poll {
		snap.Views, snap.Known, snap.ForeignMembers = mem.Snapshot.Views, mem.Snapshot.Known,
			mem.Snapshot.ForeignMembers
		return
	}
	likeliest := byAnswer(v.Ready, mem.Snapshot.Views)
	m.startProbe(ctx, p, rec, mem, byAnswer(v.Reached(), mem.Snapshot.Views))
	views, knows, descriptions, why := m.queryMembers(ctx, access, adapter, v, likeliest)
	m.takeProbe(ctx, mem, snap, derive.MQTTGrace)
	// the program stood still, not EMQX
	if ctx.Err() != nil || len(views) == 0 && m.observed.Tick().Sub(snap.Tick) > 2*QueryTimeout {
		return
	}
	if pods != mem.AskedPods {
		mem.AskInterval = 0
	}
	m.observed.RememberBrokers(mem, snap.Tick, pods, descriptions)
	snap.Views, snap.Known, snap.ForeignMembers = views, knows, v.ForeignMembers(descriptions)
	m.count(rec, mem, snap, why)
	m.compareSettings(ctx, p, rec, mem, snap)
}

// count keeps the two counters that debounce what EMQX says: each grows once
// a second at most, and one good answer clears it.
func (m *Brokers) count(rec ecp.ClusterRecord, mem *observed.Memory, snap *derive.Snapshot, why string) {
	grow := func(n *int) {
		if *n == 0 || snap.Tick.Sub(mem.CountedAt) >= time.Second {
			*n++
			mem.CountedAt = snap.Tick
		}
	}
	if len(snap.Views) == 0 {
		m.observed.Counters.Unanswered.Add(1)
		snap.UnansweredWhy = why
		grow(&snap.Unanswered)
		return
	}
	snap.Unanswered, snap.UnansweredWhy = 0, ""
	if len(derive.NewView(snap.At, rec, *snap).MissingMembers()) == 0 {
		snap.MissingMembers = 0
		return
	}
	grow(&snap.MissingMembers)
}

// memberNames lists whom a node knows, running or not.
func memberNames(d ecp.Description) []string {
	var out []string
	for _, n := range d.Nodes {
		out = append(out, n.Name)
	}
	return out
}

// describeThrough asks one node who its members are. That the others' names are known lets
// it answer while one of them hangs, also where it would wait for that one.
func (m *Brokers) describeThrough(ctx context.Context, access ecp.Accessor, adapter ecp.Adapter, v derive.View,
	node string) (ecp.Description, error) {
	var d ecp.Description
	err := m.through(ctx, access, adapter, v.Rec.ID, node, v.NodeNames(),
		func(ctx context.Context, b ecp.Broker) (err error) { d, err = b.Describe(ctx); return err })
	return d, err
}

// readyPods is a fingerprint of which pods are ready since when.
func readyPods(nodes []ecp.NodeObservation) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = n.Pod + "/" + n.PodUID + "/" + strconv.FormatInt(n.Since.UnixNano(), 36)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
