package ecp

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Org is an organisation: projects and the people who run them.
type Org struct {
	Name        string    `json:"name"` // lower-case letters, digits and "-"; never changes
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"createdAt"`
	Revision    int64     `json:"revision"` // grows with every change; the ETag
}

// Project is a tenant of an organisation; its path is "org/project".
type Project struct {
	Path        string    `json:"path"` // never changes
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"createdAt"`
	Revision    int64     `json:"revision,omitempty"` // grows with every change; the ETag
}

// Org gives the organisation's name.
func (p Project) Org() string {
	org, _, _ := strings.Cut(p.Path, "/")
	return org
}

// Describe gives kind, key and index.
func (o Org) Describe() (Kind, string, Index) { return KindOrg, o.Name, Index{} }

// Copy gives o itself: it holds no reference.
func (o Org) Copy() Payload { return o }

// Describe gives kind, key and index: a project is found by its organisation.
func (p Project) Describe() (Kind, string, Index) {
	return KindProject, p.Path, Index{Parent: p.Org()}
}

// Copy gives p itself: it holds no reference.
func (p Project) Copy() Payload { return p }

var orgForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateOrg says what is wrong with the form of an organisation's name; "" if nothing.
func ValidateOrg(name string) string {
	if orgForm.MatchString(name) {
		return ""
	}
	return `is not a name of 1 to 63 lower-case letters, digits and "-"`
}

func validateDescription(p *problems, text string) {
	if n := utf8.RuneCountInString(text); n > MaxDescription {
		p.add("description", "has %d characters; at most %d are allowed", n, MaxDescription)
	}
	if !utf8.ValidString(text) {
		p.add("description", "is not valid UTF-8")
	}
	if i := strings.IndexFunc(text, deceives); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		p.add("description", "has the character %U, which cannot be shown or changes how others are", r)
	}
}

