package ecp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// MinTokenLength is the shortest secret that is taken for a token.
const MinTokenLength = 16

func hashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Authenticate gives the actor an API token stands for. An unknown token is
// denied. Only the token's hash is stored and compared.
func (m *Manager) Authenticate(ctx context.Context, secret string) (Actor, error) {
	const op = "authenticate"
	var t Token
	err := m.store.Read(ctx, func(tx Tx) (err error) {
		t, _, err = Get[Token](tx, hashToken(secret))
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Actor{}, fail(CodeDenied, op, "the token is not known here")
	}
	if err != nil {
		return Actor{}, explain(op, err, "", "")
	}
	return Actor{Name: t.Name, Role: t.Role, Org: t.Org, Project: t.Project}, nil
}

// Bootstrap stores a system token where the store has no token yet, and says
// whether it did. A secret of fewer than [MinTokenLength] characters is invalid.
func (m *Manager) Bootstrap(ctx context.Context, secret string) (bool, error) {
	const op = "store the bootstrap token"
	if len(secret) < MinTokenLength {
		return false, fail(CodeInvalid, op, "it is too short; give at least 16 characters")
	}
	stored := false
	err := m.store.Write(ctx, func(tx Tx) error {
		stored = false
		for _, err := range List[Token](tx, Query{Limit: 1}) {
			return err
		}
		stored = true
		return Put(tx, Token{ID: "bootstrap", Hash: hashToken(secret), Name: "admin", Role: RoleSystem}, 0)
	})
	if err != nil {
		return false, explain(op, err, "", "")
	}
	return stored, nil
}
