package validate

import (
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp/internal/setting"
)

// TextsOf are the texts in the value of a setting: itself, and those of an array or
// object.
func TextsOf(value string) []string {
	out := []string{value}
	visitTexts(value, nil, func(text string) { out = append(out, text) })
	return out
}

// visitTexts calls text with each text in the value of a setting that is JSON, and
// key with each name in it, unless key is nil.
func visitTexts(value string, key, text func(string)) {
	var tree any
	if strings.ContainsAny(value, `[{"`) && setting.DecodeNumbers([]byte(value), &tree) == nil {
		visitTree(tree, key, text)
	}
}

func visitTree(v any, key, text func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if key != nil {
				key(name)
			}
			visitTree(v[name], key, text)
		}
	case []any:
		for _, inner := range v {
			visitTree(inner, key, text)
		}
	case string:
		text(v)
	}
}
