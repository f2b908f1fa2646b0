package httpapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/proxy"
)

// brokerPath is where calls are passed on to brokers. The last part may have
// slashes of its own: it is never looked at as a path of ours.
const brokerPath = clusterPath + "/emqx/{path}"

// brokerMethods are the methods that brokers take.
var brokerMethods = []struct{ method, id, summary string }{
	{http.MethodGet, "getBroker", "Read from the broker's management API"},
	{http.MethodHead, "headBroker", "Ask the broker's management API for headers only"},
	{http.MethodPost, "postBroker", "POST to the broker's management API"},
	{http.MethodPut, "putBroker", "PUT to the broker's management API"},
	{http.MethodPatch, "patchBroker", "PATCH at the broker's management API"},
	{http.MethodDelete, "deleteBroker", "DELETE at the broker's management API"},
}

const aboutBroker = "" +
	"The call is made as the broker's administrator, with the cluster's own key: what may change something needs " +
	"the right\n" +
	"write, and the audit says who made it. GET and HEAD of what shows no secrets (nodes, statistics, clients, " +
	"topics, alarms and\n" +
	"the like) need read. Path and query go on as they are, escapes and all: /emqx/api/v5/rules/rule%3A1. Only " +
	"/status and what is\n" +
	"below /api/v4 and /api/v5 can be reached, and none of EMQX' own logins; empty and dot segments and backslashes " +
	"are refused.\n\n" +
	"Of the headers a list goes on, and a list comes back; Authorization and cookies do not. A redirect of the " +
	"broker is refused.\n" +
	"A body may have 16 MiB, an answer 256 MiB; nothing may stand still for 30 seconds, and all of it takes 10 " +
	"minutes at most.\n" +
	"An answer that cannot come to its end is cut off. Of calls that last longer than 5 seconds only a few run at " +
	"once: the others\n" +
	"are ended with 429. Ecp-Answered-By says whose an answer is: broker, or ecp, with a Problem."

// passthroughRoutes lead to brokers: to their API, and to their dashboards.
func (a *api) passthroughRoutes() (err error) {
	for _, m := range brokerMethods {
		rt := a.add(route{
			method: m.method, path: brokerPath, id: m.id, summary: m.summary, description: aboutBroker,
			passthrough: true, unbounded: true, keyless: true,
			refuses: []ecp.Code{ecp.CodeUnsupported, ecp.CodeThrottled},
			parameters: []*huma.Param{
				pathParameter("id", pathTexts["id"], exampleCluster),
				pathParameter("path", "path at the broker as it is, slashes and escapes too",
					"status", "api/v5/nodes", "api/v4/clients/a%2Fb"),
			},
		})
		if rt.mayHaveBody() {
			rt.RequestBody = &huma.RequestBody{
				Description: "whatever the broker takes", Content: map[string]*huma.MediaType{"*/*": {}},
			}
		}
	}
	config := proxy.PassthroughConfig{Manager: a.manager, Logger: a.log, Refuse: a.refusePassthrough}
	if a.passthrough, err = proxy.NewPassthrough(config); err != nil {
		return err
	}
	if a.dashboards == nil {
		links := proxy.DashboardsConfig{Manager: a.manager, Logger: a.log}
		if a.dashboards, err = proxy.NewDashboards(links); err != nil {
			return err
		}
	}
	a.json(route{
		method: http.MethodPost, path: clusterPath + "/dashboard", id: "openDashboard", summary: "Make a link to a " +
			"cluster's dashboard",
		description: dashboardText,
		parameters:  []*huma.Param{query("via", viaText, text(words(access.DashboardVias()...)...))},
		keyless:     true, // the answer is a secret
		success:     returns[linkView](http.StatusCreated), refuses: []ecp.Code{ecp.CodeUnsupported, ecp.CodeThrottled},
	}, a.openDashboard)
	return nil
}

const dashboardText = "" +
	"The link is good once, within a minute, for whoever opens it first: hand it to a browser at once, and to " +
	"nobody else. It\n" +
	"leads to an origin of the cluster's own and is exchanged there for a cookie, which is good for 8 hours, or as " +
	"long as the token or\n" +
	"session that asked for it, and its rights, are. Nobody is logged in to EMQX by it: the dashboard asks for a " +
	"login of its own.\n\n" +
	"An adopted cluster of EMQX 5 or later that has a serviceAddress is opened there: via is serviceAddress, and " +
	"the URL is that\n" +
	"address, with no secret in it and nothing of the daemon's behind it. Without one, with EMQX 4, and with " +
	"via=agent, the\n" +
	"dashboard is shown through an agent of the cluster. The audit says who asked, and which way they were led."

const viaText = "the way to take; what fits the cluster when left out. agent and serviceAddress are for adopted " +
	"clusters, target is for hosted ones"

