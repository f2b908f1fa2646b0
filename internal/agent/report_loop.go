package agent

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/record"
	"github.com/openecp/openecp/internal/agent/report"
)

// guessAgain is the time after which guessed credentials are tried again if EMQX has refused
// all of them: brokers lock users.
const guessAgain = 5 * time.Minute

// runBroker queries the broker and makes reports. It starts again after each change of the
// broker's settings. Before a registration it sends nothing to the broker.
func (a *Agent) runBroker(ctx context.Context) {
	for ctx.Err() == nil {
		drain(a.brokerChanged) // what is told of up to here is read below; else EMQX is logged in to twice
		if a.state.registered() {
			a.reportUntilChanged(ctx)
			continue
		}
		select {
		case <-a.brokerChanged:
		case <-ctx.Done():
		}
	}
}

// reportUntilChanged makes reports with one set of settings.
func (a *Agent) reportUntilChanged(ctx context.Context) {
	access, tried, err := a.openBroker(ctx)
	a.state.setAccess(access, tried)
	a.gateway.lead(access)
	if access == nil {
		a.reportFailure(ctx, err)
		return
	}
	r := report.New(access, a.log, a.now)
	defer func() {
		a.gateway.lead(nil)
		a.state.setAccess(nil, nil)
		r.Close()
		access.Close(ctx)
	}()
	for {
		began := time.Now()
		now := r.Collect(ctx)
		fault := a.take(ctx, record.Observation{
			Report: now, Traffic: r.Traffic(), Alarms: r.Alarms(), Alarmed: r.Alarmed(),
		})
		if !a.waitForNext(ctx, began, fault) {
			return
		}
	}
}

// take keeps an observation of the broker with its report, and logs the changes since the
// last one. It reports whether there is a new fault.
func (a *Agent) take(ctx context.Context, l record.Observation) (fault bool) {
	if ctx.Err() != nil { // a report that was cut short is worthless
		return false
	}
	a.state.mu.Lock()
	before := a.state.last
	l.Connected = a.state.tunnel.Phase == agentproto.PhaseConnected
	a.state.mu.Unlock()
	now := l.Report
	now.History = a.buffer.take(ctx, a.log, l)
	a.state.setReport(a.reports.Append(now))
	if changed := news(before, now); changed != "" {
		if len(now.Errors) == 0 {
			a.log.InfoContext(ctx, "EMQX answers", "node", now.Node, "version", now.Version, "members",
				len(now.Members))
		} else {
			a.log.WarnContext(ctx, "EMQX is not as it should be", "errors", changed)
		}
	}
	return worse(before, now)
}

// worse reports whether there is a new fault. The server accepts a fault only after it was
// reported twice, so the next report should follow soon.
func worse(before, now agentproto.Report) bool {
	return before.Complete() && !now.Complete() || before.Seq > 0 && running(now) < running(before)
}

// running counts the members that run.
func running(r agentproto.Report) (n int) {
	for _, m := range r.Members {
		if m.Status == agentproto.MemberRunning {
			n++
		}
	}
	return n
}

// faultPause is the time between a report with a new fault and the next report.
const faultPause = 2 * time.Second

// news returns the errors of a report if they are not those of the report before.
func news(before, now agentproto.Report) string {
	words := func(r agentproto.Report) (s string) {
		for _, e := range r.Errors {
			s += string(e.Stage) + ": " + e.Message + " (" + string(e.Code) + "); "
		}
		return s
	}
	switch w := words(now); {
	case w == words(before) && (len(now.Errors) > 0 || before.Seq > 0):
		return ""
	case w == "":
		return "none"
	default:
		return w
	}
}

// waitForNext waits until the next report is due. The interval begins with the last report,
// and is shorter after a fault. waitForNext reports false if the settings have changed or
// ctx has ended.
func (a *Agent) waitForNext(ctx context.Context, began time.Time, fault bool) bool {
	pause := a.state.getSettings().Monitoring
	if fault {
		pause = min(pause, faultPause)
	}
	timer := time.NewTimer(max(pause-time.Since(began), shortestInterval/10))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.brokerChanged:
	case <-ctx.Done():
	}
	return false
}

// openBroker returns the access to the broker with the stored settings. If they have no
// credentials, it looks for some.
func (a *Agent) openBroker(ctx context.Context) (access *broker.Access, tried []string, err error) {
	s, err := broker.Load(a.home)
	if err != nil && !broker.IsMissing(err) {
		a.state.problemOf("broker settings", err)
		return nil, nil, &ecp.Error{Code: ecp.CodeDenied, Op: "log in to EMQX", Message: err.Error()}
	}
	a.state.problem("broker settings", "")
	if !s.HasCredentials() {
		s, tried, err = broker.Discover(ctx, broker.DiscoverConfig{Home: a.home, Getenv: a.config.Getenv,
			Root:   a.config.Root,
			Logger: a.log, Now: a.now})
		if err != nil {
			return nil, tried, err
		}
		a.log.InfoContext(ctx, "found credentials that EMQX takes", "emqx", s, "tried", tried)
	}
	access, err = broker.New(broker.Config{Settings: s, Logger: a.log, Now: a.now})
	return access, nil, err
}

// reportFailure reports that the broker was not found, until the next search.
func (a *Agent) reportFailure(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	until := time.Now()
	if errors.Is(err, ecp.ErrDenied) {
		until = until.Add(guessAgain)
	}
	for {
		began := time.Now()
		fault := a.take(ctx, record.Observation{Report: report.Failed(err, a.brokerSettings(), a.now())})
		if !a.waitForNext(ctx, began, fault) || !time.Now().Before(until) {
			return
		}
	}
}
