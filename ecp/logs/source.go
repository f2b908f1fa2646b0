package logs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/observed"
)

// logSource is where the logs of a cluster's nodes are read: of their pods, or of the
// files beside agents.
type logSource interface {
	// nodes lists those that are asked for and whose logs there may be.
	nodes(ctx context.Context) ([]logNode, error)
	// read hands the lines of a node's log to take until that returns false, the log
	// ends, or it breaks off. It calls opened once, when the log was opened.
	read(ctx context.Context, node logNode, r logReading, opened func(), take func(takenLine) bool) error
	// exact reports whether lines have marks: reading goes on behind the last entry that
	// was handed over, so that a log that breaks off loses nothing.
	exact() bool
}

// logNode is a node that has a log.
type logNode struct {
	name  string      // EMQX name
	pod   string      // whose log it is; empty where nodes have no pods
	agent ecp.AgentID // through which the log is read
	why   string      // it cannot be read now; empty means it can be
}

// logReading is what is wanted of a node's log.
type logReading struct {
	q      ecp.LogQuery // checked
	mark   *bookmark
	follow bool
}

// podLogs are the logs of a hosted cluster.
type podLogs struct {
	m        *Reader
	op       string
	id       ecp.ID
	node     string // only this one; empty = all
	platform ecp.Provisioner
	reader   ecp.LogReader
}

// exact is false: lines are known by their times.
func (p podLogs) exact() bool { return false }

// nodes are those that are asked for and have a pod.
func (p podLogs) nodes(ctx context.Context) (out []logNode, err error) {
	o, err := p.platform.Observe(ctx, p.id)
	if err != nil {
		return nil, err
	}
	for _, n := range o.Nodes {
		if p.node == "" || n.Name == p.node {
			out = append(out, logNode{name: n.Name, pod: n.PodUID})
		}
	}
	return out, nil
}

// read reads the log of a node's present pod, where it was read to: of a pod that is
// new, from its beginning.
func (p podLogs) read(ctx context.Context, node logNode, r logReading, opened func(), take func(takenLine) bool) error {
	r.mark.opened(node.pod)
	body, err := p.body(ctx, node.name, r.ofPod())
	if err != nil {
		return err
	}
	defer body.Close()
	opened()
	if err := takeLines(body, take); err != nil {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: p.op, Message: r.brokeOff(), Cause: err}
	}
	return nil
}

func (r logReading) brokeOff() string {
	if r.follow {
		return "the log broke off; it is opened again"
	}
	return "the log broke off before its end"
}

// ofPod is what a platform is asked for: it filters by time only.
func (r logReading) ofPod() ecp.LogOptions {
	o := ecp.LogOptions{Follow: r.follow, Since: r.mark.at}
	switch {
	case !r.follow:
		if o.Since = r.q.Since; unfiltered(r.q) {
			o.Tail = r.q.Limit + spareLines
		}
	case o.Since.IsZero():
		o.Since, o.Tail = r.q.Since, r.q.Limit
	}
	return o
}

// agentLogs are the logs of an adopted cluster.
type agentLogs struct {
	m    *Reader
	op   string
	id   ecp.ID
	node string // only this one; empty = all
	link ecp.LogLink
}

// exact is true: agents mark lines.
func (a agentLogs) exact() bool { return true }

// nodes are those that agents are beside, as they say now or said last. Of several
// agents beside one the log is read through one.
func (a agentLogs) nodes(ctx context.Context) (out []logNode, err error) {
	agents, err := observed.ChildrenOf[ecp.AgentRecord](ctx, a.m.observed, a.id)
	if err != nil {
		return nil, err
	}
	obs := a.m.observed.Observe(a.id)
	best := map[string]logNode{}
	nameless := 0
	for _, rec := range agents {
		seen, _ := obs.Of(rec.ID)
		n := logNode{name: nodeBeside(rec, seen), agent: rec.ID, why: whyNoLog(rec, seen, obs.Unheard)}
		switch old, known := best[n.name]; {
		case rec.Replaced != "" && n.why != "", a.node != "" && n.name != a.node:
		case n.name == "":
			if nameless++; seen.Connected {
				n.why = "agent " + rec.Name() +
					" has not found out yet which node is beside it: what it can read of its log is shown once it has"
			}
			out = append(out, n)
		case !known || old.why != "" && n.why == "":
			best[n.name] = n
		}
	}
	if nameless > 0 { // one line says enough of agents without a node
		slices.SortFunc(out, func(a, b logNode) int { return cmp.Compare(a.agent, b.agent) })
		out = out[:1]
	}
	for _, name := range slices.Sorted(maps.Keys(best)) {
		out = append(out, best[name])
	}
	return out, nil
}

