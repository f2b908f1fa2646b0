package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// settingNotes say for a plan what becomes of EMQX' own settings where what is recorded
// is put back. Values that may be secrets are not kept with the objects: whether they
// differ is not known, and said to be so.
func settingNotes(there derive.Manifest, recorded map[string]string) (out []string) {
	has := func(key string) bool {
		_, plain := there.Spec.Config[key]
		return plain || slices.Contains(there.Settings, key)
	}
	keys := slices.Concat(slices.Sorted(maps.Keys(there.Spec.Config)), there.Settings, slices.Sorted(maps.Keys(recorded)))
	slices.Sort(keys)
	var unknown []string
	for _, key := range slices.Compact(keys) {
		value, wanted := recorded[key]
		was, plain := there.Spec.Config[key]
		switch {
		case !wanted:
			out = append(out, fmt.Sprintf("the setting %s is taken away", key))
		case !has(key):
			out = append(out, fmt.Sprintf("the setting %s is set again", key))
		case !plain || ecp.IsSealed(value) || !ecp.Harmless(key, value):
			unknown = append(unknown, key)
		case was != value:
			out = append(out, fmt.Sprintf("the setting %s %q becomes %q", key, was, value))
		}
	}
	if len(out) > 0 {
		out = append(out, "for settings all nodes are replaced, one at a time")
	}
	if len(unknown) > 0 {
		out = append(out, "whether these settings differ is not known, since values that may be secrets are not kept with the objects: "+strings.Join(unknown, ", ")+
			"; those recorded are put back, and where they differ all nodes are replaced, one at a time")
	}
	return out
}
