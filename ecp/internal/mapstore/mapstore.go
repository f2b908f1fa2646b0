package mapstore

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
)

// Store is the smallest Store: one map, one goroutine, no changes feed. The
// stores themselves cannot be imported here, since they import this package.
type Store struct {
	Records map[ecp.Kind]map[string]ecp.Record
	Seq     int64
	Writes  int // transactions that changed something beside the audit

	// Wrote is told of every record a transaction has put, in order.
	Wrote func(tx []ecp.Record)
	// Fault is asked before and after every transaction is kept; an error is
	// what the caller gets.
	Fault func(kept bool) error
}

func New() *Store { return &Store{Records: map[ecp.Kind]map[string]ecp.Record{}} }

func (s *Store) Read(_ context.Context, fn func(ecp.Tx) error) error {
	return fn(&mapTx{s: s, seq: s.Seq})
}

func (s *Store) Write(_ context.Context, fn func(ecp.Tx) error) error {
	if s.Fault != nil {
		if err := s.Fault(false); err != nil {
			return err
		}
	}
	tx := &mapTx{s: s, seq: s.Seq, own: map[ecp.Kind]map[string]ecp.Record{}}
	if err := fn(tx); err != nil {
		return err
	}
	maps.Copy(s.Records, tx.own)
	if slices.ContainsFunc(tx.puts, func(r ecp.Record) bool { return r.Kind != ecp.KindAudit }) ||
		(s.Seq != tx.seq && len(tx.puts) == 0) {
		s.Writes++
	}
	s.Seq = tx.seq
	if s.Wrote != nil {
		s.Wrote(tx.puts)
	}
	if s.Fault != nil {
		return s.Fault(true)
	}
	return nil
}

func (s *Store) Changes(context.Context, int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) { yield(ecp.Change{}, errors.ErrUnsupported) }
}

// mapTx sees the store's records and its own writes before them.
type mapTx struct {
	s    *Store
	seq  int64
	own  map[ecp.Kind]map[string]ecp.Record
	puts []ecp.Record
}

func (t *mapTx) table(k ecp.Kind) map[string]ecp.Record {
	if own, ok := t.own[k]; ok {
		return own
	}
	return t.s.Records[k]
}

func (t *mapTx) owned(k ecp.Kind) map[string]ecp.Record {
	if t.own[k] == nil {
		t.own[k] = map[string]ecp.Record{}
		maps.Copy(t.own[k], t.s.Records[k])
	}
	return t.own[k]
}

func (t *mapTx) Get(k ecp.Kind, key string) (ecp.Record, error) {
	r, ok := t.table(k)[key]
	if !ok {
		return ecp.Record{}, ecp.NewError(ecp.CodeNotFound, "read "+string(k), "there is no "+key)
	}
	r.Payload = r.Payload.Copy()
	return r, nil
}

func (t *mapTx) List(q ecp.Query) iter.Seq2[ecp.Record, error] {
	return func(yield func(ecp.Record, error) bool) {
		n := 0
		for _, key := range slices.Sorted(maps.Keys(t.table(q.Kind))) {
			r := t.table(q.Kind)[key]
			if key <= q.After || (q.Project != "" && r.Index.Project != q.Project) ||
				(q.Parent != "" && r.Index.Parent != q.Parent) {
				continue
			}
			r.Payload = r.Payload.Copy()
			if n++; !yield(r, nil) || n == q.Limit {
				return
			}
		}
	}
}

func (t *mapTx) Put(r ecp.Record, ifVersion int64) error {
	old, there := t.table(r.Kind)[r.Key]
	switch {
	case ifVersion == 0 && there:
		return ecp.NewError(ecp.CodeExists, "write "+string(r.Kind), r.Key+" is there")
	case ifVersion > 0 && old.Version != ifVersion:
		return ecp.NewError(ecp.CodeConflict, "write "+string(r.Kind), r.Key+" has changed")
	}
	for key, other := range t.table(r.Kind) {
		if key != r.Key && r.Index.Name != "" && other.Index.Name == r.Index.Name &&
			other.Index.Project == r.Index.Project {
			return ecp.NewError(ecp.CodeExists, "write "+string(r.Kind), "the name is taken")
		}
	}
	t.seq++
	r.Version = t.seq
	t.owned(r.Kind)[r.Key] = r
	t.puts = append(t.puts, r)
	return nil
}

func (t *mapTx) Delete(k ecp.Kind, key string) error {
	if _, err := t.Get(k, key); err != nil {
		return err
	}
	t.seq++
	delete(t.owned(k), key)
	return nil
}

func (t *mapTx) Seq() (int64, error) { return t.seq, nil }
