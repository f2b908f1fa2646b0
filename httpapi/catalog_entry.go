package httpapi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
)

// catalogEntry reads and writes the entries of one of the Manager's catalogues: E is
// an entry, and F is the form in which people write one.
type catalogEntry[E, F any] struct {
	key      string         // field of F that names an entry and never changes; empty if there is one entry only
	name     func(E) string // what that field holds; nil if there is one entry only
	revision func(*E) *int64
	secret   string       // field of F that holds a secret; empty if none does
	form     func(E) F    // an entry as a form; secrets stay empty
	entry    func(F, E) E // an entry changed to what a form says; what is not in the form stays
	get      func(ctx context.Context, key string) (E, error)
	create   func(context.Context, E, ecp.Secret) (E, error)  // nil if there is one entry only
	update   func(context.Context, E, *ecp.Secret) (E, error) // a nil secret stays
}

// addEntries adds the routes of one of the Manager's catalogues. res says how they are
// called.
func addEntries[E ecp.Payload, F any](a *api, of *catalog.Entries[E], res resource[E], c catalogEntry[E, F]) {
	res.list, res.get, res.remove = of.List, of.Get, removeFrom(of)
	c.create, c.update = of.Create, of.Update
	addResource(a, withEntries(res, c))
}

// withEntries completes a resource with the forms in which people write its entries.
func withEntries[E, F any](res resource[E], c catalogEntry[E, F]) resource[E] {
	c.get = res.get
	res.key, res.revision = c.name, func(e E) int64 { return *c.revision(&e) }
	res.change, res.form, res.patch = c.change, schemaOf[F], patchOf[F]
	if res.refuses == nil {
		res.refuses = catalogProblems
	}
	if c.create != nil {
		res.create = c.add
	}
	return res
}

func removeFrom[E ecp.Payload](of *catalog.Entries[E]) func(ctx context.Context, key string) error {
	return func(ctx context.Context, key string) error { return of.Delete(ctx, key, ifRevision(ctx)) }
}

// maxTries bounds how often a patch is applied again to what somebody else wrote.
const maxTries = 5

func (c catalogEntry[E, F]) add(ctx context.Context, b body) (E, error) {
	var none E
	form, err := decode[F](b)
	if err != nil {
		return none, err
	}
	var secret ecp.Secret
	if s := b.secret(c.secret); s != nil {
		secret = *s
	}
	return c.create(ctx, c.entry(form, none), secret)
}

// change applies a merge patch to an entry. Where the client names no revision, what
// somebody else changes meanwhile is kept: the patch is applied again.
func (c catalogEntry[E, F]) change(ctx context.Context, key string, patch body) (e E, err error) {
	for range maxTries {
		e, err = c.changeOnce(ctx, key, patch)
		if ifRevision(ctx) != 0 || !errors.Is(err, ecp.ErrPrecondition) {
			break
		}
	}
	return e, err
}

func (c catalogEntry[E, F]) changeOnce(ctx context.Context, key string, patch body) (E, error) {
	old, err := c.get(ctx, key)
	if err != nil {
		return old, err
	}
	form := c.form(old)
	if p := patch.fill(&form, true); p != nil {
		return old, p
	}
	if name, given := patch.field(c.key); given && c.key != "" && name != key {
		return old, newProblem(ecp.CodeInvalid, "the body contradicts the path",
			fieldView{"/" + c.key, "never changes; it is " + shorten(key, maxWord)})
	}
	next := c.entry(form, old)
	if n := ifRevision(ctx); n != 0 {
		*c.revision(&next) = n
	}
	return c.update(ctx, next, patch.secret(c.secret))
}

// patchOf describes a merge patch of a form: no field is required.
func patchOf[F any](r huma.Registry) *huma.Schema {
	whole := schemaOf[F](r)
	name := strings.TrimSuffix(strings.TrimPrefix(whole.Ref, schemaPrefix), "Body") + "Patch"
	if r.Map()[name] == nil {
		r.Map()[name] = patchSchema(r.SchemaFromRef(whole.Ref))
	}
	return &huma.Schema{Ref: schemaPrefix + name}
}

// patchSchema copies a schema so that no field is required and null takes a value
// back.
func patchSchema(s *huma.Schema) *huma.Schema {
	patch := &huma.Schema{
		Type: s.Type, Properties: map[string]*huma.Schema{}, AdditionalProperties: s.AdditionalProperties,
	}
	for name, p := range s.Properties {
		patch.Properties[name] = orNull(p)
	}
	patch.PrecomputeMessages()
	return patch
}

// orNull copies a schema so that null fits, too, also for each value of a map.
// Numbers and booleans always have a value, and a schema that is described elsewhere
// stays as it is.
func orNull(s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		return s
	}
	null := *s
	null.Nullable = s.Type != huma.TypeInteger && s.Type != huma.TypeBoolean
	if null.Enum != nil {
		null.Enum = append(slices.Clone(null.Enum), nil)
	}
	if each, ok := null.AdditionalProperties.(*huma.Schema); ok {
		null.AdditionalProperties = orNull(each)
	}
	return &null
}
