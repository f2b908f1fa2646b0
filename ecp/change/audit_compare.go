package change

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp/internal/setting"
)

// compare lists the fields in which two values differ in JSON.
func compare(before, after any) []AuditChange {
	was, is := map[string]string{}, map[string]string{}
	flatten(was, before)
	flatten(is, after)
	var out []AuditChange
	for _, path := range slices.Sorted(maps.Keys(was)) {
		if after := is[path]; after != was[path] {
			out = append(out, AuditChange{Path: path, Before: redact(path, was[path]), After: redact(path, after)})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(is)) {
		if _, both := was[path]; !both {
			out = append(out, AuditChange{Path: path, After: redact(path, is[path])})
		}
	}
	slices.SortFunc(out, func(a, b AuditChange) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// flatten maps the JSON pointer of every scalar in a value to its JSON.
func flatten(into map[string]string, v any) {
	if v == nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		into[""] = `"[cannot be shown]"`
		return
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err == nil {
		flattenTree(into, "", tree)
	}
}

func flattenTree(into map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			flattenTree(into, at+"/"+pointerPart.Replace(key), inner)
		}
	case []any:
		for i, inner := range v {
			flattenTree(into, at+"/"+strconv.Itoa(i), inner)
		}
	default:
		if b, err := json.Marshal(v); err == nil {
			into[at] = string(b)
		}
	}
}

var pointerPart = strings.NewReplacer("~", "~0", "/", "~1")

// redact returns the JSON of a value as the audit keeps it: "[redacted]" for a text
// whose path says that it may be a secret.
func redact(path, value string) string {
	if !strings.HasPrefix(value, `"`) { // secrets are text
		return value
	}
	if setting.NamesSecret(path) || hidesSetting(path, value) {
		return `"` + setting.Redacted + `"`
	}
	return value
}

// settingsPath is where the EMQX settings of a cluster are in its JSON.
const settingsPath = "/spec/hosted/config/"

// hidesSetting reports whether a value is that of an EMQX setting which may be
// secret.
func hidesSetting(path, value string) bool {
	key, is := strings.CutPrefix(path, settingsPath)
	return is && !setting.Harmless(key, strings.Trim(value, `"`))
}

// Redacted returns the entry without values that may be secret, and reports whether it
// had any. Earlier builds kept some.
func (e AuditEntry) Redacted() (AuditEntry, bool) {
	changes := slices.Clone(e.Changes)
	for i, c := range changes {
		changes[i].Before, changes[i].After = redact(c.Path, c.Before), redact(c.Path, c.After)
	}
	found := !slices.Equal(changes, e.Changes)
	e.Changes = changes
	return e, found
}
