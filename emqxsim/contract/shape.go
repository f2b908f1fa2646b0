package contract

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Shape describes a JSON value. A nil shape matches anything.
type Shape struct {
	Type     string            `json:"type,omitempty"` // as in OpenAPI; empty matches any type
	Fields   map[string]*Shape `json:"fields,omitempty"`
	Required []string          `json:"required,omitempty"`
	Items    *Shape            `json:"items,omitempty"`
	Enum     []string          `json:"enum,omitempty"`
	OneOf    []*Shape          `json:"oneOf,omitempty"` // at least one must match
}

// Check returns where a decoded JSON value does not match the shape, with one line for each
// place.
func (s *Shape) Check(at string, value any) []string {
	if s == nil {
		return nil
	}
	if len(s.OneOf) > 0 {
		return s.checkOneOf(at, value)
	}
	if bad := s.checkType(at, value); bad != "" {
		return []string{bad}
	}
	var out []string
	switch v := value.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				out = append(out, at+"."+name+": is required and missing")
			}
		}
		for name, field := range s.Fields {
			if got, ok := v[name]; ok {
				out = append(out, field.Check(at+"."+name, got)...)
			}
		}
	case []any:
		for _, item := range v {
			out = append(out, s.Items.Check(at+"[]", item)...)
		}
	case string:
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
			out = append(out, fmt.Sprintf("%s: %q is none of %s", at, v, strings.Join(s.Enum, ", ")))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *Shape) checkOneOf(at string, value any) []string {
	var best []string
	for i, one := range s.OneOf {
		bad := one.Check(at, value)
		if len(bad) == 0 {
			return nil
		}
		if i == 0 || len(bad) < len(best) {
			best = bad
		}
	}
	return best
}

func (s *Shape) checkType(at string, value any) string {
	got := typeOf(value)
	switch {
	case s.Type == "", s.Type == got, s.Type == "number" && got == "integer":
		return ""
	}
	return fmt.Sprintf("%s: is %s, declared %s", at, got, s.Type)
}

func typeOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}
