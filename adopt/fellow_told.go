package adopt

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// toldLine is one line of what a daemon tells of its agents: exactly one field is set, and
// Now beside any of them. Daemons of different versions work together: fields are added,
// never changed, and those that are unknown are ignored.
type toldLine struct {
	Now    time.Time   `json:"now,omitzero"` // by the clock of the daemon, at least in every sign of life
	Agent  *toldAgent  `json:"agent,omitempty"`
	Gone   ecp.AgentID `json:"gone,omitempty"`   // nothing is known of it here any more
	Synced bool        `json:"synced,omitempty"` // all agents have been told of once
	Ends   bool        `json:"ends,omitempty"`   // the daemon ends; its agents go elsewhere
}

// readToldLine reads one line of what a daemon tells. Daemons are trusted, but may be of
// another version, or wrong: what could not be shown, or grows without bound, is an error.
func readToldLine(raw []byte) (l toldLine, _ error) {
	if err := json.Unmarshal(raw, &l); err != nil {
		return l, err
	}
	a := l.Agent
	if a == nil {
		return l, nil
	}
	// Hello.Time is as the agent says: it is only compared.
	times := []time.Time{a.Since, a.LastSeen, a.Serving, a.Connection.Since}
	most := max(len(a.Members), len(a.Uptimes))
	if a.Report != nil {
		times, most = append(times, a.Report.At), max(most, len(a.Report.Description.Nodes))
	}
	if most > maxMembers {
		return l, fmt.Errorf("agent %.100q has %d members", a.ID, most)
	}
	for _, at := range times {
		if at.Year() < 1 || at.Year() > 9000 {
			return l, fmt.Errorf("agent %.100q has a time in the year %d", a.ID, at.Year())
		}
	}
	a.Copied, a.Conflict = text(a.Copied, 2*maxMessage), text(a.Conflict, 2*maxMessage)
	a.Mismatch = text(a.Mismatch, 2*maxMessage)
	return l, nil
}

// toldAgent is what a daemon tells of an agent that is connected to it, or was last.
type toldAgent struct {
	ID        ecp.AgentID `json:"id"`
	Cluster   ecp.ID      `json:"cluster"`
	Connected bool        `json:"connected,omitempty"`
	Since     time.Time   `json:"since"` // since when Connected is as it is
	Clean     bool        `json:"clean,omitempty"`
	LastSeen  time.Time   `json:"lastSeen,omitzero"`
	Serving   time.Time   `json:"serving,omitzero"`

	Connection toldConnection `json:"connection"` // the last one

	Report   *ecp.AgentReport `json:"report,omitempty"`
	Uptimes  []time.Duration  `json:"uptimesNs,omitempty"` // of the members in the report, in their order
	Members  []string         `json:"members,omitempty"`
	Recorded string           `json:"recorded,omitempty"` // name of its node in the Store

	Copied   string `json:"copied,omitempty"` // words of what speaks against it
	Conflict string `json:"conflict,omitempty"`
	Mismatch string `json:"mismatch,omitempty"`
}

// toldConnection is an [agentproto.Connection] as it is told.
type toldConnection struct {
	Instance string             `json:"instance"`
	Carrier  agentproto.Carrier `json:"carrier"`
	Remote   string             `json:"remote"`
	Since    time.Time          `json:"since"`
	Hello    agentproto.Hello   `json:"hello"`
	Protocol int                `json:"protocol,omitempty"`
	Skew     time.Duration      `json:"skewNs,omitempty"`
}

func tellConnection(c agentproto.Connection) toldConnection {
	hello := agentproto.Hello{Version: text(c.Hello.Version, maxWord), OS: text(c.Hello.OS, maxWord),
		Arch: text(c.Hello.Arch, maxWord), Hostname: text(c.Hello.Hostname, maxName), Time: c.Hello.Time}
	return toldConnection{c.Instance, c.Carrier, c.Remote, c.Since, hello, c.Protocol, c.ClockSkew}
}

