package ecp

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
)

// mqttPatience bounds how long one node may take to answer a client.
const mqttPatience = 3 * time.Second

// mqttSeen is what the nodes said to a client.
type mqttSeen struct {
	// mute counts the looks in a row, at least a second apart, in which every ready
	// node could be reached and none took a client; why is what they did.
	mute int
	why  string
	at   time.Time // when it last grew, by the monotonic clock
	// unasked is why MQTT was not asked; "" = it was, or nobody knows a way.
	unasked string
}

// mqttAnswer is what came of one round.
type mqttAnswer struct {
	serves bool
	mute   string // what each node did, where all could be reached and none serves
	unseen string // why nothing was learned
}

// mqttGrace is how long a pass waits for an answer that it could do without: those
// who serve have answered by then.
const mqttGrace = 200 * time.Millisecond

// beginMQTT lets a client knock at the ready nodes: at the likeliest first, at the
// others where that does not help. No pass waits for a node that is silent: where
// the round lasts, the cluster is woken at its end.
func (m *Manager) beginMQTT(ctx context.Context, p Provisioner, rec ClusterRecord, mem *memory, ready []NodeObservation) {
	dialer, ok := p.(ClientDialer)
	if mem.knocking != nil || !ok {
		return
	}
	done := make(chan mqttAnswer, 1)
	mem.knocking = done
	if key := changedListener(rec.Spec.Hosted.Config); key != "" {
		done <- mqttAnswer{unseen: "the setting " + key + " changes the listener that could be asked"}
		return
	}
	m.knocks.Go(func() {
		start := m.tick()
		answer := knock(ctx, dialer, rec.ID, ready)
		lasted := m.tick().Sub(start)
		done <- answer
		if ctx.Err() == nil && lasted > mqttGrace/2 { // perhaps nobody waits for it any more
			m.queue.add(rec.ID)
		}
	})
}

// takeMQTT takes up the end of a round, for which it waits a moment at most.
func (m *Manager) takeMQTT(ctx context.Context, mem *memory, look *Look, grace time.Duration) {
	if mem.knocking == nil {
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case a := <-mem.knocking:
		mem.knocking = nil
		look.mqtt.take(a, m.tick())
	case <-timer.C:
	case <-ctx.Done():
	}
}

// knock asks the first node, with a head start, and the others.
func knock(ctx context.Context, dialer ClientDialer, id ID, ready []NodeObservation) mqttAnswer {
	ctx, cancel := context.WithCancel(ctx)
	answers, open := make(chan knocked, len(ready)), 0
	defer func() { // whoever still knocks is called off and waited for
		cancel()
		for ; open > 0; open-- {
			<-answers
		}
	}()
	begin := func(n NodeObservation) {
		open++
		go func() {
			ctx, cancel := context.WithTimeout(ctx, mqttPatience)
			defer cancel()
			dial := func(ctx context.Context) (net.Conn, error) { return dialer.DialMQTT(ctx, id, n.Name) }
			answers <- knocked{n.Pod, mqttAnswers(ctx, dial, "openecp-probe-"+n.Pod)}
		}()
	}
	head := time.NewTimer(askHeadStart)
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
			case a.err == nil:
				return mqttAnswer{serves: true}
			case errors.Is(a.err, errMQTTUnreached):
				unseen = append(unseen, a.pod+" "+a.err.Error())
			default:
				mute = append(mute, a.pod+" "+a.err.Error())
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
		return mqttAnswer{unseen: strings.Join(unseen, "; ")}
	}
	return mqttAnswer{mute: strings.Join(mute, "; ")}
}

type knocked struct {
	pod string
	err error
}

// take notes what a round has found.
func (s *mqttSeen) take(a mqttAnswer, tick time.Time) {
	switch {
	case a.mute == "":
		*s = mqttSeen{unasked: a.unseen}
	case s.mute == 0 || tick.Sub(s.at) >= time.Second:
		*s = mqttSeen{mute: s.mute + 1, why: a.mute, at: tick}
	}
}

// plainListeners are those that are asked, by the beginning of their keys in EMQX
// 5 and 4.4.
var plainListeners = []string{"listeners.tcp.default", "listener.tcp.external"}

// listenerLimits are settings of them that leave the question what it is.
var listenerLimits = []string{"acceptors", "active_n", "backlog", "max_connections", "max_conn_rate", "messages_rate", "bytes_rate", "mountpoint", "zone", "tcp_options"}

// changedListener returns a setting after which the plain listener may take no
// clients, or not such as we are; "" = there is none.
func changedListener(config map[string]string) string {
	for _, key := range sortedKeys(config) {
		for _, listener := range plainListeners {
			rest, below := strings.CutPrefix(key, listener+".")
			if strings.HasPrefix(listener+".", key+".") || below && !slices.Contains(listenerLimits, firstWord(rest)) {
				return key
			}
		}
	}
	return ""
}

// silentToClients reports whether nodes are ready and none of them takes a client.
func (v view) silentToClients() bool { return len(v.ready) > 0 && v.look.mqtt.mute >= 2 }