// nodeBeside is the name of the node beside an agent; empty means it was never known.
func nodeBeside(rec ecp.AgentRecord, seen ecp.AgentObservation) string {
	if seen.Report != nil && seen.Report.Node != "" {
		return seen.Report.Node
	}
	return rec.Node
}

// whyNoLog returns why an agent cannot be asked for a log; empty means it can be.
func whyNoLog(rec ecp.AgentRecord, seen ecp.AgentObservation, unheard string) string {
	switch {
	case unheard != "":
		return unheard
	case !seen.Connected:
		return "agent " + rec.Name() + " is not connected: its log goes on once it is"
	case seen.Mismatch != "":
		return seen.Mismatch
	case seen.Conflict != "":
		return seen.Conflict
	}
	return ""
}

// read asks the agent, which filters on its host, for what comes behind the mark.
func (a agentLogs) read(ctx context.Context, node logNode, r logReading, opened func(),
	take func(takenLine) bool) error {
	if node.why != "" {
		return ecp.NewError(ecp.CodeUnavailable, "", node.why)
	}
	first := true
	for l, err := range a.link.Logs(ctx, a.id, node.agent, r.ofAgent()) {
		if err != nil {
			return err
		}
		if first {
			first = false
			opened()
		}
		if !take(takenLine{at: l.At, text: l.Text, mark: l.Mark, cut: l.Cut, gap: l.Gap, passed: l.Passed}) {
			return nil
		}
	}
	return nil
}

// ofAgent is what an agent is asked for.
func (r logReading) ofAgent() ecp.AgentLogQuery {
	q := ecp.AgentLogQuery{After: r.mark.mark, Since: r.q.Since, Until: r.q.Until, Level: r.q.Level, Text: r.q.Query,
		Follow: r.follow}
	if q.After == "" {
		q.Tail = r.q.Limit
	}
	return q
}

// logSource returns where a cluster's logs are read; the error says why they cannot be.
func (m *Reader) logSource(op string, rec ecp.ClusterRecord, node string) (logSource, error) {
	if rec.Mode == ecp.Adopted {
		return m.agentLogs(op, rec, node)
	}
	p, err := m.observed.Provisioner(rec)
	if err != nil {
		return nil, err
	}
	r, ok := p.(ecp.LogReader)
	if !ok {
		return nil, ecp.NewError(ecp.CodeUnsupported, "",
			fmt.Sprintf("the platform of the target %q gives no logs", rec.Spec.Hosted.Target))
	}
	return podLogs{m: m, op: op, id: rec.ID, node: node, platform: p, reader: r}, nil
}

func (m *Reader) agentLogs(op string, rec ecp.ClusterRecord, node string) (logSource, error) {
	obs := m.observed.Observe(rec.ID)
	caps := m.observed.Capabilities(rec, obs)
	why := ecp.FeatureLogs.Why(rec.Mode, ecp.Version{}, caps)
	link, ok := m.observed.Link.(ecp.LogLink)
	switch {
	case !caps.Agent:
		if _, err := m.observed.QueryableAgents(rec, observed.Query{Op: op}); err != nil {
			return nil, err
		}
		return nil, ecp.NewError(ecp.CodeUnavailable, op, observed.NoAgentConnected)
	case why != "" && (caps.LogFault != "" || !caps.Reported): // it may pass, and is observed every few seconds
		return nil, ecp.NewError(ecp.CodeUnavailable, op, why)
	case why != "":
		return nil, ecp.NewError(ecp.CodeUnsupported, op, why)
	case !ok:
		return nil, ecp.NewError(ecp.CodeUnsupported, op,
			"what leads to adopted clusters in this program brings no logs")
	}
	return agentLogs{m: m, op: op, id: rec.ID, node: node, link: link}, nil
}
