package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
)

// shelf is a catalogue of the Manager's: entries of type E, of which B is what
// people write.
type shelf[E, B any] struct {
	key    string          // name of the field that names an entry, and never changes; "" = there is one entry
	body   func(E) B       // what people write of an entry; secrets stay empty
	entry  func(B, E) E    // an entry of what was written; what is not written stays
	set    func(*E, int64) // the revision an entry was read at
	get    func(context.Context, string) (E, error)
	create func(context.Context, E, B) (E, error)
	update func(context.Context, E, B, written) (E, error)
}

// written says whether a patch gives a field.
type written func(field string) bool

// tries bounds how often a patch is made anew on top of somebody else's.
const tries = 5

// make reads and makes an entry.
func (s shelf[E, B]) make(ctx context.Context, body []byte) (E, error) {
	var zero E
	b, err := decodeAs[B](body)
	if err != nil {
		return zero, err
	}
	return s.create(ctx, s.entry(b, zero), b)
}

// change merges a patch into an entry. Where the client names no revision, what
// somebody else changes meanwhile is kept: the patch is merged again.
func (s shelf[E, B]) change(ctx context.Context, key string, body []byte) (e E, err error) {
	for range tries {
		e, err = s.changeOnce(ctx, key, body)
		if ifRevision(ctx) != 0 || !errors.Is(err, ecp.ErrPrecondition) {
			break
		}
	}
	return e, err
}

func (s shelf[E, B]) changeOnce(ctx context.Context, key string, body []byte) (E, error) {
	var zero E
	var form B
	if p := decodeForm(body, &form); p != nil {
		return zero, p
	}
	old, err := s.get(ctx, key)
	if err != nil {
		return zero, err
	}
	var patch map[string]any
	if err := unmarshalExactly(body, &patch); err != nil {
		return zero, malformed("the body is not a JSON object")
	}
	if name, ok := patch[s.key]; ok && s.key != "" && name != key {
		return zero, newProblem(ecp.CodeInvalid, "the body contradicts the path", fieldView{"/" + s.key, "never changes; it is " + shorten(key, maxWord)})
	}
	if p := keepsValues(reflect.TypeFor[B](), func(field string) bool { v, ok := patch[field]; return ok && v == nil }); p != nil {
		return zero, p
	}
	merged, err := mergeInto(s.body(old), patch)
	if err != nil {
		return zero, err
	}
	var b B
	if err := json.Unmarshal(merged, &b); err != nil {
		return zero, malformed("the body does not have the documented form")
	}
	next := s.entry(b, old)
	if n := ifRevision(ctx); n != 0 {
		s.set(&next, n)
	}
	return s.update(ctx, next, b, func(field string) bool { _, ok := patch[field]; return ok })
}

// mergeInto is the algorithm of RFC 7396, section 2.
func mergeInto(v any, patch map[string]any) ([]byte, error) {
	was, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := unmarshalExactly(was, &tree); err != nil {
		return nil, err
	}
	return json.Marshal(merge(tree, patch))
}

// unmarshalExactly keeps numbers as they are written.
func unmarshalExactly(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

func merge(target, patch map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for key, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(target, key)
		case map[string]any:
			inner, _ := target[key].(map[string]any)
			target[key] = merge(inner, v)
		default:
			target[key] = v
		}
	}
	return target
}

// secretOf is the secret a patch gives; nil = it stays.
func secretOf(field, value string, has written) *ecp.Secret {
	if !has(field) {
		return nil
	}
	secret := ecp.Secret(value)
	return &secret
}

// patchOf describes a body of which nothing has to be there.
func patchOf[B any](r huma.Registry) *huma.Schema {
	whole := schemaOf[B](r)
	name := strings.TrimSuffix(strings.TrimPrefix(whole.Ref, schemaPrefix), "Body") + "Patch"
	if r.Map()[name] == nil {
		r.Map()[name] = loosened(r.SchemaFromRef(whole.Ref))
	}
	return &huma.Schema{Ref: schemaPrefix + name}
}

// loosened is a schema's copy of which nothing has to be there, and in which
// null takes a value back.
func loosened(s *huma.Schema) *huma.Schema {
	loose := &huma.Schema{Type: s.Type, Properties: map[string]*huma.Schema{}, AdditionalProperties: s.AdditionalProperties}
	for name, p := range s.Properties {
		loose.Properties[name] = orNull(p)
	}
	loose.PrecomputeMessages()
	return loose
}

// orNull is a schema's copy that null fits, too, and in its place each value of a
// map. Numbers and booleans always have a value, and what is described elsewhere
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

// decodeForm checks the form of a patch: as decode, with nothing missing.
func decodeForm(body []byte, into any) *problemView {
	return decodeWith(body, into, walker{lenient: true})
}
