package ecp

import (
	"context"
	"iter"
	"time"
)

// Store keeps records. Every implementation passes ecptest.TestStore.
type Store interface {
	// Read runs fn on a consistent snapshot. Tx must not be used after fn
	// returns, and writing to it is an error.
	Read(ctx context.Context, fn func(Tx) error) error
	// Write runs fn in a serializable transaction: all or nothing. When Write
	// returns nil the change survives a crash of the process and, where the
	// store is durable, of the machine. fn may run again, does no I/O, and gets
	// its error back unwrapped.
	Write(ctx context.Context, fn func(Tx) error) error
	// Changes yields every change after the given sequence number in order,
	// then waits for further ones, until ctx ends (which yields ctx's error) or
	// the consumer stops. Changes are kept for [ChangesKept] at least; an older
	// position yields one gone error, and so does one that was never reached.
	// after < 0 means from now on, which is when Changes is called.
	Changes(ctx context.Context, after int64) iter.Seq2[Change, error]
}

// ChangesKept is how long changes can be resumed from.
const ChangesKept = 24 * time.Hour

// StoreAs returns what a Store can do besides, such as a [Purger]: the Store itself, or one
// that it wraps. A Store that wraps another one has a method Unwrap() Store, so that
// nothing has to be forwarded by hand.
func StoreAs[T any](s Store) (as T, ok bool) {
	for s != nil {
		if as, ok = s.(T); ok {
			return as, true
		}
		wrapper, wraps := s.(interface{ Unwrap() Store })
		if !wraps {
			break
		}
		s = wrapper.Unwrap()
	}
	return as, false
}

// Purger is a Store that keeps changes until they are removed: Run of the Manager
// does that now and then with those that are older than [ChangesKept].
type Purger interface {
	// Purge removes changes older than a time, and returns how many.
	Purge(ctx context.Context, before time.Time) (int64, error)
}

// Tx reads and writes records. What goes in and out is copied. The typed
// functions [Get], [List] and [Put] are nicer to use.
type Tx interface {
	// Get returns a record; not_found if there is none.
	Get(kind Kind, key string) (Record, error)
	// List yields the records of a kind in the order of their keys. The
	// transaction must not be written to during the iteration.
	List(q Query) iter.Seq2[Record, error]
	// Put writes a record and its change. ifVersion: 0 = must not exist yet
	// (exists otherwise); [AnyVersion] = whatever is there; else the version it
	// was read at (conflict otherwise). A record whose unique name is taken by
	// another of its kind and project is refused with exists.
	Put(r Record, ifVersion int64) error
	// Delete removes a record and writes the change; not_found if there is none.
	Delete(kind Kind, key string) error
	// Seq is the number of the last change in this snapshot: list, then watch
	// from here, and nothing is missed or doubled.
	Seq() (int64, error)
}

// AnyVersion makes Put overwrite whatever is there.
const AnyVersion int64 = -1

// Query selects records of one kind.
type Query struct {
	Kind    Kind
	Project string // "" = all; else only those whose Index has it
	Parent  string // "" = all; else only those whose Index has it
	After   string // keys greater than this
	Limit   int    // 0 = all
	// Match narrows further by what stands beside the payload, which is not
	// read for a record it refuses; nil = all.
	Match func(key string, i Index) bool
}

// Change says that a record was written. It is stored with the record, in the
// same transaction.
type Change struct {
	Seq     int64     // grows by at least one from change to change
	At      time.Time // UTC
	Kind    Kind
	Key     string
	Index   Index
	Deleted bool
	Payload Payload // as written; the last one where Deleted
}
