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

// shelf is how one catalogue is kept: what differs between them is in here,
// the rest is the same for all.
type shelf[E ecp.Payload] struct {
	kind ecp.Kind
	what string          // for people, e.g. "size"
	key  func(E) string  //
	id   string          // the name of the field that is the key
	rev  func(*E) *int64 // the entry's revision
	read ecp.Right       // who sees entries
	dflt func(*E) *bool  // marks the default; nil = there is none
	pile func(E) string  // defaults are one for each; nil = one in all
	// check says what is wrong with an entry, with its defaults filled in.
	check func(*fault.Fields, *E)
	// prepare looks at what an entry is to be among the others; nil = nothing.
	prepare func(w *change.Tx, old *E, e *E) error
	// uses finds who uses an entry.
	uses func(ecp.Tx, E) ([]change.Use, error)
	// Secret is the name of the entry's secret field; "" = it has none.
	Secret string
	set    func(*E, bool) // says in the entry that the secret is set
	// learn takes from a new secret what may be shown; nil = nothing.
	learn func(*fault.Fields, *E, ecp.Secret)
}

func (s *shelf[E]) request(verb, key string, asked any) change.Request {
	op := verb + " " + s.what
	if verb != "create" {
		op += " " + key
	}
	return change.Request{Op: op, Action: verb, Kind: s.kind, Key: key, Asked: asked}
}

// free refuses a key that another entry has.
func (s *shelf[E]) free(tx ecp.Tx, key string) error {
	_, _, err := ecp.Get[E](tx, key)
	if err == nil {
		return &ecp.Error{Code: ecp.CodeExists, Message: "the name is taken", Fields: []ecp.FieldError{{Field: s.id, Message: fmt.Sprintf("there is a %s %q already", s.what, key)}}}
	}
	if errors.Is(err, ecp.ErrNotFound) {
		return nil
	}
	return err
}

