package ecp

import (
	"time"
)

// RegistrationToken lets agents register with one cluster, several if need be,
// until it expires. Only the hash of its secret is kept.
type RegistrationToken struct {
	ID        string    `json:"id"`
	Hash      string    `json:"hash"` // hex SHA-256 of the secret; not for showing
	Cluster   ID        `json:"cluster"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	ExpiresAt time.Time `json:"expiresAt"`
	RevokedAt time.Time `json:"revokedAt,omitzero"` // zero = it was not
	Uses      int       `json:"uses,omitempty"`     // registrations so far
}

// Describe gives kind, key and index: a token is looked up by its hash.
func (t RegistrationToken) Describe() (Kind, string, Index) {
	return KindRegistrationToken, t.Hash, Index{Parent: string(t.Cluster)}
}

// Copy gives t itself: it holds no reference.
func (t RegistrationToken) Copy() Payload { return t }
