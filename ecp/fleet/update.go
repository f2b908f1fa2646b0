package fleet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/fleet/internal/sealing"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/setting"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/openecp/openecp/ecp/logs"
)

// fixed are fields of a hosted spec that Update never changes.
var fixed = map[string]string{
	"power":   "is moved by start and stop",
	"target":  "is fixed when the cluster is created",
	"storage": "is fixed when the cluster is created",
}

// carryUpdate puts a changed name, description and spec into the record.
func (m *Manager) carryUpdate(tx ecp.Tx, d *decision, rec *ecp.ClusterRecord, u ecp.Update) error {
	before := rec.Clone()
	if u.Name != nil {
		rec.Name = *u.Name
	}
	if u.Description != nil {
		rec.Description = *u.Description
	}
	var wrong fault.Fields
	validate.Text(&wrong, rec.Name, rec.Description)
	err := mergeUpdate(u, m, &wrong, rec)
	if err != nil {
		return err
	}
	if err := wrong.Err(""); err != nil {
		return err
	}
	if rec.Mode == ecp.Hosted {
		logs.CheckReferences(&wrong, *rec, before.Spec.Hosted.Config)
		if err := m.settings.Seal(&wrong, rec.ID, rec.Spec.Hosted, before.Spec.Hosted.Config); err != nil {
			return err
		}
		if err := wrong.Err(""); err != nil {
			return err
		}
	}
	changed := derive.ChangedFields(before.Spec, rec.Spec)
	if err := mayUpdate(changed); rec.Mode == ecp.Hosted && err != nil {
		return err
	}
	again := false
	if rec.Mode == ecp.Adopted {
		if again, err = m.carryLimit(d, rec, before, u); err != nil {
			return err
		}
	}
	if u.Now && rec.Status.InWindows && rec.Status.Operation != "" {
		rec.Status.InWindows, again = false, true // what waits to replace nodes goes on at once
	}
	if slices.Contains(changed, "hibernation") {
		rec.Status.Sleep.Handled = rec.UpdatedAt // what was due before that was not asked for
	}
	// of an adopted cluster only its limit has to be carried out
	if !derive.SchedulesOnly(changed) && rec.Mode == ecp.Hosted {
		rec.Generation++
		if err := m.resolveAgain(tx, rec, before, changed); err != nil {
			return err
		}
		m.changeNodes(d, rec, before)
	}
	d.nothing = !again && len(changed) == 0 && rec.Name == before.Name && rec.Description == before.Description
	if d.nothing {
		*rec = before
	}
	return nil
}

// resolveAgain notes what the catalogues say now of what the changed fields
// name; what the others name stays as it was.
func (m *Manager) resolveAgain(tx ecp.Tx, rec *ecp.ClusterRecord, before ecp.ClusterRecord, changed []string) error {
	var wrong fault.Fields
	s, is := rec.Spec.Hosted, func(field string) bool { return slices.Contains(changed, field) }
	was := rec.Resolved
	if is("image") {
		image, err := pick(tx, &wrong, "spec.image", s.Image,
			func(i ecp.Image) (string, bool) { return i.ID, i.Default })
		if err != nil {
			return err
		}
		if why := catalog.MayBecome(was.Image.Version, image.Version,
			derive.MostNodes(before, *rec)); why != "" && len(wrong) == 0 {
			return &ecp.Error{
				Code:    ecp.CodeUnsupported,
				Message: "the image cannot be changed so",
				Fields:  []ecp.FieldError{{Field: "spec.image", Message: why}},
			}
		}
		image.Revision = 0
		rec.Resolved.Image = image
		if rec.Resolved.Registry, err = catalog.RegistryOf(tx, image); err != nil {
			return err
		}
		if was.License == "" {
			if rec.Resolved.License, err = catalog.LicenseFor(tx, image); err != nil {
				return err
			}
		}
	}
	if is("size") {
		size, err := pick(tx, &wrong, "spec.size", s.Size, func(z ecp.Size) (string, bool) { return z.Name, z.Default })
		if err != nil {
			return err
		}
		size.Revision = 0
		mayStore(&wrong, *s, was.Size, size)
		rec.Resolved.Size = size
	}
	if is("replicants") || is("size") && s.Replicants.Size == "" {
		if err := resolveReplicants(tx, &wrong, rec); err != nil {
			return err
		}
	}
	if is("replicants") || is("image") {
		p, _ := m.observed.Provisioner(*rec) // a target that is not up is said where it matters
		if err := derive.ReplicantsRefusal(*rec, p); err != nil {
			return err
		}
	}
	if is("network") {
		if now := s.Network.Certificate; now != before.Spec.Hosted.Network.Certificate {
			if err := m.Catalog.MayServe(tx, &wrong, now); err != nil {
				return err
			}
		}
		if err := catalog.ResolveLB(tx, rec); err != nil {
			return err
		}
	}
	if is("image") || s.AllNodes() > before.Spec.Hosted.AllNodes() {
		if err := m.mayRun(tx, &wrong, *rec, derive.MostNodes(before, *rec)); err != nil {
			return err
		}
	}
	if is("image") || is("config") {
		catalog.CheckSettings(&wrong, *rec)
		logs.CheckLogLevels(&wrong, *rec)
	}
	return wrong.Err("")
}

