package ecp

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"time"
)

// Kind names a kind of record.
type Kind string

// The kinds.
const (
	KindCluster        Kind = "cluster"
	KindTombstone      Kind = "tombstone"
	KindOperation      Kind = "operation"
	KindProject        Kind = "project"
	KindImage          Kind = "image"
	KindSize           Kind = "size"
	KindPool           Kind = "pool"
	KindQuota          Kind = "quota" // of an organisation or project
	KindToken          Kind = "token"
	KindTransferNotice Kind = "departure" // in the project that a cluster has left
	KindSecret         Kind = "secret"    // encrypted, of a catalogue entry
	KindRegistry       Kind = "registry"
	KindLicense        Kind = "license"
	KindCertificate    Kind = "certificate"
	KindLBProfile      Kind = "lb-profile"
	KindTarget         Kind = "target"
	KindPlatform       Kind = "platform" // of a target: which one it is
	KindOrg            Kind = "org"
	KindUser           Kind = "user"
	KindPassword       Kind = "password" // hash of a user's
	KindSession        Kind = "session"
	// KindLoginOrigins are the places that a user has logged in from.
	KindLoginOrigins Kind = "login-origins"
	KindAudit        Kind = "audit"
	KindAnswered     Kind = "answered" // what was answered to an idempotency key
	// KindAgent and KindRegistrationToken are those of adopted clusters.
	KindAgent             Kind = "agent"
	KindRegistrationToken Kind = "registration-token"
	// KindHistory is what agents have told of the past of an adopted cluster.
	KindHistory Kind = "history"
	// KindDaemon and KindShard are kept where several programs share one Store: those
	// programs, and which clusters each of them works on.
	KindDaemon Kind = "daemon"
	KindShard  Kind = "shard"
	// KindDashboard is a link to the dashboard of a cluster, or a session with it.
	KindDashboard Kind = "dashboard"
)

// Record is something a Store keeps. The set of payloads is [Payload]'s.
type Record struct {
	Kind    Kind
	Key     string    // unique in its kind
	Index   Index     // what it is found by
	Version int64     // grows with every Put; set by the store
	At      time.Time // of the last Put, UTC; set by the store
	Payload Payload   // a value, not a pointer
}

// Index is what a store finds records by.
type Index struct {
	Project string // "org/project"; "" = none
	Name    string // unique in (kind, project), compared exactly; "" = none
	Parent  string // e.g. the cluster of an operation; "" = none
	State   string // shown in changes
}

// Payload is the content of a record. Values are plain data that survive JSON.
type Payload interface {
	// Describe implements [Payload].
	Describe() (Kind, string, Index)
	// Copy returns a value that shares nothing with the receiver.
	Copy() Payload
}

// PoolKey is the key of the one pool record.
const PoolKey = "pool"

// Codec makes payloads of the JSON that json.Marshal made of them, by kind; for
// stores that keep text. Each room that stores records has a codec of its own kinds,
// and fleet.Kinds is the union of them. A program that embeds the Manager adds its own
// kinds to that, see [CodecOf].
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

// Get returns a payload by key and the version it was read at.
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
