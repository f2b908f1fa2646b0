package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
)

// Orgs lists the organisations the actor has a grant in.
func (d *Directory) Orgs(ctx context.Context) ([]ecp.Org, error) {
	return listVisible(ctx, d.store, "list organisations", ecp.Query{},
		func(a ecp.Actor, o ecp.Org) bool { return a.Sees(o.Name) })
}

// Org returns an organisation.
func (d *Directory) Org(ctx context.Context, name string) (ecp.Org, error) {
	return readVisible(ctx, d.store, "read organisation "+name, "organisation", name,
		func(a ecp.Actor, o ecp.Org) bool { return a.Sees(o.Name) })
}

// CreateOrg creates an organisation. It needs [ecp.RightAdmin].
func (d *Directory) CreateOrg(ctx context.Context, name, description string) (ecp.Org, error) {
	q := change.Request{
		Op:     "create organisation",
		Action: "create",
		Kind:   ecp.KindOrg,
		Asked:  []string{name, description},
		Taken:  ecp.FieldError{Field: "name", Message: fmt.Sprintf("there is an organisation %q already", name)},
	}
	return change.Submit(ctx, d.changes, q, func(w *change.Tx) (ecp.Org, error) {
		o := ecp.Org{Name: name, Description: description, CreatedAt: w.Now, Revision: 1}
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return o, err
		}
		var wrong fault.Fields
		if why := ecp.ValidateOrg(name); why != "" {
			wrong.Add("name", "%s", why)
		}
		validate.Description(&wrong, description)
		if err := wrong.Err(""); err != nil {
			return o, err
		}
		w.Note(o.Name, o.Name, nil, o)
		return o, ecp.Put(w.Tx, o, 0)
	})
}

// UpdateOrg changes the description of an organisation. An ifRevision other than 0 must
// be the present revision.
func (d *Directory) UpdateOrg(ctx context.Context, name, description string, ifRevision int64) (ecp.Org, error) {
	q := change.Request{
		Op:     "change organisation " + name,
		Action: "update",
		Kind:   ecp.KindOrg,
		Key:    name,
		Scope:  name,
		Asked:  []any{description, ifRevision},
	}
	return change.Submit(ctx, d.changes, q, func(w *change.Tx) (ecp.Org, error) {
		o, err := orgForChange(w, name, ecp.RightProjects)
		if err != nil {
			return o, err
		}
		var wrong fault.Fields
		validate.Description(&wrong, description)
		if err := errors.Join(wrong.Err(""), change.CheckRevision(ifRevision, o.Revision)); err != nil {
			return o, err
		}
		before := o
		if o.Description = description; before == o {
			return o, nil
		}
		o.Revision++
		w.Note(name, name, before, o)
		return o, ecp.Put(w.Tx, o, ecp.AnyVersion)
	})
}

// DeleteOrg deletes an organisation that has no projects, users and tokens.
func (d *Directory) DeleteOrg(ctx context.Context, name string, ifRevision int64) error {
	q := change.Request{
		Op:     "delete organisation " + name,
		Action: "delete",
		Kind:   ecp.KindOrg,
		Key:    name,
		Scope:  name,
		Asked:  ifRevision,
	}
	return change.Do(ctx, d.changes, q, func(w *change.Tx) error {
		o, err := orgForChange(w, name, ecp.RightAdmin)
		if err != nil {
			return err
		}
		if err := change.CheckRevision(ifRevision, o.Revision); err != nil {
			return err
		}
		projects, err := change.UsesOf(w.Tx, "project", ecp.Query{Parent: name},
			func(p ecp.Project) (string, bool) { return p.Path, true })
		if err != nil {
			return err
		}
		people, err := granted(w.Tx, func(g ecp.Grant) bool { return orgOf(g) == name })
		if err != nil {
			return err
		}
		if err := change.InUse(append(people, projects)...); err != nil {
			return err
		}
		w.Note(name, name, o, nil)
		return errors.Join(w.Remove(ecp.KindQuota, name), w.Delete(ecp.KindOrg, name))
	})
}

// orgForChange returns an organisation for a change that needs a right in it.
func orgForChange(w *change.Tx, name string, right ecp.Right) (ecp.Org, error) {
	o, _, err := ecp.Get[ecp.Org](w.Tx, name)
	if errors.Is(err, ecp.ErrNotFound) || (err == nil && !w.Actor.Sees(name)) {
		return o, fault.NotFound("organisation", name, err)
	}
	if err != nil {
		return o, err
	}
	where := name
	if right == ecp.RightAdmin {
		where = ""
	}
	return o, w.Permit(right, where)
}

// Projects lists the projects that the actor may read. An empty org means those of every
// organisation.
func (d *Directory) Projects(ctx context.Context, org string) ([]ecp.Project, error) {
	return listVisible(ctx, d.store, "list projects", ecp.Query{}, func(a ecp.Actor, p ecp.Project) bool {
		return (org == "" || p.Org() == org) && a.May(ecp.RightRead, p.Path)
	})
}

// Project returns a project by its path, "org/project".
func (d *Directory) Project(ctx context.Context, path string) (ecp.Project, error) {
	return readVisible(ctx, d.store, "read project "+path, "project", path,
		func(a ecp.Actor, p ecp.Project) bool { return a.May(ecp.RightRead, p.Path) })
}

