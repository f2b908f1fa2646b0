package agentproto

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

// MemoryRegistry is a [Registry] in memory, for tests, examples and programs that run
// once. It keeps only hashes of tokens. It is safe for use by several goroutines.
type MemoryRegistry struct {
	now func() time.Time

	mu     sync.Mutex
	tokens map[[sha256.Size]byte]memoryToken
	agents map[string]ed25519.PublicKey
}

// memoryToken is what is known of a token.
type memoryToken struct {
	expires time.Time
	revoked bool
}

// NewMemoryRegistry returns a registry without tokens and agents.
func NewMemoryRegistry() *MemoryRegistry {
	return &MemoryRegistry{now: time.Now, tokens: make(map[[sha256.Size]byte]memoryToken),
		agents: make(map[string]ed25519.PublicKey)}
}

// MintToken returns a new registration token of 32 hex digits, with which any number of
// agents can register until life has passed.
func (m *MemoryRegistry) MintToken(life time.Duration) string {
	token := randomHex(16)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[sha256.Sum256([]byte(token))] = memoryToken{expires: m.now().Add(life)}
	return token
}

// Revoke invalidates a token. Agents that have registered with it are kept.
func (m *MemoryRegistry) Revoke(token string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hash := sha256.Sum256([]byte(token))
	if t, ok := m.tokens[hash]; ok {
		t.revoked = true
		m.tokens[hash] = t
	}
}

// Remove forgets an agent, which is unknown in its next handshake. Call
// [Server.Disconnect] to close its connection.
func (m *MemoryRegistry) Remove(agent string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.agents, agent)
}

// Agents returns the ids of all agents, sorted.
func (m *MemoryRegistry) Agents() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, 0, len(m.agents))
	for id := range m.agents {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Register returns the agent that has this public key already, or a new one.
func (m *MemoryRegistry) Register(_ context.Context, r Registration) (Registered, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	token, known := m.tokens[sha256.Sum256([]byte(r.Token))]
	switch {
	case !known:
		return Registered{}, &Refusal{Code: RefusedTokenUnknown,
			Message: "the registration token is not known; ask for a new one"}
	case token.revoked:
		return Registered{}, &Refusal{Code: RefusedTokenRevoked,
			Message: "the registration token was revoked; ask for a new one"}
	case !m.now().Before(token.expires):
		return Registered{}, &Refusal{Code: RefusedTokenExpired,
			Message: "the registration token has expired; ask for a new one"}
	}
	for id, key := range m.agents {
		if key.Equal(r.PublicKey) {
			return Registered{Agent: id}, nil
		}
	}
	id := "agent-" + randomHex(8)
	m.agents[id] = slices.Clone(r.PublicKey)
	return Registered{Agent: id}, nil
}

// PublicKey returns the key of an agent that has registered.
func (m *MemoryRegistry) PublicKey(_ context.Context, agent string) (ed25519.PublicKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if key, ok := m.agents[agent]; ok {
		return key, nil
	}
	return nil, &Refusal{Code: RefusedUnknownAgent, Message: "agent " + agent +
		" is not known here (any more); register it again"}
}

// Unregister implements [Registry] by Remove.
func (m *MemoryRegistry) Unregister(_ context.Context, agent string) error {
	m.Remove(agent)
	return nil
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
