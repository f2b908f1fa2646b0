package ecp

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// askPatience bounds one question to one node of EMQX.
const askPatience = 5 * time.Second

// ask lets EMQX itself say who its members are, where that is due: while
// something is awaited, when other pods are ready than at the last time, and
// at an interval.
func (m *Manager) ask(ctx context.Context, p Provisioner, rec ClusterRecord, mem *memory, look *Look) {
	m.takeMQTT(ctx, mem, look, 0)
	v := newView(look.At, rec, *look)
	if look.Unseen != "" || len(v.ready) == 0 || v.want == 0 {
		look.Silent, look.SilentWhy, look.Missing, mem.pods = 0, "", 0, ""
		look.mqtt = mqttSeen{}
		return
	}
	access, ok := p.(Accessor)
	adapter := m.adapterFor(rec.Resolved.Image.Version)
	if !ok || adapter == nil {
		look.Deaf = true
		return
	}
	pods := readyPods(v.ready)
	awaited := rec.Status.State != Running || mem.look.Silent > 0 || mem.look.Missing > 0 || look.mqtt.mute > 0 ||
		slices.ContainsFunc(mem.look.Foreign, func(f ForeignMember) bool { return f.Running }) // it may be about to stop
	if pods == mem.pods && !awaited && look.tick.Sub(mem.asked) < m.timings.Poll {
		look.Views, look.Knows, look.Foreign = mem.look.Views, mem.look.Knows, mem.look.Foreign
		return
	}
	likeliest := byAnswer(v.ready, mem.look.Views)
	m.beginMQTT(ctx, p, rec, mem, likeliest)
	views, knows, descriptions, why := m.askNodes(ctx, access, adapter, v, likeliest)
	m.takeMQTT(ctx, mem, look, mqttGrace)
	if ctx.Err() != nil || len(views) == 0 && m.tick().Sub(look.tick) > 2*askPatience { // the program stood still, not EMQX
		return
	}
	if pods != mem.pods {
		mem.pace = 0
	}
	m.mu.Lock()
	mem.asked, mem.pods = look.tick, pods
	if len(descriptions) > 0 {
		mem.brokers = descriptions
	}
	m.mu.Unlock()
	look.Views, look.Knows, look.Foreign = views, knows, v.foreignMembers(descriptions)
	m.count(rec, mem, look, why)
	m.askSettings(ctx, p, rec, mem, look)
}

// count keeps the two counters that debounce what EMQX says: each grows once
// a second at most, and one good answer clears it.
func (m *Manager) count(rec ClusterRecord, mem *memory, look *Look, why string) {
	grow := func(n *int) {
		if *n == 0 || look.tick.Sub(mem.counted) >= time.Second {
			*n++
			mem.counted = look.tick
		}
	}
	if len(look.Views) == 0 {
		m.counters.silent.Add(1)
		look.SilentWhy = why
		grow(&look.Silent)
		return
	}
	look.Silent, look.SilentWhy = 0, ""
	if len(newView(look.At, rec, *look).missing()) == 0 {
		look.Missing = 0
		return
	}
	grow(&look.Missing)
}

// knownTo lists whom a node knows, running or not.
func knownTo(d Description) []string {
	var out []string
	for _, n := range d.Nodes {
		out = append(out, n.Name)
	}
	return out
}

// askNode asks one node who its members are. That the others' names are known lets
// it answer while one of them hangs, also where it would wait for that one.
func (m *Manager) askNode(ctx context.Context, access Accessor, adapter Adapter, v view, node string) (Description, error) {
	var d Description
	err := m.through(ctx, access, adapter, v.rec.ID, node, v.nodeNames(), func(ctx context.Context, b Broker) (err error) { d, err = b.Describe(ctx); return err })
	return d, err
}

func runningMembers(d Description) []Member {
	var out []Member
	for _, n := range d.Nodes {
		if n.Status == NodeRunning {
			out = append(out, Member{Name: n.Name, Version: n.Version})
		}
	}
	return out
}

// readyPods is a fingerprint of which pods are ready since when.
func readyPods(nodes []NodeObservation) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = n.Pod + "/" + n.PodUID + "/" + strconv.FormatInt(n.Since.UnixNano(), 36)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
