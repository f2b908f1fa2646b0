package derive

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// MqttPatience bounds how long one node may take to answer a client.
const MqttPatience = 3 * time.Second

// MqttSeen is what the nodes said to a client.
type MqttSeen struct {
	// Mute counts the looks in a row, at least a second apart, in which every ready
	// node could be reached and none took a client; why is what they did.
	Mute int
	why  string
	at   time.Time // when it last grew, by the monotonic clock
	// Unasked is why MQTT was not asked; "" = it was, or nobody knows a way.
	Unasked string
}

// MqttAnswer is what came of one round.
type MqttAnswer struct {
	Serves bool
	Mute   string // what each node did, where all could be reached and none serves
	Unseen string // why nothing was learned
}

// MqttGrace is how long a pass waits for an answer that it could do without: those
// who serve have answered by then.
const MqttGrace = 200 * time.Millisecond

type Knocked struct {
	Pod string
	Err error
}

// Take notes what a round has found.
func (s *MqttSeen) Take(a MqttAnswer, tick time.Time) {
	switch {
	case a.Mute == "":
		*s = MqttSeen{Unasked: a.Unseen}
	case s.Mute == 0 || tick.Sub(s.at) >= time.Second:
		*s = MqttSeen{Mute: s.Mute + 1, why: a.Mute, at: tick}
	}
}

// plainListeners are those that are asked, by the beginning of their keys in EMQX
// 5 and 4.4.
var plainListeners = []string{"listeners.tcp.default", "listener.tcp.external"}

// listenerLimits are settings of them that leave the question what it is.
var listenerLimits = []string{"acceptors", "active_n", "backlog", "max_connections", "max_conn_rate", "messages_rate", "bytes_rate", "mountpoint", "zone", "tcp_options"}

// ChangedListener returns a setting after which the plain listener may take no
// clients, or not such as we are; "" = there is none.
func ChangedListener(config map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		for _, listener := range plainListeners {
			rest, below := strings.CutPrefix(key, listener+".")
			if strings.HasPrefix(listener+".", key+".") || below && !slices.Contains(listenerLimits, FirstWord(rest)) {
				return key
			}
		}
	}
	return ""
}

// silentToClients reports whether nodes are ready and none of them takes a client.
func (v View) silentToClients() bool { return len(v.Ready) > 0 && v.Look.Mqtt.Mute >= 2 }
