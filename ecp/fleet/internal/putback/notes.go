package putback

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/setting"
)

// Notes say in a plan what becomes of nodes, volumes and addresses where what is
// recorded takes the place of what is there; unknown is why the latter cannot be read.
func Notes(before, rec ecp.ClusterRecord, f ecp.Observation, there derive.Manifest, unknown error) []string {
	spec := *rec.Spec.Hosted
	out := []string{fmt.Sprintf("the objects of generation %d become what is recorded, generation %d", f.Generation,
		before.Generation)}
	if unknown != nil {
		out = append(out, ecp.MessageOf(unknown)+"; what differs is not known but for what follows")
	} else {
		out = append(out, Differences(*there.Spec, spec, "")...)
		out = append(out, settingNotes(there, spec.Config)...)
		if a, b := there.Resolved.Image.Version, rec.Resolved.Image.Version; a != b {
			out = append(out, fmt.Sprintf("EMQX %s becomes %s: all nodes are replaced, one at a time", a, b))
		}
	}
	if spec.Power == ecp.PowerOff {
		return append(out, "all nodes are stopped at once")
	}
	var leave []string
	for _, n := range f.Nodes {
		if n.Role == ecp.RoleCore && n.Ordinal >= spec.Nodes {
			leave = append(leave, n.Pod)
		}
	}
	if len(leave) > 0 {
		out = append(out,
			fmt.Sprintf("nodes leave for good, one at a time after their clients: %s", strings.Join(leave, ", ")))
	}
	var gone []string
	for _, v := range f.Volumes {
		if v.Ordinal >= spec.Nodes && !v.Terminating {
			gone = append(gone, v.Name)
		}
	}
	if len(gone) > 0 {
		out = append(out, "volumes are deleted with what they hold: "+strings.Join(gone, ", "))
	}
	for _, i := range slices.Sorted(maps.Keys(before.Status.Volumes)) {
		if uid, ok := rec.Status.Volumes[i]; i < spec.Nodes && (!ok || uid != before.Status.Volumes[i]) {
			out = append(out,
				fmt.Sprintf("node %d does not have the volume that is recorded any more: what that held is lost", i))
		}
	}
	return out
}

// Differences says field by field what becomes of a spec. Settings are named
// only: their values may be secrets.
func Differences(from, to ecp.HostedSpec, who string) []string {
	var out []string
	a, b := asTree(from), asTree(to)
	for _, field := range derive.ChangedFields(ecp.Spec{Hosted: &from}, ecp.Spec{Hosted: &to}) {
		if field == "config" {
			continue
		}
		out = append(out, fmt.Sprintf("%s%s %s becomes %s", who, field, orNothing(a[field]), orNothing(b[field])))
	}
	return out
}

// asTree returns the fields of a spec as JSON.
func asTree(h ecp.HostedSpec) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	b, err := json.Marshal(h)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil // it is made of texts, numbers and maps of texts
	}
	return out
}

func orNothing(value json.RawMessage) string {
	if len(value) == 0 {
		return "nothing"
	}
	return string(value)
}

// settingNotes say for a plan what becomes of EMQX' own settings where what is recorded
// is put back. Values that may be secrets are not kept with the objects: whether they
// differ is not known, and said to be so.
func settingNotes(there derive.Manifest, recorded map[string]string) (out []string) {
	has := func(key string) bool {
		_, plain := there.Spec.Config[key]
		return plain || slices.Contains(there.Settings, key)
	}
	keys := slices.Concat(slices.Sorted(maps.Keys(there.Spec.Config)), there.Settings,
		slices.Sorted(maps.Keys(recorded)))
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
		case !plain || setting.IsSealed(value) || !setting.Harmless(key, value):
			unknown = append(unknown, key)
		case was != value:
			out = append(out, fmt.Sprintf("the setting %s %q becomes %q", key, was, value))
		}
	}
	if len(out) > 0 {
		out = append(out, "for settings all nodes are replaced, one at a time")
	}
	if len(unknown) > 0 {
		out = append(out, "whether these settings differ is not known, since values that may be secrets are not kept "+
			"with the objects: "+strings.Join(unknown, ", ")+
			"; those recorded are put back, and where they differ all nodes are replaced, one at a time")
	}
	return out
}
