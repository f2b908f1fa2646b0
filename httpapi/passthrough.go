package httpapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/proxy"
)

// brokerPath is where calls are passed on to brokers. The last part may have
// slashes of its own: it is never looked at as a path of ours.
const brokerPath = clustersPath + "/{id}/emqx/{path}"

// through is the key of a route's metadata that says that what is sent, and what
// comes back, is a broker's business.
const through = "through"

func isThrough(op *huma.Operation) bool { return op.Metadata[through] != nil }

// brokerMethods are the methods that brokers take.
var brokerMethods = []struct{ method, id, summary string }{
	{http.MethodGet, "getBroker", "Read from the broker's management API"},
	{http.MethodHead, "headBroker", "Ask the broker's management API for headers only"},
	{http.MethodPost, "postBroker", "POST to the broker's management API"},
	{http.MethodPut, "putBroker", "PUT to the broker's management API"},
	{http.MethodPatch, "patchBroker", "PATCH at the broker's management API"},
	{http.MethodDelete, "deleteBroker", "DELETE at the broker's management API"},
}

const aboutBroker = `The call is made as the broker's administrator, with the cluster's own key: what may change something needs the right
write, and the audit says who made it. GET and HEAD of what shows no secrets (nodes, statistics, clients, topics, alarms and
the like) need read. Path and query go on as they are, escapes and all: /emqx/api/v5/rules/rule%3A1. Only /status and what is
below /api/v4 and /api/v5 can be reached, and none of EMQX' own logins; empty and dot segments and backslashes are refused.

Of the headers a list goes on, and a list comes back; Authorization and cookies do not. A redirect of the broker is refused.
A body may have 16 MiB, an answer 256 MiB; nothing may stand still for 30 seconds, and all of it takes 10 minutes at most.
An answer that cannot come to its end is cut off. Of calls that last longer than 5 seconds only a few run at once: the others
are ended with 429. Ecp-Answered-By says whose an answer is: broker, or ecp, with a Problem.`

// throughRoutes lead to brokers: to their API, and to their dashboards.
func (a *api) throughRoutes() (err error) {
	for _, m := range brokerMethods {
		op := a.operation(m.method, brokerPath, m.id, m.summary, ecp.CodeUnsupported, ecp.CodeThrottled)
		op.Description = aboutBroker
		op.Metadata[patience] = time.Duration(0) // it has bounds of its own
		op.Metadata[through], op.Metadata[keyless] = true, true
		op.Parameters = []*huma.Param{
			{In: "path", Name: "id", Required: true, Description: pathWords["id"], Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{sampleCluster}}},
			{In: "path", Name: "path", Required: true, Description: "path at the broker as it is, slashes and escapes too", Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{"status", "api/v5/nodes", "api/v4/clients/a%2Fb"}}},
		}
		if mayHaveBody(&op) {
			op.RequestBody = &huma.RequestBody{Description: "whatever the broker takes", Content: map[string]*huma.MediaType{"*/*": {}}}
		}
		a.huma.OpenAPI().AddOperation(&op)
	}
	a.passthrough, err = proxy.NewPassthrough(proxy.PassthroughConfig{Manager: a.manager, Logger: a.log, Refuse: a.refuseThrough})
	if err != nil {
		return err
	}
	if a.dashboards == nil {
		if a.dashboards, err = proxy.NewDashboards(proxy.DashboardsConfig{Manager: a.manager, Logger: a.log}); err != nil {
			return err
		}
	}
	open := a.operation(http.MethodPost, clustersPath+"/{id}/dashboard", "openDashboard", "Make a link to a cluster's dashboard", ecp.CodeUnsupported, ecp.CodeThrottled)
	open.Description = `The link is good once, within a minute, for whoever opens it first: hand it to a browser at once, and to nobody else. It
leads to an origin of the cluster's own and is exchanged there for a cookie, which is good for 8 hours, or as long as the token or
session that asked for it, and its rights, are. Nobody is logged in to EMQX by it: the dashboard asks for a login of its own.

An adopted cluster of EMQX 5 or later that has a serviceAddress is opened there: via is serviceAddress, and the URL is that
address, with no secret in it and nothing of the daemon's behind it. Without one, with EMQX 4, and with via=agent, the
dashboard is shown through an agent of the cluster. The audit says who asked, and which way they were led.`
	open.Parameters = []*huma.Param{{In: "query", Name: "via", Schema: &huma.Schema{Type: huma.TypeString, Enum: eachOf(vias(), func(via string) any { return via })},
		Description: "the way to take; what fits the cluster when left out. agent and serviceAddress are for adopted clusters, target is for hosted ones"}}
	open.Metadata[keyless] = true // the answer is a secret
	a.serve(open, http.StatusCreated, schemaOf[linkView](a.schemas()), a.openDashboard)
	return nil
}

