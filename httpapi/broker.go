package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/monitor"
)

// brokerRoutes ask a cluster's own broker. Nothing of it is kept: every request
// is a question to a node, and the Manager limits how many run at once.
func (a *api) brokerRoutes() {
	ask := func(path, id, summary string) route {
		return route{
			method: http.MethodGet, path: clusterPath + "/" + path, id: id, summary: summary, description: brokerText,
			refuses: []ecp.Code{ecp.CodeConflict, ecp.CodeUnsupported},
		}
	}
	stats := ask("stats", "getStats", "Ask a cluster's broker how busy it is, and was")
	window := &huma.Schema{Type: huma.TypeString, Pattern: `^[0-9.]+[a-zµ]`}
	stats.parameters = []*huma.Param{query("window", windowText, window)}
	stats.timeout = time.Minute + requestTimeout // agents are asked after the broker
	stats.success = returns[statsView](http.StatusOK)
	a.json(stats, a.stats)

	alarms := ask("alarms", "listAlarms", "Ask a cluster's broker for its alarms, newest first")
	alarms.parameters = append(listParameters(), boolean("active", "true, or left out: what is wrong now; false: "+
		"what was and is over"))
	alarms.success = returns[page[alarmView]](http.StatusOK)
	a.json(alarms, a.listAlarms)

	rules := ask("rules", "listRules", "Ask a cluster's broker for the rules of its rule engine")
	rules.parameters, rules.success = listParameters(), returns[page[ruleView]](http.StatusOK)
	a.json(rules, brokerList(a, "rules:", a.manager.Monitor.Rules, viewRule))

	connectors := ask("connectors", "listConnectors",
		"Ask a cluster's broker what leads to systems outside: connectors, actions and sources, resources of EMQX 4")
	connectors.parameters, connectors.success = listParameters(), returns[page[connectorView]](http.StatusOK)
	a.json(connectors, brokerList(a, "connectors:", a.manager.Monitor.Integrations, viewConnector))

	drift := ask("settings/drift", "getSettingsDrift",
		"Ask the nodes of a hosted cluster which settings they run with in another way than asked for")
	drift.description = driftText
	drift.success = returns[ecp.SettingsDrift](http.StatusOK)
	a.json(drift, func(ctx context.Context, r *http.Request, _ body) (success, error) {
		c, p := a.cluster(r)
		if p != nil {
			return success{}, p
		}
		found, err := a.manager.SettingsDrift(ctx, c.ID())
		return success{status: http.StatusOK, body: found}, err
	})

	metrics := ask("metrics", "getMetrics", "Ask a cluster's broker for its metrics, in Prometheus' text format")
	metrics.description += " The answer is passed on as it comes; where it cannot be read to its end, the " +
		"connection is cut."
	metrics.timeout = time.Minute + requestTimeout
	metrics.parameters = []*huma.Param{
		query("scope", scopeText, text(string(ecp.MetricsOfNodes))), query("node", nodeText, text()),
	}
	metrics.success = []answer{{status: http.StatusOK, content: map[string]schema{"text/plain": anyText}}}
	a.stream(metrics, a.metrics)
}

// anyText is the schema of an answer that is no JSON.
func anyText(huma.Registry) *huma.Schema { return text() }

const (
	windowText = "adds the series of the last while: a duration from 1s to 168h, e.g. 1h. Where the broker of an " +
		"adopted cluster keeps none it is what the cluster's agents have kept, and gaps says of which times they " +
		"tell nothing"
	scopeText = "nodes: of every node, with a label node (EMQX 5; EMQX 4 gives the node that answers); left out: of " +
		"the node that answers"
	nodeText = "EMQX name of a node whose metrics are wanted, as it gives them; of an adopted cluster one with an " +
		"agent beside it. Not with scope"
)

const brokerText = "The broker is asked now, one node after the other until one answers, for 20 seconds at most. " +
	"409: no node runs in the cluster's state. 422: its version, edition or license has no such call. 403 may also " +
	"say that the broker refuses the credentials that are kept for it. 503: no node answers; it says why."

const driftText = "Every node that is ready is asked now, and nothing is kept. `differs`: the setting is asked for, " +
	"by spec.config or by OpenECP itself, and EMQX has another value. `lingers`: it is not asked for any more, and " +
	"EMQX still has that value; `mayLinger`: that may be EMQX's own. `unasked`: nobody asks for it, and EMQX has " +
	"another value than its own. Values that may be secrets are left out. 409: no node can be asked in the cluster's " +
	"state. 422: EMQX 4.4 cannot be asked; an adopted cluster has no settings that are asked for. 503: no node " +
	"answers; it says why."

