package ecp

import (
	"context"
	"errors"
	"fmt"
)

// CreateRequest asks for a cluster.
type CreateRequest struct {
	Mode        Mode
	Project     string // "org/project"; "" = "default/default"
	Name        string
	Description string
	Spec        Spec // the part of the mode; nil = all defaults where there are any
}

// Create checks a request, books its connections and stores the cluster, all
// in one transaction; Run makes it so. The operation is the zero value for an
// adopted cluster, which nothing has to be done for.
func (m *Manager) Create(ctx context.Context, r CreateRequest) (Info, Operation, error) {
	const op = "create cluster"
	if r.Project == "" {
		r.Project = "default/default"
	}
	q := request{op: op, action: "create", kind: KindCluster, scope: r.Project, asked: r,
		taken: FieldError{"name", fmt.Sprintf("a cluster named %q is there already in the project %s", r.Name, r.Project)}}
	if err := m.beforehand(ctx, q, func(tx Tx, a Actor) (proposal, error) {
		if err := a.permitProject("", RightWrite, r.Project); err != nil {
			return proposal{}, err
		}
		rec, err := m.newRecord(tx, a, r)
		return proposal{is: rec}, err
	}); err != nil {
		return Info{}, Operation{}, err
	}
	out, err := submit(ctx, m.Writer, q, func(w *work) (created, error) {
		if err := w.actor.permitProject("", RightWrite, r.Project); err != nil {
			return created{}, err
		}
		rec, err := m.newRecord(w.Tx, w.actor, r)
		if err != nil {
			return created{}, err
		}
		var operation Operation
		if rec.Mode == Hosted {
			operation = m.newOperation(rec, OpCreate, w.actor, m.timings.Dispatch)
			rec.Status.Operation, rec.Status.Deadline = operation.ID, operation.Deadline
			if err := Put(w.Tx, operation, 0); err != nil {
				return created{}, err
			}
		}
		if err := mayBook(w.Tx, 0, rec.Spec.Connections()+1, w.now); err != nil {
			return created{}, err
		}
		if err := reserve(w.Tx, w.actor, bookingOf(rec)); err != nil {
			return created{}, err
		}
		w.note(string(rec.ID), rec.Project, nil, intentOf(rec))
		return created{rec, operation}, Put(w.Tx, rec, 0)
	})
	if err != nil {
		return Info{}, Operation{}, err
	}
	m.queue.add(out.Cluster.ID)
	// Who repeats the call gets the same answer: what was seen of the cluster
	// since then is not for it, which may be somebody else's by now.
	return m.unseen(out.Cluster), out.Operation, nil
}

// created is what a create answers.
type created struct {
	Cluster   ClusterRecord
	Operation Operation
}

// newRecord makes the record of a cluster that is asked for: checked, with
// its defaults filled in and the catalogue's entries copied.
func (m *Manager) newRecord(tx Tx, actor Actor, r CreateRequest) (ClusterRecord, error) {
	var wrong problems
	validateText(&wrong, r.Name, r.Description)
	now := m.now().UTC()
	rec := ClusterRecord{
		Name: r.Name, Description: r.Description, Project: r.Project, Mode: r.Mode, Creator: actor.Name, CreatorUser: actor.user(),
		CreatedAt: now, UpdatedAt: now, Spec: r.Spec.Clone(), Generation: 1, Revision: 1,
	}
	if err := m.checkProject(tx, &wrong, r.Project); err != nil {
		return rec, err
	}
	rec.Status = Status{State: Created, Reason: ReasonByRequest, Since: now}
	switch r.Mode {
	case Hosted:
		rec.Status.State = Creating
		if err := m.completeHosted(tx, &wrong, &rec); err != nil {
			return rec, err
		}
	case Adopted:
		if rec.Spec.Adopted == nil {
			rec.Spec.Adopted = &AdoptedSpec{}
		}
		rec.Spec.Hosted = nil
		m.validateAdopted(&wrong, *rec.Spec.Adopted, AdoptedSpec{})
		if err := errors.Join(wrong.err(""), limitAtCreation(*rec.Spec.Adopted)); err != nil {
			return rec, err
		}
		rec.Status.Conditions = adoptedConditions(newAdoptedView(m.timings, now, rec, nil, adoptedLook{At: now, NoAddress: m.agentAddress == ""}))
	default:
		wrong.add("mode", `is %q; "hosted" and "adopted" are allowed`, r.Mode)
	}
	if err := wrong.err(""); err != nil {
		return rec, err
	}
	id, err := freeID(tx)
	rec.ID = id
	if err == nil && rec.Mode == Hosted {
		err = errors.Join(m.sealSettings(&wrong, id, rec.Spec.Hosted, nil), wrong.err(""))
	}
	noteChange(&rec)
	return rec, err
}

func (m *Manager) checkProject(tx Tx, wrong *problems, path string) error {
	if why := ValidateProject(path); why != "" {
		wrong.add("project", "%s", why)
		return nil
	}
	_, _, err := Get[Project](tx, path)
	if errors.Is(err, ErrNotFound) {
		wrong.add("project", "there is no project %q", path)
		return nil
	}
	return err
}

