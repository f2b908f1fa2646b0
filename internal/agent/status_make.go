package agent

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/logs"
)

// Status returns the present status.
func (a *Agent) Status() Status {
	a.state.mu.Lock()
	defer a.state.mu.Unlock()
	st := &a.state
	s := Status{
		Version: a.config.Version, Home: string(a.home), PID: os.Getpid(), Started: st.started, Instance: a.instance,
		Server: serverStatus(st.identity, st.tunnel), Report: reportStatus(st.last),
		Problems: st.toldLocked(), Notes: st.settings.Ignored,
	}
	s.Phase = phaseOf(st.identity, st.tunnel)
	if says := a.file.problem(); says != "" {
		s.Problems = append(s.Problems, says)
	}
	if s.Buffer = a.buffer.status(); s.Buffer.Error != "" {
		s.Problems = append(s.Problems, s.Buffer.Error)
	}
	s.Broker, s.Logs = brokerStatus(st)
	s.Todo = todo(s, a.now(), st.tried)
	return s
}

func phaseOf(id agentproto.Identity, t agentproto.AgentStatus) Phase {
	switch {
	case id.Agent == "":
		return PhaseUnregistered
	case t.Phase == "":
		return PhaseConnecting
	}
	return Phase(t.Phase)
}

func serverStatus(id agentproto.Identity, t agentproto.AgentStatus) ServerStatus {
	s := ServerStatus{
		URL: id.Server, Agent: id.Agent, Cluster: id.Cluster, Carrier: t.Carrier, CarrierWhy: t.Why,
		Since: t.Since, RetryAt: t.RetryAt, ClockSkewMS: t.ClockSkew.Milliseconds(),
	}
	if t.Err != nil {
		s.Error, s.Hint = agentproto.Explain(t.Err)
	}
	if t.Refusal != nil {
		s.Refusal = string(t.Refusal.Code)
	}
	if t.TLS != nil {
		s.TLS = TLSStatus{Version: t.TLS.Version, Subject: t.TLS.Subject, Issuer: t.TLS.Issuer,
			NotAfter: t.TLS.NotAfter}
	}
	return s
}

func reportStatus(r agentproto.Report) ReportStatus {
	return ReportStatus{At: r.At, Complete: r.Complete(), Members: r.Members, Errors: r.Errors}
}

func brokerStatus(st *state) (BrokerStatus, LogsStatus) {
	b := BrokerStatus{Version: st.last.Version, Edition: st.last.Edition, Node: st.last.Node,
		Dashboard:   st.last.Dashboard,
		Credentials: "none"}
	if st.access == nil {
		return b, LogsStatus{}
	}
	settings := st.access.Settings()
	b.DashboardURL, b.APIURL, b.ReadOnly = st.access.DashboardURL(), settings.APIURL, settings.ReadOnly
	b.Credentials, b.RefusedSince, b.NextTry = settings.Credentials(), st.access.Refused(), st.access.TryAgainAt()
	if using := st.access.Using(); using != "" {
		b.Credentials = using
	}
	l := LogsStatus{Collect: settings.LogCollection}
	if l.Collect {
		dir, err := logs.Find(settings.LogDir)
		if l.Dir = dir; err != nil {
			l.Error = err.Error()
		}
	}
	return b, l
}

// clockTolerance is the difference to the server's clock from which on the status mentions
// it, and expirySoon the remaining time of a certificate.
const (
	clockTolerance = time.Minute
	expirySoon     = 7 * 24 * time.Hour
)

// todo returns what a person should do, most urgent first.
func todo(s Status, now time.Time, tried []string) (list []string) {
	add := func(when bool, format string, args ...any) {
		if when {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(s.Phase == PhaseUnregistered,
		"register the agent with the command of the cluster's guide: `emqxee-agent register --url … "+
			"--registration-token …`")
	gone := s.Server.Refusal == string(agentproto.RefusedUnknownAgent) ||
		s.Server.Refusal == string(agentproto.RefusedRemoved)
	add(gone, "the server does not know this agent any more: register it again with a token of the cluster's guide, "+
		"or `emqxee-agent uninstall` it")
	add(!gone && s.Phase != PhaseConnected && s.Server.Hint != "", "%s", s.Server.Hint)
	add(!gone && s.Phase == PhaseRefused && s.Server.Hint == "", "the server refuses this agent: %s", s.Server.Error)
	// it comes back by itself
	later := s.Server.Refusal == string(agentproto.RefusedGoingAway) ||
		s.Server.Refusal == string(agentproto.RefusedBusy)
	add(!gone && !later && s.Phase != PhaseConnected && s.Phase != PhaseRefused && s.Server.Error != "" &&
		s.Server.Hint == "", "find out with `emqxee-agent doctor` why the server cannot be reached: %s", s.Server.Error)
	for _, e := range s.Report.Errors {
		list = append(list, adviceOn(e))
	}
	if skew := time.Duration(s.Server.ClockSkewMS) * time.Millisecond; skew.Abs() > clockTolerance {
		list = append(list, fmt.Sprintf("set this host's clock: it is %s %s the server's",
			skew.Abs().Round(time.Second),
			map[bool]string{true: "ahead of", false: "behind"}[skew > 0]))
	}
	end := s.Server.TLS.NotAfter
	add(!end.IsZero() && end.Sub(now) < expirySoon, "let the server's certificate be renewed: it ends %s",
		end.UTC().Format(time.RFC3339))
	list = append(list, s.Problems...)
	if len(tried) > 0 {
		list = append(list, "credentials of EMQX were looked for in vain: "+strings.Join(tried, "; "))
	}
	return list
}

// adviceOn returns what to do about an error of a report.
func adviceOn(e agentproto.ReportError) string {
	lead := map[agentproto.ErrorCode]string{
		agentproto.CodeAuthFailed:         "give the agent credentials that EMQX takes",
		agentproto.CodeUnreachable:        "let EMQX run where the agent looks for it, or tell the agent where it is",
		agentproto.CodeOpenSource:         "use an EMQX Enterprise, which alone can be managed",
		agentproto.CodeUnsupportedVersion: "upgrade EMQX to a version that can be managed",
		agentproto.CodeTimeout:            "look after EMQX, which does not answer in time",
		agentproto.CodeMalformed:          "look at what answers in EMQX's place",
	}[e.Code]
	what := map[agentproto.Stage]string{
		agentproto.StageMetricsFetch: "metrics: ", agentproto.StageLogsFetch: "log files: ",
		agentproto.StageTunnel: "dashboard: ",
	}[e.Stage]
	if lead == "" || what != "" {
		return what + e.Message
	}
	return lead + ": " + e.Message
}
