package agentproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// HistoryKind is the kind of a record in an agent's history.
type HistoryKind string

// The kinds of history records.
const (
	HistorySample HistoryKind = "sample" // figures of the cluster at one moment
	HistoryAlarm  HistoryKind = "alarm"  // an alarm of the broker was raised, or is over
	HistoryState  HistoryKind = "state"  // something has changed
	HistoryGap    HistoryKind = "gap"    // nothing is known of a time, or records are lost
)

// HistoryRecord is one event or sample that an agent has kept of its broker. Exactly one
// of the pointers is set: the one for its kind. Each run of the agent's process is an
// epoch, in which records are numbered from one; a gap in front of them may have the
// number zero. Records are ordered by position, which a clock that is set back does not
// change.
type HistoryRecord struct {
	Epoch uint64      `json:"epoch"`
	Seq   uint64      `json:"seq"`
	At    time.Time   `json:"at"` // when the agent noticed it, by its clock
	Kind  HistoryKind `json:"kind"`

	Sample *Sample `json:"sample,omitempty"`
	Alarm  *Alarm  `json:"alarm,omitempty"`
	State  *Change `json:"state,omitempty"`
	Gap    *Gap    `json:"gap,omitempty"`
}

// Sample has the figures of the whole cluster at one moment. Received, Sent and Dropped
// count the messages of the OverMS milliseconds before it.
type Sample struct {
	OverMS        int64 `json:"overMs"`
	Connections   int   `json:"connections"`
	Sessions      int   `json:"sessions"`
	Topics        int   `json:"topics"`
	Subscriptions int   `json:"subscriptions"`
	Received      int64 `json:"received"`
	Sent          int64 `json:"sent"`
	Dropped       int64 `json:"dropped"`
	Running       int   `json:"running"` // members that run
	Members       int   `json:"members"`
}

// Alarm is an alarm of the broker that was raised, or is over.
type Alarm struct {
	Name    string    `json:"name"`
	Active  bool      `json:"active"`
	Message string    `json:"message,omitempty"` // the text of the broker
	Nodes   []string  `json:"nodes,omitempty"`   // nodes that raised it
	Since   time.Time `json:"since,omitzero"`    // as the broker reports it
}

// Change is a change from one state to another.
type Change struct {
	About   ChangeAbout `json:"about"`
	Name    string      `json:"name,omitempty"` // of the member
	From    string      `json:"from,omitempty"` // empty if it was not known, or not there
	To      string      `json:"to,omitempty"`   // empty if it is gone
	Message string      `json:"message,omitempty"`
	Since   time.Time   `json:"since,omitzero"`    // when it began, if that was before it was noticed
	MovedMS int64       `json:"movedMs,omitempty"` // for the clock: by how much it was set forward
}

// ChangeAbout is the thing that has changed.
type ChangeAbout string

// The things that change.
const (
	AboutBroker ChangeAbout = "broker" // From and To are "ok" or an [ErrorCode]
	AboutMember ChangeAbout = "member" // From and To are a [MemberStatus]
	AboutServer ChangeAbout = "server" // To is "lost" or "connected"
	AboutClock  ChangeAbout = "clock"  // the agent's clock was set
)

// The values of From and To for the broker and the server, beside an [ErrorCode].
const (
	BrokerOK        = "ok"
	ServerLost      = "lost"
	ServerConnected = "connected"
)

// Gap is a time of which the agent knows nothing, or whose records are lost. A zero From
// means since the record before.
type Gap struct {
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Why   GapReason `json:"why"`
}

// GapReason is why nothing is known of a time.
type GapReason string

// The reasons of gaps.
const (
	GapNotRunning GapReason = "not_running" // the agent did not run
	GapDropped    GapReason = "dropped"     // records were older, or more, than are kept
	GapDamaged    GapReason = "damaged"     // records could not be written, or not be read
)

// Position returns the epoch and the number of the record.
func (r HistoryRecord) Position() Position { return Position{r.Epoch, r.Seq} }

