package ecp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// rolls says of every field of a hosted spec that can be changed on a cluster
// that is there whether nodes are replaced for it.
var rolls = map[string]bool{
	"connections": false, "evacuation": false, "network": false, "nodes": false,
	"image": true, "size": true, "placement": true, "config": true,
}

// fixed are fields of a hosted spec that Update never changes.
var fixed = map[string]string{
	"power":   "is moved by start and stop",
	"target":  "is fixed when the cluster is created",
	"storage": "is fixed when the cluster is created",
}

// carryUpdate puts a changed name, description and spec into the record.
func (m *Manager) carryUpdate(tx Tx, d *decision, rec *ClusterRecord, u Update) error {
	before := rec.Clone()
	if u.Name != nil {
		rec.Name = *u.Name
	}
	if u.Description != nil {
		rec.Description = *u.Description
	}
	var wrong problems
	validateText(&wrong, rec.Name, rec.Description)
	err := mergeUpdate(u, m, &wrong, rec)
	if err != nil {
		return err
	}
	if err := wrong.err(""); err != nil {
		return err
	}
	if rec.Mode == Hosted {
		mayRefer(&wrong, *rec, before.Spec.Hosted.Config)
		if err := m.sealSettings(&wrong, rec.ID, rec.Spec.Hosted, before.Spec.Hosted.Config); err != nil {
			return err
		}
		if err := wrong.err(""); err != nil {
			return err
		}
	}
	changed := differing(before.Spec, rec.Spec)
	if err := mayUpdate(changed); rec.Mode == Hosted && err != nil {
		return err
	}
	again := false
	if rec.Mode == Adopted {
		if again, err = m.carryLimit(d, rec, before, u); err != nil {
			return err
		}
	}
	if len(changed) > 0 && rec.Mode == Hosted { // of an adopted cluster only its limit has to be carried out
		rec.Generation++
		if err := m.resolveAgain(tx, rec, before, changed); err != nil {
			return err
		}
		m.changeNodes(d, rec, before)
		if rec.Resolved.Connections == 0 { // made by a build that did not note it
			rec.Resolved.Connections = before.Spec.Connections()
		}
	}
	d.nothing = !again && len(changed) == 0 && rec.Name == before.Name && rec.Description == before.Description
	if d.nothing {
		*rec = before
	}
	return nil
}

// resolveAgain notes what the catalogues say now of what the changed fields
// name; what the others name stays as it was.
func (m *Manager) resolveAgain(tx Tx, rec *ClusterRecord, before ClusterRecord, changed []string) error {
	var wrong problems
	s, is := rec.Spec.Hosted, func(field string) bool { return slices.Contains(changed, field) }
	was := rec.Resolved
	if is("image") {
		image, err := pick(tx, &wrong, "spec.image", s.Image, func(i Image) (string, bool) { return i.ID, i.Default })
		if err != nil {
			return err
		}
		if why := mayBecome(was.Image.Version, image.Version, max(ordinalsOf(before), s.Nodes)); why != "" && len(wrong) == 0 {
			return &Error{Code: CodeUnsupported, Message: "the image cannot be changed so", Fields: []FieldError{{"spec.image", why}}}
		}
		image.Revision = 0
		rec.Resolved.Image = image
		if rec.Resolved.Registry, err = registryOf(tx, image); err != nil {
			return err
		}
		if was.Licence == "" {
			if rec.Resolved.Licence, err = licenceFor(tx, image); err != nil {
				return err
			}
		}
	}
	if is("size") {
		size, err := pick(tx, &wrong, "spec.size", s.Size, func(z Size) (string, bool) { return z.Name, z.Default })
		if err != nil {
			return err
		}
		size.Revision = 0
		mayStore(&wrong, *s, was.Size, size)
		rec.Resolved.Size = size
	}
	if is("network") {
		if err := resolveLB(tx, rec); err != nil {
			return err
		}
	}
	if is("image") || is("nodes") {
		mayCluster(&wrong, *rec)
	}
	if is("image") || is("config") {
		mayLog(&wrong, *rec)
	}
	return wrong.err("")
}

// changeNodes begins the operation of a change, with the time that it may take
// where nodes leave, and keeps apart what belongs to nodes that will go.
func (m *Manager) changeNodes(d *decision, rec *ClusterRecord, before ClusterRecord) {
	h, was := rec.Spec.Hosted, ordinalsOf(before)
	rec.Status.Ordinals = was
	maps.DeleteFunc(rec.Status.Volumes, func(i int, _ string) bool { return i >= h.Nodes })
	each, moving := drainDeadline(h.Evacuation), max(0, was-h.Nodes)
	if rolled(before, *rec) {
		moving = max(moving, was, h.Nodes)
		rec.Resolved.Connections = h.Connections // nodes are made anew
	}
	d.kind, d.patience = OpUpdate, m.timings.Create+max(time.Duration(moving)*each, leftToMove(*rec))
}

