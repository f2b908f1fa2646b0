package httpapi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
)

// catalogEntry reads and writes the entries of one of the Manager's catalogues: E is
// an entry, and F is the form in which people write one.
type catalogEntry[E, F any] struct {
	key    string          // field of F that names an entry and never changes; empty if there is one entry only
	form   func(E) F       // an entry as a form; secrets stay empty
	entry  func(F, E) E    // an entry changed to what a form says; what is not in the form stays
	set    func(*E, int64) // sets the revision that a change is made to
	get    func(ctx context.Context, key string) (E, error)
	create func(context.Context, E, F) (E, error)
	update func(ctx context.Context, e E, patch body) (E, error)
}

// maxTries bounds how often a patch is applied again to what somebody else wrote.
const maxTries = 5

func (c catalogEntry[E, F]) add(ctx context.Context, b body) (E, error) {
	var none E
	form, err := decode[F](b)
	if err != nil {
		return none, err
	}
	return c.create(ctx, c.entry(form, none), form)
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
		c.set(&next, n)
	}
	return c.update(ctx, next, patch)
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
