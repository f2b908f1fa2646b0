package ecp

import (
	"time"
)

// MinTokenLength is the shortest secret that is taken for a token.
const MinTokenLength = 16

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

// Describe gives kind, key and index: a token is looked up by its hash, and
// administered by its id.
func (t Token) Describe() (Kind, string, Index) { return KindToken, t.Hash, Index{Parent: t.ID} }

// Copy gives t itself: it holds no reference.
func (t Token) Copy() Payload { return t }
