package ecp

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
)

// mapStore is the smallest Store: one map, one goroutine, no changes feed. The
// stores themselves cannot be imported here, since they import this package.
type mapStore struct {
	records map[Kind]map[string]Record
	seq     int64
	writes  int // transactions that changed something beside the audit

	// wrote is told of every record a transaction has put, in order.
	wrote func(tx []Record)
	// fault is asked before and after every transaction is kept; an error is
	// what the caller gets.
	fault func(kept bool) error
}

func newMapStore() *mapStore { return &mapStore{records: map[Kind]map[string]Record{}} }

func (s *mapStore) Read(_ context.Context, fn func(Tx) error) error {
	return fn(&mapTx{s: s, seq: s.seq})
}

func (s *mapStore) Write(_ context.Context, fn func(Tx) error) error {
	if s.fault != nil {
		if err := s.fault(false); err != nil {
			return err
		}
	}
	tx := &mapTx{s: s, seq: s.seq, own: map[Kind]map[string]Record{}}
	if err := fn(tx); err != nil {
		return err
	}
	maps.Copy(s.records, tx.own)
	if slices.ContainsFunc(tx.puts, func(r Record) bool { return r.Kind != KindAudit }) || (s.seq != tx.seq && len(tx.puts) == 0) {
		s.writes++
	}
	s.seq = tx.seq
	if s.wrote != nil {
		s.wrote(tx.puts)
	}
	if s.fault != nil {
		return s.fault(true)
	}
	return nil
}

func (s *mapStore) Changes(context.Context, int64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) { yield(Change{}, errors.ErrUnsupported) }
}

// mapTx sees the store's records and its own writes before them.
type mapTx struct {
	s    *mapStore
	seq  int64
	own  map[Kind]map[string]Record
	puts []Record
}

func (t *mapTx) table(k Kind) map[string]Record {
	if own, ok := t.own[k]; ok {
		return own
	}
	return t.s.records[k]
}

func (t *mapTx) owned(k Kind) map[string]Record {
	if t.own[k] == nil {
		t.own[k] = map[string]Record{}
		maps.Copy(t.own[k], t.s.records[k])
	}
	return t.own[k]
}

func (t *mapTx) Get(k Kind, key string) (Record, error) {
	r, ok := t.table(k)[key]
	if !ok {
		return Record{}, fail(CodeNotFound, "read "+string(k), "there is no "+key)
	}
	r.Payload = r.Payload.Copy()
	return r, nil
}

func (t *mapTx) List(q Query) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		n := 0
		for _, key := range slices.Sorted(maps.Keys(t.table(q.Kind))) {
			r := t.table(q.Kind)[key]
			if key <= q.After || (q.Project != "" && r.Index.Project != q.Project) || (q.Parent != "" && r.Index.Parent != q.Parent) {
				continue
			}
			r.Payload = r.Payload.Copy()
			if n++; !yield(r, nil) || n == q.Limit {
				return
			}
		}
	}
}

func (t *mapTx) Put(r Record, ifVersion int64) error {
	old, there := t.table(r.Kind)[r.Key]
	switch {
	case ifVersion == 0 && there:
		return fail(CodeExists, "write "+string(r.Kind), r.Key+" is there")
	case ifVersion > 0 && old.Version != ifVersion:
		return fail(CodeConflict, "write "+string(r.Kind), r.Key+" has changed")
	}
	for key, other := range t.table(r.Kind) {
		if key != r.Key && r.Index.Name != "" && other.Index.Name == r.Index.Name && other.Index.Project == r.Index.Project {
			return fail(CodeExists, "write "+string(r.Kind), "the name is taken")
		}
	}
	t.seq++
	r.Version = t.seq
	t.owned(r.Kind)[r.Key] = r
	t.puts = append(t.puts, r)
	return nil
}

func (t *mapTx) Delete(k Kind, key string) error {
	if _, err := t.Get(k, key); err != nil {
		return err
	}
	t.seq++
	delete(t.owned(k), key)
	return nil
}

func (t *mapTx) Seq() (int64, error) { return t.seq, nil }

// asSystem is a context whose calls may do everything.
func asSystem() context.Context { return WithActor(context.Background(), System) }