// HistoryQuery selects records. A zero field selects all records.
type HistoryQuery struct {
	After        Position      // records after this position; one that the agent does not know is before all records
	Since, Until time.Time     // records at or after Since and before Until, by the agent's clock
	Kinds        []HistoryKind // records of these kinds
}

// Wants reports whether the query selects a record. It does not check the position.
func (q HistoryQuery) Wants(r HistoryRecord) bool {
	if len(q.Kinds) > 0 && !slices.Contains(q.Kinds, r.Kind) {
		return false
	}
	return (q.Since.IsZero() || !r.At.Before(q.Since)) && (q.Until.IsZero() || r.At.Before(q.Until))
}

// check returns an error if a record is malformed.
func (r HistoryRecord) check() error {
	payloads := map[HistoryKind]bool{HistorySample: r.Sample != nil, HistoryAlarm: r.Alarm != nil,
		HistoryState: r.State != nil, HistoryGap: r.Gap != nil}
	there, known := payloads[r.Kind]
	n := 0
	for _, set := range payloads {
		if set {
			n++
		}
	}
	switch {
	case !known:
		return fmt.Errorf("a history record has the kind %q", cleanText(string(r.Kind), maxID))
	case !there || n != 1:
		return errors.New("a history record has not what its kind says")
	case r.Epoch == 0 || r.Seq == 0 && r.Kind != HistoryGap:
		return errors.New("a history record has no position")
	}
	return nil
}

// cleaned returns a copy of the record with printable texts, and without negative counts.
func (r HistoryRecord) cleaned() HistoryRecord {
	switch {
	case r.Sample != nil:
		s := *r.Sample
		for _, n := range []*int{&s.Connections, &s.Sessions, &s.Topics, &s.Subscriptions, &s.Running, &s.Members} {
			*n = max(*n, 0)
		}
		for _, n := range []*int64{&s.OverMS, &s.Received, &s.Sent, &s.Dropped} {
			*n = max(*n, 0)
		}
		r.Sample = &s
	case r.Alarm != nil:
		a := *r.Alarm
		a.Name, a.Message = cleanText(a.Name, maxWord), cleanText(a.Message, maxMessage)
		a.Nodes = slices.Clone(a.Nodes[:min(len(a.Nodes), maxMembers)])
		for i := range a.Nodes {
			a.Nodes[i] = cleanText(a.Nodes[i], maxWord)
		}
		r.Alarm = &a
	case r.State != nil:
		c := *r.State
		for _, field := range []*string{&c.Name, &c.From, &c.To} {
			*field = cleanText(*field, maxWord)
		}
		c.About, c.Message = ChangeAbout(cleanText(string(c.About), maxID)), cleanText(c.Message, maxMessage)
		r.State = &c
	case r.Gap != nil:
		g := *r.Gap
		g.Why = GapReason(cleanText(string(g.Why), maxID))
		r.Gap = &g
	}
	return r
}

// Limits of the history of an agent.
const (
	maxHistoryBytes   = 32 << 10 // one record on the wire
	maxHistoryRecords = 100_000  // of one answer
	maxHistories      = 4        // answers at once through a connection
)

var errHistoryTooLarge = fmt.Errorf("a history record is larger than %d bytes", maxHistoryBytes)

// EncodeHistory returns the JSON of a record on one line, without the end of the line.
// Agents send and store records in this form.
func EncodeHistory(r HistoryRecord) ([]byte, error) {
	line, err := json.Marshal(r)
	if err == nil && len(line) > maxHistoryBytes {
		err = errHistoryTooLarge
	}
	return line, err
}

// DecodeHistory decodes a record. The input is untrusted: texts of the result are printable,
// and a malformed record is an error.
func DecodeHistory(line []byte) (HistoryRecord, error) {
	if len(line) > maxHistoryBytes {
		return HistoryRecord{}, errHistoryTooLarge
	}
	var r HistoryRecord
	if err := json.Unmarshal(bytes.TrimSpace(line), &r); err != nil {
		return HistoryRecord{}, fmt.Errorf("not a history record: %w", err)
	}
	if err := r.check(); err != nil {
		return HistoryRecord{}, err
	}
	return r.cleaned(), nil
}
