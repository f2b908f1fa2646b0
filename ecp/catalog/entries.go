package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
)

// Entries is one catalog of a [Catalog], such as its images. An actor with
// [ecp.RightAdmin] changes entries; each change is in the audit. A revision of 0 in a
// change means that it is made whatever the entry's revision is; with any other one the
// change is refused where somebody else has changed the entry since it was read.
type Entries[E ecp.Payload] struct {
	c    *Catalog
	kind ecp.Kind
	what string          // for people, e.g. "size"
	key  func(E) string  //
	id   string          // the name of the field that is the key
	rev  func(*E) *int64 // the entry's revision
	read ecp.Right       // who may see entries
	dflt func(*E) *bool  // marks the default; with nil there is none
	// noDefault reports whether an entry can never be the default; with nil each can.
	noDefault func(E) bool
	// group separates entries that have a default each; with nil there is one in all.
	group func(E) string
	// check adds what is wrong with an entry, with its defaults filled in.
	check func(*fault.Fields, *E)
	// prepare compares an entry with the others before it is stored; it may be nil.
	prepare func(w *change.Tx, old *E, e *E) error
	// uses finds who uses an entry.
	uses func(ecp.Tx, E) ([]change.Use, error)
	// secret is the name of the entry's secret field; it is empty where there is none.
	secret string
	set    func(*E, bool) // notes in the entry whether the secret is set
	// learn takes from a new secret what may be shown; it may be nil.
	learn func(*fault.Fields, *E, ecp.Secret)
	// try is called outside the transaction before an entry is created, updated or deleted
	// (then it is the zero value). Its error refuses the change; undo is called where the
	// change fails. changed is called after the change. Both may be nil.
	try     func(ctx context.Context, verb, key string, e E, secret *ecp.Secret) (undo func(), err error)
	changed func(ctx context.Context, key string, secret *ecp.Secret, err error)
}

// around makes a change between try and changed.
func (s *Entries[E]) around(ctx context.Context, verb, key string, e E, secret *ecp.Secret, do func() error) error {
	undo := func() {}
	if s.try != nil {
		var err error
		if undo, err = s.try(ctx, verb, key, e, secret); err != nil {
			return err
		}
	}
	err := do()
	if err != nil {
		undo()
	}
	if s.changed != nil {
		s.changed(ctx, key, secret, err)
	}
	return err
}

// Create adds an entry and returns it as it is stored. The secret is stored encrypted and
// never returned; it is empty for entries that have none.
func (s *Entries[E]) Create(ctx context.Context, e E, secret ecp.Secret) (made E, err error) {
	err = s.around(ctx, "create", s.key(e), e, &secret,
		func() (err error) { made, err = s.create(ctx, e, secret); return err })
	return made, err
}

// Update replaces an entry and returns it as it is stored. With a nil secret the one that
// is stored stays, and an empty one takes it away where the entry can be without.
// Clusters keep what was copied for them when they were made; those that use a changed
// secret get it at once, and no node is replaced for it.
func (s *Entries[E]) Update(ctx context.Context, e E, secret *ecp.Secret) (next E, err error) {
	err = s.around(ctx, "update", s.key(e), e, secret,
		func() (err error) { next, err = s.update(ctx, e, secret); return err })
	return next, err
}

// Delete removes an entry that nothing uses, with its secret. The default entry cannot be
// removed.
func (s *Entries[E]) Delete(ctx context.Context, key string, ifRevision int64) error {
	var none E
	return s.around(ctx, "delete", key, none, nil, func() error { return s.delete(ctx, key, ifRevision) })
}

// Secret opens the secret of an entry. It is empty where the entry has none.
func (s *Entries[E]) Secret(tx ecp.Tx, key string) (ecp.Secret, error) {
	return s.c.Secret(tx, s.kind, key, s.secret)
}

func (s *Entries[E]) request(verb, key string, asked any) change.Request {
	op := verb + " " + s.what
	if verb != "create" {
		op += " " + key
	}
	return change.Request{Op: op, Action: verb, Kind: s.kind, Key: key, Asked: asked}
}

// free refuses a key that another entry has.
func (s *Entries[E]) free(tx ecp.Tx, key string) error {
	_, _, err := ecp.Get[E](tx, key)
	if err == nil {
		return &ecp.Error{
			Code:    ecp.CodeExists,
			Message: "the name is taken",
			Fields:  []ecp.FieldError{{Field: s.id, Message: fmt.Sprintf("there is a %s %q already", s.what, key)}},
		}
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return nil
	}
	return err
}