// List gives every entry in the order of keys.
func (s *shelf[E]) List(ctx context.Context, c *Catalog) ([]E, error) {
	op := "list " + strings.Replace(s.what+"s", "ys", "ies", 1)
	if _, err := ecp.Authorize(ctx, op, s.read, ""); err != nil {
		return nil, err
	}
	out := []E{}
	err := c.store.Read(ctx, func(tx ecp.Tx) error {
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

// shown gives an entry of an earlier build, which knew no revisions, its first.
func (s *shelf[E]) shown(e E) E {
	rev := s.rev(&e)
	*rev = max(*rev, 1)
	return e
}

func (s *shelf[E]) get(ctx context.Context, c *Catalog, key string) (E, error) {
	var e E
	op := "read " + s.what + " " + key
	if _, err := ecp.Authorize(ctx, op, s.read, ""); err != nil {
		return e, err
	}
	err := c.store.Read(ctx, func(tx ecp.Tx) (err error) { e, err = s.Find(tx, key); return err })
	if err != nil {
		return e, fault.Wrap(op, err)
	}
	return e, nil
}

func (s *shelf[E]) Find(tx ecp.Tx, key string) (E, error) {
	e, _, err := ecp.Get[E](tx, key)
	if errors.Is(err, ecp.ErrNotFound) {
		return e, fault.NotFound(s.what, key, err)
	}
	return s.shown(e), err
}

// create puts an entry on the shelf; secret "" = none.
func (s *shelf[E]) create(ctx context.Context, c *Catalog, e E, secret ecp.Secret) (E, error) {
	q := s.request("create", "", e)
	q.Secret = string(secret)
	return change.Submit(ctx, c.changes, q, func(w *change.Tx) (E, error) {
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
		return e, s.store(w, c, e, secret)
	})
}

// update replaces an entry; its revision says which one was read, 0 = whatever.
// secret nil = it stays.
func (s *shelf[E]) update(ctx context.Context, c *Catalog, e E, secret *ecp.Secret) (E, error) {
	key := s.key(e)
	q := s.request("update", key, e)
	if secret != nil {
		q.Secret = "set " + string(*secret)
	}
	return change.Submit(ctx, c.changes, q, func(w *change.Tx) (E, error) {
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
		return e, s.replace(w, c, old, &e, secret)
	})
}

func (s *shelf[E]) replace(w *change.Tx, c *Catalog, old E, e *E, secret *ecp.Secret) error {
	var wrong fault.Fields
	*s.rev(e) = *s.rev(&old)
	if s.prepare != nil {
		if err := s.prepare(w, &old, e); err != nil {
			return err
		}
	}
	s.check(&wrong, e)
	var plain ecp.Secret
	if secret != nil {
		plain = *secret
		s.checkSecret(&wrong, e, plain)
		if s.set != nil {
			s.set(e, plain != "")
		}
	}
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
	return s.store(w, c, *e, plain)
}

func (s *shelf[E]) delete(ctx context.Context, c *Catalog, key string, ifRevision int64) error {
	return change.Do(ctx, c.changes, s.request("delete", key, ifRevision), func(w *change.Tx) error {
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

func (s *shelf[E]) checkSecret(wrong *fault.Fields, e *E, secret ecp.Secret) {
	if len(secret) > MaxSecret {
		wrong.Add(s.Secret, "has %d bytes; at most %d are allowed", len(secret), MaxSecret)
	} else if s.learn != nil && secret != "" {
		s.learn(wrong, e, secret)
	}
}

func (s *shelf[E]) store(w *change.Tx, c *Catalog, e E, secret ecp.Secret) error {
	if secret == "" {
		return nil
	}
	w.NoteSecret(s.Secret)
	return c.PutSecret(w.Tx, s.kind, s.key(e), s.Secret, secret)
}

// same reports whether two entries are stored alike. Then nothing is written: a revision
// that grows would refuse the next change of somebody who has read this one.
func same(before, after any) bool {
	a, errA := json.Marshal(before)
	b, errB := json.Marshal(after)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func (s *shelf[E]) forgetSecret(w *change.Tx, e E) error {
	if s.Secret == "" {
		return nil
	}
	return w.Remove(ecp.KindSecret, SealedSecret{Kind: s.kind, Key: s.key(e), Field: s.Secret}.Binding())
}

// settleDefault sees to it that exactly one entry (of a pile) is the default:
// the first one is, and a new default takes it from the old.
func (s *shelf[E]) settleDefault(w *change.Tx, old, e *E) error {
	if s.dflt == nil {
		return nil
	}
	others, err := s.pileOf(w.Tx, *e)
	if err != nil {
		return err
	}
	had := slices.ContainsFunc(others, func(o E) bool { return *s.dflt(&o) })
	if !had && (old == nil || *s.dflt(e)) {
		*s.dflt(e) = true
		return nil
	}
	if !had {
		return ecp.NewError(ecp.CodeConflict, "", "there has to be a default, and this is it; make another "+s.what+" the default instead")
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
func (s *shelf[E]) mayLeave(_ *change.Tx, e E) error {
	if s.dflt == nil || !*s.dflt(&e) {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "", "it is the default; make another "+s.what+" the default first")
}

// pileOf gives the other entries that have the same default as e.
func (s *shelf[E]) pileOf(tx ecp.Tx, e E) ([]E, error) {
	var out []E
	for o, err := range ecp.List[E](tx, ecp.Query{}) {
		if err != nil {
			return nil, err
		}
		if s.key(o) != s.key(e) && (s.pile == nil || s.pile(o) == s.pile(e)) {
			out = append(out, s.shown(o))
		}
	}
	return out, nil
}

// ClustersThat finds clusters that use something, by their names.
func ClustersThat(tx ecp.Tx, uses func(ecp.ClusterRecord) bool) (change.Use, error) {
	return change.UsesOf(tx, "cluster", ecp.Query{}, func(r ecp.ClusterRecord) (string, bool) { return r.Name, uses(r) })
}
