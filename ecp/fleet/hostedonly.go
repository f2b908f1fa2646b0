package fleet

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// refuseHostedOnly returns unsupported for a command, or a change of a field,
// that only hosted clusters take; nil for every other. It comes before all
// other checks: nothing that could be put right in the request would help.
func refuseHostedOnly(mode ecp.Mode, cmd ecp.Command) error {
	if mode != ecp.Adopted {
		return nil
	}
	refuse := &ecp.Error{Code: ecp.CodeUnsupported, Message: ecp.HostedOnly(mode, ecp.Version{}, ecp.Capabilities{})}
	if commandFeatures[cmd.Kind()] != "" {
		return refuse
	}
	u, _ := cmd.(ecp.Update)
	for _, name := range hostedFields(u) {
		refuse.Fields = append(refuse.Fields, ecp.FieldError{Field: "spec." + name, Message: "only hosted clusters have this"})
	}
	if len(refuse.Fields) == 0 {
		return nil
	}
	return refuse
}

// hostedFields names the fields of the patch that only hosted specs have, in
// their order there. A patch that is no JSON object names none.
func hostedFields(u ecp.Update) (out []string) {
	var given map[string]json.RawMessage
	if json.Unmarshal(u.Patch, &given) != nil {
		return nil
	}
	for _, name := range jsonNames(reflect.TypeFor[ecp.HostedSpec]()) {
		if _, is := given[name]; is && !slices.Contains(jsonNames(reflect.TypeFor[ecp.AdoptedSpec]()), name) {
			out = append(out, name)
		}
	}
	return out
}

// jsonNames lists the names that the fields of a struct have in JSON.
func jsonNames(t reflect.Type) []string {
	out := make([]string, t.NumField())
	for i := range out {
		out[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return out
}
