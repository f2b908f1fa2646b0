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
)

// brokerRoutes ask a cluster's own broker. Nothing of it is kept: every request
// is a question to a node, and a page that polls is held back by the Manager.
func (a *api) brokerRoutes() {
	ask := func(path, id, summary string) huma.Operation {
		op := a.operation(http.MethodGet, clustersPath+"/{id}/"+path, id, summary, ecp.CodeConflict, ecp.CodeUnsupported)
		op.Description = askedNow
		return op
	}
	stats := ask("stats", "getStats", "Ask a cluster's broker how busy it is, and was")
	stats.Parameters = []*huma.Param{{In: "query", Name: "window", Schema: &huma.Schema{Type: huma.TypeString, Pattern: `^[0-9.]+[a-zµ]`},
		Description: "adds the series of the last while: a duration from 1s to 168h, e.g. 1h. Where the broker of an adopted cluster keeps none it is what the cluster's agents have kept, and gaps says of which times they tell nothing"}}
	stats.Metadata[patience] = time.Minute + ordinary // agents are asked after the broker
	a.serve(stats, http.StatusOK, schemaOf[statsView](a.schemas()), a.stats)

	alarms := ask("alarms", "listAlarms", "Ask a cluster's broker for its alarms, newest first")
	alarms.Parameters = append(listParameters(), toggle("active", "true, or left out: what is wrong now; false: what was and is over"))
	a.serve(alarms, http.StatusOK, schemaOf[page[alarmView]](a.schemas()), a.listAlarms)
	rules := ask("rules", "listRules", "Ask a cluster's broker for the rules of its rule engine")
	rules.Parameters = listParameters()
	a.serve(rules, http.StatusOK, schemaOf[page[ruleView]](a.schemas()), brokerList(a, "rules:", a.manager.Rules, viewRule))
	connectors := ask("connectors", "listConnectors", "Ask a cluster's broker what leads to systems outside: connectors, actions and sources, resources of EMQX 4")
	connectors.Parameters = listParameters()
	a.serve(connectors, http.StatusOK, schemaOf[page[connectorView]](a.schemas()), brokerList(a, "connectors:", a.manager.Integrations, viewConnector))

	metrics := ask("metrics", "getMetrics", "Ask a cluster's broker for its metrics, in Prometheus' text format")
	metrics.Description += " The answer is passed on as it comes; where it cannot be read to its end, the connection is cut."
	metrics.Metadata[patience] = time.Minute + ordinary
	metrics.Parameters = []*huma.Param{{In: "query", Name: "scope", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{string(ecp.MetricsOfNodes)}},
		Description: "nodes: of every node, with a label node (EMQX 5; EMQX 4 gives the node that answers); left out: of the node that answers"},
		{In: "query", Name: "node", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "EMQX name of a node whose metrics are wanted, as it gives them; of an adopted cluster one with an agent beside it. Not with scope"}}
	describePath(&metrics)
	a.plain(metrics, "text/plain", a.metrics)
	metrics.Responses["200"].Content["text/plain"].Schema = &huma.Schema{Type: huma.TypeString}
}

const askedNow = "The broker is asked now, one node after the other until one answers, for 20 seconds at most. 409: no node runs in the cluster's state. 422: its version, edition or licence has no such call. 403 may also say that the broker refuses the credentials that are kept for it. 503: no node answers; it says why."

// stats answers with what is now and, where it is wanted, with what was.
func (a *api) stats(ctx context.Context, r *http.Request, _ []byte) (success, error) {
	c, p := a.cluster(r.PathValue("id"))
	if p != nil {
		return success{}, p
	}
	window, p := duration(r, "window", time.Second, ecp.LongestSeries)
	if p != nil {
		return success{}, p
	}
	traffic, err := a.manager.Traffic(ctx, c.ID())
	if err != nil {
		return success{}, err
	}
	v := viewStats(time.Now().UTC(), traffic)
	if window > 0 {
		series, gaps, err := a.manager.TrafficHistory(ctx, c.ID(), window)
		if err != nil && gaps == nil && !errors.Is(err, ecp.ErrUnsupported) {
			return success{}, err
		}
		v.Series, v.SeriesError = eachOf(series, viewSample), ecp.MessageOf(err) // what is now is told all the same
		v.Gaps = gaps
	}
	return success{status: http.StatusOK, body: v}, nil
}

