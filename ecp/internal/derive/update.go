package derive

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// RolledFields says of every field of a hosted spec that can be changed on a cluster
// that is there whether nodes are replaced for it.
var RolledFields = map[string]bool{
	"connections": false, "evacuation": false, "network": false, "nodes": false,
	"image": true, "size": true, "placement": true, "config": true,
}

// DrainTime is the time that the clients of all nodes may need to leave, where
// an earlier change has perhaps not come to its end; else 0.
func DrainTime(rec ecp.ClusterRecord) time.Duration {
	st := rec.Status
	if st.State != ecp.Updating && st.State != ecp.Syncing && st.Reason != ecp.ReasonUpdateFailed && st.Reason != ecp.ReasonSyncFailed {
		return 0
	}
	return time.Duration(OrdinalsOf(rec)) * DrainDeadline(rec.Spec.Hosted.Evacuation)
}

// ChangedFields names the fields, by their JSON names, in which two specs of one
// mode differ.
func ChangedFields(a, b ecp.Spec) []string {
	var x, y reflect.Value
	switch {
	case a.Hosted != nil && b.Hosted != nil:
		x, y = reflect.ValueOf(normal(*a.Hosted)), reflect.ValueOf(normal(*b.Hosted))
	case a.Adopted != nil && b.Adopted != nil:
		x, y = reflect.ValueOf(*a.Adopted), reflect.ValueOf(*b.Adopted)
	default:
		return nil
	}
	var out []string
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			name, _, _ := strings.Cut(x.Type().Field(i).Tag.Get("json"), ",")
			out = append(out, name)
		}
	}
	return out
}

// normal lets empty maps and lists be equal to none.
func normal(h ecp.HostedSpec) ecp.HostedSpec {
	if len(h.Config) == 0 {
		h.Config = nil
	}
	if len(h.Network.Annotations) == 0 {
		h.Network.Annotations = nil
	}
	if len(h.Placement.NodeSelector) == 0 {
		h.Placement.NodeSelector = nil
	}
	if len(h.Placement.Tolerations) == 0 {
		h.Placement.Tolerations = nil
	}
	return h
}

// InvalidField says which field of a patch is of a wrong type, or not known.
func InvalidField(err error) string {
	var e *json.UnmarshalTypeError
	if errors.As(err, &e) && e.Field != "" {
		return "spec." + e.Field
	}
	var name string
	if _, err := fmt.Sscanf(err.Error(), "json: unknown field %q", &name); err == nil {
		return "spec." + name
	}
	return "spec"
}