// List returns every entry in the order of their keys.
func (s *Entries[E]) List(ctx context.Context) ([]E, error) {
	op := "list " + strings.Replace(s.what+"s", "ys", "ies", 1)
	if _, err := ecp.Authorize(ctx, op, s.read, ""); err != nil {
		return nil, err
	}
	out := []E{}
	err := s.c.store.Read(ctx, func(tx ecp.Tx) error {
		out = out[:0]
		for e, err := range ecp.List[E](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			out = append(out, s.shown(e))
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(op, err)
	}
	return out, nil
}

// shown returns e with its first revision where an earlier build, which knew none, stored it.
func (s *Entries[E]) shown(e E) E {
	rev := s.rev(&e)
	*rev = max(*rev, 1)
	return e
}

// Get returns the entry with a key.
func (s *Entries[E]) Get(ctx context.Context, key string) (E, error) {
	var e E
	op := "read " + s.what + " " + key
	if _, err := ecp.Authorize(ctx, op, s.read, ""); err != nil {
		return e, err
	}
	err := s.c.store.Read(ctx, func(tx ecp.Tx) (err error) { e, err = s.Find(tx, key); return err })
	if err != nil {
		return e, fault.Wrap(op, err)
	}
	return e, nil
}

// Find reads an entry in a transaction; nobody is asked for a right.
func (s *Entries[E]) Find(tx ecp.Tx, key string) (E, error) {
	e, _, err := ecp.Get[E](tx, key)
	if errors.Is(err, ecp.ErrNotFound) {
		return e, fault.NotFound(s.what, key, err)
	}
	return s.shown(e), err
}

func (s *Entries[E]) create(ctx context.Context, e E, secret ecp.Secret) (E, error) {
	q := s.request("create", "", e)
	q.Secret = string(secret)
	return change.Submit(ctx, s.c.changes, q, func(w *change.Tx) (E, error) {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return e, err
		}
		e, _ := e.Copy().(E)
		var wrong fault.Fields
		if s.set != nil {
			s.set(&e, secret != "")
		}
		s.checkSecret(&wrong, &e, secret)
		s.check(&wrong, &e)
		if err := wrong.Err(""); err != nil {
			return e, err
		}
		if err := s.free(w.Tx, s.key(e)); err != nil {
			return e, err
		}
		*s.rev(&e) = 1
		if s.prepare != nil {
			if err := s.prepare(w, nil, &e); err != nil {
				return e, err
			}
		}
		if err := s.settleDefault(w, nil, &e); err != nil {
			return e, err
		}
		if err := ecp.Put(w.Tx, e, 0); err != nil {
			return e, err
		}
		w.Note(s.key(e), "", nil, e)
		return e, s.store(w, e, secret)
	})
}

func (s *Entries[E]) update(ctx context.Context, e E, secret *ecp.Secret) (E, error) {
	key := s.key(e)
	q := s.request("update", key, e)
	if secret != nil {
		q.Secret = "set " + string(*secret)
	}
	return change.Submit(ctx, s.c.changes, q, func(w *change.Tx) (E, error) {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return e, err
		}
		old, err := s.Find(w.Tx, key)
		if err != nil {
			return e, err
		}
		e, _ := e.Copy().(E)
		if err := change.CheckRevision(*s.rev(&e), *s.rev(&old)); err != nil {
			return e, err
		}
		return e, s.replace(w, old, &e, secret)
	})
}

func (s *Entries[E]) replace(w *change.Tx, old E, e *E, secret *ecp.Secret) error {
	var wrong fault.Fields
	*s.rev(e) = *s.rev(&old)
	if s.prepare != nil {
		if err := s.prepare(w, &old, e); err != nil {
			return err
		}
	}
	var plain ecp.Secret
	if secret != nil {
		plain = *secret
		if s.set != nil {
			s.set(e, plain != "")
		}
		s.checkSecret(&wrong, e, plain)
	}
	s.check(&wrong, e)
	if err := wrong.Err(""); err != nil || secret == nil && same(old, *e) {
		return err
	}
	*s.rev(e)++
	if err := s.settleDefault(w, &old, e); err != nil {
		return err
	}
	w.Note(s.key(*e), "", old, *e)
	if err := ecp.Put(w.Tx, *e, ecp.AnyVersion); err != nil {
		return err
	}
	if secret == nil {
		return nil
	}
	if plain == "" {
		return s.forgetSecret(w, *e)
	}
	return s.store(w, *e, plain)
}

