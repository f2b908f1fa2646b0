package httpapi

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

const (
	schemaPrefix    = "#/components/schemas/"
	responsesPrefix = "#/components/responses/"
)

// schema describes a type in a document.
type schema func(huma.Registry) *huma.Schema

// newDocument is an OpenAPI document without routes.
func newDocument() *huma.OpenAPI {
	names := func(t reflect.Type, hint string) string {
		return strings.ReplaceAll(huma.DefaultSchemaNamer(t, hint), "View", "")
	}
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "OpenECP", Version: "1", Description: about},
		Tags:    groups,
		Components: &huma.Components{
			Schemas:   huma.NewMapRegistry(schemaPrefix, names),
			Responses: map[string]*huma.Response{},
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token":   {Type: "http", Scheme: "bearer"},
				"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "of a browser; see signIn"},
			},
		},
	}
}

const about = "" +
	"Creates and runs fleets of EMQX clusters.\n\n" +
	"Every route but /healthz, /readyz, /openapi.json, /docs/api and /api/v1/version needs a bearer token. Every " +
	"answer that is not a\n" +
	"success is application/problem+json: see the schema Problem. Request bodies, but those for a broker, are read " +
	"strictly: one\n" +
	"JSON object of at most 1 MiB, known fields only. Lists are {\"items\": [...], \"next\": cursor}.\n\n" +
	"A change can be sent with an Idempotency-Key, so that it happens once however often it is sent, and with " +
	"If-Match, so that\n" +
	"it happens only where nobody was quicker. Every answer has an X-Request-Id; the request's own is taken where " +
	"it is of 1 to\n" +
	"64 letters, digits, dots, - and _, and the audit keeps it. POST /api/v1/login gives a person a token."

// groups are the parts of the API, in the order in which they are shown.
var groups = []*huma.Tag{
	{Name: "clusters", Description: "Clusters, and what is asked of them"},
	{Name: "unrecorded-clusters", Description: "Clusters that are there and that no record knows"},
	{Name: "operations", Description: "Long work on one cluster"},
	{Name: "overview", Description: "Clusters, summed up"},
	{Name: "prometheus", Description: "What Prometheus is to scrape"},
	{Name: "events", Description: "Every change, as it happens"},
	{Name: "orgs", Description: "Organisations"},
	{Name: "projects", Description: "Tenants of an organisation; clusters are in one"},
	{Name: "users", Description: "People who log in"},
	{Name: "tokens", Description: "API tokens for programs"},
	{Name: "images", Description: "What clusters can be made from"},
	{Name: "sizes", Description: "What a node can get"},
	{Name: "registries"},
	{Name: "emqx-licenses"},
	{Name: "certificates", Description: "What listeners serve over TLS"},
	{Name: "lb-profiles", Description: "Annotations for load balancers, by how many connections are booked"},
	{Name: "kubernetes-targets", Description: "Where hosted clusters can be"},
	{Name: "pool", Description: "What all clusters together may use"},
	{Name: "login"},
	{Name: "session", Description: "People who come with a browser"},
	{Name: "logout"},
	{Name: "me"},
	{Name: "roles"},
	{Name: "daemons", Description: "The daemons that work on one database"},
	{Name: "audit", Description: "Who changed what, and from where"},
	{Name: "process", Description: "The process itself; no token is needed"},
}

// group is the part of the API that a path belongs to.
func group(path string) string {
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok || rest == "version" {
		return "process"
	}
	word, _, _ := strings.Cut(rest, "/")
	return word
}

func (a *api) schemas() huma.Registry { return a.openapi.Components.Schemas }

func schemaOf[T any](r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

// oneOf describes a body that fits one of several schemas.
func oneOf(schemas ...schema) schema {
	return func(r huma.Registry) *huma.Schema {
		out := &huma.Schema{}
		for _, s := range schemas {
			out.OneOf = append(out.OneOf, s(r))
		}
		return out
	}
}

// eitherMode describes a body that is one thing for hosted clusters and another
// for adopted ones, told apart by its mode. It has a name, since generators
// make types of names.
func eitherMode[H, A any](name string) schema {
	return func(r huma.Registry) *huma.Schema {
		hosted, adopted := schemaOf[H](r), schemaOf[A](r)
		r.Map()[name] = &huma.Schema{
			OneOf: []*huma.Schema{hosted, adopted},
			Discriminator: &huma.Discriminator{PropertyName: "mode", Mapping: map[string]string{
				string(ecp.Hosted): hosted.Ref, string(ecp.Adopted): adopted.Ref,
			}},
		}
		return &huma.Schema{Ref: schemaPrefix + name}
	}
}

// eitherSpec describes a body that depends on the mode of the thing that it changes.
func eitherSpec[H, A any](name string) schema {
	return func(r huma.Registry) *huma.Schema {
		r.Map()[name] = &huma.Schema{AnyOf: []*huma.Schema{schemaOf[H](r), schemaOf[A](r)}}
		return &huma.Schema{Ref: schemaPrefix + name}
	}
}

// content describes a body by its media types; a nil schema describes none.
func (a *api) content(types map[string]schema) map[string]*huma.MediaType {
	if types == nil {
		return nil
	}
	out := map[string]*huma.MediaType{}
	for name, s := range types {
		out[name] = &huma.MediaType{}
		if s != nil {
			out[name].Schema = s(a.schemas())
		}
	}
	return out
}

// describe returns the document, with what the Go types do not say.
func (a *api) describe() ([]byte, error) {
	schemas := a.schemas().Map()
	always := []string{huma.TypeArray, huma.TypeInteger, huma.TypeBoolean} // an empty list is a list
	for _, s := range schemas {
		s.AdditionalProperties = openOr(s.AdditionalProperties)
		for _, p := range s.Properties {
			p.Nullable = p.Nullable && !slices.Contains(always, p.Type)
		}
	}
	a.describeRights()
	a.describeProblems()
	a.describePassthrough()
	if err := a.describeExamples(); err != nil {
		return nil, err
	}
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
		schemas[name+"Patch"] = patchSchema(schemas[name])
		schemas["UpdateBody"+name].Properties["spec"] = &huma.Schema{
			Ref:         schemaPrefix + name + "Patch",
			Description: "merge patch of the spec; power and target are not changed by it",
		}
	}
	return indented(a.openapi)
}

// openOr leaves the schema of a map's values and drops "no other property":
// answers get new ones over time. (Requests are read strictly all the same.)
func openOr(additional any) any {
	if closed, ok := additional.(bool); ok && !closed {
		return nil
	}
	return additional
}
