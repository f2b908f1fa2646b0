package record

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

// State is the state after the last records. It is stored with them.
type State struct {
	Members map[string]agentproto.MemberStatus `json:"members,omitempty"` // nil means none was ever read
	Alarms  map[string]time.Time               `json:"alarms,omitempty"`  // active ones, since when
	// ok, or an error's code; empty means never asked
	Broker string `json:"broker,omitempty"`
	Server string `json:"server,omitempty"` // lost, or empty
}

// Observation is what was observed at one time of the broker, and of the connection to the server.
type Observation struct {
	Report  agentproto.Report
	Traffic *ecp.Traffic // nil means it was not told
	Alarms  []ecp.Alarm  // the active ones
	Alarmed bool         // Alarms were told
	// Connected reports whether the server is reached.
	Connected bool
}

// Recorder makes records of observations. It is not safe for use by several goroutines.
type Recorder struct {
	state State

	at     time.Time // of the look before; zero means there was none
	counts map[string]ecp.MessageTotals
	away   time.Time // since when the server is not reached; zero means it is
}

// Limits of records.
const (
	// serverPatience is how long the server may be away before that is recorded: it is
	// started anew now and then.
	serverPatience = 30 * time.Second
	// longestStep is how far two looks may lie apart for messages to be counted from one
	// to the other.
	longestStep = 90 * time.Second
	// clockStep is by how much a clock is set, and not only corrected.
	clockStep  = 2 * time.Second
	mostAlarms = 256
)

// Restore returns a recorder that goes on from a stored state, which may be nil.
func Restore(state json.RawMessage) *Recorder {
	r := &Recorder{}
	if json.Unmarshal(state, &r.state) != nil {
		r.state = State{}
	}
	return r
}

// State returns the present state, to be stored.
func (r *Recorder) State() json.RawMessage {
	text, err := json.Marshal(r.state)
	if err != nil { // a time beyond the year 9999: what is known is learned anew
		return nil
	}
	return text
}

// Next returns the records of an observation. The caller calls took when they are written;
// if it does not, the next call returns the changes again. now has a monotonic reading.
func (r *Recorder) Next(now time.Time, l Observation) (records []agentproto.HistoryRecord, took func()) {
	next := *r
	next.at = now
	next.clock(&records, r.at)
	next.server(&records, now, l.Connected)
	next.broker(&records, l.Report)
	if l.Report.Complete() {
		next.members(&records, l.Report.Members)
	}
	if l.Alarmed {
		next.alarms(&records, l.Alarms)
	}
	next.sample(&records, r, l)
	for i := range records {
		records[i].At = now
	}
	return records, func() { *r = next }
}

func changed(records *[]agentproto.HistoryRecord, c agentproto.Change) {
	*records = append(*records, agentproto.HistoryRecord{Kind: agentproto.HistoryState, State: &c})
}

// clock records that the clock was set: it has advanced by more, or less, than the monotonic
// clock.
func (r *Recorder) clock(records *[]agentproto.HistoryRecord, before time.Time) {
	if before.IsZero() {
		return
	}
	if moved := r.at.Round(0).Sub(before.Round(0)) - r.at.Sub(before); moved.Abs() > clockStep {
		changed(records, agentproto.Change{About: agentproto.AboutClock, MovedMS: moved.Milliseconds()})
	}
}

func (r *Recorder) server(records *[]agentproto.HistoryRecord, now time.Time, connected bool) {
	switch {
	case connected:
		if r.state.Server == agentproto.ServerLost {
			changed(records, agentproto.Change{About: agentproto.AboutServer, From: agentproto.ServerLost,
				To: agentproto.ServerConnected, Since: r.away})
			r.state.Server = ""
		}
		r.away = time.Time{}
	case r.away.IsZero():
		r.away = now
	case r.state.Server == "" && now.Sub(r.away) >= serverPatience:
		changed(records, agentproto.Change{About: agentproto.AboutServer, From: agentproto.ServerConnected,
			To: agentproto.ServerLost, Since: r.away})
		r.state.Server = agentproto.ServerLost
	}
}

// broker records changes of whether and how the broker answers.
func (r *Recorder) broker(records *[]agentproto.HistoryRecord, report agentproto.Report) {
	is, says := agentproto.BrokerOK, ""
	if !report.Complete() {
		is = string(agentproto.CodeInternal)
		for _, e := range report.Errors {
			if e.Stage == agentproto.StageNodeConnect || e.Stage == agentproto.StageClusterFetch {
				is, says = string(e.Code), e.Message
				break
			}
		}
	}
	was := r.state.Broker
	if r.state.Broker = is; is != was && (was != "" || is != agentproto.BrokerOK) {
		changed(records, agentproto.Change{About: agentproto.AboutBroker, From: was, To: is, Message: says})
	}
}

func (r *Recorder) members(records *[]agentproto.HistoryRecord, all []agentproto.Member) {
	was, is := r.state.Members, map[string]agentproto.MemberStatus{}
	for _, m := range all {
		is[m.Name] = m.Status
	}
	r.state.Members = is
	if was == nil {
		return
	}
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if was[name] != is[name] {
			changed(records, agentproto.Change{About: agentproto.AboutMember, Name: name, From: string(was[name]),
				To: string(is[name])})
		}
	}
}

