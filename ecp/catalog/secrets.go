package catalog

import (
	"errors"
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// SealedSecret is a secret of a catalogue entry, in a record of its own: what
// lists and watches read never holds it.
type SealedSecret struct {
	Kind   ecp.Kind `json:"kind"` // of the entry
	Key    string   `json:"key"`  // of the entry
	Field  string   `json:"field"`
	Sealed string   `json:"sealed"`
}

// Binding names the record and field that the secret belongs to: [ecp.Sealer] binds the
// ciphertext to it.
func (s SealedSecret) Binding() string { return string(s.Kind) + "/" + s.Key + "/" + s.Field }

// open returns the secret. Those of licenses may be bound to the kind as earlier builds
// spelled it, until they are sealed anew: without their key nobody can bind them to another.
func (s SealedSecret) open(sealer ecp.Sealer) ([]byte, error) {
	b, err := sealer.Open(s.Sealed, s.Binding())
	if err == nil || s.Kind != ecp.KindLicense {
		return b, err
	}
	s.Kind = "licence"
	if older, failed := sealer.Open(s.Sealed, s.Binding()); failed == nil {
		return older, nil
	}
	return nil, err
}

// Describe returns kind, key and index.
func (s SealedSecret) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindSecret, s.Binding(), ecp.Index{}
}

// Copy returns s itself: it holds no reference.
func (s SealedSecret) Copy() ecp.Payload { return s }

// MaxSecret is the size of the largest secret, in bytes.
const MaxSecret = 256 << 10

// PutSecret seals and stores a secret of an entry.
func (c *Catalog) PutSecret(tx ecp.Tx, kind ecp.Kind, key, field string, plain ecp.Secret) error {
	if c.sealer == nil {
		return ecp.NewError(ecp.CodeUnsupported, "",
			"no key was configured to encrypt secrets with, and they are not stored without")
	}
	s := SealedSecret{Kind: kind, Key: key, Field: field}
	var err error
	if s.Sealed, err = c.sealer.Seal([]byte(plain), s.Binding()); err != nil {
		return err
	}
	return ecp.Put(tx, s, ecp.AnyVersion)
}

// Secret opens a secret of an entry; "" if it has none.
func (c *Catalog) Secret(tx ecp.Tx, kind ecp.Kind, key, field string) (ecp.Secret, error) {
	s, _, err := ecp.Get[SealedSecret](tx, SealedSecret{Kind: kind, Key: key, Field: field}.Binding())
	if errors.Is(err, ecp.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if c.sealer == nil {
		return "", ecp.NewError(ecp.CodeUnavailable, "open secret",
			fmt.Sprintf("the %s of %s %q is encrypted, and no key is configured", field, kind, key))
	}
	b, err := s.open(c.sealer)
	if err != nil {
		return "", &ecp.Error{
			Code:    ecp.CodeOf(err),
			Op:      "open secret",
			Message: fmt.Sprintf("the %s of %s %q cannot be read: %s", field, kind, key, ecp.MessageOf(err)),
			Cause:   err,
		}
	}
	return ecp.Secret(b), nil
}