// deceives reports whether a character has no place in a text for people:
// control characters but line end and tab, and those that turn the direction
// of what stands around them (U+202A to U+202E, U+2066 to U+2069).
func deceives(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Orgs lists the organisations the actor has a grant in.
func (d *Directory) Orgs(ctx context.Context) ([]Org, error) {
	return listVisible(ctx, d.store, "list organisations", Query{}, func(a Actor, o Org) bool { return a.sees(o.Name) })
}

// Org gives an organisation by its name.
func (d *Directory) Org(ctx context.Context, name string) (Org, error) {
	return readVisible(ctx, d.store, "read organisation "+name, "organisation", name, func(a Actor, o Org) bool { return a.sees(o.Name) })
}

// CreateOrg makes an organisation.
func (d *Directory) CreateOrg(ctx context.Context, name, description string) (Org, error) {
	q := request{op: "create organisation", action: "create", kind: KindOrg, asked: []string{name, description},
		taken: FieldError{"name", fmt.Sprintf("there is an organisation %q already", name)}}
	return submit(ctx, d.changes, q, func(w *work) (Org, error) {
		o := Org{Name: name, Description: description, CreatedAt: w.now, Revision: 1}
		if err := w.permit(RightAdmin, ""); err != nil {
			return o, err
		}
		var wrong problems
		if why := ValidateOrg(name); why != "" {
			wrong.add("name", "%s", why)
		}
		validateDescription(&wrong, description)
		if err := wrong.err(""); err != nil {
			return o, err
		}
		w.note(o.Name, o.Name, nil, o)
		return o, Put(w.Tx, o, 0)
	})
}

// UpdateOrg changes what an organisation is described as.
func (d *Directory) UpdateOrg(ctx context.Context, name, description string, ifRevision int64) (Org, error) {
	q := request{op: "change organisation " + name, action: "update", kind: KindOrg, key: name, scope: name, asked: []any{description, ifRevision}}
	return submit(ctx, d.changes, q, func(w *work) (Org, error) {
		o, err := orgForChange(w, name, RightProjects)
		if err != nil {
			return o, err
		}
		var wrong problems
		validateDescription(&wrong, description)
		if err := errors.Join(wrong.err(""), checkRevision(ifRevision, o.Revision)); err != nil {
			return o, err
		}
		before := o
		if o.Description = description; same(before, o) {
			return o, nil
		}
		o.Revision++
		w.note(name, name, before, o)
		return o, Put(w.Tx, o, AnyVersion)
	})
}

// DeleteOrg removes an organisation without projects and people.
func (d *Directory) DeleteOrg(ctx context.Context, name string, ifRevision int64) error {
	q := request{op: "delete organisation " + name, action: "delete", kind: KindOrg, key: name, scope: name, asked: ifRevision}
	return do(ctx, d.changes, q, func(w *work) error {
		o, err := orgForChange(w, name, RightAdmin)
		if err != nil {
			return err
		}
		if err := checkRevision(ifRevision, o.Revision); err != nil {
			return err
		}
		projects, err := usesOf(w.Tx, "project", Query{Parent: name}, func(p Project) (string, bool) { return p.Path, true })
		if err != nil {
			return err
		}
		people, err := granted(w.Tx, func(g Grant) bool { return orgOfGrant(g) == name })
		if err != nil {
			return err
		}
		if err := inUse(append(people, projects)...); err != nil {
			return err
		}
		w.note(name, name, o, nil)
		return errors.Join(deleteIfThere(w.Tx, KindQuota, name), w.Delete(KindOrg, name))
	})
}

// orgForChange gives an organisation for a change that needs a right over it.
func orgForChange(w *work, name string, right Right) (Org, error) {
	o, _, err := Get[Org](w.Tx, name)
	if errors.Is(err, ErrNotFound) || (err == nil && !w.actor.sees(name)) {
		return o, noSuch("organisation", name, err)
	}
	if err != nil {
		return o, err
	}
	where := name
	if right == RightAdmin {
		where = ""
	}
	return o, w.permit(right, where)
}

// Projects lists the projects the actor may read; org "" = of every
// organisation.
func (d *Directory) Projects(ctx context.Context, org string) ([]Project, error) {
	return listVisible(ctx, d.store, "list projects", Query{}, func(a Actor, p Project) bool {
		return (org == "" || p.Org() == org) && a.May(RightRead, p.Path)
	})
}

// Project gives a project by its path, "org/project".
func (d *Directory) Project(ctx context.Context, path string) (Project, error) {
	return readVisible(ctx, d.store, "read project "+path, "project", path, func(a Actor, p Project) bool { return a.May(RightRead, p.Path) })
}

// CreateProject makes a project in an organisation that is there.
func (d *Directory) CreateProject(ctx context.Context, path, description string) (Project, error) {
	q := request{op: "create project", action: "create", kind: KindProject, scope: Project{Path: path}.Org(), asked: []string{path, description},
		taken: FieldError{"path", fmt.Sprintf("there is a project %q already", path)}}
	return submit(ctx, d.changes, q, func(w *work) (Project, error) {
		p := Project{Path: path, Description: description, CreatedAt: w.now, Revision: 1}
		var wrong problems
		if why := ValidateProject(path); why != "" {
			if !w.actor.May(RightProjects, "") {
				return p, w.permit(RightProjects, "")
			}
			wrong.add("path", "%s", why)
		} else if _, err := orgForChange(w, p.Org(), RightProjects); err != nil {
			return p, err
		}
		validateDescription(&wrong, description)
		if err := wrong.err(""); err != nil {
			return p, err
		}
		if err := d.roomForProject(w.Tx, p); err != nil {
			return p, err
		}
		w.note(p.Path, p.Path, nil, p)
		return p, Put(w.Tx, p, 0)
	})
}

// roomForProject refuses a project too many. What exists already is left to
// the store to refuse.
func (d *Directory) roomForProject(tx Tx, p Project) error {
	all, inOrg := 0, 0
	for other, err := range List[Project](tx, Query{}) {
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
		return &Error{Code: CodeQuotaExceeded, Message: fmt.Sprintf(format, args...) + "; delete one first, or have the limit raised"}
	}
	switch {
	case inOrg >= d.projectsPerOrg:
		return quota("the organisation %s has %d projects, which is the limit of one", p.Org(), inOrg)
	case all >= d.projects:
		return quota("there are %d projects, which is the limit", all)
	}
	return nil
}

// UpdateProject changes what a project is described as.
func (d *Directory) UpdateProject(ctx context.Context, path, description string, ifRevision int64) (Project, error) {
	q := request{op: "change project " + path, action: "update", kind: KindProject, key: path, scope: path, asked: []any{description, ifRevision}}
	return submit(ctx, d.changes, q, func(w *work) (Project, error) {
		p, err := projectForChange(w, path)
		if err != nil {
			return p, err
		}
		var wrong problems
		validateDescription(&wrong, description)
		if err := errors.Join(wrong.err(""), checkRevision(ifRevision, p.Revision)); err != nil {
			return p, err
		}
		before := p
		if p.Description = description; same(before, p) {
			return p, nil
		}
		p.Revision++
		w.note(path, path, before, p)
		return p, Put(w.Tx, p, AnyVersion)
	})
}

// DeleteProject removes a project without clusters, and in which nobody has
// a grant.
func (d *Directory) DeleteProject(ctx context.Context, path string, ifRevision int64) error {
	q := request{op: "delete project " + path, action: "delete", kind: KindProject, key: path, scope: path, asked: ifRevision}
	return do(ctx, d.changes, q, func(w *work) error {
		p, err := projectForChange(w, path)
		if err != nil {
			return err
		}
		if err := checkRevision(ifRevision, p.Revision); err != nil {
			return err
		}
		clusters, err := usesOf(w.Tx, "cluster", Query{Project: path}, func(r ClusterRecord) (string, bool) { return r.Name, true })
		if err != nil {
			return err
		}
		people, err := granted(w.Tx, func(g Grant) bool { return g.Project == path })
		if err != nil {
			return err
		}
		if err := inUse(append(people, clusters)...); err != nil {
			return err
		}
		w.note(path, path, p, nil)
		return errors.Join(deleteIfThere(w.Tx, KindQuota, path), w.Delete(KindProject, path))
	})
}

// projectForChange gives a project for a change of it.
func projectForChange(w *work, path string) (Project, error) {
	p, _, err := Get[Project](w.Tx, path)
	if errors.Is(err, ErrNotFound) || (err == nil && !w.actor.May(RightRead, path)) {
		return p, noSuch("project", path, err)
	}
	if err != nil {
		return p, err
	}
	p.Revision = max(p.Revision, 1)
	return p, w.permit(RightProjects, p.Org())
}
