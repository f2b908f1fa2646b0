package contract

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Answers has the shape of the body for each call, e.g. "GET /nodes", and each declared
// status. It is nil where none is described.
type Answers map[string]map[string]*Shape

// Encode writes the answers as JSON, with one line for each call.
func (a Answers) Encode() ([]byte, error) {
	var out bytes.Buffer
	for i, call := range slices.Sorted(maps.Keys(a)) {
		b, err := json.Marshal(a[call])
		if err != nil {
			return nil, err
		}
		out.WriteString(map[bool]string{true: "{\n", false: ",\n"}[i == 0])
		out.WriteString(`"` + call + `": `)
		out.Write(b)
	}
	out.WriteString("\n}\n")
	return out.Bytes(), nil
}

// Extract reads the answers to the calls in [Calls] from an OpenAPI document.
func Extract(doc map[string]any) Answers {
	out := Answers{}
	paths, _ := doc["paths"].(map[string]any)
	for _, call := range Calls {
		method, path, _ := strings.Cut(call, " ")
		item, _ := paths[path].(map[string]any)
		operation, ok := item[strings.ToLower(method)].(map[string]any)
		if !ok {
			continue // this version has no such call
		}
		answers := map[string]*Shape{}
		responses, _ := operation["responses"].(map[string]any)
		for status, r := range responses {
			answers[status] = document{doc}.body(r)
		}
		out[call] = answers
	}
	return out
}

// document resolves the references within an OpenAPI document.
type document struct{ root map[string]any }

func (d document) resolve(node any) map[string]any {
	m, _ := node.(map[string]any)
	for i := 0; i < 16; i++ {
		ref, ok := m["$ref"].(string)
		if !ok {
			break
		}
		var at any = d.root
		for _, key := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			parent, _ := at.(map[string]any)
			at = parent[strings.NewReplacer("~1", "/", "~0", "~", "%3A", ":").Replace(key)]
		}
		m, _ = at.(map[string]any)
	}
	return m
}

// body returns the shape of the JSON that a response is declared to have.
func (d document) body(response any) *Shape {
	content, _ := d.resolve(response)["content"].(map[string]any)
	media, ok := content["application/json"].(map[string]any)
	if !ok {
		return nil
	}
	return d.shape(media["schema"], deepest)
}

// deepest is how many levels are read. Below is the configuration of the kinds of
// connectors, which the simulator does not invent.
const deepest = 5

func (d document) shape(node any, levels int) *Shape {
	m := d.resolve(node)
	if m == nil || levels == 0 {
		return nil
	}
	if list, ok := alternatives(m); ok {
		return d.union(list, levels)
	}
	s := &Shape{}
	s.Type, _ = m["type"].(string)
	if items, ok := m["items"]; ok {
		s.Items = d.shape(items, levels-1)
	}
	fields, _ := m["properties"].(map[string]any)
	for name, field := range fields {
		if s.Fields == nil {
			s.Fields = map[string]*Shape{}
		}
		s.Fields[name] = d.shape(field, levels-1)
	}
	for _, name := range list(m["required"]) {
		s.Required = append(s.Required, name.(string))
	}
	slices.Sort(s.Required)
	for _, value := range list(m["enum"]) {
		if text, ok := value.(string); ok {
			s.Enum = append(s.Enum, text)
		}
	}
	slices.Sort(s.Enum)
	return s
}

func list(node any) []any {
	l, _ := node.([]any)
	return l
}

func alternatives(m map[string]any) ([]any, bool) {
	for _, key := range []string{"oneOf", "anyOf"} {
		if l, ok := m[key].([]any); ok {
			return l, true
		}
	}
	return nil, false
}

// union returns the shape of a value that is one of several. Of many kinds of objects it
// has only their common part.
func (d document) union(list []any, levels int) *Shape {
	var shapes []*Shape
	for _, one := range list {
		s := d.shape(one, levels)
		if s == nil {
			return nil
		}
		shapes = append(shapes, s)
	}
	if len(shapes) <= 4 {
		return &Shape{OneOf: shapes}
	}
	common := &Shape{Type: shapes[0].Type}
	for _, s := range shapes {
		if s.Type != common.Type || s.Type != "object" {
			return nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shapes[0].Fields)) {
		field := shapes[0].Fields[name]
		if !slices.ContainsFunc(shapes, func(s *Shape) bool { return !same(s.Fields[name], field) }) {
			if common.Fields == nil {
				common.Fields = map[string]*Shape{}
			}
			common.Fields[name] = &Shape{Type: field.Type}
		}
	}
	common.Required = slices.DeleteFunc(slices.Clone(shapes[0].Required), func(name string) bool {
		return slices.ContainsFunc(shapes, func(s *Shape) bool { return !slices.Contains(s.Required, name) })
	})
	return common
}

// same reports whether two shapes have the same type. Their parts may differ.
func same(a, b *Shape) bool {
	return a != nil && b != nil && a.Type == b.Type && a.Type != "" && a.Type != "object" && len(a.OneOf)+
		len(b.OneOf) == 0
}
