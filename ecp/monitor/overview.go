package monitor

import (
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// Overview sums up clusters. What is not known of a cluster is never taken for zero:
// each part says of how many clusters it is the sum, and how many are missing.
type Overview struct {
	At       time.Time                      `json:"at"` // UTC
	Clusters int                            `json:"clusters"`
	Stale    int                            `json:"stale"`    // clusters that could not be observed last time
	States   map[ecp.Mode]map[ecp.State]int `json:"states"`   // states that no cluster is in are left out
	Versions map[string]int                 `json:"versions"` // of EMQX; empty key = not known yet

	Nodes       NodeTotals       `json:"nodes"`
	Connections ConnectionTotals `json:"connections"`
	Rules       RuleTotals       `json:"rules"`
	Connectors  ConnectorTotals  `json:"connectors"`
	Alarms      AlarmTotals      `json:"alarms"`
	Agents      AgentTotals      `json:"agents"`

	// Missing are some of the clusters whose brokers have not told what was asked,
	// with why; at most [MostMissing], by id.
	Missing []MissingCluster `json:"missing"`
}

// MostMissing is how many clusters an [Overview] names that miss in its sums.
const MostMissing = 20

// Coverage says whose figures a sum has.
type Coverage struct {
	Known   int `json:"known"`   // clusters that are in the sum
	Unknown int `json:"unknown"` // clusters that should be, and whose figures are not known
	// Oldest is when the oldest of the figures was told; zero where none is known.
	Oldest time.Time `json:"oldest,omitzero"`
}

// NodeTotals are nodes as last seen.
type NodeTotals struct {
	Total   int `json:"total"`
	Running int `json:"running"`
	Coverage
}

// ConnectionTotals are MQTT clients. Live is as last seen; All is what the brokers
// told when they were last asked, with the sessions of clients that are away.
type ConnectionTotals struct {
	Live   int      `json:"live"`
	OfLive Coverage `json:"ofLive"`
	All    int      `json:"all"`
	OfAll  Coverage `json:"ofAll"`
	Booked int      `json:"booked"` // in the pool
}

// RuleTotals are rules of the brokers' rule engines.
type RuleTotals struct {
	Total   int `json:"total"`
	Running int `json:"running"` // enabled
	Stopped int `json:"stopped"`
	Coverage
}

// ConnectorTotals are connectors of EMQX 5 and resources of EMQX 4.
type ConnectorTotals struct {
	Total        int `json:"total"`
	Connected    int `json:"connected"`
	Disconnected int `json:"disconnected"` // enabled and not connected on every node
	Stopped      int `json:"stopped"`      // disabled
	Unsaid       int `json:"unsaid"`       // the broker does not say how they are
	Coverage
}

// AlarmTotals are alarms that are active. EMQX gives them no level; kinds are the
// parts of their names before what they are about, such as "connector".
type AlarmTotals struct {
	Active int            `json:"active"`
	Kinds  map[string]int `json:"kinds"`
	Coverage
}

// AgentTotals are agents of adopted clusters that this program has heard.
type AgentTotals struct {
	Connected int `json:"connected"`
	Away      int `json:"away"`
}

// MissingCluster is a cluster whose broker has not told what was asked.
type MissingCluster struct {
	Cluster ecp.ID `json:"cluster"`
	Name    string `json:"name"`
	Why     string `json:"why"`
}

// clusterFigures is what is known of one cluster.
type clusterFigures struct {
	id        ecp.ID
	name      string
	mode      ecp.Mode
	state     ecp.State
	version   string
	stale     bool
	booked    int
	serves    bool // a broker is meant to run
	seen      bool // nodes and live are of now
	seenAt    time.Time
	nodes     int
	running   int
	live      int
	connected int // agents
	away      int
	surveyed  surveyed // zero = it was not asked yet
}

// surveyed is what a cluster's broker told when it was last asked.
type surveyed struct {
	at         time.Time // wall clock; zero = never
	why        string    // it told nothing, or not all; empty means it told all
	sessions   *int      // nil means not told, as all below
	rules      *RuleTotals
	connectors *ConnectorTotals
	alarms     *AlarmTotals
}

// summarize adds up clusters, which are in the order of their ids.
func summarize(at time.Time, all []clusterFigures) Overview {
	o := Overview{At: at, States: map[ecp.Mode]map[ecp.State]int{}, Versions: map[string]int{},
		Missing: []MissingCluster{}, Alarms: AlarmTotals{Kinds: map[string]int{}}}
	for i := range all {
		o.add(&all[i])
	}
	return o
}

func (o *Overview) add(c *clusterFigures) {
	o.Clusters++
	if o.States[c.mode] == nil {
		o.States[c.mode] = map[ecp.State]int{}
	}
	o.States[c.mode][c.state]++
	o.Versions[c.version]++
	o.Stale += derive.OneIf(c.stale)
	o.Connections.Booked += c.booked
	o.Agents.Connected += c.connected
	o.Agents.Away += c.away
	o.Nodes.Total += c.nodes
	if !c.serves {
		return
	}
	if o.Nodes.count(c.seen, c.seenAt) {
		o.Nodes.Running += c.running
	}
	if o.Connections.OfLive.count(c.seen, c.seenAt) {
		o.Connections.Live += c.live
	}
	o.addSurveyed(c)
}

// addSurveyed adds what the cluster's broker was asked for.
func (o *Overview) addSurveyed(c *clusterFigures) {
	s := c.surveyed
	if o.Connections.OfAll.count(s.sessions != nil, s.at) {
		o.Connections.All += *s.sessions
	}
	if o.Rules.count(s.rules != nil, s.at) {
		o.Rules.Total += s.rules.Total
		o.Rules.Running += s.rules.Running
		o.Rules.Stopped += s.rules.Stopped
	}
	if o.Connectors.count(s.connectors != nil, s.at) {
		o.Connectors.Total += s.connectors.Total
		o.Connectors.Connected += s.connectors.Connected
		o.Connectors.Disconnected += s.connectors.Disconnected
		o.Connectors.Stopped += s.connectors.Stopped
		o.Connectors.Unsaid += s.connectors.Unsaid
	}
	if o.Alarms.count(s.alarms != nil, s.at) {
		o.Alarms.Active += s.alarms.Active
		for kind, n := range s.alarms.Kinds {
			o.Alarms.Kinds[kind] += n
		}
	}
	why := s.why
	if s.at.IsZero() {
		why = notSurveyed
	}
	if why != "" && len(o.Missing) < MostMissing {
		o.Missing = append(o.Missing, MissingCluster{c.id, c.name, why})
	}
}

// notSurveyed is why a cluster's broker has told nothing that nobody has asked.
const notSurveyed = "it has not been asked yet; ask again in a moment"

// count notes whether a cluster is in a sum, and returns that.
func (c *Coverage) count(known bool, at time.Time) bool {
	if !known {
		c.Unknown++
		return false
	}
	c.Known++
	if c.Oldest.IsZero() || at.Before(c.Oldest) {
		c.Oldest = at
	}
	return true
}

// totalsOfRules counts rules.
func totalsOfRules(rules []ecp.Rule) *RuleTotals {
	t := &RuleTotals{Total: len(rules)}
	for _, r := range rules {
		t.Running += derive.OneIf(r.Running)
	}
	t.Stopped = t.Total - t.Running
	return t
}

// totalsOfConnectors counts what leads outside by itself: actions and sources of
// EMQX 5 go by their connectors.
func totalsOfConnectors(all []ecp.Integration) *ConnectorTotals {
	t := &ConnectorTotals{}
	for _, i := range all {
		if i.Kind != ecp.ConnectorIntegration && i.Kind != ecp.ResourceIntegration {
			continue
		}
		t.Total++
		switch i.Status {
		case ecp.IntegrationConnected:
			t.Connected++
		case ecp.IntegrationStopped:
			t.Stopped++
		case ecp.IntegrationUnknown:
			t.Unsaid++
		default:
			t.Disconnected++
		}
	}
	return t
}

// mostKinds is how many kinds of alarms of one cluster are told apart; the names are
// the broker's.
const mostKinds = 50

// totalsOfAlarms counts alarms by kind.
func totalsOfAlarms(alarms []ecp.Alarm) *AlarmTotals {
	t := &AlarmTotals{Active: len(alarms), Kinds: map[string]int{}}
	for _, a := range alarms {
		kind := a.Name
		if i := strings.IndexAny(kind, ":/"); i > 0 {
			kind = kind[:i]
		}
		if kind = derive.Clip(kind, 60); len(t.Kinds) >= mostKinds && t.Kinds[kind] == 0 {
			kind = "other"
		}
		t.Kinds[kind]++
	}
	return t
}

// serving reports whether a broker is meant to run in a state.
func serving(l *observed.Entry) bool {
	return !l.Deleting && !slices.Contains(unscraped[l.Mode], l.State)
}
