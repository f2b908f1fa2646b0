package emqxsim

import (
	_ "embed"
	"strings"
)

// stats4 returns the figures of /stats, each with its highest value beside it. Routes and
// topics are the same here.
func stats4(c *call4, m *Node) obj {
	t := m.traffic
	o := obj{}
	for name, f := range map[string][2]int{
		"channels":             {c.c.sessions(m), t.peakSessions},
		"connections":          {c.c.sessions(m), t.peakSessions},
		"sessions":             {c.c.sessions(m), t.peakSessions},
		"live_connections":     {c.c.live(m), t.peakLive},
		"topics":               {c.c.topics(), t.peakTopics},
		"routes":               {c.c.topics(), t.peakTopics},
		"subscriptions":        {c.c.subscriptions(m), t.peakSubs},
		"suboptions":           {c.c.subscriptions(m), t.peakSubs},
		"subscriptions.shared": {c.c.shared(m), c.c.shared(m)},
		"subscribers":          {c.c.sessions(m), t.peakSessions},
		"retained":             {0, 0},
	} {
		if name == "live_connections" && !has(m.version, "4.4.15") {
			continue
		}
		o[name+".count"], o[name+".max"] = f[0], max(f[0], f[1])
	}
	return o
}

//go:embed keys/metrics4.txt
var metricNames4 string

// metrics4 returns the counters since the node's start. Those of features that are not
// simulated stay zero.
func metrics4(c *call4, m *Node) obj {
	o := obj{}
	for name := range strings.FieldsSeq(metricNames4) {
		o[name] = 0
	}
	t := &m.traffic
	for name, n := range map[string]int{
		"messages.received": t.received.at(c.now), "messages.sent": t.sent.at(c.now),
		"messages.publish":   t.received.at(c.now),
		"messages.delivered": t.sent.at(c.now), "messages.dropped": t.dropped.at(c.now),
		"messages.dropped.no_subscribers": t.dropped.at(c.now),
		"bytes.received":                  t.bytesIn.at(c.now), "bytes.sent": t.bytesOut.at(c.now),
		"packets.publish.received": t.received.at(c.now), "packets.publish.sent": t.sent.at(c.now),
		"packets.connect.received": t.connected, "packets.connack.sent": t.connected,
		"client.connect": t.connected, "client.connack": t.connected, "client.connected": t.connected,
		"client.disconnected": t.disconnected, "session.created": t.sessions, "session.resumed": t.resumed,
	} {
		o[name] = n
	}
	for q, name := range []string{"messages.qos0", "messages.qos1", "messages.qos2"} {
		o[name+".received"], o[name+".sent"] = t.qosIn[q].at(c.now), t.qosOut[q].at(c.now)
	}
	return o
}