// completeHosted fills a hosted spec's defaults in, checks it, and copies what
// it names from the catalogues.
func (m *Manager) completeHosted(tx Tx, wrong *problems, rec *ClusterRecord) error {
	if rec.Spec.Hosted == nil {
		rec.Spec.Hosted = &HostedSpec{}
	}
	rec.Spec.Adopted = nil
	s := rec.Spec.Hosted
	fillIn(s)
	keepSettings(wrong, s.Config, nil)
	validateHosted(wrong, *s)
	image, err := pick(tx, wrong, "spec.image", s.Image, func(i Image) (string, bool) { return i.ID, i.Default })
	if err != nil {
		return err
	}
	size, err := pick(tx, wrong, "spec.size", s.Size, func(z Size) (string, bool) { return z.Name, z.Default })
	if err != nil {
		return err
	}
	s.Image, s.Size = image.ID, size.Name
	if err := resolve(tx, rec, image, size); err != nil {
		return err
	}
	p, err := m.targetFor(tx, wrong, s.Target)
	if err != nil || p == nil {
		return err
	}
	rec.Status.RenderVersion = newestRender(p)
	if why := wrongFamily(rec.Resolved.Image.Version, networkOf(p)); why != "" {
		wrong.add("spec.image", "%s", why)
	}
	mayCluster(wrong, *rec)
	mayLog(wrong, *rec)
	mayRefer(wrong, *rec, nil)
	return nil
}

// mayCluster: from 5.9 on what EMQX brings along is for one node.
func mayCluster(wrong *problems, rec ClusterRecord) {
	v, ok := ParseVersion(rec.Resolved.Image.Version)
	if n := rec.Spec.Hosted.Nodes; ok && n > 1 && !v.Before(Version{5, 9, 0}) && rec.Resolved.Licence == "" {
		wrong.add("spec.nodes", "is %d; EMQX %s runs more than one node only with a licence, and the catalogue has no default one for 5.x", n, rec.Resolved.Image.Version)
	}
}

// resolve notes what the catalogues say now of what a spec names: the cluster
// keeps it, whatever becomes of the catalogues.
func resolve(tx Tx, rec *ClusterRecord, image Image, size Size) (err error) {
	image.Revision, size.Revision = 0, 0
	rec.Resolved = Resolved{Image: image, Size: size, Connections: rec.Spec.Connections()}
	if rec.Resolved.Registry, err = registryOf(tx, image); err != nil {
		return err
	}
	if rec.Resolved.Licence, err = licenceFor(tx, image); err != nil {
		return err
	}
	return resolveLB(tx, rec)
}

// fillIn sets the defaults of a hosted spec.
func fillIn(s *HostedSpec) {
	if s.Power == "" {
		s.Power = PowerOn
	}
	if s.Target == "" {
		s.Target = "default"
	}
	if s.Network.Type == "" {
		s.Network.Type = ClusterIP
	}
	if len(s.Network.Listeners) == 0 {
		for _, p := range Protocols() {
			s.Network.Listeners = append(s.Network.Listeners, Listener{Protocol: p})
		}
	}
	for i, l := range s.Network.Listeners {
		if l.Port == 0 {
			s.Network.Listeners[i].Port = l.Protocol.ContainerPort()
		}
	}
}

// pick finds a catalogue entry by name, or the default one for "".
func pick[P Payload](tx Tx, wrong *problems, field, name string, describe func(P) (string, bool)) (P, error) {
	var zero P
	var known []string
	for p, err := range List[P](tx, Query{}) {
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
		wrong.add(field, "is missing and the catalogue has no default; it has %v", known)
	} else {
		wrong.add(field, "there is no %q in the catalogue; it has %v", name, known)
	}
	return zero, nil
}

// freeID draws an id that no cluster has or had.
func freeID(tx Tx) (ID, error) {
	for range 16 {
		id := newID()
		if id == probeID {
			continue
		}
		_, errCluster := tx.Get(KindCluster, string(id))
		_, errTombstone := tx.Get(KindTombstone, string(id))
		if errors.Is(errCluster, ErrNotFound) && errors.Is(errTombstone, ErrNotFound) {
			return id, nil
		}
	}
	return "", errors.New("no free cluster id was found in 16 draws")
}

// explain gives an error the operation it happened in, and a store's exists
// the field and words a user understands.
func explain(op string, err error, field, exists string) error {
	var e *Error
	if !errors.As(err, &e) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return &Error{Code: CodeUnavailable, Op: op, Message: "it was given up before it was done: the caller went away or its time was over", Cause: err}
	}
	if !errors.As(err, &e) {
		return &Error{Code: CodeInternal, Op: op, Message: "it could not be stored; the log has the cause", Cause: err}
	}
	out := *e
	out.Op = op
	if e.Code == CodeExists && exists != "" {
		out.Code, out.Message = CodeExists, "the name is taken"
		out.Fields = []FieldError{{Field: field, Message: exists}}
	}
	return &out
}