// alarms records which alarms were raised and which are over. Alarms of the first
// observation count as raised.
func (r *Recorder) alarms(records *[]agentproto.HistoryRecord, all []ecp.Alarm) {
	was, is := r.state.Alarms, map[string]time.Time{}
	for _, a := range all {
		if _, twice := is[a.Name]; twice || len(is) == mostAlarms {
			continue
		}
		since, known := was[a.Name]
		if !known {
			since = a.Since
			*records = append(*records, agentproto.HistoryRecord{Kind: agentproto.HistoryAlarm,
				Alarm: &agentproto.Alarm{Name: a.Name, Active: true, Message: short(a.Message), Nodes: firstOf(a.Nodes),
					Since: since}})
		}
		is[a.Name] = since
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, still := is[name]; !still {
			*records = append(*records, agentproto.HistoryRecord{Kind: agentproto.HistoryAlarm,
				Alarm: &agentproto.Alarm{Name: name, Since: was[name]}})
		}
	}
	r.state.Alarms = is
}

// mostWords bounds what a broker says, and mostNodes how many of its nodes are named: a
// record has to fit into a line.
const (
	mostWords = 1000
	mostNodes = 64
)

func short(s string) string {
	if len(s) <= mostWords {
		return s
	}
	return s[:mostWords]
}

func firstOf(nodes []string) []string { return nodes[:min(len(nodes), mostNodes)] }

// sample records the figures of an observation, if messages can be counted since the last
// one.
func (r *Recorder) sample(records *[]agentproto.HistoryRecord, before *Recorder, l Observation) {
	r.counts = nil
	if l.Traffic == nil {
		return
	}
	r.counts = countsOf(*l.Traffic)
	over := r.at.Sub(before.at)
	if before.counts == nil || over <= 0 || over > longestStep {
		return
	}
	t, sum := l.Traffic, messagesSince(before.counts, r.counts)
	s := agentproto.Sample{
		OverMS: over.Milliseconds(), Connections: t.Connections, Sessions: t.Sessions, Topics: t.Topics,
		Subscriptions: t.Subscriptions,
		Received:      sum.Received, Sent: sum.Sent, Dropped: sum.Dropped, Members: len(l.Report.Members),
	}
	for _, m := range l.Report.Members {
		if m.Status == agentproto.MemberRunning {
			s.Running++
		}
	}
	*records = append(*records, agentproto.HistoryRecord{Kind: agentproto.HistorySample, Sample: &s})
}

// countsOf returns the counters of each node that has reported them. They begin with the
// node's start.
func countsOf(t ecp.Traffic) map[string]ecp.MessageTotals {
	out := map[string]ecp.MessageTotals{}
	for _, n := range t.Nodes {
		if n.Error == "" {
			out[n.Node] = n.Totals
		}
	}
	if len(t.Nodes) == 0 {
		out[""] = t.Totals
	}
	return out
}

// messagesSince returns how many messages the nodes have counted between two observations. A
// node that has restarted has counted what it reports. A node that was not observed before
// is left out.
func messagesSince(before, now map[string]ecp.MessageTotals) (sum ecp.MessageTotals) {
	for node, n := range now {
		b, known := before[node]
		if !known {
			continue
		}
		if n.Received < b.Received || n.Sent < b.Sent || n.Dropped < b.Dropped {
			b = ecp.MessageTotals{}
		}
		sum.Received += n.Received - b.Received
		sum.Sent += n.Sent - b.Sent
		sum.Dropped += n.Dropped - b.Dropped
	}
	return sum
}

// Fold returns the state after some records of an earlier run; see ring.Config.
func Fold(state json.RawMessage, records []agentproto.HistoryRecord) json.RawMessage {
	r := Restore(state)
	for _, rec := range records {
		r.state.fold(rec)
	}
	return r.State()
}

func (s *State) fold(rec agentproto.HistoryRecord) {
	if a := rec.Alarm; a != nil {
		s.Alarms = maps.Clone(s.Alarms)
		if s.Alarms == nil {
			s.Alarms = map[string]time.Time{}
		}
		if delete(s.Alarms, a.Name); a.Active {
			s.Alarms[a.Name] = a.Since
		}
	}
	c := rec.State
	if c == nil {
		return
	}
	switch c.About {
	case agentproto.AboutBroker:
		s.Broker = c.To
	case agentproto.AboutServer:
		if s.Server = ""; c.To == agentproto.ServerLost {
			s.Server = c.To
		}
	case agentproto.AboutMember:
		if s.Members == nil { // the others are not known: all of them would be news
			return
		}
		s.Members = maps.Clone(s.Members)
		if delete(s.Members, c.Name); c.To != "" {
			s.Members[c.Name] = agentproto.MemberStatus(c.To)
		}
	case agentproto.AboutClock:
	}
}