// CreateProject creates a project in an organisation that exists.
func (d *Directory) CreateProject(ctx context.Context, path, description string) (ecp.Project, error) {
	q := change.Request{
		Op:     "create project",
		Action: "create",
		Kind:   ecp.KindProject,
		Scope:  ecp.Project{Path: path}.Org(),
		Asked:  []string{path, description},
		Taken:  ecp.FieldError{Field: "path", Message: fmt.Sprintf("there is a project %q already", path)},
	}
	return change.Submit(ctx, d.changes, q, func(w *change.Tx) (ecp.Project, error) {
		p := ecp.Project{Path: path, Description: description, CreatedAt: w.Now, Revision: 1}
		var wrong fault.Fields
		if why := ecp.ValidateProject(path); why != "" {
			if !w.Actor.May(ecp.RightProjects, "") {
				return p, w.Permit(ecp.RightProjects, "")
			}
			wrong.Add("path", "%s", why)
		} else if _, err := orgForChange(w, p.Org(), ecp.RightProjects); err != nil {
			return p, err
		}
		validate.Description(&wrong, description)
		if err := wrong.Err(""); err != nil {
			return p, err
		}
		if err := d.roomForProject(w.Tx, p); err != nil {
			return p, err
		}
		w.Note(p.Path, p.Path, nil, p)
		return p, ecp.Put(w.Tx, p, 0)
	})
}

// roomForProject refuses a project too many. What exists already is left to
// the store to refuse.
func (d *Directory) roomForProject(tx ecp.Tx, p ecp.Project) error {
	all, inOrg := 0, 0
	for other, err := range ecp.List[ecp.Project](tx, ecp.Query{}) {
		if err != nil {
			return err
		}
		if other.Path == p.Path {
			return nil
		}
		if all++; other.Org() == p.Org() {
			inOrg++
		}
	}
	quota := func(format string, args ...any) error {
		return &ecp.Error{
			Code:    ecp.CodeQuotaExceeded,
			Message: fmt.Sprintf(format, args...) + "; delete one first, or have the limit raised",
		}
	}
	switch {
	case inOrg >= d.projectsPerOrg:
		return quota("the organisation %s has %d projects, which is the limit of one", p.Org(), inOrg)
	case all >= d.projects:
		return quota("there are %d projects, which is the limit", all)
	}
	return nil
}

// UpdateProject changes the description of a project. An ifRevision other than 0 must be
// the present revision.
func (d *Directory) UpdateProject(
	ctx context.Context, path, description string, ifRevision int64,
) (ecp.Project, error) {
	q := change.Request{
		Op:     "change project " + path,
		Action: "update",
		Kind:   ecp.KindProject,
		Key:    path,
		Scope:  path,
		Asked:  []any{description, ifRevision},
	}
	return change.Submit(ctx, d.changes, q, func(w *change.Tx) (ecp.Project, error) {
		p, err := projectForChange(w, path)
		if err != nil {
			return p, err
		}
		var wrong fault.Fields
		validate.Description(&wrong, description)
		if err := errors.Join(wrong.Err(""), change.CheckRevision(ifRevision, p.Revision)); err != nil {
			return p, err
		}
		before := p
		if p.Description = description; before == p {
			return p, nil
		}
		p.Revision++
		w.Note(path, path, before, p)
		return p, ecp.Put(w.Tx, p, ecp.AnyVersion)
	})
}

// DeleteProject deletes a project that has no clusters, and in which nobody has a grant.
func (d *Directory) DeleteProject(ctx context.Context, path string, ifRevision int64) error {
	q := change.Request{
		Op:     "delete project " + path,
		Action: "delete",
		Kind:   ecp.KindProject,
		Key:    path,
		Scope:  path,
		Asked:  ifRevision,
	}
	return change.Do(ctx, d.changes, q, func(w *change.Tx) error {
		p, err := projectForChange(w, path)
		if err != nil {
			return err
		}
		if err := change.CheckRevision(ifRevision, p.Revision); err != nil {
			return err
		}
		clusters, err := change.UsesOf(w.Tx, "cluster", ecp.Query{Project: path},
			func(r ecp.ClusterRecord) (string, bool) { return r.Name, true })
		if err != nil {
			return err
		}
		people, err := granted(w.Tx, func(g ecp.Grant) bool { return g.Project == path })
		if err != nil {
			return err
		}
		if err := change.InUse(append(people, clusters)...); err != nil {
			return err
		}
		w.Note(path, path, p, nil)
		return errors.Join(w.Remove(ecp.KindQuota, path), w.Delete(ecp.KindProject, path))
	})
}

// projectForChange returns a project for a change of it.
func projectForChange(w *change.Tx, path string) (ecp.Project, error) {
	p, _, err := ecp.Get[ecp.Project](w.Tx, path)
	if errors.Is(err, ecp.ErrNotFound) || (err == nil && !w.Actor.May(ecp.RightRead, path)) {
		return p, fault.NotFound("project", path, err)
	}
	if err != nil {
		return p, err
	}
	p.Revision = max(p.Revision, 1)
	return p, w.Permit(ecp.RightProjects, p.Org())
}
