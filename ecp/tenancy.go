package ecp

import (
	"regexp"
	"slices"
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

// Org returns the organisation's name.
func (p Project) Org() string {
	org, _, _ := strings.Cut(p.Path, "/")
	return org
}

// Describe implements [Payload].
func (o Org) Describe() (Kind, string, Index) { return KindOrg, o.Name, Index{} }

// Copy returns o itself: it holds no reference.
func (o Org) Copy() Payload { return o }

// Describe returns kind, key and index: a project is found by its organisation.
func (p Project) Describe() (Kind, string, Index) {
	return KindProject, p.Path, Index{Parent: p.Org()}
}

// Copy returns p itself: it holds no reference.
func (p Project) Copy() Payload { return p }

var orgForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateOrg says what is wrong with the form of an organisation's name; "" if nothing.
func ValidateOrg(name string) string {
	if orgForm.MatchString(name) {
		return ""
	}
	return `is not a name of 1 to 63 lower-case letters, digits and "-"`
}

// Quota is how many connections of the pool the clusters of one organisation,
// or of one project, may book together, so that no tenant uses up what is
// everybody's. Quotas are ceilings: together they may be more than the pool or
// the organisation has, and who has none is bound by these alone.
type Quota struct {
	Of              string `json:"of"`              // "org" or "org/project"; never changes
	Connections     int    `json:"connections"`     // at most; 0 = unlimited
	UsedConnections int    `json:"usedConnections"` // sum over its clusters; kept by the ledger
	Revision        int64  `json:"revision"`        // grows when the limit changes; the ETag
}

// Describe implements [Payload].
func (q Quota) Describe() (Kind, string, Index) { return KindQuota, q.Of, Index{} }

// Copy returns q itself: it holds no reference.
func (q Quota) Copy() Payload { return q }

// OfProject reports whether the quota is a project's, not an organisation's.
func (q Quota) OfProject() bool { return strings.Contains(q.Of, "/") }

// What names the quota for people.
func (q Quota) What() string {
	if q.OfProject() {
		return "the quota of the project " + q.Of
	}
	return "the quota of the organisation " + q.Of
}

// SeenBy reports whether a may see what is booked: a project's is for whoever
// may read the project, an organisation's, which tells of all its projects, for
// its administrators.
func (q Quota) SeenBy(a Actor) bool {
	if q.OfProject() {
		return a.May(RightRead, q.Of)
	}
	return a.May(RightProjects, q.Of)
}

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

// Describe implements [Payload].
func (u User) Describe() (Kind, string, Index) { return KindUser, u.Name, Index{} }

// Copy returns a value that shares nothing with u.
func (u User) Copy() Payload {
	u.Grants = slices.Clone(u.Grants)
	return u
}

// What the secrets begin with that stand for an actor. Scanners of repositories find
// them by it, and a proxy knows what it must keep from others.
const (
	TokenSecretPrefix   = "ecpt_" // of an API token
	SessionSecretPrefix = "ecps_" // of a login
)

// IsBearerSecret reports whether a text has the form of a secret that this package
// issues, whether or not it is valid.
func IsBearerSecret(text string) bool {
	text = strings.ToLower(text)
	return strings.HasPrefix(text, TokenSecretPrefix) || strings.HasPrefix(text, SessionSecretPrefix)
}

// TokenPrefix begins the name under which a token acts. No user's name can begin
// with it, so that a token is never taken for a person who is called alike.
const TokenPrefix = "token:"

// TokenCredential begins the credential of an actor who came with a token.
const TokenCredential = "token/"

// Token is an API token as it is stored; only the hash of its secret is kept.
// It is shown as a [tenancy.TokenInfo].
type Token struct {
	ID   string `json:"id"`
	Hash string `json:"hash"` // hex SHA-256 of the secret
	Name string `json:"name"` // of the actor it stands for, without [TokenPrefix]
	Role Role   `json:"role"`
	Org  string `json:"org,omitempty"`
	// Project is set for roles on one project, "org/project".
	Project   string    `json:"project,omitempty"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	CreatedBy string    `json:"createdBy,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // zero = never
	LastUsed  time.Time `json:"lastUsed,omitzero"`  // to the minute
}

// Grant returns what the token lets its bearer do, in the form that users have.
func (t Token) Grant() Grant { return Grant{Role: t.Role, Org: t.Org, Project: t.Project} }

// Describe returns kind, key and index: a token is looked up by its hash, and
// administered by its id.
func (t Token) Describe() (Kind, string, Index) { return KindToken, t.Hash, Index{Parent: t.ID} }

// Copy returns t itself: it holds no reference.
func (t Token) Copy() Payload { return t }

// SessionCredential begins the credential of an actor who logged in.
const SessionCredential = "session/"