// linkView is a link to a dashboard.
type linkView struct {
	URL       string              `json:"url" doc:"to be opened in a browser; holds a secret, unless via is serviceAddress"`
	Via       access.DashboardVia `json:"via" enum:"serviceAddress,agent,target" doc:"the way that it leads: serviceAddress is the dashboard's own address, which browsers open without the daemon"`
	ExpiresAt time.Time           `json:"expiresAt,omitzero" doc:"when it is too late to open it; left out of a serviceAddress, which stays"`
}

func (a *api) openDashboard(ctx context.Context, r *http.Request, _ body) (success, error) {
	c, p := a.cluster(r)
	if p != nil {
		return success{}, p
	}
	via := r.URL.Query().Get("via")
	if wrong := checkWord("via", via, words(access.DashboardVias()...)); wrong != nil {
		return success{}, badParameter(wrong...)
	}
	link, err := a.dashboards.Open(ctx, c.ID(), access.DashboardVia(via))
	return success{status: http.StatusCreated, body: linkView{link.URL, link.Via, link.ExpiresAt}}, err
}

// brokerTarget splits a path of the API into the cluster and the path at its broker, byte
// for byte. It returns false if the path does not lead to a broker.
func brokerTarget(r *http.Request) (id, path string, ok bool) {
	raw := r.URL.EscapedPath()
	if r.URL.RawPath != "" { // also where it is not quite right: that is for the proxy to refuse
		raw = r.URL.RawPath
	}
	rest, ok := strings.CutPrefix(raw, clustersPath+"/")
	if !ok {
		return "", "", false
	}
	id, path, ok = strings.Cut(rest, "/emqx/")
	return id, "/" + path, ok && !strings.Contains(id, "/")
}

// findBroker returns the route of a request that leads to a broker. It returns neither
// a route nor a problem if the request does not lead to one.
func (a *api) findBroker(r *http.Request) (*route, *problemView) {
	if _, _, ok := brokerTarget(r); !ok {
		return nil, nil
	}
	if rt := a.routes[r.Method+" "+brokerPath]; rt != nil {
		return rt, nil
	}
	methods := make([]string, len(brokerMethods))
	for i, m := range brokerMethods {
		methods[i] = m.method
	}
	return nil, wrongMethod(r, strings.Join(methods, ", "))
}

// servePassthrough passes a request on, with a body that nobody has read.
func (a *api) servePassthrough(w http.ResponseWriter, r *http.Request) *problemView {
	id, path, _ := brokerTarget(r)
	c, p := a.clusterOf(id)
	if p != nil {
		return p
	}
	a.passthrough.Serve(w, r, c.ID(), path)
	return nil
}

// refusePassthrough answers a request that did not get through.
func (a *api) refusePassthrough(w http.ResponseWriter, r *http.Request, err error) {
	p := a.failed(r.Context(), err)
	var known *proxy.Refusal
	if errors.As(err, &known) && known.Status != 0 {
		p = p.as(known.Status)
		p.header.Del("Retry-After")
	}
	if p.Status == http.StatusRequestTimeout || p.Status == http.StatusRequestEntityTooLarge {
		p = p.with("Connection", "close")
	}
	p.write(w)
}

// describePassthrough adds to the routes that lead to brokers that any answer may be the
// broker's.
func (a *api) describePassthrough() {
	whose := &huma.Param{Description: "whose the answer is", Schema: text(proxy.Broker, proxy.Ours)}
	shared := a.openapi.Components.Responses
	for _, rt := range a.routes {
		if !rt.passthrough {
			continue
		}
		share := func(status, name string, r *huma.Response) {
			shared[name] = orBroker(r, whose)
			rt.Responses[status] = &huma.Response{Ref: responsesPrefix + name}
		}
		for status, r := range rt.Responses {
			if name, ok := strings.CutPrefix(r.Ref, responsesPrefix); ok {
				share(status, "Through"+name, shared[name])
			}
		}
		for status, says := range brokerAnswers {
			share(status, "Broker"+status, &huma.Response{Description: says})
		}
	}
}

// brokerAnswers describe what a broker answers, by status.
var brokerAnswers = map[string]string{
	"2XX": "the broker's answer", "304": "the broker's answer", "4XX": "the broker's refusal",
	"5XX": "the broker's fault",
}

// orBroker adds to an answer of ours that it may be a broker's.
func orBroker(r *huma.Response, whose *huma.Param) *huma.Response {
	out := *r
	out.Content, out.Headers = maps.Clone(r.Content), map[string]*huma.Param{}
	maps.Copy(out.Headers, r.Headers)
	out.Headers[proxy.AnsweredBy] = whose
	if out.Content == nil {
		out.Content = map[string]*huma.MediaType{}
	}
	out.Content["*/*"] = &huma.MediaType{}
	for _, name := range proxy.AnswerHeaders() {
		if !slices.Contains([]string{"Content-Type", "Content-Length"}, name) && out.Headers[name] == nil {
			out.Headers[name] = &huma.Param{Description: "as the broker says", Schema: text()}
		}
	}
	return &out
}