// changeNodes begins the operation of a change, with the time that it may take
// where nodes leave, and keeps apart what belongs to nodes that will go.
func (m *Manager) changeNodes(d *decision, rec *ecp.ClusterRecord, before ecp.ClusterRecord) {
	h := rec.Spec.Hosted
	rec.Status.Ordinals = derive.OrdinalsOf(before)
	maps.DeleteFunc(rec.Status.Volumes, func(i int, _ string) bool { return i >= h.Nodes })
	derive.SetConnections(rec, before)
	derive.TellSettings(rec, before)
	moving := time.Duration(derive.MovingNodes(before, *rec)) * derive.DrainDeadline(h.Evacuation)
	d.kind, d.patience = ecp.OpUpdate, m.observed.Timings.Create+max(moving, derive.DrainTime(*rec))
}

// mergeUpdate puts the wanted spec into the record, checked and with its defaults.
func mergeUpdate(u ecp.Update, m *Manager, wrong *fault.Fields, rec *ecp.ClusterRecord) error {
	if u.Spec != nil && u.Patch != nil {
		return ecp.NewError(ecp.CodeInvalid, "", "give a whole spec or a patch, not both")
	}
	spec := rec.Spec.Clone()
	if u.Spec != nil {
		spec = u.Spec.Clone()
	}
	old := rec.Spec
	rec.Spec = spec
	switch {
	case rec.Mode == ecp.Hosted && (spec.Hosted == nil || spec.Adopted != nil),
		rec.Mode == ecp.Adopted && (spec.Adopted == nil || spec.Hosted != nil):
		wrong.Add("spec", "is not that of a cluster of the mode %s", rec.Mode)
		rec.Spec = old
	case rec.Mode == ecp.Hosted:
		if err := patch(wrong, spec.Hosted, u.Patch); err != nil {
			return err
		}
		keepHosted(spec.Hosted, *old.Hosted)
		sealing.Keep(wrong, spec.Hosted.Config, old.Hosted.Config)
		fillIn(spec.Hosted)
		validate.Hosted(wrong, *spec.Hosted)
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
func keepHosted(s *ecp.HostedSpec, old ecp.HostedSpec) {
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
	var wrong, later fault.Fields
	for _, field := range changed {
		if why := fixed[field]; why != "" {
			wrong.Add("spec."+field, "%s", why)
		} else if _, can := derive.RolledFields[field]; !can {
			later.Add("spec."+field, "cannot be changed on a cluster that is there, by this build")
		}
	}
	if err := wrong.Err(""); err != nil || len(later) == 0 {
		return err
	}
	return &ecp.Error{
		Code:    ecp.CodeUnsupported,
		Message: "this build changes " + strings.Join(slices.Sorted(maps.Keys(derive.RolledFields)), ", ") + " only",
		Fields:  later,
	}
}

// patch merges a JSON merge patch (RFC 7396) into a spec.
func patch[S any](wrong *fault.Fields, into *S, p json.RawMessage) error {
	if p == nil {
		return nil
	}
	var change any
	if err := setting.DecodeNumbers(p, &change); err != nil || !json.Valid(p) {
		return ecp.NewError(ecp.CodeInvalid, "", "the patch is not JSON")
	}
	object, ok := change.(map[string]any)
	if !ok {
		wrong.Add("spec", "is not an object")
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
	if err := setting.DecodeNumbers(was, &tree); err != nil {
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
		wrong.Add(derive.InvalidField(err), "does not have the documented form")
		return nil
	}
	*into = out
	return nil
}

// needed are the fields of a spec that have no default which a change could mean:
// the way that clients come would be another, or be gone.
var needed = []string{"nodes", "connections", "network", "network.type", "network.listeners"}

// takesAway reports whether a patch sets such a field to null, and adds which.
func takesAway(wrong *fault.Fields, change map[string]any) (does bool) {
	for _, field := range needed {
		at, last := change, field
		if outer, inner, ok := strings.Cut(field, "."); ok {
			at, _ = change[outer].(map[string]any)
			last = inner
		}
		if v, given := at[last]; given && v == nil {
			wrong.Add("spec."+field, "is null; leave it out to keep what is there, or give what it should be")
			does = true
		}
	}
	return does
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

// mayStore refuses a size that keeps its volumes in another storage class than
// the cluster's are in: no volume moves. Where one of both is the platform's
// default, only the platform knows.
func mayStore(wrong *fault.Fields, s ecp.HostedSpec, was, is ecp.Size) {
	from, to := cmp.Or(s.Storage, was.Storage.Class), cmp.Or(s.Storage, is.Storage.Class)
	if from != "" && to != "" && from != to {
		wrong.Add("spec.size", "is %q, whose volumes are of the storage class %q; those of this cluster are of %q, "+
			"and no volume changes its class: take a size of that class, or make a new cluster", is.Name, to, from)
	}
}