// leftToMove is the time that the clients of all nodes may need to leave, where
// an earlier change has perhaps not come to its end; else 0.
func leftToMove(rec ClusterRecord) time.Duration {
	st := rec.Status
	if st.State != Updating && st.State != Syncing && st.Reason != ReasonUpdateFailed && st.Reason != ReasonSyncFailed {
		return 0
	}
	return time.Duration(ordinalsOf(rec)) * drainDeadline(rec.Spec.Hosted.Evacuation)
}

// mergeUpdate puts the wanted spec into the record, checked and with its defaults.
func mergeUpdate(u Update, m *Manager, wrong *problems, rec *ClusterRecord) error {
	if u.Spec != nil && u.Patch != nil {
		return fail(CodeInvalid, "", "give a whole spec or a patch, not both")
	}
	spec := rec.Spec.Clone()
	if u.Spec != nil {
		spec = u.Spec.Clone()
	}
	old := rec.Spec
	rec.Spec = spec
	switch {
	case rec.Mode == Hosted && (spec.Hosted == nil || spec.Adopted != nil), rec.Mode == Adopted && (spec.Adopted == nil || spec.Hosted != nil):
		wrong.add("spec", "is not that of a cluster of the mode %s", rec.Mode)
		rec.Spec = old
	case rec.Mode == Hosted:
		if err := patch(wrong, spec.Hosted, u.Patch); err != nil {
			return err
		}
		keepHosted(spec.Hosted, *old.Hosted)
		keepSettings(wrong, spec.Hosted.Config, old.Hosted.Config)
		fillIn(spec.Hosted)
		validateHosted(wrong, *spec.Hosted)
	default:
		if err := patch(wrong, spec.Adopted, u.Patch); err != nil {
			return err
		}
		m.validateAdopted(wrong, *spec.Adopted, *old.Adopted)
	}
	return nil
}

// keepHosted keeps what was chosen at creation where a new spec leaves it to
// the defaults: those of the catalogues may be others by now.
func keepHosted(s *HostedSpec, old HostedSpec) {
	keep := func(field *string, was string) {
		if *field == "" {
			*field = was
		}
	}
	keep(&s.Image, old.Image)
	keep(&s.Size, old.Size)
	keep(&s.Target, old.Target)
	if s.Power == "" {
		s.Power = old.Power
	}
}

// mayUpdate says which of the changed fields this build cannot change.
func mayUpdate(changed []string) error {
	var wrong, later problems
	for _, field := range changed {
		if why := fixed[field]; why != "" {
			wrong.add("spec."+field, "%s", why)
		} else if _, can := rolls[field]; !can {
			later.add("spec."+field, "cannot be changed on a cluster that is there, by this build")
		}
	}
	if err := wrong.err(""); err != nil || len(later) == 0 {
		return err
	}
	return &Error{Code: CodeUnsupported, Message: "this build changes " + strings.Join(sortedKeys(rolls), ", ") + " only", Fields: later}
}

// differing names the fields, by their JSON names, in which two specs of one
// mode differ.
func differing(a, b Spec) []string {
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
func normal(h HostedSpec) HostedSpec {
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

// patch merges a JSON merge patch (RFC 7396) into a spec.
func patch[S any](wrong *problems, into *S, p json.RawMessage) error {
	if p == nil {
		return nil
	}
	var change any
	if err := decodeNumbers(p, &change); err != nil || !json.Valid(p) {
		return fail(CodeInvalid, "", "the patch is not JSON")
	}
	object, ok := change.(map[string]any)
	if !ok {
		wrong.add("spec", "is not an object")
		return nil
	}
	if takesAway(wrong, object) {
		return nil
	}
	was, err := json.Marshal(into)
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := decodeNumbers(was, &tree); err != nil {
		return err
	}
	merged, err := json.Marshal(mergePatch(tree, object))
	if err != nil {
		return err
	}
	var out S
	d := json.NewDecoder(bytes.NewReader(merged))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		wrong.add(fieldOf(err), "does not have the documented form")
		return nil
	}
	*into = out
	return nil
}

// needed are the fields of a spec that have no default which a change could mean:
// the way that clients come would be another, or be gone.
var needed = []string{"nodes", "connections", "network", "network.type", "network.listeners"}

// takesAway reports whether a patch sets such a field to null, and adds which.
func takesAway(wrong *problems, change map[string]any) (does bool) {
	for _, field := range needed {
		at, last := change, field
		if outer, inner, ok := strings.Cut(field, "."); ok {
			at, _ = change[outer].(map[string]any)
			last = inner
		}
		if v, given := at[last]; given && v == nil {
			wrong.add("spec."+field, "is null; leave it out to keep what is there, or give what it should be")
			does = true
		}
	}
	return does
}

// fieldOf says which field of a patch is of a wrong type, or not known.
func fieldOf(err error) string {
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

func decodeNumbers(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

// mergePatch is the algorithm of RFC 7396, section 2.
func mergePatch(target, change map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for key, value := range change {
		switch v := value.(type) {
		case nil:
			delete(target, key)
		case map[string]any:
			inner, _ := target[key].(map[string]any)
			target[key] = mergePatch(inner, v)
		default:
			target[key] = v
		}
	}
	return target
}
