package fleet

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/derive"
)

// askPatience bounds one question to one node of EMQX.
const askPatience = 5 * time.Second

// ask lets EMQX itself say who its members are, where that is due: while
// something is awaited, when other pods are ready than at the last time, and
// at an interval.
func (m *Manager) ask(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *memory, look *derive.Look) {
	m.takeMQTT(ctx, mem, look, 0)
	v := derive.NewView(look.At, rec, *look)
	if look.Unseen != "" || len(v.Ready) == 0 || v.Want == 0 {
		look.Silent, look.SilentWhy, look.Missing, mem.pods = 0, "", 0, ""
		look.Mqtt = derive.MqttSeen{}
		return
	}
	access, ok := p.(ecp.Accessor)
	adapter := m.adapterFor(rec.Resolved.Image.Version)
	if !ok || adapter == nil {
		look.Deaf = true
		return
	}
	pods := readyPods(v.Ready)
	awaited := rec.Status.State != ecp.Running || mem.look.Silent > 0 || mem.look.Missing > 0 || look.Mqtt.Mute > 0 ||
		slices.ContainsFunc(mem.look.Foreign, func(f ecp.ForeignMember) bool { return f.Running }) // it may be about to stop
	if pods == mem.pods && !awaited && look.Tick.Sub(mem.asked) < m.timings.Poll {
		look.Views, look.Knows, look.Foreign = mem.look.Views, mem.look.Knows, mem.look.Foreign
		return
	}
	likeliest := byAnswer(v.Ready, mem.look.Views)
	m.beginMQTT(ctx, p, rec, mem, likeliest)
	views, knows, descriptions, why := m.askNodes(ctx, access, adapter, v, likeliest)
	m.takeMQTT(ctx, mem, look, derive.MqttGrace)
	if ctx.Err() != nil || len(views) == 0 && m.tick().Sub(look.Tick) > 2*askPatience { // the program stood still, not EMQX
		return
	}
	if pods != mem.pods {
		mem.pace = 0
	}
	m.mu.Lock()
	mem.asked, mem.pods = look.Tick, pods
	if len(descriptions) > 0 {
		mem.brokers = descriptions
	}
	m.mu.Unlock()
	look.Views, look.Knows, look.Foreign = views, knows, v.ForeignMembers(descriptions)
	m.count(rec, mem, look, why)
	m.askSettings(ctx, p, rec, mem, look)
}

// count keeps the two counters that debounce what EMQX says: each grows once
// a second at most, and one good answer clears it.
func (m *Manager) count(rec ecp.ClusterRecord, mem *memory, look *derive.Look, why string) {
	grow := func(n *int) {
		if *n == 0 || look.Tick.Sub(mem.counted) >= time.Second {
			*n++
			mem.counted = look.Tick
		}
	}
	if len(look.Views) == 0 {
		m.counters.silent.Add(1)
		look.SilentWhy = why
		grow(&look.Silent)
		return
	}
	look.Silent, look.SilentWhy = 0, ""
	if len(derive.NewView(look.At, rec, *look).Missing()) == 0 {
		look.Missing = 0
		return
	}
	grow(&look.Missing)
}

// knownTo lists whom a node knows, running or not.
func knownTo(d ecp.Description) []string {
	var out []string
	for _, n := range d.Nodes {
		out = append(out, n.Name)
	}
	return out
}

// askNode asks one node who its members are. That the others' names are known lets
// it answer while one of them hangs, also where it would wait for that one.
func (m *Manager) askNode(ctx context.Context, access ecp.Accessor, adapter ecp.Adapter, v derive.View, node string) (ecp.Description, error) {
	var d ecp.Description
	err := m.through(ctx, access, adapter, v.Rec.ID, node, v.NodeNames(), func(ctx context.Context, b ecp.Broker) (err error) { d, err = b.Describe(ctx); return err })
	return d, err
}

func runningMembers(d ecp.Description) []derive.Member {
	var out []derive.Member
	for _, n := range d.Nodes {
		if n.Status == ecp.NodeRunning {
			out = append(out, derive.Member{Name: n.Name, Version: n.Version})
		}
	}
	return out
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
