package httpapi

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/openecp/openecp/ecp"
)

const schemaPrefix = "#/components/schemas/"

// typed makes the huma side: JSON only, our errors, our names, and no routes
// of its own.
func (a *api) typed() huma.API {
	names := func(t reflect.Type, hint string) string {
		return strings.ReplaceAll(huma.DefaultSchemaNamer(t, hint), "View", "")
	}
	registry := huma.NewMapRegistry(schemaPrefix, names)
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "OpenECP", Version: "1", Description: about},
			Tags:    groups,
			Components: &huma.Components{
				Schemas:         registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
			},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{ownErrors},
	}
	config.OnAddOperation = []huma.AddOpFunc{func(_ *huma.OpenAPI, op *huma.Operation) {
		a.routes[op.Method+" "+op.Path] = op
	}}
	typed := humago.New(a.mux, config)
	typed.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) { next(jsonOnly{ctx}) })
	return typed
}

const about = `Creates and runs fleets of EMQX clusters.

Every route but /healthz, /readyz, /openapi.json, /docs/api and /api/v1/version needs a bearer token. Every answer that is not a
success is application/problem+json: see the schema Problem. Request bodies, but those for a broker, are read strictly: one
JSON object of at most 1 MiB, known fields only. Lists are {"items": [...], "next": cursor}.

A change can be sent with an Idempotency-Key, so that it happens once however often it is sent, and with If-Match, so that
it happens only where nobody was quicker. Every answer has an X-Request-Id; the request's own is taken where it is of 1 to
64 letters, digits, dots, - and _, and the audit keeps it. POST /api/v1/login gives a person a token.`

// jsonOnly hides what else a client would take: there is nothing else.
type jsonOnly struct{ humaContext }

// humaContext is huma.Context under a name that does not hide its method Context.
type humaContext huma.Context

// Header gives a header of the request.
func (c jsonOnly) Header(name string) string {
	if http.CanonicalHeaderKey(name) == "Accept" {
		return ""
	}
	return c.humaContext.Header(name)
}

// groups are the parts of the API, in the order in which they are shown.
var groups = []*huma.Tag{
	{Name: "clusters", Description: "Clusters, and what is asked of them"},
	{Name: "unrecorded-clusters", Description: "Clusters that are there and that no record knows"},
	{Name: "operations", Description: "Long work on one cluster"},
	{Name: "overview", Description: "Clusters, summed up"},
	{Name: "prometheus", Description: "What Prometheus is to scrape"},
	{Name: "events", Description: "Every change, as it happens"},
	{Name: "orgs", Description: "Organisations"}, {Name: "projects", Description: "Tenants of an organisation; clusters are in one"},
	{Name: "users", Description: "People who log in"}, {Name: "tokens", Description: "API tokens for programs"},
	{Name: "images", Description: "What clusters can be made from"}, {Name: "sizes", Description: "What a node can get"}, {Name: "registries"}, {Name: "emqx-licenses"},
	{Name: "lb-profiles", Description: "Annotations for load balancers, by how many connections are booked"}, {Name: "kubernetes-targets", Description: "Where hosted clusters can be"},
	{Name: "pool", Description: "What all clusters together may use"},
	{Name: "login"}, {Name: "logout"}, {Name: "me"}, {Name: "roles"}, {Name: "audit", Description: "Who changed what, and from where"},
	{Name: "process", Description: "The process itself; no token is needed"},
}

func (a *api) schemas() huma.Registry { return a.huma.OpenAPI().Components.Schemas }

func schemaOf[T any](r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

// operation begins the description of a route: with a token, bounded in time.
// refuses are the codes it may be refused with beside those of its form.
func (a *api) operation(method, path, id, summary string, refuses ...ecp.Code) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, SkipValidateBody: true, Tags: []string{group(path)},
		Metadata:  map[string]any{patience: ordinary, alsoRefuses: refuses},
		Security:  []map[string][]string{{"token": {}}},
		Responses: map[string]*huma.Response{"default": {}}, // keeps huma from adding its own; see describeRefusals
	}
}

