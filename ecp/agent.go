package ecp

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// AgentID identifies an agent: "agt-" and 16 hex digits, made from its public
// key, so that who comes again with the same key is the same agent.
type AgentID string

// AgentIDOf names the agent of a public key. What else has the same id by chance
// has another key, which is compared.
func AgentIDOf(key []byte) AgentID {
	sum := sha256.Sum256(key)
	return AgentID("agt-" + hex.EncodeToString(sum[:8]))
}

// AgentRecord is an agent that was registered. What it is doing now is seen by
// the [Link] and kept in memory.
type AgentRecord struct {
	ID      AgentID `json:"id"`
	Cluster ID      `json:"cluster"`
	// Project is that of the cluster: who may read it may watch the agent.
	Project string `json:"project,omitempty"`
	// PublicKey is the Ed25519 key that it proves itself with.
	PublicKey []byte `json:"publicKey"`
	// Node is the EMQX name of the node beside it as it was last told; "" = not
	// known yet, or another agent has taken the node over.
	Node string `json:"node,omitempty"`
	// Version, OS, Arch and Hostname are the agent's own words.
	Version  string `json:"version,omitempty"`
	OS       string `json:"os,omitempty"`
	Arch     string `json:"arch,omitempty"`
	Hostname string `json:"hostname,omitempty"`

	RegisteredAt time.Time `json:"registeredAt"` // the last time
	// LastSeen: when its last connection but the present one ended; zero = never
	LastSeen time.Time `json:"lastSeen,omitzero"`
	// Token is the id of the registration token that it came with last.
	Token string `json:"token"`
	// Replaced is the agent that has taken its node over while it was away; "" =
	// none has. It counts no more, unless it comes back.
	Replaced AgentID `json:"replaced,omitempty"`
	// History is how far what it has kept was stored; zero = nothing was.
	History HistoryPosition `json:"history,omitzero"`
}

// Describe implements [Payload].
func (a AgentRecord) Describe() (Kind, string, Index) {
	return KindAgent, string(a.ID), Index{Project: a.Project, Parent: string(a.Cluster)}
}

// Copy returns a value that shares nothing with a.
func (a AgentRecord) Copy() Payload {
	a.PublicKey = slices.Clone(a.PublicKey)
	return a
}

// Name is what people know the agent by.
func (a AgentRecord) Name() string {
	var about []string
	for _, s := range []string{a.Hostname, a.Node} {
		if s != "" {
			about = append(about, s)
		}
	}
	if about == nil {
		return string(a.ID)
	}
	return string(a.ID) + " (" + strings.Join(about, ", ") + ")"
}

// AgentInfo is an agent as the Manager shows it.
type AgentInfo struct {
	AgentRecord
	// Seen is what its connection shows; the zero value = it has not been heard
	// since the program can hear agents.
	Seen AgentObservation
	// Reason and Message say what is wrong with it or its broker; "" = nothing.
	Reason  Reason
	Message string
}

// AgentNote is what has changed of an agent that is worth storing. Zero fields
// leave what is known as it is.
type AgentNote struct {
	Node                        string // EMQX name of the node beside it
	Version, OS, Arch, Hostname string
	Seen                        time.Time // when its connection ended
}

// AgentRegistration asks for a place in a cluster.
type AgentRegistration struct {
	Token     Secret
	PublicKey []byte // Ed25519
	Node      string // EMQX name of the node beside it; "" = not known yet

	Version, OS, Arch, Hostname string

	Remote string // where it comes from, for the audit
}

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

// Describe returns kind, key and index: a token is looked up by its hash.
func (t RegistrationToken) Describe() (Kind, string, Index) {
	return KindRegistrationToken, t.Hash, Index{Parent: string(t.Cluster)}
}

// Copy returns t itself: it holds no reference.
func (t RegistrationToken) Copy() Payload { return t }