// connection returns it with times by our clock.
func (c toldConnection) connection(id ecp.AgentID, ahead time.Duration) agentproto.Connection {
	return agentproto.Connection{Agent: string(id), Instance: c.Instance, Carrier: c.Carrier, Remote: c.Remote,
		Since: ours(c.Since, ahead), Hello: c.Hello, Protocol: c.Protocol, ClockSkew: c.Skew + ahead}
}

// ours returns a time by our clock.
func ours(t time.Time, ahead time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-ahead)
}

// told returns what is told of an agent.
func (a *agent) told() *toldAgent {
	t := &toldAgent{
		ID: a.id, Cluster: a.cluster.id, Connected: a.connected, Since: a.since, Clean: a.clean, LastSeen: a.lastSeen,
		Serving: a.serving, Connection: tellConnection(a.connection), Report: a.report, Members: a.members,
		Recorded: a.cluster.recorded[a.id],
		Copied:   a.copied.words, Conflict: a.conflict.words, Mismatch: a.mismatch.words,
	}
	if a.report != nil {
		for _, n := range a.report.Description.Nodes {
			t.Uptimes = append(t.Uptimes, n.Uptime)
		}
	}
	return t
}

// reportBy returns the report with times by our clock.
func (t *toldAgent) reportBy(ahead time.Duration) *ecp.AgentReport {
	if t.Report == nil {
		return nil
	}
	r := *t.Report
	r.At, r.Description.Nodes = ours(r.At, ahead), slices.Clone(r.Description.Nodes)
	for i := range min(len(r.Description.Nodes), len(t.Uptimes)) {
		r.Description.Nodes[i].Uptime = t.Uptimes[i]
	}
	return &r
}

// takeTold takes over what a daemon tells of an agent.
func (a *agent) takeTold(f *fellow, t *toldAgent) {
	a.end()
	a.home, a.orphan, a.noted = f, false, true
	a.connection = t.Connection.connection(a.id, f.ahead)
	a.connected, a.clean = t.Connected, t.Clean
	a.since, a.lastSeen, a.serving = ours(t.Since, f.ahead), ours(t.LastSeen, f.ahead), ours(t.Serving, f.ahead)
	a.members, a.report = t.Members, t.reportBy(f.ahead)
	a.copied, a.conflict, a.mismatch = objection{words: t.Copied}, objection{words: t.Conflict},
		objection{words: t.Mismatch}
	if node := t.Recorded; node != "" && a.cluster.recorded[a.id] != node {
		a.cluster.record(a.id, node)
	}
}

// record takes note of the name of a node that was stored for an agent, and removes it from
// other agents.
func (c *cluster) record(id ecp.AgentID, node string) {
	for other, name := range c.recorded {
		if name == node {
			c.recorded[other] = ""
		}
	}
	c.recorded[id] = node
}

// standing is what decides whose word on an agent counts.
type standing struct {
	serves   bool // it is connected to a daemon that is heard
	instance string
	came     time.Time // by the clock of the agent's host
	since    time.Time // when it connected, by the clock of the daemon that it is connected to
	changed  time.Time // when it connected or disconnected, by our clock
	daemon   string
}

func (h *Hub) standing(a *agent) standing {
	return standing{a.connected, a.connection.Instance, a.connection.Hello.Time, a.connection.Since, a.since,
		h.shared.self()}
}

func (f *fellow) standing(t *toldAgent) standing {
	return standing{t.Connected && f.heard, t.Connection.Instance, t.Connection.Hello.Time, t.Connection.Since,
		ours(t.Since, f.ahead), f.id}
}

// before reports whether x counts, and y does not. Of two connections that serve, all
// daemons have to choose the same: the newer of one process, and the older of two processes
// with one key.
func (x standing) before(y standing) bool {
	same := x.instance == y.instance && !x.came.Equal(y.came)
	switch {
	case x.serves != y.serves:
		return x.serves
	case same:
		return x.came.After(y.came)
	case !x.serves:
		return x.changed.After(y.changed)
	case !x.since.Equal(y.since):
		return x.since.Before(y.since)
	}
	return x.daemon < y.daemon
}
