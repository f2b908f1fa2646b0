package report

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/agent/broker"
)

// Bounds of a report in time: what it is about, and what it could do without.
const (
	mainTime  = 6 * time.Second
	callTime  = 4 * time.Second // one question to the broker
	extraTime = 3 * time.Second
	// limitEvery is how often the broker is asked for what hardly changes: its
	// license, and whether it takes a limit.
	limitEvery = 5 * time.Minute
)

// Reporter makes reports of one broker. Collect must not be called by two goroutines
// at once.
type Reporter struct {
	access *broker.Access
	log    *slog.Logger
	now    func() time.Time

	broker   ecp.Broker    // nil means not found yet
	proved   ecp.Detection // what it was proved to be; zero means nothing yet
	uptime   time.Duration // of the node in the last report that was complete
	limits   limits
	limitsAt time.Time

	traffic *ecp.Traffic // of the last report; nil means it was not told
	alarms  []ecp.Alarm  // that are active; of the last report
	alarmed bool         // they were told
}

// Traffic returns the traffic figures of the last report, or nil if the broker did not
// return them.
func (r *Reporter) Traffic() *ecp.Traffic { return r.traffic }

// Alarms returns the active alarms of the last report; see Alarmed.
func (r *Reporter) Alarms() []ecp.Alarm { return r.alarms }

// Alarmed reports whether the broker returned its alarms.
func (r *Reporter) Alarmed() bool { return r.alarmed }

// limits is what hardly changes.
type limits struct {
	call bool // the broker takes a limit at run time
	kind int  // customer type of the license

	inForce int // the limit when this was asked for
}

// New returns a Reporter. If log is nil, nothing is logged; if now is nil, it is time.Now.
func New(a *broker.Access, log *slog.Logger, now func() time.Time) *Reporter {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Reporter{access: a, log: log, now: now}
}

// Close closes the connections of the Reporter, but not the Access.
func (r *Reporter) Close() {
	if r.broker != nil {
		r.broker.Close()
		r.broker = nil
	}
}

// Collect queries the broker and returns a report, even if the broker does not answer. The
// time of the report is that of the beginning.
func (r *Reporter) Collect(ctx context.Context) (out agentproto.Report) {
	out = agentproto.Report{At: r.now()}
	r.traffic, r.alarms, r.alarmed = nil, nil, false
	defer func() {
		if p := recover(); p != nil {
			r.log.ErrorContext(ctx, "panic while a report was made", "panic", p, "stack", string(debug.Stack()))
			out.Errors = append(out.Errors, agentproto.ReportError{Stage: agentproto.StageClusterFetch,
				Code: agentproto.CodeInternal, Message: "a fault of the agent's; its log has more"})
		}
	}()
	if e := r.cluster(ctx, &out); e != nil {
		out.Errors = append(out.Errors, *e)
	}
	out.Errors = append(out.Errors, r.extras(ctx, &out)...)
	return out
}

// cluster asks for the members and the version; without them a report is not
// complete.
func (r *Reporter) cluster(ctx context.Context, out *agentproto.Report) *agentproto.ReportError {
	trace := &broker.Trace{}
	tctx, cancel := context.WithTimeout(broker.WithTrace(ctx, trace), mainTime)
	defer cancel()
	found, err := r.prove(tctx)
	var d ecp.Description
	if err == nil {
		d, err = r.broker.Describe(tctx)
	}
	if out.Version, out.Edition = found.Version, found.Edition; err != nil {
		return r.notDescribed(ctx, err, found, trace.Answered())
	}
	// an upgrade: next time it is looked at anew
	if d.Version != found.Version || d.Edition != "" && d.Edition != found.Edition {
		r.forget()
	}
	describe(out, d)
	out.Node = r.self(ctx, d)
	for _, m := range out.Members {
		if m.Name == out.Node {
			out.Uptime = time.Duration(m.UptimeMS) * time.Millisecond
		}
	}
	if out.Uptime < r.uptime { // it was started anew, perhaps as another edition of the same version
		r.forget()
	}
	r.uptime = out.Uptime
	return nil
}

