package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/sealing"
	"github.com/openecp/openecp/ecp/internal/adopted"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/random"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/openecp/openecp/ecp/logs"
)

// CreateRequest asks for a cluster.
type CreateRequest struct {
	Mode        ecp.Mode
	Project     string // "org/project"; "" = "default/default"
	Name        string
	Description string
	Spec        ecp.Spec // the part of the mode; nil = all defaults where there are any
}

// Create checks a request, books its connections and stores the cluster, all
// in one transaction; Run makes it so. The operation is the zero value for an
// adopted cluster, which nothing has to be done for.
func (m *Manager) Create(ctx context.Context, r CreateRequest) (ecp.Info, ecp.Operation, error) {
	const op = "create cluster"
	if r.Project == "" {
		r.Project = "default/default"
	}
	q := change.Request{Op: op, Action: "create", Kind: ecp.KindCluster, Scope: r.Project, Asked: r,
		Taken: ecp.FieldError{
			Field:   "name",
			Message: fmt.Sprintf("a cluster named %q is there already in the project %s", r.Name, r.Project),
		}}
	if err := m.beforehand(ctx, q, func(tx ecp.Tx, a ecp.Actor) (proposal, error) {
		if err := permitProject(a, "", ecp.RightWrite, r.Project); err != nil {
			return proposal{}, err
		}
		rec, err := m.newRecord(tx, a, r)
		return proposal{is: rec}, err
	}); err != nil {
		return ecp.Info{}, ecp.Operation{}, err
	}
	out, err := change.Submit(ctx, m.Changes, q, func(w *change.Tx) (created, error) {
		if err := permitProject(w.Actor, "", ecp.RightWrite, r.Project); err != nil {
			return created{}, err
		}
		rec, err := m.newRecord(w.Tx, w.Actor, r)
		if err != nil {
			return created{}, err
		}
		if err := asPlanned(ctx, planOfCreate(rec).Hash); err != nil {
			return created{}, err
		}
		var operation ecp.Operation
		if rec.Mode == ecp.Hosted {
			operation = m.newOperation(rec, ecp.OpCreate, w.Actor, m.observed.Timings.Dispatch)
			rec.Status.Operation, rec.Status.Deadline = operation.ID, operation.Deadline
			if err := ecp.Put(w.Tx, operation, 0); err != nil {
				return created{}, err
			}
		}
		if err := change.Reserve(w.Tx, w.Actor, rec, w.Now); err != nil {
			return created{}, err
		}
		w.Note(string(rec.ID), rec.Project, nil, intentOf(rec))
		return created{rec, operation}, ecp.Put(w.Tx, rec, 0)
	})
	if err != nil {
		return ecp.Info{}, ecp.Operation{}, err
	}
	m.queue.Add(out.Cluster.ID)
	// Who repeats the call gets the same answer: what was seen of the cluster
	// since then is not for it, which may be somebody else's by now.
	return m.observed.UnseenInfo(out.Cluster), out.Operation, nil
}

// created is what a create answers.
type created struct {
	Cluster   ecp.ClusterRecord
	Operation ecp.Operation
}