// stats answers with the present figures and, if asked for, with those of the past.
func (a *api) stats(ctx context.Context, r *http.Request, _ body) (success, error) {
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	window, p := readDuration(r, "window", time.Second, monitor.LongestSeries)
	if p != nil {
		return success{}, p
	}
	traffic, err := a.manager.Monitor.Traffic(ctx, c.ID())
	if err != nil {
		return success{}, err
	}
	v := viewStats(time.Now().UTC(), traffic)
	if window > 0 {
		series, gaps, err := a.manager.Monitor.TrafficHistory(ctx, c.ID(), window)
		if err != nil && gaps == nil && !errors.Is(err, ecp.ErrUnsupported) {
			return success{}, err
		}
		// The present figures are shown also where there is no series.
		v.Series, v.SeriesError = convert(series, viewSample), ecp.MessageOf(err)
		v.Gaps = gaps
	}
	return success{status: http.StatusOK, body: v}, nil
}

func (a *api) listAlarms(ctx context.Context, r *http.Request, b body) (success, error) {
	kind, list := "alarms:", a.manager.Monitor.ActiveAlarms
	if r.URL.Query().Has("active") {
		active, p := readBool(r, "active")
		if p != nil {
			return success{}, p
		}
		if !active {
			kind, list = "history:", a.manager.Monitor.AlarmHistory
		}
	}
	return brokerList(a, kind, list, viewAlarm)(ctx, r, b)
}

// brokerItem is an item of a list that the broker returns as a whole.
type brokerItem interface {
	key() string  // unique; items are in its order
	text() string // searched for q
}

// brokerList answers with a page of such a list. The broker is asked for every page, and
// a cursor keeps its place when items come and go meanwhile.
func brokerList[T any, V brokerItem](
	a *api, kind string, list func(context.Context, ecp.ID) ([]T, error), view func(T) V,
) handler {
	return func(ctx context.Context, r *http.Request, _ body) (success, error) {
		c, p := a.cluster(r)
		if p != nil {
			return success{}, p
		}
		limit, after, wrong := listing(r, kind)
		if len(wrong) > 0 {
			return success{}, badParameter(wrong...)
		}
		all, err := list(ctx, c.ID())
		if err != nil {
			return success{}, err
		}
		wanted := strings.ToLower(r.URL.Query().Get("q"))
		items := slices.DeleteFunc(convert(all, view), func(v V) bool {
			return !strings.Contains(strings.ToLower(v.text()), wanted)
		})
		return success{status: http.StatusOK, body: pageOf(items, V.key, kind, after, limit)}, nil
	}
}

// metrics passes an exposition on. The connection is cut if it cannot be read to its end:
// a scraper must not take half of it for all.
func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	c, p := a.cluster(r)
	if p != nil {
		p.write(w)
		return
	}
	scope := r.URL.Query().Get("scope")
	if wrong := checkWord("scope", scope, []string{string(ecp.MetricsOfNodes)}); wrong != nil {
		badParameter(wrong...).write(w)
		return
	}
	query := r.URL.Query()
	if query.Has("node") && query.Has("scope") {
		badParameter(fieldView{"/query/node", "cannot be given with scope: one node, or all of them"}).write(w)
		return
	}
	if query.Has("node") && query.Get("node") == "" {
		badParameter(fieldView{"/query/node", "is empty; give the EMQX name of a node, as emqx@10.0.0.1"}).write(w)
		return
	}
	out := &exposition{w: w, control: http.NewResponseController(w), timeout: a.writeTimeout}
	var err error
	if query.Has("node") {
		_, err = a.manager.Monitor.WriteNodeMetrics(r.Context(), c.ID(), query.Get("node"), out)
	} else {
		_, err = a.manager.Monitor.WriteMetrics(r.Context(), c.ID(), out, ecp.MetricsScope(scope))
	}
	switch {
	case err == nil:
		out.begin()
	case !out.begun:
		a.problem(r.Context(), err).write(w)
	default:
		_ = a.failed(r.Context(), err) // for the log: the status is out
		panic(http.ErrAbortHandler)
	}
}

// exposition is an answer in Prometheus' text format, of which nothing is sent before the
// first byte is there.
type exposition struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // of one write
	begun   bool
}

func (e *exposition) begin() {
	if !e.begun {
		e.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		e.begun = true
	}
}

// Write passes bytes on. A client that does not take them in time is cut off.
func (e *exposition) Write(b []byte) (int, error) {
	e.begin()
	_ = e.control.SetWriteDeadline(time.Now().Add(e.timeout)) // not every writer can
	return e.w.Write(b)
}
