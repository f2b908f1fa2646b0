package memstore

import (
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/openecp/openecp/ecp"
)

// tx works on a copy of a state. Tables are copied when they are first written
// to; until Write publishes the copy, nobody else sees it.
type tx struct {
	state
	writable bool
	ended    bool
	lists    int // iterations under way
	own      map[ecp.Kind]bool
}

var empty table

func (t *tx) end() { t.ended = true }

func (t *tx) table(kind ecp.Kind) *table {
	if table := t.tables[kind]; table != nil {
		return table
	}
	return &empty
}

// ownTable returns the table of a kind for writing.
func (t *tx) ownTable(kind ecp.Kind) *table {
	if !t.own[kind] {
		if t.own == nil {
			t.own = map[ecp.Kind]bool{}
			t.tables = maps.Clone(t.tables)
		}
		t.tables[kind] = t.table(kind).clone()
		t.own[kind] = true
	}
	return t.tables[kind]
}

// Get returns a record; see [ecp.Tx].
func (t *tx) Get(kind ecp.Kind, key string) (ecp.Record, error) {
	if err := t.usable(); err != nil {
		return ecp.Record{}, err
	}
	r := t.table(kind).get(key)
	if r == nil {
		return ecp.Record{}, notFound("read", kind, key)
	}
	return copyOut(r), nil
}

// List yields records in the order of their keys; see [ecp.Tx].
func (t *tx) List(q ecp.Query) iter.Seq2[ecp.Record, error] {
	return func(yield func(ecp.Record, error) bool) {
		if err := t.usable(); err != nil {
			yield(ecp.Record{}, err)
			return
		}
		t.lists++
		defer func() { t.lists-- }()
		table, left := t.table(q.Kind), q.Limit
		from, found := table.find(q.After)
		if found {
			from++
		}
		for _, r := range table.byKey[from:] {
			if (q.Project != "" && r.Index.Project != q.Project) || (q.Parent != "" && r.Index.Parent != q.Parent) {
				continue
			}
			if q.Match != nil && !q.Match(r.Key, r.Index) {
				continue
			}
			if !yield(copyOut(r), nil) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// Put writes a record and its change; see [ecp.Tx].
func (t *tx) Put(r ecp.Record, ifVersion int64) error {
	if err := t.writing("write", r.Kind); err != nil {
		return err
	}
	if err := check(r); err != nil {
		return err
	}
	old := t.table(r.Kind).get(r.Key)
	switch {
	case ifVersion == ecp.AnyVersion:
	case ifVersion == 0 && old != nil:
		return &ecp.Error{
			Code: ecp.CodeExists, Op: "write " + string(r.Kind),
			Message: fmt.Sprintf("%q is there already", r.Key),
		}
	case ifVersion != 0 && (old == nil || old.Version != ifVersion):
		return &ecp.Error{
			Code: ecp.CodeConflict, Op: "write " + string(r.Kind),
			Message: fmt.Sprintf("%q has changed since it was read", r.Key),
		}
	}
	if t.table(r.Kind).nameTaken(r) {
		return &ecp.Error{
			Code: ecp.CodeExists, Op: "write " + string(r.Kind),
			Message: fmt.Sprintf("the name %q is taken in %q", r.Index.Name, r.Index.Project),
		}
	}
	r.Payload = r.Payload.Copy()
	c := t.change(r)
	r.Version, r.At = c.Seq, c.At
	t.ownTable(r.Kind).put(&r)
	return nil
}

// Delete removes a record and writes the change; see [ecp.Tx].
func (t *tx) Delete(kind ecp.Kind, key string) error {
	if err := t.writing("delete", kind); err != nil {
		return err
	}
	old := t.table(kind).get(key)
	if old == nil {
		return notFound("delete", kind, key)
	}
	t.change(*old)
	t.log[len(t.log)-1].Deleted = true
	t.ownTable(kind).remove(key)
	return nil
}

// Seq is the number of the last change; see [ecp.Tx].
func (t *tx) Seq() (int64, error) { return t.seq, t.usable() }

// change numbers a change and appends it to the log.
func (t *tx) change(r ecp.Record) ecp.Change {
	t.seq++
	c := ecp.Change{
		Seq: t.seq, At: time.Now().UTC().Round(0), Kind: r.Kind, Key: r.Key, Index: r.Index, Payload: r.Payload,
	}
	t.log = append(t.log, c)
	return c
}

func copyOut(r *ecp.Record) ecp.Record {
	out := *r
	out.Payload = r.Payload.Copy()
	return out
}

func (t *tx) usable() error {
	if t.ended {
		return misuse("use a transaction",
			"it has ended: Tx must not be used after the function it was given to returns")
	}
	return nil
}

func (t *tx) writing(verb string, kind ecp.Kind) error {
	op := verb + " " + string(kind)
	switch {
	case t.ended:
		return t.usable()
	case !t.writable:
		return misuse(op, "the transaction is for reading only")
	case t.lists > 0:
		return misuse(op, "a List of this transaction is under way")
	}
	return nil
}
