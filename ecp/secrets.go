package ecp

import (
	"context"
	"errors"
	"fmt"
)

// sealedSecret is a secret of a catalogue entry, in a record of its own: what
// lists and watches read never holds it.
type sealedSecret struct {
	Kind   Kind   `json:"kind"` // of the entry
	Key    string `json:"key"`  // of the entry
	Field  string `json:"field"`
	Sealed string `json:"sealed"`
}

func (s sealedSecret) binding() string { return string(s.Kind) + "/" + s.Key + "/" + s.Field }

// Describe gives kind, key and index.
func (s sealedSecret) Describe() (Kind, string, Index) { return KindSecret, s.binding(), Index{} }

// Copy gives s itself: it holds no reference.
func (s sealedSecret) Copy() Payload { return s }

// MaxSecret is the size of the largest secret, in bytes.
const MaxSecret = 256 << 10

// putSecret seals and stores a secret of an entry.
func (c *Catalog) putSecret(tx Tx, kind Kind, key, field string, plain Secret) error {
	if c.sealer == nil {
		return fail(CodeUnsupported, "", "no key was configured to encrypt secrets with, and they are not stored without")
	}
	s := sealedSecret{Kind: kind, Key: key, Field: field}
	var err error
	if s.Sealed, err = c.sealer.Seal([]byte(plain), s.binding()); err != nil {
		return err
	}
	return Put(tx, s, AnyVersion)
}

// secret opens a secret of an entry; "" if it has none.
func (c *Catalog) secret(tx Tx, kind Kind, key, field string) (Secret, error) {
	s, _, err := Get[sealedSecret](tx, sealedSecret{Kind: kind, Key: key, Field: field}.binding())
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if c.sealer == nil {
		return "", fail(CodeUnavailable, "open secret", fmt.Sprintf("the %s of %s %q is encrypted, and no key is configured", field, kind, key))
	}
	b, err := c.sealer.Open(s.Sealed, s.binding())
	if err != nil {
		return "", &Error{Code: CodeOf(err), Op: "open secret", Message: fmt.Sprintf("the %s of %s %q cannot be read: %s", field, kind, key, MessageOf(err)), Cause: err}
	}
	return Secret(b), nil
}

// handOut lets clusters be applied once more, since what they get of a
// catalogue's secrets is another now. Nothing of it is stored: a process that
// begins applies every cluster once.
func (m *Manager) handOut(ctx context.Context, uses func(ClusterRecord) bool) (due []ID) {
	err := m.store.Read(context.WithoutCancel(ctx), func(tx Tx) error {
		due = due[:0]
		for rec, err := range List[ClusterRecord](tx, Query{}) {
			if err != nil {
				return err
			}
			if rec.Mode == Hosted && uses(rec) {
				due = append(due, rec.ID)
			}
		}
		return nil
	})
	if err != nil {
		m.log.WarnContext(ctx, "changed secrets reach their clusters with the next change or start only", "error", err)
		return nil
	}
	m.mu.Lock()
	for _, id := range due {
		m.changed[id] = true
	}
	m.mu.Unlock()
	for _, id := range due {
		m.queue.add(id)
	}
	return due
}

// takeChanged says whether a cluster is to be applied for its secrets' sake.
func (m *Manager) takeChanged(id ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.changed[id]
	delete(m.changed, id)
	return was
}

// ResealSecrets seals every secret with the newest key that is not yet, those in
// clusters' settings too, and says how many records it wrote; afterwards older keys can be dropped. Where one cannot be
// opened nothing is changed.
func (m *Manager) ResealSecrets(ctx context.Context) (int, error) {
	q := request{op: "reseal secrets", action: "reseal", kind: KindSecret}
	return submit(ctx, m.Writer, q, func(w *work) (int, error) {
		if err := w.permit(RightAdmin, ""); err != nil {
			return 0, err
		}
		var old []sealedSecret
		for s, err := range List[sealedSecret](w.Tx, Query{}) {
			if err != nil {
				return 0, err
			}
			if m.sealer == nil || !m.sealer.Current(s.Sealed) {
				old = append(old, s)
			}
		}
		for _, s := range old {
			plain, err := m.secret(w.Tx, s.Kind, s.Key, s.Field)
			if err != nil {
				return 0, err
			}
			if err := m.putSecret(w.Tx, s.Kind, s.Key, s.Field, plain); err != nil {
				return 0, err
			}
			w.note(s.binding(), "", nil, nil)
		}
		clusters, err := m.sealRecords(w.Tx)
		return len(old) + clusters, errors.Join(err, m.sealAnswers(w.Tx))
	})
}