// vias are the ways to dashboards.
func vias() (words []string) {
	for _, via := range ecp.DashboardVias() {
		words = append(words, string(via))
	}
	return words
}

// linkView is a link to a dashboard.
type linkView struct {
	URL       string           `json:"url" doc:"to be opened in a browser; holds a secret, unless via is serviceAddress"`
	Via       ecp.DashboardVia `json:"via" enum:"serviceAddress,agent,target" doc:"the way that it leads: serviceAddress is the dashboard's own address, which browsers open without the daemon"`
	ExpiresAt time.Time        `json:"expiresAt,omitzero" doc:"when it is too late to open it; left out of a serviceAddress, which stays"`
}

func (a *api) openDashboard(ctx context.Context, r *http.Request, _ []byte) (success, error) {
	c, p := a.cluster(r.PathValue("id"))
	if p != nil {
		return success{}, p
	}
	via := r.URL.Query().Get("via")
	if wrong := oneOf("via", via, vias()); wrong != nil {
		return success{}, badParameter(wrong...)
	}
	link, err := a.dashboards.Open(ctx, c.ID(), ecp.DashboardVia(via))
	return success{status: http.StatusCreated, body: linkView{link.URL, link.Via, link.ExpiresAt}}, err
}

// brokerTarget splits a path of ours into the cluster and the path at its broker,
// byte for byte; false = it does not lead to a broker.
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

// findBroker gives the route of a request that leads to a broker; neither an
// operation nor a problem = it does not.
func (a *api) findBroker(r *http.Request) (*huma.Operation, *problemView) {
	if _, _, ok := brokerTarget(r); !ok {
		return nil, nil
	}
	if op := a.routes[r.Method+" "+brokerPath]; op != nil {
		return op, nil
	}
	methods := make([]string, len(brokerMethods))
	for i, m := range brokerMethods {
		methods[i] = m.method
	}
	return nil, wrongMethod(r, strings.Join(methods, ", "))
}

// serveThrough passes a request on, with a body that nobody has read.
func (a *api) serveThrough(w http.ResponseWriter, r *http.Request) *problemView {
	id, path, _ := brokerTarget(r)
	c, p := a.cluster(id)
	if p != nil {
		return p
	}
	a.passthrough.Serve(w, r, c.ID(), path)
	return nil
}

// refuseThrough answers a request that did not get through.
func (a *api) refuseThrough(w http.ResponseWriter, r *http.Request, err error) {
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

// describeThrough says of the routes that lead to brokers that any answer may be a
// broker's, too.
func (a *api) describeThrough() {
	whose := &huma.Param{Description: "whose the answer is", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{proxy.Broker, proxy.Ours}}}
	shared := a.huma.OpenAPI().Components.Responses
	for _, op := range a.routes {
		if !isThrough(op) {
			continue
		}
		share := func(status, name string, r *huma.Response) {
			shared[name] = both(r, whose)
			op.Responses[status] = &huma.Response{Ref: responsesRef + name}
		}
		for status, r := range op.Responses {
			if name, ok := strings.CutPrefix(r.Ref, responsesRef); ok {
				share(status, "Through"+name, shared[name])
			}
		}
		for status, says := range map[string]string{"2XX": "the broker's answer", "304": "the broker's answer", "4XX": "the broker's refusal", "5XX": "the broker's fault"} {
			share(status, "Broker"+status, &huma.Response{Description: says})
		}
	}
}

const responsesRef = "#/components/responses/"

// both adds to an answer of ours that it may be a broker's.
func both(r *huma.Response, whose *huma.Param) *huma.Response {
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
			out.Headers[name] = &huma.Param{Description: "as the broker says", Schema: &huma.Schema{Type: huma.TypeString}}
		}
	}
	return &out
}

// responseTo is what the document says of a status.
func responseTo(op *huma.Operation, status int) *huma.Response {
	if r := op.Responses[strconv.Itoa(status)]; r != nil {
		return r
	}
	return op.Responses[strconv.Itoa(status/100)+"XX"]
}
