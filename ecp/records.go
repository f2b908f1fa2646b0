package ecp

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
)

// PoolKey is the key of the one pool record.
const PoolKey = "pool"

// Describe gives kind, key and index.
func (r ClusterRecord) Describe() (Kind, string, Index) {
	return KindCluster, string(r.ID), Index{Project: r.Project, Name: r.Name, State: string(r.Status.State)}
}

// Copy gives a value that shares nothing with r.
func (r ClusterRecord) Copy() Payload { return r.Clone() }

// Describe gives kind, key and index.
func (t Tombstone) Describe() (Kind, string, Index) {
	return KindTombstone, string(t.ID), Index{Project: t.Project, State: string(Gone)}
}

// Copy gives t itself: it holds no reference.
func (t Tombstone) Copy() Payload { return t }

// Describe gives kind, key and index: it is seen in the project that was left.
func (d Departure) Describe() (Kind, string, Index) {
	return KindDeparture, string(d.Cluster), Index{Project: d.Project, Parent: string(d.Cluster)}
}

// Copy gives d itself: it holds no reference.
func (d Departure) Copy() Payload { return d }

// Describe gives kind, key and index.
func (o Operation) Describe() (Kind, string, Index) {
	return KindOperation, string(o.ID), Index{Project: o.Project, Parent: string(o.Cluster), State: string(o.Phase)}
}

// Copy gives a value that shares nothing with o.
func (o Operation) Copy() Payload { return o.Clone() }

// Describe gives kind, key and index.
func (i Image) Describe() (Kind, string, Index) { return KindImage, i.ID, Index{} }

// Copy gives i itself: it holds no reference.
func (i Image) Copy() Payload { return i }

// Describe gives kind, key and index.
func (s Size) Describe() (Kind, string, Index) { return KindSize, s.Name, Index{} }

// Copy gives s itself: it holds no reference.
func (s Size) Copy() Payload { return s }

// Describe gives kind, key and index.
func (p Pool) Describe() (Kind, string, Index) { return KindPool, PoolKey, Index{} }

// Copy gives p itself: it holds no reference.
func (p Pool) Copy() Payload { return p }

// Codec makes payloads of the JSON that json.Marshal made of them, by kind; for
// stores that keep text. Each package that stores records brings its own with
// [CodecOf]; whoever embeds them adds kinds of their own.
type Codec map[Kind]func([]byte) (Payload, error)

// CodecOf returns the codec of the kinds of some payloads, whose values do not
// matter.
func CodecOf(payloads ...Payload) Codec {
	c := Codec{}
	for _, p := range payloads {
		kind, _, _ := p.Describe()
		of := reflect.TypeOf(p)
		c[kind] = func(b []byte) (Payload, error) {
			v := reflect.New(of)
			if err := json.Unmarshal(b, v.Interface()); err != nil {
				return nil, err
			}
			p, _ := v.Elem().Interface().(Payload)
			return p, nil
		}
	}
	return c
}

// Decode makes a payload of a kind. The error of one that the codec does not know
// names it.
func (c Codec) Decode(kind Kind, b []byte) (Payload, error) {
	decode, ok := c[kind]
	if !ok {
		return nil, fmt.Errorf("decode record: unknown kind %q", kind)
	}
	p, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("decode record of kind %q: %w", kind, err)
	}
	return p, nil
}

// NewRecord wraps a payload for Put.
func NewRecord(p Payload) Record {
	kind, key, index := p.Describe()
	return Record{Kind: kind, Key: key, Index: index, Payload: p.Copy()}
}

// Get gives a payload by key and the version it was read at.
func Get[P Payload](tx Tx, key string) (P, int64, error) {
	var zero P
	kind, _, _ := zero.Describe()
	r, err := tx.Get(kind, key)
	if err != nil {
		return zero, 0, err
	}
	p, ok := r.Payload.(P)
	if !ok {
		return zero, 0, fmt.Errorf("read %s %q: the store gave a %T", kind, key, r.Payload)
	}
	return p, r.Version, nil
}

// List yields the payloads that q selects; q.Kind is filled in.
func List[P Payload](tx Tx, q Query) iter.Seq2[P, error] {
	var zero P
	q.Kind, _, _ = zero.Describe()
	return func(yield func(P, error) bool) {
		for r, err := range tx.List(q) {
			p, _ := r.Payload.(P)
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Put writes a payload; see [Tx] for ifVersion.
func Put(tx Tx, p Payload, ifVersion int64) error { return tx.Put(NewRecord(p), ifVersion) }