// takes describes the JSON body of a registered route that reads it by itself.
func (a *api) takes(op huma.Operation, schema *huma.Schema) {
	a.routes[op.Method+" "+op.Path].RequestBody = &huma.RequestBody{Required: true, Content: jsonContent([]*huma.Schema{schema})}
}

// eitherMode describes a body that is one thing for hosted clusters and another
// for adopted ones, told apart by its mode. It has a name, since generators
// make types of names.
func (a *api) eitherMode(name string, hosted, adopted *huma.Schema) *huma.Schema {
	a.schemas().Map()[name] = &huma.Schema{
		OneOf: []*huma.Schema{hosted, adopted},
		Discriminator: &huma.Discriminator{PropertyName: "mode", Mapping: map[string]string{
			string(ecp.Hosted): hosted.Ref, string(ecp.Adopted): adopted.Ref,
		}},
	}
	return &huma.Schema{Ref: schemaPrefix + name}
}

func (a *api) answer(description string, schemas ...*huma.Schema) *huma.Response {
	return &huma.Response{Description: description, Content: jsonContent(schemas), Headers: map[string]*huma.Param{}}
}

// eitherSpec describes a body that goes by the mode of the thing it changes.
func (a *api) eitherSpec(name string, hosted, adopted *huma.Schema) *huma.Schema {
	a.schemas().Map()[name] = &huma.Schema{AnyOf: []*huma.Schema{hosted, adopted}}
	return &huma.Schema{Ref: schemaPrefix + name}
}

// heads describes headers of a success that the Go types do not tell of.
func (a *api) heads(r *huma.Response, names ...string) *huma.Response {
	for _, name := range names {
		r.Headers[name] = &huma.Param{Description: headerWords[name], Schema: schemaOf[string](a.schemas())}
	}
	return r
}

// headerWords describe the headers of answers.
var headerWords = map[string]string{
	"ETag":               "the revision, for If-Match",
	"Location":           "path of what was made",
	"Operation-Location": "path of the operation that was begun",
}

// group is the part of the API a path belongs to.
func group(path string) string {
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok || rest == "version" {
		return "process"
	}
	word, _, _ := strings.Cut(rest, "/")
	return word
}

func jsonContent(schemas []*huma.Schema) map[string]*huma.MediaType {
	s := schemas[0]
	if len(schemas) > 1 {
		s = &huma.Schema{OneOf: schemas}
	}
	return map[string]*huma.MediaType{"application/json": {Schema: s}}
}

// plain adds a route that is not typed: a stream, or bytes that are there
// already.
func (a *api) plain(op huma.Operation, contentType string, serve http.HandlerFunc) {
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{contentType: {}}}
	a.huma.OpenAPI().AddOperation(&op)
	a.mux.HandleFunc(op.Method+" "+op.Path, serve)
}

// describe gives the document, with what the Go types do not say.
func (a *api) describe() ([]byte, error) {
	schemas := a.schemas().Map()
	delete(schemas, "ErrorModel") // huma's own; ours is Problem
	delete(schemas, "ErrorDetail")
	always := []string{huma.TypeArray, huma.TypeInteger, huma.TypeBoolean} // an empty list is a list
	for _, s := range schemas {
		s.AdditionalProperties = openOr(s.AdditionalProperties)
		for _, p := range s.Properties {
			p.Nullable = p.Nullable && !slices.Contains(always, p.Type)
		}
	}
	for _, op := range a.routes {
		if op.Method != http.MethodGet && op.Metadata[keyless] == nil {
			mindsKey(op)
		}
	}
	a.describeRights()
	a.describeRefusals()
	a.describeThrough()
	a.describeSuccesses()
	a.describeSamples()
	for _, n := range notes {
		s := schemas[n.schema]
		if n.property == "" {
			s.Required = n.required
			continue
		}
		p := s.Properties[n.property]
		p.Description = cmp.Or(n.says, p.Description)
		p.Minimum, p.Maximum = n.minimum, n.maximum
		if n.longest > 0 {
			p.MaxLength = &n.longest
		}
		for _, word := range n.words {
			p.Enum = append(p.Enum, word)
		}
	}
	for _, name := range []string{"HostedSpec", "AdoptedSpec"} {
		schemas[name+"Patch"] = loosened(schemas[name])
		schemas["UpdateBody"+name].Properties["spec"] = &huma.Schema{Ref: schemaPrefix + name + "Patch", Description: "merge patch of the spec; power and target are not changed by it"}
	}
	return indented(a.huma.OpenAPI())
}

