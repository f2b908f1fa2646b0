package fleet

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// illegal says which commands are legal instead now.
func illegal(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	state := string(rec.Status.State)
	if rec.Deleting {
		state += " and being deleted"
	}
	return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("a cluster that is %s cannot take %s; legal now: %s", state,
		kind, strings.Join(derive.CommandNames(rec.Legal()), ", ")))
}

// commandFeatures are the features of commands that only hosted clusters take.
var commandFeatures = map[ecp.CommandKind]ecp.Feature{
	ecp.CommandStart:    ecp.FeaturePower,
	ecp.CommandStop:     ecp.FeaturePower,
	ecp.CommandRestart:  ecp.FeaturePower,
	ecp.CommandRepair:   ecp.FeatureRepair,
	ecp.CommandTakeOver: ecp.FeatureRepair,
	ecp.CommandPutBack:  ecp.FeatureRepair,
}

// refuseHostedOnly returns unsupported for a command, or a change of a field,
// that only hosted clusters take; nil for every other. It comes before all
// other checks: nothing that could be put right in the request would help.
func refuseHostedOnly(mode ecp.Mode, cmd ecp.Command) error {
	if mode != ecp.Adopted {
		return nil
	}
	refuse := &ecp.Error{
		Code:    ecp.CodeUnsupported,
		Message: ecp.FeaturePower.Why(mode, ecp.Version{}, ecp.Capabilities{}),
	}
	if commandFeatures[cmd.Kind()] != "" {
		return refuse
	}
	u, _ := cmd.(ecp.Update)
	for _, name := range hostedFields(u) {
		refuse.Fields = append(refuse.Fields,
			ecp.FieldError{Field: "spec." + name, Message: "only hosted clusters have this"})
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

// repairHelps refuses a repair of which it is known that it cannot help: every
// node that does not serve is on a machine that does not answer. Whether such a
// machine still runs its node is not known, so nothing may be done to it before
// a person has said that it is off, or asks for it with force. What force and lost volumes
// would give up is what is seen, so that they wait for that.
func (m *Manager) repairHelps(rec ecp.ClusterRecord, cmd ecp.Command) error {
	repair, is := cmd.(ecp.Repair)
	snap, _ := m.observed.Last(rec.ID)
	if _, seen := m.observed.Found(rec.ID); is && (repair.Force || repair.LostVolumes) && !seen && rec.Status.Seen {
		return ecp.NewError(ecp.CodeUnavailable, "", "what this repair would give up is not known: the cluster "+
			"has not been looked at since the program began, or cannot be seen now; ask again when it was")
	}
	if is && len(derive.AbandonedBy(ecp.Repair{LostVolumes: repair.LostVolumes}, snap.Found)) > 0 {
		if slices.ContainsFunc(derive.OfRole(snap.Found.Nodes, ecp.RoleCore),
			func(n ecp.NodeObservation) bool { return n.Ready }) {
			return nil
		}
		return ecp.NewError(ecp.CodeConflict, "", "no node that serves has the data of a volume that is lost, so that "+
			"repair deletes none: "+ecp.ReasonVolumeLost.Advice(ecp.Hosted))
	}
	if !is || repair.Force || !derive.AwayReasons[rec.Status.Reason] || snap.Unseen != "" {
		return nil
	}
	why := ""
	for _, n := range snap.Found.Nodes {
		switch {
		case n.Ready:
		case n.VolumeLost:
			return ecp.NewError(ecp.CodeConflict, "", "repair deletes no volume unasked: "+n.Pod+": "+n.Message+
				"; "+ecp.ReasonVolumeLost.Advice(ecp.Hosted))
		case n.Machine != ecp.MachineUnanswered:
			return nil
		case why == "":
			why = fmt.Sprintf("%s: %s", n.Pod, n.Message)
		}
	}
	if why == "" || len(snap.Found.Nodes) < snap.Found.Replicas+snap.Found.Replicants {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", "repair cannot help while a machine does not answer: "+why+
		"; repair works once that is said, or with force, whose plan tells the risk; nothing has to be done if the "+
		"machine comes back")
}

// repairExpels refuses a repair of a running cluster that has nothing to repair, or
// nothing that repair may touch.
func (m *Manager) repairExpels(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	if kind != ecp.CommandRepair || rec.Status.State != ecp.Running {
		return nil
	}
	if !rec.Status.HasForeignMembers() {
		return illegal(rec, kind)
	}
	snap, seen := m.observed.Last(rec.ID)
	if !seen || slices.ContainsFunc(snap.ForeignMembers, func(f ecp.ForeignMember) bool { return !f.Running }) {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", derive.DescribeForeign(snap.ForeignMembers))
}

// repairJoins refuses a repair of nodes that count different members where it could not join
// them: it cannot be told which side is the smaller one.
func (m *Manager) repairJoins(rec ecp.ClusterRecord, kind ecp.CommandKind) error {
	if kind != ecp.CommandRepair || rec.Mode != ecp.Hosted {
		return nil
	}
	snap, seen := m.observed.Last(rec.ID)
	if rec.Status.Reason == ecp.ReasonPartitioned && (!seen || snap.Unseen != "" || len(snap.Views) == 0) {
		return ecp.NewError(ecp.CodeUnavailable, "", "the nodes have not been asked whom they count since the program "+
			"began, or cannot be seen now; ask again when they were")
	}
	if not := derive.NewView(snap.At, rec, snap).ToJoin().Not; not != "" && derive.Unjoined[rec.Status.Reason] {
		return ecp.NewError(ecp.CodeConflict, "", "nodes count different members, and "+not)
	}
	return nil
}

// mayWhileOlder refuses commands whose outcome would be written over what the
// record does not know of, and those that are for such a cluster only.
func (m *Manager) mayWhileOlder(rec ecp.ClusterRecord, cmd ecp.Command) error {
	f, seen := m.observed.Found(rec.ID)
	older := rec.Status.Reason == ecp.ReasonRecordOlder || seen && derive.RecordOlder(rec, f) != nil
	switch c := cmd.(type) {
	case ecp.TakeOver, ecp.PutBack:
		if rec.Deleting || rec.Mode != ecp.Hosted {
			return nil // the tables refuse it
		}
		if !older {
			return ecp.NewError(ecp.CodeConflict, "", "what is found is what the record knows of: there is nothing to "+
				strings.ReplaceAll(string(cmd.Kind()), "-", " "))
		}
		if !seen || derive.RecordOlder(rec, f) == nil {
			return ecp.NewError(ecp.CodeUnavailable, "", "the cluster has not been looked at since the program "+
				"began, or cannot be seen now; ask again when it was")
		}
		return nil
	case ecp.Transfer:
		return nil
	case ecp.Delete:
		if !older || c.Force {
			return nil
		}
		return ecp.NewError(ecp.CodeConflict, "", "the record is older than what is found, and so nobody knows here "+
			"what would be deleted; take-over or put-back comes first, or delete with force")
	case ecp.Update:
		if c.Spec == nil && c.Patch == nil {
			return nil
		}
	}
	if !older || rec.Mode != ecp.Hosted {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("the record is older than what is found, so that nothing "+
		"is written; legal now: %s", strings.Join(derive.CommandNames(rec.Legal()), ", ")))
}
