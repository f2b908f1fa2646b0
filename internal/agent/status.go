package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/home"
)

// Phase is the state of the agent.
type Phase string

// The phases.
const (
	PhaseStopped      Phase = "stopped"      // no agent runs on the directory
	PhaseUnregistered Phase = "unregistered" // it waits for a registration
	PhaseConnecting   Phase = "connecting"
	PhaseConnected    Phase = "connected"
	PhaseWaiting      Phase = "waiting" // until it tries again
	PhaseRefused      Phase = "refused" // the server refuses it
)

// Status describes an agent. It contains no secrets.
type Status struct {
	Version  string    `json:"version,omitempty"`
	Home     string    `json:"home"`
	PID      int       `json:"pid,omitempty"` // 0 means none runs
	Started  time.Time `json:"started,omitzero"`
	Instance string    `json:"instance,omitempty"`

	Phase  Phase        `json:"phase"`
	Server ServerStatus `json:"server"`
	Broker BrokerStatus `json:"broker"`
	Logs   LogsStatus   `json:"logs"`
	Report ReportStatus `json:"report"`
	Buffer BufferStatus `json:"buffer,omitzero"`

	// Problems are sentences about further faults. Notes are about what is worth knowing,
	// such as settings that are not used.
	Problems []string `json:"problems,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	// Todo lists what a person should do, most urgent first.
	Todo []string `json:"todo,omitempty"`
}

// ServerStatus describes the connection to the server.
type ServerStatus struct {
	URL         string             `json:"url,omitempty"`
	Agent       string             `json:"agent,omitempty"`   // its id
	Cluster     string             `json:"cluster,omitempty"` // what it was registered for
	Carrier     agentproto.Carrier `json:"carrier,omitempty"`
	CarrierWhy  string             `json:"carrierWhy,omitempty"`
	Since       time.Time          `json:"since,omitzero"` // of the phase
	Error       string             `json:"error,omitempty"`
	Hint        string             `json:"hint,omitempty"`    // what to do about the error
	Refusal     string             `json:"refusal,omitempty"` // code
	RetryAt     time.Time          `json:"retryAt,omitzero"`
	ClockSkewMS int64              `json:"clockSkewMs,omitempty"` // the agent's clock minus the server's
	TLS         TLSStatus          `json:"tls,omitzero"`
}

// TLSStatus describes the certificate that the server showed last.
type TLSStatus struct {
	Version  string    `json:"version,omitempty"` // e.g. "TLS 1.3"
	Subject  string    `json:"subject,omitempty"`
	Issuer   string    `json:"issuer,omitempty"`
	NotAfter time.Time `json:"notAfter,omitzero"`
}

// BrokerStatus describes the EMQX node beside the agent.
type BrokerStatus struct {
	DashboardURL string    `json:"dashboardUrl,omitempty"`
	APIURL       string    `json:"apiUrl,omitempty"` // empty means the one that goes with it
	Version      string    `json:"version,omitempty"`
	Edition      string    `json:"edition,omitempty"`
	Node         string    `json:"node,omitempty"`
	Credentials  string    `json:"credentials"`           // in words, e.g. "API key"
	RefusedSince time.Time `json:"refusedSince,omitzero"` // zero means EMQX takes them
	NextTry      time.Time `json:"nextTry,omitzero"`      // of credentials that were refused
	ReadOnly     bool      `json:"readOnly,omitempty"`
	Dashboard    bool      `json:"dashboard"` // it answers
}

// LogsStatus describes EMQX's log files.
type LogsStatus struct {
	Collect bool   `json:"collect"`
	Dir     string `json:"dir,omitempty"`
	Error   string `json:"error,omitempty"`
}

// ReportStatus describes the last report.
type ReportStatus struct {
	At       time.Time                `json:"at,omitzero"`
	Complete bool                     `json:"complete"`
	Members  []agentproto.Member      `json:"members,omitempty"`
	Errors   []agentproto.ReportError `json:"errors,omitempty"`
}

// largestStatus bounds an answer of the agent's socket, in bytes.
const largestStatus = 1 << 20

// ReadStatus returns the status of the agent that runs on a directory. If none runs, the
// status has the phase stopped, and what can be read from the files.
func ReadStatus(ctx context.Context, dir string) (Status, error) {
	d := home.Dir(dir)
	body, err := callSocket(ctx, d, http.MethodGet, "/status")
	if notRunning(err) {
		return offline(d)
	}
	if err != nil {
		return Status{}, fmt.Errorf("ask the agent that runs on %s: %w", dir, err)
	}
	var s Status
	if err := json.Unmarshal(body, &s); err != nil {
		return Status{}, fmt.Errorf("ask the agent that runs on %s: its answer cannot be read: %w", dir, err)
	}
	return s, nil
}

// Reload makes the agent that runs on a directory read its files again. It returns nil if
// none runs: an agent reads them when it starts.
func Reload(ctx context.Context, dir string) error {
	if _, err := callSocket(ctx, home.Dir(dir), http.MethodPost, "/reload"); err != nil && !notRunning(err) {
		return fmt.Errorf("tell the agent that runs on %s: %w", dir, err)
	}
	return nil
}

// notRunning reports whether no process has the socket open.
func notRunning(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// callSocket makes a request of the running agent.
func callSocket(ctx context.Context, d home.Dir, method, path string) ([]byte, error) {
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn,
		error) {
		return d.Dial(ctx)
	}}
	defer t.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := t.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, largestStatus))
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("it answered %s", res.Status)
	}
	return body, err
}

// offline returns the status of a directory on which no agent runs.
func offline(d home.Dir) (Status, error) {
	s := Status{Home: string(d), Phase: PhaseStopped, Broker: BrokerStatus{Credentials: "none"}}
	if pid, running, err := d.Running(); err == nil && running {
		return s, fmt.Errorf("an agent runs on %s (process %d) and does not answer; wait a moment, or restart it "+
			"with `emqxee-agent restart`", d, pid)
	}
	s.Todo = append(s.Todo, "start the agent: `emqxee-agent start`")
	id, err := agentproto.ReadIdentity(d.Identity())
	switch {
	case err == nil:
		s.Server = serverStatus(id, agentproto.AgentStatus{})
	case errors.Is(err, fs.ErrNotExist):
		s.Todo = append(s.Todo, "register it with the command of the cluster's guide")
	default:
		s.Problems = append(s.Problems, err.Error())
	}
	settings, err := broker.Load(d)
	switch {
	case err == nil:
		s.Broker.DashboardURL, s.Broker.APIURL = settings.DashboardURL, settings.APIURL
		s.Broker.Credentials, s.Broker.ReadOnly = settings.Credentials(), settings.ReadOnly
		s.Logs = LogsStatus{Collect: settings.LogCollection, Dir: settings.LogDir}
	case !broker.IsMissing(err):
		s.Problems = append(s.Problems, err.Error())
	}
	if _, err := ReadSettings(string(d)); err != nil {
		s.Problems = append(s.Problems, err.Error())
	}
	return s, nil
}