// describeSuccesses says of every header of a success what it is for.
func (a *api) describeSuccesses() {
	for _, op := range a.routes {
		for _, r := range op.Responses {
			for name, h := range r.Headers {
				h.Description = cmp.Or(h.Description, headerWords[name])
			}
		}
	}
}

// openOr leaves the schema of a map's values and drops "no other property":
// answers get new ones over time. (Requests are read strictly all the same.)
func openOr(additional any) any {
	if closed, ok := additional.(bool); ok && !closed {
		return nil
	}
	return additional
}

// note says of a domain type what its Go type cannot. It describes; the domain
// decides.
type note struct {
	schema, property string
	says             string
	minimum, maximum *float64
	longest          int // characters; 0 = not said
	words            []string
	required         []string // of the schema, where there is no property
}

var notes = []note{
	{schema: "CreateBodyHostedSpec", property: "mode", words: []string{string(ecp.Hosted)}},
	{schema: "CreateBodyHostedSpec", property: "name", longest: ecp.MaxName},
	{schema: "CreateBodyHostedSpec", property: "description", longest: ecp.MaxDescription},
	{schema: "CreateBodyAdoptedSpec", required: []string{"mode", "name"}},
	{schema: "CreateBodyAdoptedSpec", property: "name", longest: ecp.MaxName},
	{schema: "CreateBodyAdoptedSpec", property: "description", longest: ecp.MaxDescription},
	{schema: "CreateBodyAdoptedSpec", property: "mode", words: []string{string(ecp.Adopted)}},
	{schema: "Cluster", property: "mode", words: modes()},
	{schema: "Overview", property: "states", says: "clusters by mode and state; states that no cluster is in are left out"},
	{schema: "Overview", property: "versions", says: "clusters by version of EMQX; the empty one is that of clusters which have not told theirs yet"},
	{schema: "Overview", property: "stale", says: "clusters that could not be looked at when it was last tried"},
	{schema: "Overview", property: "missing", says: "some of the clusters that miss in the sums of what brokers tell, and why; 20 at most"},
	{schema: "NodeTotals", property: "running", says: "of the clusters that are known"},
	{schema: "ConnectionTotals", property: "live", says: "clients that are connected, as last seen; ofLive says of which clusters"},
	{schema: "ConnectionTotals", property: "all", says: "with the sessions of clients that are away, as brokers have told; ofAll says of which clusters"},
	{schema: "ConnectionTotals", property: "booked", says: "in the pool"},
	{schema: "RuleTotals", property: "running", says: "enabled"},
	{schema: "ConnectorTotals", property: "total", says: "connectors of EMQX 5 and resources of EMQX 4"},
	{schema: "ConnectorTotals", property: "disconnected", says: "enabled, and not connected on every node"},
	{schema: "ConnectorTotals", property: "stopped", says: "disabled"},
	{schema: "ConnectorTotals", property: "unsaid", says: "the broker does not say how they are"},
	{schema: "AlarmTotals", property: "kinds", says: "by the part of the name before what it is about, as connector; EMQX gives alarms no level"},
	{schema: "AgentTotals", property: "away", says: "were connected since the daemon was started, and are not now"},
	{schema: "Coverage", property: "known", says: "clusters that are in the sum"},
	{schema: "Coverage", property: "unknown", says: "clusters that should be, and whose figures are not known"},
	{schema: "Coverage", property: "oldest", says: "when the oldest of the figures was told; left out where none is known"},
	{schema: "Status", property: "state", says: "one word for people; software waits on the conditions Settled and Healthy. gone is only in the last event of a deleted cluster", words: append(states(), string(ecp.Gone))},
	{schema: "ConnectionsInfo", property: "limit", says: "what is booked, or less where the licence allows less; of an adopted cluster what its EMQX keeps to, as far as is known"},
	{schema: "ConnectionsInfo", property: "enforcedBy", says: "who sees to the limit: the licence, listeners (approximately: each takes as many), or nobody, as far as is known", words: []string{ecp.EnforcedByLicence, ecp.EnforcedByListeners, ecp.EnforcedByNone}},
	{schema: "HostedSpec", required: []string{"nodes", "connections"}},
	{schema: "HostedSpec", property: "image", says: "id in GET /api/v1/images; the default one when left out"},
	{schema: "HostedSpec", property: "nodes", minimum: number(1), maximum: number(ecp.MaxNodes)},
	{schema: "HostedSpec", property: "size", says: "name in GET /api/v1/sizes; the default one when left out"},
	{schema: "HostedSpec", property: "connections", says: "MQTT connections booked in the pool", minimum: number(1), maximum: number(ecp.MaxConnections)},
	{schema: "HostedSpec", property: "power", says: "on when left out; moved by start and stop", words: []string{string(ecp.PowerOn), string(ecp.PowerOff)}},
	{schema: "HostedSpec", property: "target", says: "Kubernetes target; default when left out"},
	{schema: "HostedSpec", property: "config", says: "EMQX settings by dotted key"},
	{schema: "HostedSpec", property: "storage", says: "storage class; the size's, else the platform's when left out"},
	{schema: "AdoptedSpec", property: "serviceAddress", says: "http(s) URL of the dashboard as browsers reach it: they are led there, and the daemon never dials it. No loopback, link-local, multicast or unspecified address, and none where clouds keep metadata, in any spelling, unless the daemon allows it"},
	{schema: "AdoptedSpec", property: "connections", says: "the connection limit that its EMQX keeps to, booked in the pool; 0 or left out: EMQX keeps its own. It is set once an agent has reported, where the feature connectionLimit is available", minimum: number(0), maximum: number(ecp.MaxConnections)},
	{schema: "Network"},
	{schema: "Network", property: "type", says: "ClusterIP when left out", words: []string{string(ecp.ClusterIP), string(ecp.NodePort), string(ecp.LoadBalancer)}},
	{schema: "Network", property: "listeners", says: "all four protocols on their usual ports when left out"},
	{schema: "Network", property: "annotations", says: "put on the access Service"},
	{schema: "Network", property: "loadBalancerClass", says: "for the type LoadBalancer only"},
	{schema: "Listener", required: []string{"protocol"}},
	{schema: "Listener", property: "protocol", words: protocols()},
	{schema: "Listener", property: "port", says: "the protocol's usual port when left out or 0", minimum: number(0), maximum: number(65535)},
	{schema: "Evacuation", property: "rate", says: "connections moved per second; 500 when left out", minimum: number(0)},
	{schema: "Evacuation", property: "deadline", says: "seconds for each node; 600 when left out", minimum: number(0)},
	{schema: "Evacuation", property: "onDeadline", says: "go-on cuts the clients that are left, stop fails the operation; go-on when left out", words: []string{string(ecp.GoOn), string(ecp.StopAtTime)}},
}

func eventParameters(r huma.Registry) []*huma.Param {
	text := func(in, name, says string) *huma.Param {
		return &huma.Param{In: in, Name: name, Description: says, Schema: schemaOf[string](r)}
	}
	return []*huma.Param{
		text("query", "since", "id of the last event that was seen; from now on when left out"),
		text("query", "project", "only changes in org/project"),
		text("header", "Last-Event-ID", "the same as since, and stronger"),
	}
}

func number(n float64) *float64 { return &n }

func protocols() []string {
	var out []string
	for _, p := range ecp.Protocols() {
		out = append(out, string(p))
	}
	return out
}
