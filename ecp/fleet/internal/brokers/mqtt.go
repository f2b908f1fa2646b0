package brokers

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet/internal/mqttprobe"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/drift"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// startProbe lets a client knock at the ready nodes: at the likeliest first, at the
// others where that does not help. No pass waits for a node that is silent: where
// the round lasts, the cluster is woken at its end.
func (m *Brokers) startProbe(ctx context.Context, p ecp.Provisioner, rec ecp.ClusterRecord, mem *observed.Memory,
	ready []ecp.NodeObservation) {
	dialer, ok := p.(ecp.ClientDialer)
	if mem.MQTTProbe != nil || !ok {
		return
	}
	done := make(chan derive.MQTTResult, 1)
	mem.MQTTProbe = done
	if key := ChangedListener(rec.Spec.Hosted.Config); key != "" {
		done <- derive.MQTTResult{Unseen: "the setting " + key + " changes the listener that could be asked"}
		return
	}
	m.probes.Go(func() {
		start := m.observed.Tick()
		answer := probeNodes(ctx, dialer, rec.ID, ready)
		lasted := m.observed.Tick().Sub(start)
		done <- answer
		if ctx.Err() == nil && lasted > derive.MQTTGrace/2 { // perhaps nobody waits for it any more
			m.wake(rec.ID)
		}
	})
}

// takeProbe takes up the end of a round, for which it waits a moment at most.
func (m *Brokers) takeProbe(ctx context.Context, mem *observed.Memory, snap *derive.Snapshot, grace time.Duration) {
	if mem.MQTTProbe == nil {
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case a := <-mem.MQTTProbe:
		mem.MQTTProbe = nil
		snap.MQTT.Record(a, m.observed.Tick())
	case <-timer.C:
	case <-ctx.Done():
	}
}

// probeNodes asks the first node, with a head start, and the others.
func probeNodes(ctx context.Context, dialer ecp.ClientDialer, id ecp.ID,
	ready []ecp.NodeObservation) derive.MQTTResult {
	ctx, cancel := context.WithCancel(ctx)
	answers, open := make(chan derive.ProbeResult, len(ready)), 0
	defer func() { // whoever still knocks is called off and waited for
		cancel()
		for ; open > 0; open-- {
			<-answers
		}
	}()
	begin := func(n ecp.NodeObservation) {
		open++
		go func() {
			ctx, cancel := context.WithTimeout(ctx, derive.MQTTTimeout)
			defer cancel()
			dial := func(ctx context.Context) (net.Conn, error) { return dialer.DialMQTT(ctx, id, n.Name) }
			answers <- derive.ProbeResult{Pod: n.Pod, Err: mqttprobe.Probe(ctx, dial, "openecp-probe-"+n.Pod)}
		}()
	}
	head := time.NewTimer(headStart)
	defer head.Stop()
	begin(ready[0])
	rest := ready[1:]
	var mute, unseen []string
	for open > 0 {
		select {
		case <-head.C:
		case a := <-answers:
			open--
			switch {
			case a.Err == nil:
				return derive.MQTTResult{Serves: true}
			case errors.Is(a.Err, mqttprobe.ErrUnreached):
				unseen = append(unseen, a.Pod+" "+a.Err.Error())
			default:
				mute = append(mute, a.Pod+" "+a.Err.Error())
			}
		}
		for _, n := range rest {
			begin(n)
		}
		rest = nil
	}
	slices.Sort(mute)
	slices.Sort(unseen)
	if len(unseen) > 0 {
		return derive.MQTTResult{Unseen: strings.Join(unseen, "; ")}
	}
	return derive.MQTTResult{Unserved: strings.Join(mute, "; ")}
}

// plainListeners are those that are asked, by the beginning of their keys in EMQX
// 5 and 4.4.
var plainListeners = []string{"listeners.tcp.default", "listener.tcp.external"}

// listenerLimits are settings of them that leave the question what it is.
var listenerLimits = []string{"acceptors", "active_n", "backlog", "max_connections", "max_conn_rate", "messages_rate",
	"bytes_rate", "mountpoint", "zone", "tcp_options"}

// ChangedListener returns a setting after which the plain listener may take no
// clients, or not such as we are; empty means there is none.
func ChangedListener(config map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		for _, listener := range plainListeners {
			rest, below := strings.CutPrefix(key, listener+".")
			if strings.HasPrefix(listener+".", key+".") ||
				below && !slices.Contains(listenerLimits, drift.FirstKey(rest)) {
				return key
			}
		}
	}
	return ""
}
