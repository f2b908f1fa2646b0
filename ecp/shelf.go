package ecp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// shelf is how one catalogue is kept: what differs between them is in here,
// the rest is the same for all.
type shelf[E Payload] struct {
	kind Kind
	what string          // for people, e.g. "size"
	key  func(E) string  //
	id   string          // the name of the field that is the key
	rev  func(*E) *int64 // the entry's revision
	read Right           // who sees entries
	dflt func(*E) *bool  // marks the default; nil = there is none
	pile func(E) string  // defaults are one for each; nil = one in all
	// check says what is wrong with an entry, with its defaults filled in.
	check func(*problems, *E)
	// prepare looks at what an entry is to be among the others; nil = nothing.
	prepare func(w *work, old *E, e *E) error
	// uses finds who uses an entry.
	uses func(Tx, E) ([]use, error)
	// secret is the name of the entry's secret field; "" = it has none.
	secret string
	set    func(*E, bool) // says in the entry that the secret is set
	// learn takes from a new secret what may be shown; nil = nothing.
	learn func(*problems, *E, Secret)
}

func (s *shelf[E]) request(verb, key string, asked any) request {
	op := verb + " " + s.what
	if verb != "create" {
		op += " " + key
	}
	return request{op: op, action: verb, kind: s.kind, key: key, asked: asked}
}