// newRecord makes the record of a cluster that is asked for: checked, with
// its defaults filled in and the catalogue's entries copied.
func (m *Manager) newRecord(tx ecp.Tx, actor ecp.Actor, r CreateRequest) (ecp.ClusterRecord, error) {
	var wrong fault.Fields
	validate.Text(&wrong, r.Name, r.Description)
	now := m.observed.Now().UTC()
	rec := ecp.ClusterRecord{
		Name:        r.Name,
		Description: r.Description,
		Project:     r.Project,
		Mode:        r.Mode,
		Creator:     actor.Name,
		CreatorUser: actor.User(),
		CreatedAt:   now,
		UpdatedAt:   now,
		Spec:        r.Spec.Clone(),
		Generation:  1,
		Revision:    1,
	}
	if err := m.checkProject(tx, &wrong, r.Project); err != nil {
		return rec, err
	}
	rec.Status = ecp.Status{State: ecp.Created, Reason: ecp.ReasonByRequest, Since: now}
	switch r.Mode {
	case ecp.Hosted:
		rec.Status.State = ecp.Creating
		if err := m.completeHosted(tx, &wrong, &rec); err != nil {
			return rec, err
		}
	case ecp.Adopted:
		if rec.Spec.Adopted == nil {
			rec.Spec.Adopted = &ecp.AdoptedSpec{}
		}
		rec.Spec.Hosted = nil
		m.validateAdopted(&wrong, *rec.Spec.Adopted, ecp.AdoptedSpec{})
		if err := errors.Join(wrong.Err(""), limitAtCreation(*rec.Spec.Adopted)); err != nil {
			return rec, err
		}
		rec.Status.Conditions = adopted.Conditions(adopted.NewView(m.observed.Timings, now, rec, nil,
			adopted.Snapshot{At: now, NoAddress: m.observed.AgentAddress == ""}))
	default:
		wrong.Add("mode", `is %q; "hosted" and "adopted" are allowed`, r.Mode)
	}
	if err := wrong.Err(""); err != nil {
		return rec, err
	}
	id, err := freeID(tx)
	rec.ID = id
	if err == nil && rec.Mode == ecp.Hosted {
		err = errors.Join(m.settings.Seal(&wrong, id, rec.Spec.Hosted, nil), wrong.Err(""))
	}
	derive.AddChangeID(&rec)
	return rec, err
}

func (m *Manager) checkProject(tx ecp.Tx, wrong *fault.Fields, path string) error {
	if why := ecp.ValidateProject(path); why != "" {
		wrong.Add("project", "%s", why)
		return nil
	}
	_, _, err := ecp.Get[ecp.Project](tx, path)
	if errors.Is(err, ecp.ErrNotFound) {
		wrong.Add("project", "there is no project %q", path)
		return nil
	}
	return err
}

// completeHosted fills a hosted spec's defaults in, checks it, and copies what
// it names from the catalogues.
func (m *Manager) completeHosted(tx ecp.Tx, wrong *fault.Fields, rec *ecp.ClusterRecord) error {
	if rec.Spec.Hosted == nil {
		rec.Spec.Hosted = &ecp.HostedSpec{}
	}
	rec.Spec.Adopted = nil
	s := rec.Spec.Hosted
	fillIn(s)
	sealing.Keep(wrong, s.Config, nil)
	validate.Hosted(wrong, *s)
	image, err := pick(tx, wrong, "spec.image", s.Image, func(i ecp.Image) (string, bool) { return i.ID, i.Default })
	if err != nil {
		return err
	}
	size, err := pick(tx, wrong, "spec.size", s.Size, func(z ecp.Size) (string, bool) { return z.Name, z.Default })
	if err != nil {
		return err
	}
	if err := m.Catalog.MayServe(tx, wrong, s.Network.Certificate); err != nil {
		return err
	}
	s.Image, s.Size = image.ID, size.Name
	if s.Hibernation != (ecp.Hibernation{}) {
		rec.Status.Sleep.Handled = rec.CreatedAt
	}
	if err := resolve(tx, rec, image, size); err != nil {
		return err
	}
	if err := resolveReplicants(tx, wrong, rec); err != nil {
		return err
	}
	p, err := m.targetFor(tx, wrong, s.Target)
	if err != nil || p == nil {
		return err
	}
	if err := derive.ReplicantsRefusal(*rec, p); err != nil {
		return err
	}
	derive.SetRender(rec, p, derive.NewestRender(p))
	if why := wrongFamily(rec.Resolved.Image.Version, networkOf(p)); why != "" {
		wrong.Add("spec.image", "%s", why)
	}
	if err := m.mayRun(tx, wrong, *rec, 0); err != nil {
		return err
	}
	catalog.CheckSettings(wrong, *rec)
	logs.CheckLogLevels(wrong, *rec)
	logs.CheckReferences(wrong, *rec, nil)
	return nil
}