// duration reads a parameter; 0 = it was left out.
func duration(r *http.Request, name string, least, most time.Duration) (time.Duration, *problemView) {
	query := r.URL.Query()
	if !query.Has(name) {
		return 0, nil
	}
	d, err := time.ParseDuration(query.Get(name))
	if err != nil || d < least || d > most {
		return 0, badParameter(fieldView{"/query/" + name, "is not a duration from " + least.String() + " to " + most.String() + ", such as 1h or 90s"})
	}
	return d, nil
}

func (a *api) listAlarms(ctx context.Context, r *http.Request, body []byte) (success, error) {
	kind, list := "alarms:", a.manager.ActiveAlarms
	if r.URL.Query().Has("active") {
		active, p := toggled(r, "active")
		if p != nil {
			return success{}, p
		}
		if !active {
			kind, list = "history:", a.manager.AlarmHistory
		}
	}
	return brokerList(a, kind, list, viewAlarm)(ctx, r, body)
}

// asked is an item of a list that the broker gives as a whole.
type asked interface {
	key() string   // no two have the same; items are in the order of it
	words() string // that q is looked for in
}

// brokerList answers with a page of such a list. The broker is asked for every
// page; a cursor holds its place whatever has come and gone meanwhile.
func brokerList[T any, V asked](a *api, kind string, list func(context.Context, ecp.ID) ([]T, error), view func(T) V) handler {
	return func(ctx context.Context, r *http.Request, _ []byte) (success, error) {
		c, p := a.cluster(r.PathValue("id"))
		if p != nil {
			return success{}, p
		}
		limit, after, p := listing(r, kind)
		if p != nil {
			return success{}, p
		}
		all, err := list(ctx, c.ID())
		if err != nil {
			return success{}, err
		}
		text := strings.ToLower(r.URL.Query().Get("q"))
		items := slices.DeleteFunc(eachOf(all, view), func(v V) bool { return !strings.Contains(strings.ToLower(v.words()), text) })
		return success{status: http.StatusOK, body: pageOf(items, V.key, kind, after, limit)}, nil
	}
}

// metrics passes an exposition on. What has begun and cannot be ended is cut
// off: a scraper must not take half of it for all.
func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	c, p := a.cluster(r.PathValue("id"))
	if p != nil {
		p.write(w)
		return
	}
	scope := r.URL.Query().Get("scope")
	if wrong := oneOf("scope", scope, []string{string(ecp.MetricsOfNodes)}); wrong != nil {
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
	out := &exposition{w: w, control: http.NewResponseController(w), stuck: a.stuck}
	var err error
	if query.Has("node") {
		_, err = a.manager.WriteNodeMetrics(r.Context(), c.ID(), query.Get("node"), out)
	} else {
		_, err = a.manager.WriteMetrics(r.Context(), c.ID(), out, ecp.MetricsScope(scope))
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

// exposition is an answer in Prometheus' text format that may not come to be.
type exposition struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stuck   time.Duration
	begun   bool
}

func (e *exposition) begin() {
	if !e.begun {
		e.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		e.begun = true
	}
}

// Write writes on; a client that does not take it in time is left.
func (e *exposition) Write(b []byte) (int, error) {
	e.begin()
	_ = e.control.SetWriteDeadline(time.Now().Add(e.stuck)) // not every writer can
	return e.w.Write(b)
}

// eachOf gives the views of a list; [] where there is none.
func eachOf[T, V any](all []T, view func(T) V) []V {
	out := make([]V, len(all))
	for i, v := range all {
		out[i] = view(v)
	}
	return out
}
