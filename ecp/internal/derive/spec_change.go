package derive

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// RolledFields says of every field of a hosted spec that can be changed on a cluster
// that is there whether nodes are replaced for it, or resized where that will do. Another
// number of connections replaces those of EMQX 4.4 nevertheless, by a restart that goes with
// it: see SetConnections. Of the network a first certificate does, see OwnCertificate.
// Replicants are replaced where their size is another. Some settings of the config replace
// none: see rolledSettings.
var RolledFields = map[string]bool{
	"connections": false, "evacuation": false, "network": false, "nodes": false, "replicants": false,
	"hibernation": false, "maintenance": false,
	"image": true, "size": true, "placement": true, "config": true,
}

// SchedulesOnly reports whether a change is one of times only: the platform has nothing to
// do for it.
func SchedulesOnly(changed []string) bool {
	return !slices.ContainsFunc(changed, func(f string) bool { return f != "hibernation" && f != "maintenance" })
}

// DrainTime is the time that the clients of all nodes may need to leave, where
// an earlier change has perhaps not come to its end; else 0.
func DrainTime(rec ecp.ClusterRecord) time.Duration {
	st := rec.Status
	if st.State != ecp.Updating && st.State != ecp.Syncing && st.Reason != ecp.ReasonUpdateFailed &&
		st.Reason != ecp.ReasonSyncFailed {
		return 0
	}
	return time.Duration(OrdinalsOf(rec)+rec.Spec.Hosted.Replicants.Nodes) * DrainDeadline(rec.Spec.Hosted.Evacuation)
}