func (s *Entries[E]) delete(ctx context.Context, key string, ifRevision int64) error {
	return change.Do(ctx, s.c.changes, s.request("delete", key, ifRevision), func(w *change.Tx) error {
		if err := w.Permit(ecp.RightAdmin, ""); err != nil {
			return err
		}
		e, err := s.Find(w.Tx, key)
		if err != nil {
			return err
		}
		if err := change.CheckRevision(ifRevision, *s.rev(&e)); err != nil {
			return err
		}
		uses, err := s.uses(w.Tx, e)
		if err != nil {
			return err
		}
		if err := change.InUse(uses...); err != nil {
			return err
		}
		if err := s.mayLeave(w, e); err != nil {
			return err
		}
		w.Note(key, "", e, nil)
		if err := s.forgetSecret(w, e); err != nil {
			return err
		}
		return w.Delete(s.kind, key)
	})
}

func (s *Entries[E]) checkSecret(wrong *fault.Fields, e *E, secret ecp.Secret) {
	if s.secret == "" && secret != "" {
		wrong.Add(s.id, "is of a %s, and those have no secret", s.what)
	} else if len(secret) > MaxSecret {
		wrong.Add(s.secret, "has %d bytes; at most %d are allowed", len(secret), MaxSecret)
	} else if s.learn != nil && secret != "" {
		s.learn(wrong, e, secret)
	}
}

func (s *Entries[E]) store(w *change.Tx, e E, secret ecp.Secret) error {
	if secret == "" {
		return nil
	}
	w.NoteSecret(s.secret)
	return s.c.PutSecret(w.Tx, s.kind, s.key(e), s.secret, secret)
}

// same reports whether two entries are stored alike. Then nothing is written: a revision
// that grows would refuse the next change of somebody who has read this one.
func same(before, after any) bool {
	a, errA := json.Marshal(before)
	b, errB := json.Marshal(after)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func (s *Entries[E]) forgetSecret(w *change.Tx, e E) error {
	if s.secret == "" {
		return nil
	}
	return w.Remove(ecp.KindSecret, SealedSecret{Kind: s.kind, Key: s.key(e), Field: s.secret}.Binding())
}

// settleDefault sees to it that exactly one entry (of a group) is the default: the first
// one that can be is, and a new default takes it from the old.
func (s *Entries[E]) settleDefault(w *change.Tx, old, e *E) error {
	if s.dflt == nil || old == nil && s.noDefault != nil && s.noDefault(*e) {
		return nil
	}
	others, err := s.groupOf(w.Tx, *e)
	if err != nil {
		return err
	}
	had := slices.ContainsFunc(others, func(o E) bool { return *s.dflt(&o) })
	if !had && (old == nil || *s.dflt(e)) {
		*s.dflt(e) = true
		return nil
	}
	if !had {
		return ecp.NewError(ecp.CodeConflict, "",
			"there has to be a default, and this is it; make another "+s.what+" the default instead")
	}
	if !*s.dflt(e) {
		return nil
	}
	for _, o := range others {
		if !*s.dflt(&o) {
			continue
		}
		before := o
		*s.dflt(&o) = false
		*s.rev(&o)++
		w.Note(s.key(o), "", before, o)
		if err := ecp.Put(w.Tx, o, ecp.AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// mayLeave refuses to delete the default.
func (s *Entries[E]) mayLeave(_ *change.Tx, e E) error {
	if s.dflt == nil || !*s.dflt(&e) {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", "it is the default; make another "+s.what+" the default first")
}

// groupOf returns the other entries that have the same default as e.
func (s *Entries[E]) groupOf(tx ecp.Tx, e E) ([]E, error) {
	var out []E
	for o, err := range ecp.List[E](tx, ecp.Query{}) {
		if err != nil {
			return nil, err
		}
		if s.key(o) != s.key(e) && (s.group == nil || s.group(o) == s.group(e)) {
			out = append(out, s.shown(o))
		}
	}
	return out, nil
}

// ClustersThat finds clusters that use something, by their names.
func ClustersThat(tx ecp.Tx, uses func(ecp.ClusterRecord) bool) (change.Use, error) {
	return change.UsesOf(tx, "cluster", ecp.Query{},
		func(r ecp.ClusterRecord) (string, bool) { return r.Name, uses(r) })
}