// resolve notes what the catalogues say now of what a spec names: the cluster
// keeps it, whatever becomes of the catalogues.
func resolve(tx ecp.Tx, rec *ecp.ClusterRecord, image ecp.Image, size ecp.Size) (err error) {
	image.Revision, size.Revision = 0, 0
	rec.Resolved = ecp.Resolved{Image: image, Size: size}
	derive.SetConnections(rec, *rec)
	if rec.Resolved.Registry, err = catalog.RegistryOf(tx, image); err != nil {
		return err
	}
	if rec.Resolved.License, err = catalog.LicenseFor(tx, image); err != nil {
		return err
	}
	return catalog.ResolveLB(tx, rec)
}

// resolveReplicants notes the size of replicants. Of those that leave it stays.
func resolveReplicants(tx ecp.Tx, wrong *fault.Fields, rec *ecp.ClusterRecord) error {
	want := rec.Spec.Hosted.Replicants
	size := rec.Resolved.Size
	if want.Size != "" {
		var err error
		if size, err = pick(tx, wrong, "spec.replicants.size", want.Size,
			func(z ecp.Size) (string, bool) { return z.Name, false }); err != nil {
			return err
		}
	}
	if size.Revision = 0; want.Nodes > 0 {
		rec.Resolved.ReplicantSize = size
	}
	return nil
}

// fillIn sets the defaults of a hosted spec.
func fillIn(s *ecp.HostedSpec) {
	if s.Power == "" {
		s.Power = ecp.PowerOn
	}
	if s.Target == "" {
		s.Target = "default"
	}
	if s.Network.Type == "" {
		s.Network.Type = ecp.ClusterIP
	}
	if len(s.Network.Listeners) == 0 {
		for _, p := range ecp.Protocols() {
			s.Network.Listeners = append(s.Network.Listeners, ecp.Listener{Protocol: p})
		}
	}
	for i, l := range s.Network.Listeners {
		if l.Port == 0 {
			s.Network.Listeners[i].Port = l.Protocol.ContainerPort()
		}
	}
}

// pick finds a catalogue entry by name, or the default one for "".
func pick[P ecp.Payload](
	tx ecp.Tx, wrong *fault.Fields, field, name string, describe func(P) (string, bool),
) (P, error) {
	var zero P
	var known []string
	for p, err := range ecp.List[P](tx, ecp.Query{}) {
		if err != nil {
			return zero, err
		}
		key, dflt := describe(p)
		if key == name || (name == "" && dflt) {
			return p, nil
		}
		known = append(known, key)
	}
	if name == "" {
		wrong.Add(field, "is missing and the catalogue has no default; it has %v", known)
	} else {
		wrong.Add(field, "there is no %q in the catalogue; it has %v", name, known)
	}
	return zero, nil
}

// freeID draws an id that no cluster has or had.
func freeID(tx ecp.Tx) (ecp.ID, error) {
	for range 16 {
		id := newID()
		if id == probeID {
			continue
		}
		_, errCluster := tx.Get(ecp.KindCluster, string(id))
		_, errTombstone := tx.Get(ecp.KindTombstone, string(id))
		if errors.Is(errCluster, ecp.ErrNotFound) && errors.Is(errTombstone, ecp.ErrNotFound) {
			return id, nil
		}
	}
	return "", errors.New("no free cluster id was found in 16 draws")
}

// newID draws a random id; whoever stores it checks that it is new.
func newID() ecp.ID { return ecp.ID("emqx-" + random.Hex(4)) }

// permitProject is [ecp.Actor.Permit] for a project that the caller has named: the
// error says which one.
func permitProject(a ecp.Actor, op string, right ecp.Right, path string) error {
	err := a.Permit(op, right, path)
	if !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	return &ecp.Error{
		Code: ecp.CodeNotFound, Op: op, Message: fmt.Sprintf("there is no project %q", path), Cause: ecp.ErrNoRight,
		Fields: []ecp.FieldError{{Field: "project", Message: "is not there, or not yours to see"}},
	}
}
