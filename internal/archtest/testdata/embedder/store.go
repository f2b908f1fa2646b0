package main

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// store is a small Store of an embedder's own.
type store struct {
	mu      sync.Mutex
	records map[string]ecp.Record // guarded by mu; by kind and key
	changes []ecp.Change          // guarded by mu
	more    chan struct{}         // guarded by mu; closed and replaced at every change
}

func newStore() *store { return &store{records: map[string]ecp.Record{}, more: make(chan struct{})} }

type tx struct {
	records map[string]ecp.Record
	changes []ecp.Change
	seq     int64
}

func (s *store) Read(_ context.Context, fn func(ecp.Tx) error) error {
	s.mu.Lock()
	t := &tx{records: maps.Clone(s.records), seq: int64(len(s.changes))}
	s.mu.Unlock()
	return fn(t)
}

func (s *store) Write(_ context.Context, fn func(ecp.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tx{records: maps.Clone(s.records), seq: int64(len(s.changes))}
	if err := fn(t); err != nil {
		return err
	}
	s.records, s.changes = t.records, append(s.changes, t.changes...)
	close(s.more)
	s.more = make(chan struct{})
	return nil
}

func (s *store) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	s.mu.Lock()
	if after < 0 {
		after = int64(len(s.changes))
	}
	s.mu.Unlock()
	return func(yield func(ecp.Change, error) bool) {
		for {
			s.mu.Lock()
			news, more := slices.Clone(s.changes[after:]), s.more
			s.mu.Unlock()
			for _, c := range news {
				after = c.Seq
				if !yield(c, nil) {
					return
				}
			}
			select {
			case <-more:
			case <-ctx.Done():
				yield(ecp.Change{}, ctx.Err())
				return
			}
		}
	}
}

func (t *tx) Get(kind ecp.Kind, key string) (ecp.Record, error) {
	r, ok := t.records[string(kind)+" "+key]
	if !ok {
		return r, &ecp.Error{Code: ecp.CodeNotFound, Op: "read " + string(kind), Message: "there is no " + key}
	}
	r.Payload = r.Payload.Copy()
	return r, nil
}

func (t *tx) List(q ecp.Query) iter.Seq2[ecp.Record, error] {
	return func(yield func(ecp.Record, error) bool) {
		left := q.Limit
		for _, k := range slices.Sorted(maps.Keys(t.records)) {
			r := t.records[k]
			if r.Kind != q.Kind || r.Key <= q.After || (q.Project != "" && r.Index.Project != q.Project) ||
				(q.Parent != "" && r.Index.Parent != q.Parent) || (q.Match != nil && !q.Match(r.Key, r.Index)) {
				continue
			}
			r.Payload = r.Payload.Copy()
			if left--; !yield(r, nil) || left == 0 {
				return
			}
		}
	}
}

func (t *tx) Put(r ecp.Record, ifVersion int64) error {
	old, there := t.records[string(r.Kind)+" "+r.Key]
	switch {
	case ifVersion == 0 && there:
		return &ecp.Error{Code: ecp.CodeExists, Op: "write " + string(r.Kind), Message: r.Key + " is there already"}
	case ifVersion > 0 && old.Version != ifVersion:
		return &ecp.Error{Code: ecp.CodeConflict, Op: "write " + string(r.Kind), Message: r.Key + " has changed since it was read"}
	}
	t.change(r, false)
	r.Payload, r.Version, r.At = r.Payload.Copy(), t.seq, time.Now().UTC()
	t.records[string(r.Kind)+" "+r.Key] = r
	return nil
}

func (t *tx) Delete(kind ecp.Kind, key string) error {
	r, err := t.Get(kind, key)
	if err == nil {
		t.change(r, true)
		delete(t.records, string(kind)+" "+key)
	}
	return err
}

func (t *tx) Seq() (int64, error) { return t.seq, nil }

func (t *tx) change(r ecp.Record, deleted bool) {
	t.seq++
	t.changes = append(t.changes, ecp.Change{Seq: t.seq, At: time.Now().UTC(), Kind: r.Kind, Key: r.Key, Index: r.Index, Deleted: deleted, Payload: r.Payload.Copy()})
}
