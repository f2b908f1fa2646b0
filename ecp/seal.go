package ecp

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp/internal/setting"
)

// Secret is a text that is stored sealed and never shown: it prints, logs and
// marshals as "[redacted]". string(s) gives the text itself.
type Secret string

// String hides the text.
func (Secret) String() string { return setting.Redacted }

// GoString hides the text from %#v.
func (Secret) GoString() string { return setting.Redacted }

// LogValue hides the text from log handlers.
func (Secret) LogValue() slog.Value { return slog.StringValue(setting.Redacted) }

// MarshalJSON hides the text.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + setting.Redacted + `"`), nil }

// Sealer encrypts what must not be readable in a stolen database. [NewKeyRing]
// makes one of keys.
type Sealer interface {
	// Seal encrypts plain so that Open gives it back for the same binding only.
	Seal(plain []byte, binding string) (sealed string, err error)
	// Open decrypts what Seal gave, also under older keys.
	Open(sealed, binding string) ([]byte, error)
	// Current reports whether sealed was made with the newest key.
	Current(sealed string) bool
}

// Key is a key of a [KeyRing].
type Key struct {
	ID     string // 1 to 32 letters, digits, "-" and "_"; stands beside what the key has sealed
	Secret []byte // 32 random bytes
}

// KeyRing seals with AES-256-GCM. The first key seals, all of them open: to
// rotate, put a new key in front, call [fleet.Manager.ResealSecrets], and drop the
// old one.
type KeyRing struct {
	newest string
	ids    []string // newest first
	keys   map[string]cipher.AEAD
}

// sealedForm is the version of the texts that a KeyRing makes:
// form.key.base64(nonce and ciphertext).
const sealedForm = "ecp1"

var keyIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// NewKeyRing returns a KeyRing of at least one key, newest first. It keeps no
// reference to the secrets.
func NewKeyRing(keys ...Key) (*KeyRing, error) {
	if len(keys) == 0 {
		return nil, errors.New("new key ring: there is no key")
	}
	r := &KeyRing{newest: keys[0].ID, keys: map[string]cipher.AEAD{}}
	for _, k := range keys {
		switch {
		case !keyIDForm.MatchString(k.ID):
			return nil, fmt.Errorf("new key ring: the id %q is not of 1 to 32 letters, digits, - and _", k.ID)
		case r.keys[k.ID] != nil:
			return nil, fmt.Errorf("new key ring: there are two keys %q", k.ID)
		case len(k.Secret) != 32:
			return nil, fmt.Errorf("new key ring: the key %q has %d bytes; 32 are needed", k.ID, len(k.Secret))
		}
		block, err := aes.NewCipher(k.Secret)
		if err != nil {
			return nil, fmt.Errorf("new key ring: key %q: %w", k.ID, err)
		}
		if r.keys[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("new key ring: key %q: %w", k.ID, err)
		}
		r.ids = append(r.ids, k.ID)
	}
	return r, nil
}

// bound is what a ciphertext is authenticated with beside itself.
func bound(key, binding string) []byte { return []byte(sealedForm + "." + key + "." + binding) }

// Seal encrypts with the newest key; see [Sealer].
func (r *KeyRing) Seal(plain []byte, binding string) (string, error) {
	aead := r.keys[r.newest]
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never fails: the program ends instead
	b := aead.Seal(nonce, nonce, plain, bound(r.newest, binding))
	return sealedForm + "." + r.newest + "." + base64.RawStdEncoding.EncodeToString(b), nil
}

// Open decrypts with whatever key it was sealed with; see [Sealer]. A key that
// is missing is unavailable: what it sealed is not lost.
func (r *KeyRing) Open(sealed, binding string) ([]byte, error) {
	form, rest, _ := strings.Cut(sealed, ".")
	id, text, ok := strings.Cut(rest, ".")
	if form != sealedForm || !ok {
		return nil, NewError(CodeInternal, "open secret", "what is stored was not sealed by a key ring")
	}
	aead := r.keys[id]
	if aead == nil {
		return nil, NewError(CodeUnavailable, "open secret",
			fmt.Sprintf("it was sealed with the key %q, which is not configured; "+
				"add that key behind the newest one", id))
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err == nil && len(b) < aead.NonceSize() {
		err = errors.New("too short")
	}
	if err == nil {
		n := aead.NonceSize()
		b, err = aead.Open(nil, b[:n], b[n:], bound(id, binding))
	}
	if err != nil {
		return nil, &Error{
			Code: CodeInternal, Op: "open secret", Cause: err,
			Message: fmt.Sprintf("it does not open with the key %q: another key of the same id, "+
				"or the record was changed from outside", id),
		}
	}
	return b, nil
}

// sealedTexts are the texts of a KeyRing within a stored record.
var sealedTexts = regexp.MustCompile(`"` + sealedForm + `\.([A-Za-z0-9_-]{1,32})\.[A-Za-z0-9+/]{22,}"`)

// SealedWith returns the ids of the keys, each once, with which a [KeyRing] has
// sealed what stands in a record as it is stored. Other Sealers leave none.
func SealedWith(record string) (ids []string) {
	for _, found := range sealedTexts.FindAllStringSubmatch(record, -1) {
		if !slices.Contains(ids, found[1]) {
			ids = append(ids, found[1])
		}
	}
	return ids
}

// IDs returns the ids of the keys, newest first.
func (r *KeyRing) IDs() []string { return slices.Clone(r.ids) }

// Has reports whether the ring has the key with this id.
func (r *KeyRing) Has(id string) bool { return r.keys[id] != nil }

// Current reports whether the newest key has sealed it; see [Sealer].
func (r *KeyRing) Current(sealed string) bool {
	return strings.HasPrefix(sealed, sealedForm+"."+r.newest+".")
}

// EMQX prints secrets: 4.4 its cookie with any error of its configuration, and at
// level info the secret of its API and the password of its dashboard. So the
// cluster's own secrets are taken out of whatever is shown of its logs.

// SecretTeller is a Provisioner that tells the secrets it has made for a cluster, so
// that they can be taken out of what is shown.
type SecretTeller interface {
	// Secrets returns the cookie, the keys and the passwords that were made for a
	// cluster; none where there is no cluster. An error is unavailable.
	Secrets(ctx context.Context, id ID) ([]Secret, error)
}
