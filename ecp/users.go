package ecp

import (
	"slices"
	"strings"
	"time"
)

// User is a person who logs in. What the person may do is the sum of the
// grants, of which there is at least one.
type User struct {
	Name        string    `json:"name"` // what one logs in with; never changes
	DisplayName string    `json:"displayName"`
	Grants      []Grant   `json:"grants"` // those the reader may know of
	Disabled    bool      `json:"disabled"`
	PasswordSet bool      `json:"passwordSet"` // without one nobody can log in
	CreatedAt   time.Time `json:"createdAt"`
	CreatedBy   string    `json:"createdBy"`
	UpdatedAt   time.Time `json:"updatedAt"`
	Revision    int64     `json:"revision"` // grows with every change; the ETag
}

// Describe gives kind, key and index.
func (u User) Describe() (Kind, string, Index) { return KindUser, u.Name, Index{} }

// Copy gives a value that shares nothing with u.
func (u User) Copy() Payload {
	u.Grants = slices.Clone(u.Grants)
	return u
}

// IsSystem says whether a grant is that of a system administrator.
func IsSystem(g Grant) bool { return g.Role == RoleSystem && g.wellFormed() }

// User gives the name of the user who logged in; "" for a token and for an
// actor of an embedder's.
func (a Actor) User() string {
	if strings.HasPrefix(a.Credential, SessionCredential) {
		return a.Name
	}
	return ""
}
