package k8sprovisioner

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
)

type m = map[string]any

func TestDifferences(t *testing.T) {
	ports := func(ports ...any) m { return m{"spec": m{"ports": ports}} }
	mqtt := m{"port": int64(1883), "protocol": "TCP", "name": "mqtt"}
	for name, c := range map[string]struct {
		kind       string
		want, live m
		n          int
	}{
		"equal":                {kindService, m{"a": "b"}, m{"a": "b"}, 0},
		"more is there":        {kindService, m{"a": "b"}, m{"a": "b", "c": "d"}, 0},
		"missing":              {kindService, m{"a": "b"}, m{}, 1},
		"other value":          {kindService, m{"a": int64(1)}, m{"a": int64(2)}, 1},
		"other type":           {kindService, m{"a": m{}}, m{"a": "x"}, 1},
		"empty map is there":   {kindService, m{"a": m{}}, m{"a": m{}}, 0},
		"empty map is missing": {kindService, m{"a": m{}}, m{}, 1},
		"node port given": {kindService, ports(mqtt),
			ports(m{"port": int64(1883), "protocol": "TCP", "name": "mqtt", "nodePort": int64(30001)}), 0},
		"somebody's port":        {kindService, ports(mqtt), ports(m{"port": int64(1), "protocol": "TCP"}, mqtt), 0},
		"port gone":              {kindService, ports(mqtt), ports(m{"port": int64(1), "protocol": "TCP"}), 1},
		"whole list longer":      {kindPolicy, ports("a"), ports("a", "b"), 1},
		"whole list other order": {kindPolicy, ports("a", "b"), ports("b", "a"), 2},
		"whole list, defaults":   {kindPolicy, ports(m{"port": "a"}), ports(m{"port": "a", "protocol": "TCP"}), 0},
		"quantities the same": {kindStatefulSet, m{"requests": m{"cpu": "1"}}, m{"requests": m{"cpu": "1000m"}},
			0},
		"quantities differ":       {kindStatefulSet, m{"requests": m{"cpu": "1"}}, m{"requests": m{"cpu": "2"}}, 1},
		"not a map of quantities": {kindStatefulSet, m{"env": m{"cpu": "1"}}, m{"env": m{"cpu": "1000m"}}, 1},
		"two fields differ":       {kindStatefulSet, m{"a": "1", "b": "2"}, m{"a": "2", "b": "1"}, 2},
		"labels of somebody else's": {kindNamespace, m{"metadata": m{"labels": m{"a": "b"}}},
			m{"metadata": m{"labels": m{"a": "b", "x": "y"}}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := differences(object{kind: c.kind, body: c.want}, c.live)
			require.Len(t, got, c.n, "%v", got)
		})
	}
}

// TestServerDefaultsAreNoDifference: whatever the API server adds to what was
// rendered, nothing is written; whatever value of ours is changed, it is.
func TestServerDefaultsAreNoDifference(t *testing.T) {
	var objects []object
	for _, version := range []string{"4.4.19", "5.8.9"} {
		all := rendered(t, elaborate(desired(version)))
		for _, key := range slices.Sorted(maps.Keys(all)) {
			objects = append(objects, all[key])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom(objects).Draw(t, "object")
		live := runtime.DeepCopyJSON(o.body)
		addDefaults(t, o.kind, live)
		if d := differences(o, live); len(d) > 0 {
			t.Fatalf("%v: added fields count as differences: %v", o, d)
		}
		leaves := leavesOf(live, o.body)
		change := rapid.SampledFrom(leaves).Draw(t, "leaf")
		change.set("changed by hand")
		if d := differences(o, live); len(d) == 0 {
			t.Fatalf("%v: a changed %s is not noticed", o, change.path)
		}
	})
}

// addDefaults adds fields to maps, and elements to lists merged by key.
func addDefaults(t *rapid.T, path string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			v[k] = addDefaults(t, path+"."+k, v[k])
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "fields") {
			v[fmt.Sprintf("default%d", i)] = rapid.SampledFrom([]any{"x", int64(1), m{}, []any{"y"}}).Draw(t, "value")
		}
	case []any:
		for i := range v {
			v[i] = addDefaults(t, path, v[i])
		}
		if _, merged := listKeys[path]; merged && rapid.Bool().Draw(t, "element") {
			return slices.Insert(v, rapid.IntRange(0, len(v)).Draw(t, "at"), any(m{"somebody": "else"}))
		}
	}
	return v
}

// leaf is a place in the live object that holds a value of ours.
type leaf struct {
	path string
	set  func(any)
}

// leavesOf finds the values in maps of live that are in want, too; lists that
// may have got further elements are left out below their first level.
func leavesOf(live, want map[string]any) []leaf {
	var out []leaf
	for _, k := range slices.Sorted(maps.Keys(want)) {
		switch w := want[k].(type) {
		case map[string]any:
			for _, l := range leavesOf(live[k].(map[string]any), w) {
				out = append(out, leaf{k + "." + l.path, l.set})
			}
			if len(w) == 0 {
				out = append(out, leaf{k, func(v any) { live[k] = v }})
			}
		default:
			out = append(out, leaf{k, func(v any) { live[k] = v }})
		}
	}
	return out
}
