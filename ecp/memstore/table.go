package memstore

import (
	"cmp"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// table holds the records of one kind in two orders. What the pointers lead to
// is never changed; the lists of a published table are not either.
type table struct {
	byKey  []*ecp.Record
	byName []*ecp.Record // those with a name, by project and name
}

func (t *table) clone() *table {
	return &table{byKey: slices.Clone(t.byKey), byName: slices.Clone(t.byName)}
}

func (t *table) find(key string) (int, bool) {
	return slices.BinarySearchFunc(t.byKey, key, func(r *ecp.Record, key string) int {
		return strings.Compare(r.Key, key)
	})
}

func (t *table) findName(i ecp.Index) (int, bool) {
	return slices.BinarySearchFunc(t.byName, i, func(r *ecp.Record, i ecp.Index) int {
		return cmp.Or(strings.Compare(r.Index.Project, i.Project), strings.Compare(r.Index.Name, i.Name))
	})
}

// get returns a record; nil if there is none.
func (t *table) get(key string) *ecp.Record {
	if n, ok := t.find(key); ok {
		return t.byKey[n]
	}
	return nil
}

// nameTaken reports whether another record has the record's name.
func (t *table) nameTaken(r ecp.Record) bool {
	if r.Index.Name == "" {
		return false
	}
	n, ok := t.findName(r.Index)
	return ok && t.byName[n].Key != r.Key
}

// put inserts a record or replaces the one of its key.
func (t *table) put(r *ecp.Record) {
	n, found := t.find(r.Key)
	if found && t.byKey[n].Index.Name == r.Index.Name && t.byKey[n].Index.Project == r.Index.Project {
		t.byKey[n] = r
		if r.Index.Name != "" {
			n, _ := t.findName(r.Index)
			t.byName[n] = r
		}
		return
	}
	t.remove(r.Key)
	t.byKey = slices.Insert(t.byKey, n, r)
	if r.Index.Name != "" {
		n, _ := t.findName(r.Index)
		t.byName = slices.Insert(t.byName, n, r)
	}
}

// remove takes a record out; nothing happens if there is none.
func (t *table) remove(key string) {
	n, ok := t.find(key)
	if !ok {
		return
	}
	old := t.byKey[n]
	t.byKey = slices.Delete(t.byKey, n, n+1)
	if old.Index.Name != "" {
		n, _ := t.findName(old.Index)
		t.byName = slices.Delete(t.byName, n, n+1)
	}
}
