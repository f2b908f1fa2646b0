package fleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/fleet/internal/putback"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// carryTakeOver lets the record say what the objects say.
func (m *Manager) carryTakeOver(tx ecp.Tx, d *decision, rec *ecp.ClusterRecord) error {
	f, _ := m.observed.Found(rec.ID)
	there, err := derive.ReadManifest(f)
	if err != nil {
		return noManifest(err)
	}
	spec, err := there.SpecWith(rec.Spec.Hosted.Config)
	if err != nil {
		return err
	}
	spec.Target = rec.Spec.Hosted.Target // targets may have been given other names
	if err := m.mayTakeOver(tx, *rec, there, spec); err != nil {
		return err
	}
	d.notes = append([]string{fmt.Sprintf("the record of generation %d becomes what the objects say, generation %d",
		rec.Generation, f.Generation)},
		putback.Differences(*rec.Spec.Hosted, spec, "record: ")...)
	if names := there.Settings; len(names) > 0 {
		d.notes = append(d.notes,
			"these settings may be secrets and are not kept with the objects, those recorded stay: "+
				strings.Join(names, ", "))
	}
	rec.Spec.Hosted, rec.Resolved, rec.Restarts = &spec, there.Resolved, there.Restarts
	rec.Status.RenderVersion, rec.Status.RunTimeConfig = there.RenderVersion, there.RunTimeConfig
	rec.Status.Untold = nil
	m.standOn(rec, f)
	d.notes = append(d.notes, leaveAlone(rec, f))
	d.kind, d.patience = ecp.OpTakeOver, m.observed.Timings.Create+
		time.Duration(derive.MostNodes(*rec, *rec))*derive.DrainDeadline(spec.Evacuation)
	return nil
}

// mayTakeOver says why a record cannot become what the objects say: something it
// names is not there.
func (m *Manager) mayTakeOver(tx ecp.Tx, rec ecp.ClusterRecord, there derive.Manifest, spec ecp.HostedSpec) error {
	if p, err := m.observed.Provisioner(rec); err == nil {
		if newest := derive.NewestRender(p); newest > 0 && there.RenderVersion > newest {
			return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("the objects are of rendering %d, this build knows "+
				"1 to %d; run the newer build that made them", there.RenderVersion, newest))
		}
	}
	for _, named := range []struct {
		kind      ecp.Kind
		key, word string
	}{
		{ecp.KindRegistry, there.Resolved.Registry, "registry"}, {ecp.KindLicense, there.Resolved.License, "license"},
		{ecp.KindCertificate, spec.Network.Certificate, "certificate"},
	} {
		if named.key == "" {
			continue
		}
		_, err := tx.Get(named.kind, named.key)
		if errors.Is(err, ecp.ErrNotFound) {
			return ecp.NewError(ecp.CodeConflict, "", fmt.Sprintf("the cluster uses the %s %q, which the catalogue "+
				"does not have; make it first", named.word, named.key))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func noManifest(err error) error {
	return &ecp.Error{
		Code:    ecp.CodeOf(err),
		Message: ecp.MessageOf(err) + "; put-back makes it what is recorded, delete with force removes it",
		Cause:   err,
	}
}

// carryPutBack lets the objects become what the record says, from wherever they are.
func (m *Manager) carryPutBack(d *decision, rec *ecp.ClusterRecord) error {
	f, _ := m.observed.Found(rec.ID)
	there, unknown := derive.ReadManifest(f)
	before := rec.Clone()
	spec := rec.Spec.Hosted
	m.standOn(rec, f)
	if err := mayPutBack(*rec, f, there, unknown); err != nil {
		return err
	}
	if unknown == nil { // lower numbers would replace nodes for nothing
		rec.Restarts = max(rec.Restarts, there.Restarts)
		if p, err := m.observed.Provisioner(*rec); err == nil {
			rec.Status.RenderVersion = max(rec.Status.RenderVersion, min(there.RenderVersion, derive.NewestRender(p)))
		}
	}
	derive.SetConnections(rec, *rec)
	d.notes = putback.Notes(before, *rec, f, there, unknown)
	d.kind, d.patience = ecp.OpPutBack, m.observed.Timings.Create+
		time.Duration(derive.MostNodes(*rec, *rec))*derive.DrainDeadline(spec.Evacuation)
	return nil
}

// mayPutBack refuses a change of version that the image rules forbid.
func mayPutBack(rec ecp.ClusterRecord, f ecp.Observation, there derive.Manifest, unknown error) error {
	refuse := func(why string) error {
		return &ecp.Error{
			Code:    ecp.CodeUnsupported,
			Message: "what is recorded cannot be put back",
			Fields:  []ecp.FieldError{{Field: "spec.image", Message: why + "; take-over records what is there"}},
		}
	}
	if unknown == nil {
		if why := catalog.MayBecome(there.Resolved.Image.Version, rec.Resolved.Image.Version,
			derive.MostNodes(rec, rec)); why != "" {
			return refuse(why)
		}
		return nil
	}
	for _, n := range f.Nodes {
		if n.Image != rec.Resolved.Image.Reference {
			return refuse(fmt.Sprintf(
				"node %s runs the image %s and would get %s, and what version that is nothing says", n.Pod, n.Image,
				rec.Resolved.Image.Reference,
			))
		}
	}
	return nil
}

// standOn lets a record start from what was found, on a generation of its own
// that is newer than both: a person has decided what counts.
func (m *Manager) standOn(rec *ecp.ClusterRecord, f ecp.Observation) {
	rec.Generation = max(rec.Generation, f.Generation) + 1
	if f.ChangeID != "" {
		rec.Changes = append(slices.Clip(rec.Changes), ecp.ChangeID{Generation: f.Generation, ID: f.ChangeID})
	}
	st, nodes := &rec.Status, rec.Spec.Hosted.Nodes
	st.Dispatched, st.Seen, st.Auth, st.Draining, st.Previous, st.Removing = true, true, f.Auth, nil, nil, 0
	st.Cordoned = nil
	st.Ordinals = max(nodes, f.Replicas)
	for _, n := range derive.OfRole(f.Nodes, ecp.RoleCore) {
		st.Ordinals = max(st.Ordinals, n.Ordinal+1)
	}
	st.Volumes = map[int]string{}
	for _, v := range f.Volumes {
		if f.Replicas > nodes {
			st.Ordinals = max(st.Ordinals, v.Ordinal+1) // nodes were on their way out
		}
		if v.Bound && !v.Terminating && v.Ordinal < nodes {
			st.Volumes[v.Ordinal] = v.UID
		}
	}
}

// leaveAlone lets nodes and volumes be as they were found, but for a change of
// image that was on its way, and says so.
func leaveAlone(rec *ecp.ClusterRecord, f ecp.Observation) string {
	others := 0
	for _, n := range f.Nodes {
		if n.Outdated && n.Image != rec.Resolved.Image.Reference {
			others++
		}
	}
	rec.Status.KeepVolumes = f.Replicas <= rec.Spec.Hosted.Nodes
	rec.Status.KeepOutdated = others == 0
	if others > 0 {
		return "a change of image was on its way and goes on: " + some(others, "is replaced",
			"are replaced, one at a time")
	}
	return "no node is replaced and no volume deleted for it"
}
