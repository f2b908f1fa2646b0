package derive

import "time"

// MQTTTimeout bounds how long one node may take to answer a client.
const MQTTTimeout = 3 * time.Second

// MQTTObservation is what the nodes said to a client.
type MQTTObservation struct {
	// Unserved counts the observations in a row, at least a second apart, in which every ready
	// node could be reached and none took a client; why is what they did.
	Unserved int
	why      string
	at       time.Time // when it last grew, by the monotonic clock
	// NotAsked is why MQTT was not asked; empty means it was, or nobody knows a way.
	NotAsked string
}

// MQTTResult is what came of one round.
type MQTTResult struct {
	Serves   bool
	Unserved string // what each node did, where all could be reached and none serves
	Unseen   string // why nothing was learned
}

// MQTTGrace is how long a pass waits for an answer that it could do without: those
// who serve have answered by then.
const MQTTGrace = 200 * time.Millisecond

type ProbeResult struct {
	Pod string
	Err error
}

// Record notes what a round has found.
func (s *MQTTObservation) Record(a MQTTResult, tick time.Time) {
	switch {
	case a.Unserved == "":
		*s = MQTTObservation{NotAsked: a.Unseen}
	case s.Unserved == 0 || tick.Sub(s.at) >= time.Second:
		*s = MQTTObservation{Unserved: s.Unserved + 1, why: a.Unserved, at: tick}
	}
}

// silentToClients reports whether nodes are ready and none of them takes a client.
// A listener that has as many connections as it takes closes others unanswered, and serves.
func (v View) silentToClients() bool {
	full := v.Snapshot.Limits != nil && v.Snapshot.Limits.Full
	return len(v.Ready) > 0 && v.Snapshot.MQTT.Unserved >= 2 && !full
}