// prove finds the broker and whether it is one that can be managed, once.
func (r *Reporter) prove(ctx context.Context) (ecp.Detection, error) {
	if r.proved.Major != 0 && r.broker != nil {
		return r.proved, nil
	}
	found, err := r.access.Detect(ctx)
	if err != nil {
		return found, err
	}
	b, _, err := r.access.Open(ctx, callTime)
	if err != nil {
		return found, err
	}
	r.Close()
	r.broker, r.proved, r.limitsAt = b, found, time.Time{}
	return found, nil
}

// forget makes the next report detect the broker again.
func (r *Reporter) forget() {
	r.proved = ecp.Detection{}
	r.access.Forget()
}

// notDescribed is the error of a report that lacks the members. Whether it was the
// node or the cluster that did not answer is asked of the node alone.
func (r *Reporter) notDescribed(ctx context.Context, err error, found ecp.Detection,
	answered bool) *agentproto.ReportError {
	code := codeOf(err, found, answered)
	stage := agentproto.StageNodeConnect
	switch code {
	case agentproto.CodeTimeout, agentproto.CodeMalformed:
		if _, nodeErr := r.health(ctx, time.Second); nodeErr == nil {
			stage = agentproto.StageClusterFetch
		}
	case agentproto.CodeInternal:
		stage = agentproto.StageClusterFetch
	case agentproto.CodeUnsupportedVersion, agentproto.CodeOpenSource:
		r.forget()
	default:
	}
	if code == agentproto.CodeUnreachable && found.Major == 0 {
		r.access.Forget()
	}
	e := failure(stage, code, r.access.Advise(err))
	return &e
}

