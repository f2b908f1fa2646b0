package ecp

import (
	"regexp"
	"strings"
	"time"
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
