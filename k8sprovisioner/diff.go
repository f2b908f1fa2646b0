package k8sprovisioner

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// listKeys names the lists that are merged by keys. Elements of other writers are not a
// difference in them, since server-side apply keeps them. Every other list is compared
// as a whole. Paths begin with the object's kind.
var listKeys = map[string][]string{
	"ConfigMap.metadata.ownerReferences":                       {"uid"},
	"Service.spec.ports":                                       {"port", "protocol"},
	"StatefulSet.spec.template.spec.containers":                {"name"},
	"StatefulSet.spec.template.spec.containers.env":            {"name"},
	"StatefulSet.spec.template.spec.containers.ports":          {"containerPort", "protocol"},
	"StatefulSet.spec.template.spec.containers.volumeMounts":   {"mountPath"},
	"StatefulSet.spec.template.spec.volumes":                   {"name"},
	"StatefulSet.spec.template.spec.topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
	"StatefulSet.spec.template.spec.imagePullSecrets":          {"name"},
}

// completedLists names the lists to which the API server appends elements.
var completedLists = map[string]bool{"Service.spec.ipFamilies": true}

// quantities are the maps whose values are quantities, by the map's own name.
var quantities = map[string]bool{"requests": true, "limits": true}

// differences returns where live differs from the fields of want. Other fields of live do
// not count. Each line is a path and the live value, for comparison with an earlier
// result. It must not be shown, since a value may be a secret. The order is fixed.
func differences(want object, live map[string]any) []string {
	var out []string
	compare(want.kind, want.body, live, &out)
	return out
}

func compare(path string, want, live any, out *[]string) {
	switch w := want.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			note(path, live, out)
			return
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			compare(path+"."+k, w[k], l[k], out)
		}
	case []any:
		compareLists(path, w, live, out)
	default:
		if !reflect.DeepEqual(want, live) && !sameQuantity(path, want, live) {
			note(path, live, out)
		}
	}
}

func compareLists(path string, want []any, live any, out *[]string) {
	l, ok := live.([]any)
	if completedLists[path] && len(l) > len(want) {
		l = l[:len(want)]
	}
	keys, merged := listKeys[path]
	if !ok || !merged && len(l) != len(want) {
		note(path, live, out)
		return
	}
	for i, w := range want {
		if !merged {
			compare(path, w, l[i], out)
			continue
		}
		compare(path, w, find(l, w, keys), out)
	}
}

// find returns the element of list with the same keys as w, or nil if there is none.
func find(list []any, w any, keys []string) any {
	i := slices.IndexFunc(list, func(e any) bool {
		return !slices.ContainsFunc(keys, func(k string) bool { return !reflect.DeepEqual(field(e, k), field(w, k)) })
	})
	if i < 0 {
		return nil
	}
	return list[i]
}

func field(element any, key string) any {
	m, _ := element.(map[string]any)
	return m[key]
}

// sameQuantity reports whether two texts in a map of quantities are the same amount, such
// as "1" and "1000m".
func sameQuantity(path string, want, live any) bool {
	parts := strings.Split(path, ".")
	if len(parts) < 2 || !quantities[parts[len(parts)-2]] {
		return false
	}
	a, errA := resource.ParseQuantity(fmt.Sprint(want))
	b, errB := resource.ParseQuantity(fmt.Sprint(live))
	return errA == nil && errB == nil && a.Cmp(b) == 0
}

func note(path string, live any, out *[]string) {
	*out = append(*out, fmt.Sprintf("%s=%v", path, live))
}