// ChangedFields returns the JSON names of the fields in which two specs of one
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
	if len(h.Maintenance.Windows) == 0 {
		h.Maintenance.Windows = nil
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

// SetConnections notes the number of connections that nodes are made with from now on. EMQX
// 4.4 has to be restarted to take up another one, and keeps on a node that runs what it has
// where only the number of nodes is another.
func SetConnections(rec *ecp.ClusterRecord, before ecp.ClusterRecord) {
	n := rec.Spec.Connections()
	if n != before.Spec.Connections() && !LimitsAtRunTime(rec.Resolved.Image.Version) && WantedNodes(before) > 0 {
		rec.Restarts++
	}
	rec.Resolved.Connections, rec.Resolved.ListenerLimit = n, ListenerShare(n, ClientNodes(*rec.Spec.Hosted))
}

// ReplacesNodes reports whether a change replaces nodes, or resizes them where that will
// do. A larger volume alone does neither.
func ReplacesNodes(before, after ecp.ClusterRecord) bool {
	return replacesCores(before, after) || replicantsReplaced(before, after)
}

func replacesCores(before, after ecp.ClusterRecord) bool {
	if after.Restarts != before.Restarts {
		return true
	}
	return slices.ContainsFunc(rolledFields(before, after), func(field string) bool {
		return field != "size" || !before.Resolved.Size.SameResources(after.Resolved.Size)
	})
}

// rolledFields returns the fields of a change that nodes are replaced for.
func rolledFields(before, after ecp.ClusterRecord) []string {
	return slices.DeleteFunc(ChangedFields(before.Spec, after.Spec), func(field string) bool {
		switch field {
		case "network":
			return !OwnCertificate(before, after)
		case "config":
			return len(rolledSettings(before, after)) == 0
		}
		return !RolledFields[field]
	})
}

// OwnCertificate reports whether a hosted cluster gets a certificate in the place of EMQX's
// own, or goes back to that. Only then nodes have other files. One certificate in the place
// of another is a change of what is in them, which EMQX sees while it runs.
func OwnCertificate(before, after ecp.ClusterRecord) bool {
	a, b := before.Spec.Hosted, after.Spec.Hosted
	return a != nil && b != nil && (a.Network.Certificate == "") != (b.Network.Certificate == "")
}

// ResizesOnly reports whether a change gives nodes other CPU and memory and changes
// nothing else of what they are made from, and EMQX can make use of them while it runs.
func ResizesOnly(before, after ecp.ClusterRecord) bool {
	return onlySize(before, after) && resizeObstacle(before, after) == ""
}

func onlySize(before, after ecp.ClusterRecord) bool {
	return ReplacesNodes(before, after) && after.Restarts == before.Restarts &&
		!slices.ContainsFunc(rolledFields(before, after), func(field string) bool { return field != "size" })
}

// resizeObstacle returns why nodes of either role must be made anew for another size.
func resizeObstacle(before, after ecp.ClusterRecord) string {
	why := before.Resolved.Size.ResizeObstacle(after.Resolved.Size)
	if why == "" && replicantsReplaced(before, after) {
		why = before.Resolved.ReplicantSize.ResizeObstacle(after.Resolved.ReplicantSize)
	}
	return why
}

// InPlace reports whether nodes are resized where they run for a change that needs nothing
// else of them. If not, why says so; it is empty if it is no such change.
func InPlace(before, after ecp.ClusterRecord, nodes []ecp.NodeInfo) (yes bool, why string) {
	if !onlySize(before, after) {
		return false, ""
	}
	if why := resizeObstacle(before, after); why != "" {
		return false, why
	}
	cores, replicants := replacesCores(before, after), replicantsReplaced(before, after)
	for _, n := range nodes {
		switch isReplicant := n.NodeObservation.Role == ecp.RoleReplicant; {
		case isReplicant && !replicants || !isReplicant && !cores: // it keeps its size
		case !n.Resizable:
			return false, cmp.Or(n.NoResize, "the platform cannot change CPU and memory of nodes that run")
		case !n.Ready:
			return false, n.Pod + " is not ready"
		case n.Outdated && n.Resize == "":
			return false, n.Pod + " differs in more than its size from what the platform would make now"
		}
	}
	if len(nodes) == 0 {
		return false, "nothing has been seen of the nodes yet"
	}
	return true, ""
}

// A node is outdated when the platform would make its pod in another way now.
// That comes from a change of our own, which replaces the node, and from
// somebody else's: "kubectl rollout restart", or an admission rule that changes
// what we write. The latter wait for a change that replaces nodes anyway, or
// for a restart: clients are not moved for what nobody asked for here.

// ReplacesOutdated reports whether a command is a reason to replace nodes that are
// outdated. A change that has not come to its end goes on with a later one.
func ReplacesOutdated(kind ecp.OperationKind, before, after ecp.ClusterRecord) bool {
	if kind != ecp.OpUpdate && kind != ecp.OpRepair {
		return true
	}
	return ReplacesNodes(before, after) || unfinished(before.Status)
}

// RendersAnew reports whether an operation takes up the newest way in which the platform
// makes objects: only those do that make every node anew for what they are themselves. What
// goes on of an earlier operation, or takes nodes away, is no reason.
func RendersAnew(kind ecp.OperationKind, before, after ecp.ClusterRecord) bool {
	switch kind {
	case ecp.OpStart:
		return before.Status.State == ecp.Stopped
	case ecp.OpRestart:
		return true
	case ecp.OpUpdate:
		all := after.Spec.Hosted.Replicants.Nodes == 0 || replacesReplicants(before, after)
		return replacesCores(before, after) && all && !ResizesOnly(before, after)
	default:
		return false
	}
}

// unfinished reports whether a task that replaces nodes has not ended.
func unfinished(st ecp.Status) bool { return changing(st) && !st.KeepOutdated }

// replaces reports whether outdated nodes are to be replaced now.
func (v View) replaces() bool { return unfinished(v.Rec.Status) }

// OutdatedOf returns the nodes that are outdated.
func OutdatedOf(found ecp.Observation) []ecp.NodeObservation {
	return slices.DeleteFunc(slices.Clone(found.Nodes), func(n ecp.NodeObservation) bool { return !n.Outdated })
}

// converged reports whether the platform has taken up what it was asked for,
// and its nodes are made so. Where none is to be replaced those of an older
// template will do: that they are known as such says that the platform has
// taken up the newest.
func (v View) converged() bool {
	f := v.Snapshot.Found
	return f.Converged || !v.replaces() && len(OutdatedOf(f)) > 0
}

func rendererNewer(is, newest int) string {
	return fmt.Sprintf("its objects are of rendering %d, and this build knows %d; a restart, a start after a "+
		"stop, or a change that replaces all nodes takes that up, and nothing else does", is, newest)
}

func templateChanged(n, of int) string {
	return fmt.Sprintf("%d of %d nodes run on an older pod template than the platform has now, which was changed past "+
		"OpenECP or by a newer build of it; "+
		"a restart, or a change of image, size or placement, replaces them, and nothing else does", n, of)
}