// free refuses a key that another entry has.
func (s *shelf[E]) free(tx Tx, key string) error {
	_, _, err := Get[E](tx, key)
	if err == nil {
		return &Error{Code: CodeExists, Message: "the name is taken", Fields: []FieldError{{s.id, fmt.Sprintf("there is a %s %q already", s.what, key)}}}
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// list gives every entry in the order of keys.
func (s *shelf[E]) list(ctx context.Context, c *Catalog) ([]E, error) {
	op := "list " + strings.Replace(s.what+"s", "ys", "ies", 1)
	if _, err := authorize(ctx, op, s.read, ""); err != nil {
		return nil, err
	}
	out := []E{}
	err := c.store.Read(ctx, func(tx Tx) error {
		out = out[:0]
		for e, err := range List[E](tx, Query{}) {
			if err != nil {
				return err
			}
			out = append(out, s.shown(e))
		}
		return nil
	})
	if err != nil {
		return nil, explain(op, err, "", "")
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
	if _, err := authorize(ctx, op, s.read, ""); err != nil {
		return e, err
	}
	err := c.store.Read(ctx, func(tx Tx) (err error) { e, err = s.find(tx, key); return err })
	if err != nil {
		return e, explain(op, err, "", "")
	}
	return e, nil
}

func (s *shelf[E]) find(tx Tx, key string) (E, error) {
	e, _, err := Get[E](tx, key)
	if errors.Is(err, ErrNotFound) {
		return e, noSuch(s.what, key, err)
	}
	return s.shown(e), err
}

// create puts an entry on the shelf; secret "" = none.
func (s *shelf[E]) create(ctx context.Context, c *Catalog, e E, secret Secret) (E, error) {
	q := s.request("create", "", e)
	q.secret = string(secret)
	return submit(ctx, c.changes, q, func(w *work) (E, error) {
		if err := w.permit(RightAdmin, ""); err != nil {
			return e, err
		}
		e, _ := e.Copy().(E)
		var wrong problems
		if s.set != nil {
			s.set(&e, secret != "")
		}
		s.checkSecret(&wrong, &e, secret)
		s.check(&wrong, &e)
		if err := wrong.err(""); err != nil {
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
		if err := Put(w.Tx, e, 0); err != nil {
			return e, err
		}
		w.note(s.key(e), "", nil, e)
		return e, s.store(w, c, e, secret)
	})
}

// update replaces an entry; its revision says which one was read, 0 = whatever.
// secret nil = it stays.
func (s *shelf[E]) update(ctx context.Context, c *Catalog, e E, secret *Secret) (E, error) {
	key := s.key(e)
	q := s.request("update", key, e)
	if secret != nil {
		q.secret = "set " + string(*secret)
	}
	return submit(ctx, c.changes, q, func(w *work) (E, error) {
		if err := w.permit(RightAdmin, ""); err != nil {
			return e, err
		}
		old, err := s.find(w.Tx, key)
		if err != nil {
			return e, err
		}
		e, _ := e.Copy().(E)
		if err := checkRevision(*s.rev(&e), *s.rev(&old)); err != nil {
			return e, err
		}
		return e, s.replace(w, c, old, &e, secret)
	})
}

func (s *shelf[E]) replace(w *work, c *Catalog, old E, e *E, secret *Secret) error {
	var wrong problems
	*s.rev(e) = *s.rev(&old)
	if s.prepare != nil {
		if err := s.prepare(w, &old, e); err != nil {
			return err
		}
	}
	s.check(&wrong, e)
	var plain Secret
	if secret != nil {
		plain = *secret
		s.checkSecret(&wrong, e, plain)
		if s.set != nil {
			s.set(e, plain != "")
		}
	}
	if err := wrong.err(""); err != nil || secret == nil && same(old, *e) {
		return err
	}
	*s.rev(e)++
	if err := s.settleDefault(w, &old, e); err != nil {
		return err
	}
	w.note(s.key(*e), "", old, *e)
	if err := Put(w.Tx, *e, AnyVersion); err != nil {
		return err
	}
	if secret == nil {
		return nil
	}
	if plain == "" {
		return s.forgetSecret(w.Tx, *e)
	}
	return s.store(w, c, *e, plain)
}

func (s *shelf[E]) delete(ctx context.Context, c *Catalog, key string, ifRevision int64) error {
	return do(ctx, c.changes, s.request("delete", key, ifRevision), func(w *work) error {
		if err := w.permit(RightAdmin, ""); err != nil {
			return err
		}
		e, err := s.find(w.Tx, key)
		if err != nil {
			return err
		}
		if err := checkRevision(ifRevision, *s.rev(&e)); err != nil {
			return err
		}
		uses, err := s.uses(w.Tx, e)
		if err != nil {
			return err
		}
		if err := inUse(uses...); err != nil {
			return err
		}
		if err := s.mayLeave(w, e); err != nil {
			return err
		}
		w.note(key, "", e, nil)
		if err := s.forgetSecret(w.Tx, e); err != nil {
			return err
		}
		return w.Delete(s.kind, key)
	})
}

func (s *shelf[E]) checkSecret(wrong *problems, e *E, secret Secret) {
	if len(secret) > MaxSecret {
		wrong.add(s.secret, "has %d bytes; at most %d are allowed", len(secret), MaxSecret)
	} else if s.learn != nil && secret != "" {
		s.learn(wrong, e, secret)
	}
}

func (s *shelf[E]) store(w *work, c *Catalog, e E, secret Secret) error {
	if secret == "" {
		return nil
	}
	w.noteSecret(s.secret)
	return c.putSecret(w.Tx, s.kind, s.key(e), s.secret, secret)
}

func (s *shelf[E]) forgetSecret(tx Tx, e E) error {
	if s.secret == "" {
		return nil
	}
	return deleteIfThere(tx, KindSecret, sealedSecret{Kind: s.kind, Key: s.key(e), Field: s.secret}.binding())
}

// settleDefault sees to it that exactly one entry (of a pile) is the default:
// the first one is, and a new default takes it from the old.
func (s *shelf[E]) settleDefault(w *work, old, e *E) error {
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
		return fail(CodeConflict, "", "there has to be a default, and this is it; make another "+s.what+" the default instead")
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
		w.note(s.key(o), "", before, o)
		if err := Put(w.Tx, o, AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// mayLeave refuses to delete the default.
func (s *shelf[E]) mayLeave(_ *work, e E) error {
	if s.dflt == nil || !*s.dflt(&e) {
		return nil
	}
	return fail(CodeConflict, "", "it is the default; make another "+s.what+" the default first")
}

// pileOf gives the other entries that have the same default as e.
func (s *shelf[E]) pileOf(tx Tx, e E) ([]E, error) {
	var out []E
	for o, err := range List[E](tx, Query{}) {
		if err != nil {
			return nil, err
		}
		if s.key(o) != s.key(e) && (s.pile == nil || s.pile(o) == s.pile(e)) {
			out = append(out, s.shown(o))
		}
	}
	return out, nil
}

// clustersThat finds clusters that use something, by their names.
func clustersThat(tx Tx, uses func(ClusterRecord) bool) (use, error) {
	return usesOf(tx, "cluster", Query{}, func(r ClusterRecord) (string, bool) { return r.Name, uses(r) })
}
