package agentproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"time"
)

// Position is a place in the reports of an agent. Each run of the agent's process
// is an epoch, in which reports are numbered from one. The zero Position is before
// all reports.
type Position struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Newest is the position before the newest report. A server that keeps no history
// of its own uses it to get the present state only.
var Newest = Position{Seq: math.MaxUint64}

// Report is the state of a broker at one moment, as its agent saw it. A field that
// could not be read is zero; Errors has the reason.
type Report struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`

	At time.Time `json:"at"` // by the agent's clock

	Node    string        `json:"node,omitempty"`    // the node beside the agent
	Version string        `json:"version,omitempty"` // of EMQX
	Edition string        `json:"edition,omitempty"`
	Uptime  time.Duration `json:"-"` // of the node; in milliseconds on the wire ("uptimeMs")

	Members []Member `json:"members,omitempty"` // of the cluster, as the node sees them

	Connections int  `json:"connections,omitempty"` // of the whole cluster
	Limit       int  `json:"limit,omitempty"`       // of connections, by the broker's license; 0 means not known
	LimitCall   bool `json:"limitCall,omitempty"`   // the broker has a call that changes the limit
	LicenseType int  `json:"licenseType,omitempty"` // as EMQX numbers its license types

	Errors []ReportError `json:"errors,omitempty"`

	// History is the position of the newest record in the agent's history that is no
	// sample. A server that has read that record need not call [Server.History]. It is
	// zero if the agent keeps no history.
	History Position `json:"history,omitzero"`

	Dashboard bool   `json:"dashboard,omitempty"` // the broker's dashboard answers
	Logs      string `json:"logs,omitempty"`      // directory whose logs are collected; empty if none are
}

// Member is a node of the broker's cluster.
type Member struct {
	Name        string       `json:"name"`
	Status      MemberStatus `json:"status"`
	Role        string       `json:"role,omitempty"`
	Version     string       `json:"version,omitempty"`
	UptimeMS    int64        `json:"uptimeMs,omitempty"`
	Connections int          `json:"connections,omitempty"`
}

// MemberStatus is the status of a member as the node beside the agent reports it.
type MemberStatus string

// The statuses of members.
const (
	MemberRunning MemberStatus = "running"
	MemberStopped MemberStatus = "stopped"
	MemberUnknown MemberStatus = "unknown"
)

// ReportError is a step that failed while an agent made a report.
type ReportError struct {
	Stage   Stage     `json:"stage"`
	Code    ErrorCode `json:"code"`
	Message string    `json:"message"` // for people; no secrets
}

// Stage is the part of an agent's work that failed.
type Stage string

// The stages have the names of the error fields in the product's documents.
const (
	StageNodeConnect  Stage = "nodeConnect"  // reaching the broker and logging in
	StageClusterFetch Stage = "clusterFetch" // members and version
	StageMetricsFetch Stage = "metricsFetch"
	StageLogsFetch    Stage = "logsFetch"
	StageTunnel       Stage = "tunnel" // dashboard through the tunnel
)

// ErrorCode is how a stage failed.
type ErrorCode string

// The codes of report errors.
const (
	CodeUnreachable        ErrorCode = "unreachable"
	CodeAuthFailed         ErrorCode = "auth_failed"
	CodeOpenSource         ErrorCode = "open_source" // an edition without what is needed
	CodeUnsupportedVersion ErrorCode = "unsupported_version"
	CodeTimeout            ErrorCode = "timeout"
	CodeMalformed          ErrorCode = "malformed" // an answer that cannot be understood
	CodeInternal           ErrorCode = "internal"  // a fault of the agent
)

// Position returns the epoch and the number of the report.
func (r Report) Position() Position { return Position{r.Epoch, r.Seq} }

// Complete reports whether the report has the state of the cluster: its members
// are known, and neither the node nor the cluster stage failed.
func (r Report) Complete() bool {
	for _, e := range r.Errors {
		if e.Stage == StageNodeConnect || e.Stage == StageClusterFetch {
			return false
		}
	}
	return len(r.Members) > 0
}

// plainReport has the fields of Report and none of its methods.
type plainReport Report

type wireReport struct {
	*plainReport
	UptimeMS int64 `json:"uptimeMs,omitempty"`

	// These replace the report's own fields, and decode no more than is kept: a value
	// can need a hundred times as many bytes in memory as in JSON.
	Members members      `json:"members,omitempty"`
	Errors  reportErrors `json:"errors,omitempty"`
}

type (
	members      []Member
	reportErrors []ReportError
)

// UnmarshalJSON reads the first maxMembers.
func (m *members) UnmarshalJSON(data []byte) (err error) {
	*m, err = decodeSome[Member](data, maxMembers)
	return err
}

// UnmarshalJSON reads the first maxReportErrors.
func (e *reportErrors) UnmarshalJSON(data []byte) (err error) {
	*e, err = decodeSome[ReportError](data, maxReportErrors)
	return err
}

// decodeSome reads at most so many elements of an array, or null.
func decodeSome[T any](data []byte, most int) (some []T, err error) {
	if bytes.Count(data, []byte{','}) < most { // there are no more, as nearly always; this is several times as fast
		err = json.Unmarshal(data, &some)
		return some, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	switch begin, err := d.Token(); {
	case err != nil || begin == nil:
		return nil, err
	case begin != json.Delim('['):
		return nil, errors.New("not an array")
	}
	for len(some) < most && d.More() {
		var one T
		if err := d.Decode(&one); err != nil {
			return nil, err
		}
		some = append(some, one)
	}
	return some, nil
}

// MarshalJSON writes the report as it travels.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireReport{(*plainReport)(&r), r.Uptime.Milliseconds(), r.Members, r.Errors})
}

// UnmarshalJSON reads a report as it travels; fields it does not know are
// skipped.
func (r *Report) UnmarshalJSON(data []byte) error {
	w := wireReport{plainReport: (*plainReport)(r)}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	r.Members, r.Errors = w.Members, w.Errors
	r.Uptime = time.Duration(min(max(w.UptimeMS, 0), maxUptimeMS)) * time.Millisecond
	return nil
}

// maxUptimeMS bounds an uptime of the wire so that it fits a Duration.
const maxUptimeMS = int64(100 * 365 * 24 * time.Hour / time.Millisecond)