// health asks the node itself, which needs no credentials.
func (r *Reporter) health(ctx context.Context, within time.Duration) (ecp.Health, error) {
	source, ok := r.broker.(ecp.HealthSource)
	if !ok {
		return ecp.Health{}, &ecp.Error{Code: ecp.CodeUnavailable, Message: "no broker was found yet"}
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return source.Health(ctx)
}

// self returns the name of the node beside the agent: the one that it reports, otherwise
// that of the only member. It is empty if neither is known.
func (r *Reporter) self(ctx context.Context, d ecp.Description) string {
	if h, err := r.health(ctx, time.Second); err == nil && h.Node != "" {
		return h.Node
	}
	if len(d.Nodes) == 1 {
		return d.Nodes[0].Name
	}
	return ""
}

// describe adds the broker's description of the cluster.
func describe(out *agentproto.Report, d ecp.Description) {
	out.Version, out.Connections, out.Limit = d.Version, d.Connections, d.Limit
	if d.Edition != "" {
		out.Edition = d.Edition
	}
	for _, n := range d.Nodes {
		out.Members = append(out.Members, agentproto.Member{
			Name: n.Name, Status: statuses[n.Status], Role: n.Role, Version: n.Version,
			UptimeMS: n.Uptime.Milliseconds(), Connections: n.Connections,
		})
	}
}

var statuses = map[ecp.NodeStatus]agentproto.MemberStatus{
	ecp.NodeRunning: agentproto.MemberRunning, ecp.NodeStopped: agentproto.MemberStopped,
	ecp.NodeUnknown: agentproto.MemberUnknown,
}

// extras asks, all at once, for what a report can do without.
func (r *Reporter) extras(ctx context.Context, out *agentproto.Report) []agentproto.ReportError {
	ctx, cancel := context.WithTimeout(ctx, extraTime)
	defer cancel()
	var dashboard, metrics []agentproto.ReportError
	described := len(out.Members) > 0 && r.broker != nil
	var wg sync.WaitGroup
	wg.Go(func() { dashboard = r.contained(ctx, func() []agentproto.ReportError { return r.dashboard(ctx, out) }) })
	if described {
		wg.Go(func() { metrics = r.contained(ctx, func() []agentproto.ReportError { return r.metrics(ctx) }) })
		wg.Go(func() { r.contained(ctx, func() []agentproto.ReportError { r.askAlarms(ctx); return nil }) })
		r.contained(ctx, func() []agentproto.ReportError { r.askLimits(ctx, out.Limit); return nil })
		out.LimitCall, out.LicenseType = r.limits.call, r.limits.kind
	}
	files := logFiles(r.access.Settings(), out)
	wg.Wait()
	return append(append(metrics, files...), dashboard...)
}

// contained lets a panic of one question cost its answer only.
func (r *Reporter) contained(ctx context.Context, ask func() []agentproto.ReportError) (errs []agentproto.ReportError) {
	defer func() {
		if p := recover(); p != nil {
			r.log.ErrorContext(ctx, "panic while a report was made", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return ask()
}

// dashboard asks whether there is something for dashboards through the tunnel.
func (r *Reporter) dashboard(ctx context.Context, out *agentproto.Report) []agentproto.ReportError {
	err := r.access.AskDashboard(ctx)
	if out.Dashboard = err == nil; err == nil {
		return nil
	}
	return []agentproto.ReportError{failure(agentproto.StageTunnel, codeOf(err, ecp.Detection{}, false), err)}
}

// metrics asks how busy the cluster is.
func (r *Reporter) metrics(ctx context.Context) []agentproto.ReportError {
	m, ok := r.broker.(ecp.Monitor)
	if !ok {
		return nil
	}
	trace := &broker.Trace{}
	traffic, err := m.Traffic(broker.WithTrace(ctx, trace))
	if err == nil {
		r.traffic = &traffic
	} else {
		return []agentproto.ReportError{failure(agentproto.StageMetricsFetch, codeOf(err, r.proved, trace.Answered()),
			err)}
	}
	return nil
}

// askAlarms reads the active alarms. If that fails, it is no error of the report.
func (r *Reporter) askAlarms(ctx context.Context) {
	source, ok := r.broker.(ecp.AlarmSource)
	if !ok {
		return
	}
	alarms, err := source.ActiveAlarms(ctx)
	if err != nil {
		r.log.DebugContext(ctx, "EMQX does not tell its alarms", ecp.ErrorAttr(err))
		return
	}
	r.alarms, r.alarmed = alarms, true
}

// askLimits asks for the license, and whether the broker takes a limit: now and then,
// and where another one is in force, which may be that of another license.
func (r *Reporter) askLimits(ctx context.Context, inForce int) {
	if now := r.now(); now.Sub(r.limitsAt) >= limitEvery || now.Before(r.limitsAt) || inForce != r.limits.inForce {
		l := limits{inForce: inForce}
		if c, ok := r.broker.(ecp.ConnectionLimiter); ok {
			limit, err := c.ConnectionLimit(ctx)
			if err != nil {
				r.log.DebugContext(ctx, "EMQX does not tell its limit", ecp.ErrorAttr(err))
				return
			}
			l.call = limit.Settable
		}
		if m, ok := r.broker.(ecp.LicenseManager); ok {
			license, err := m.License(ctx)
			if err != nil {
				r.log.DebugContext(ctx, "EMQX does not tell its license", ecp.ErrorAttr(err))
				return
			}
			l.kind = max(license.CustomerType, 0)
		}
		r.limits, r.limitsAt = l, now
	}
}

func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// Failed returns the report if no broker was found. It contains what is known of the log
// files from the settings.
func Failed(err error, s broker.Settings, now time.Time) agentproto.Report {
	found := broker.FoundIn(err)
	out := agentproto.Report{
		At: now, Version: found.Version, Edition: found.Edition,
		Errors: []agentproto.ReportError{failure(agentproto.StageNodeConnect, codeOf(err, found, false), err)},
	}
	out.Errors = append(out.Errors, logFiles(s, &out)...)
	return out
}
