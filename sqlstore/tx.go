package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/openecp/openecp/ecp"
)

// tx is one transaction, as callers see it.
type tx struct {
	s *Store
	*session
	readOnly bool
	ended    bool
	lists    int   // iterations under way
	broken   error // a fault of the database; nothing can be relied on afterwards
	seq      int64 // of the last change, where it writes
	changes  []ecp.Change

	alive func() error // the caller's context's error
}

// begin starts a transaction of the engine.
func (s *Store) begin(ctx context.Context, readOnly bool) (*tx, error) {
	session, err := s.engine.begin(ctx, readOnly)
	if err != nil {
		return nil, err
	}
	return &tx{s: s, session: session, readOnly: readOnly, alive: ctx.Err, seq: session.last}, nil
}

// rollback ends the transaction; after a commit it only gives the connection
// back.
func (t *tx) rollback() {
	t.ended = true
	_ = t.discard() // that it was committed is an error, too
}

// fail notes that the database itself failed.
func (t *tx) fail(op string, err error) error {
	t.broken = t.s.engine.fault(op, err)
	return t.broken
}

// exec runs a statement that writes and says how many rows it touched. A
// constraint's refusal leaves the transaction as it was.
func (t *tx) exec(n statement, args ...any) (int64, error) {
	result, err := t.run(n, args...)
	if err == nil {
		var rows int64
		if rows, err = result.RowsAffected(); err == nil {
			return rows, nil
		}
	}
	if t.s.engine.takenBy(err) == notTaken {
		err = t.fail("write", err)
	}
	return 0, err
}

// one reads a number.
func (t *tx) one(n statement, into any) error {
	return t.rows(n, nil, func(rows *sql.Rows) error { return rows.Scan(into) })
}

// errEnough ends the reading of rows before their end; it is no fault.
var errEnough = errors.New("enough has been read")

// rows calls each for every row, until it returns errEnough.
func (t *tx) rows(n statement, args []any, each func(*sql.Rows) error) (err error) {
	rows, err := t.query(n, args...)
	if err != nil {
		return t.fail("read", err)
	}
	defer func() {
		_ = rows.Close() // Err has said what there is to say
		t.read()
	}()
	for rows.Next() {
		if err := each(rows); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return t.fail("read", err)
		}
	}
	if err := rows.Err(); err != nil {
		return t.fail("read", err)
	}
	return nil
}

// row is a record as it is stored.
type row struct {
	ecp.Record
	at      int64
	payload []byte
}

func (r *row) scan(rows *sql.Rows) error {
	return rows.Scan(&r.Kind, &r.Key, &r.Index.Project, &r.Index.Name, &r.Index.Parent, &r.Index.State, &r.Version,
		&r.at, &r.payload)
}

func (r *row) record(kinds ecp.Codec) (ecp.Record, error) {
	var err error
	r.At = utc(r.at)
	r.Payload, err = kinds.Decode(r.Kind, r.payload)
	return r.Record, err
}

func utc(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }

// Get returns a record, as [ecp.Tx] says.
func (t *tx) Get(kind ecp.Kind, key string) (ecp.Record, error) {
	if err := t.usable(); err != nil {
		return ecp.Record{}, err
	}
	r, found, err := t.get(kind, key)
	if err == nil && !found {
		err = notFound("read", kind, key)
	}
	if err != nil {
		return ecp.Record{}, err
	}
	return r.record(t.s.kinds)
}

func (t *tx) get(kind ecp.Kind, key string) (r row, found bool, err error) {
	err = t.rows(getRecord, []any{string(kind), key}, func(rows *sql.Rows) error {
		found = true
		return r.scan(rows)
	})
	return r, found, err
}

// listBatch is how many rows are read ahead. No statement is open while the
// consumer has a record.
const listBatch = 128

// List yields records in the order of their keys; see [ecp.Tx].
func (t *tx) List(q ecp.Query) iter.Seq2[ecp.Record, error] {
	return func(yield func(ecp.Record, error) bool) {
		t.lists++
		defer func() { t.lists-- }()
		left := q.Limit
		for {
			n := listBatch
			if left > 0 && q.Match == nil {
				n = min(n, left)
			}
			batch, err := t.listSome(q, n)
			for _, r := range batch {
				q.After = r.Key
				if q.Match != nil && !q.Match(r.Key, r.Index) {
					continue
				}
				record, err := r.record(t.s.kinds)
				if !yield(record, err) || err != nil {
					return
				}
				if left--; left == 0 {
					return
				}
			}
			if err != nil {
				yield(ecp.Record{}, err)
				return
			}
			if len(batch) < n {
				return
			}
		}
	}
}

func (t *tx) listSome(q ecp.Query, n int) ([]row, error) {
	if err := errors.Join(t.usable(), t.alive()); err != nil {
		return nil, err
	}
	text, args := listAll, []any{string(q.Kind), q.After, n}
	switch {
	case q.Project != "" && q.Parent != "":
		text, args = listBoth, append(args, q.Project, q.Parent)
	case q.Project != "":
		text, args = listProject, append(args, q.Project)
	case q.Parent != "":
		text, args = listParent, append(args, q.Parent)
	}
	out := make([]row, 0, n)
	err := t.rows(text, args, func(rows *sql.Rows) error {
		var r row
		err := r.scan(rows)
		out = append(out, r)
		return err
	})
	return out, err
}

// Put writes a record and its change; see [ecp.Tx].
func (t *tx) Put(r ecp.Record, ifVersion int64) error {
	op := "write " + string(r.Kind)
	if err := t.writing(op); err != nil {
		return err
	}
	if err := check(op, r); err != nil {
		return err
	}
	payload, err := json.Marshal(r.Payload)
	if err != nil {
		return fmt.Errorf("%s %q: %w", op, r.Key, err)
	}
	at := t.s.now().UnixNano()
	i := r.Index
	text, args := upsertRecord, []any{string(r.Kind), r.Key, i.Project, i.Name, i.Parent, i.State, t.seq + 1, at,
		string(payload)}
	switch ifVersion {
	case ecp.AnyVersion:
	case 0:
		text = insertRecord
	default:
		text, args = updateRecord, append(args, ifVersion)
	}
	n, err := t.exec(text, args...)
	by := t.s.engine.takenBy(err)
	if err == nil && n == 0 {
		by, err = t.whyNone(r, ifVersion)
	}
	switch {
	case by == keyTaken:
		return &ecp.Error{Code: ecp.CodeExists, Op: op, Message: fmt.Sprintf("%q is there already", r.Key)}
	case by == nameTaken:
		return &ecp.Error{Code: ecp.CodeExists, Op: op,
			Message: fmt.Sprintf("the name %q is taken in %q", i.Name, i.Project)}
	case err != nil:
		return err
	case n == 0:
		return &ecp.Error{Code: ecp.CodeConflict, Op: op,
			Message: fmt.Sprintf("%q has changed since it was read", r.Key)}
	}
	return t.change(ecp.Change{At: utc(at), Kind: r.Kind, Key: r.Key, Index: i, Payload: r.Payload.Copy()}, payload)
}

// whyNone says which constraint kept a statement from writing a row; none where the
// record had another version than it was to have.
func (t *tx) whyNone(r ecp.Record, ifVersion int64) (taken, error) {
	is, found, err := t.get(r.Kind, r.Key)
	switch {
	case err != nil:
		return notTaken, err
	case ifVersion == 0 && found:
		return keyTaken, nil
	case ifVersion > 0 && (!found || is.Version != ifVersion):
		return notTaken, nil
	}
	return nameTaken, nil
}

// Delete removes a record and writes the change; see [ecp.Tx].
func (t *tx) Delete(kind ecp.Kind, key string) error {
	op := "delete " + string(kind)
	if err := t.writing(op); err != nil {
		return err
	}
	r, found, err := t.get(kind, key)
	if err == nil && !found {
		err = notFound("delete", kind, key)
	}
	if err != nil {
		return err
	}
	record, err := r.record(t.s.kinds)
	if err != nil {
		return err
	}
	if _, err := t.exec(deleteRecord, string(kind), key); err != nil {
		return err
	}
	at := utc(t.s.now().UnixNano())
	return t.change(ecp.Change{At: at, Kind: kind, Key: key, Index: record.Index, Deleted: true,
		Payload: record.Payload}, r.payload)
}

// change numbers a change and writes it.
func (t *tx) change(c ecp.Change, payload []byte) error {
	c.Seq = t.seq + 1
	i := c.Index
	_, err := t.exec(insertChange, c.Seq, c.At.UnixNano(), string(c.Kind), c.Key, i.Project, i.Name, i.Parent, i.State,
		c.Deleted, string(payload))
	if err != nil {
		return t.fail("write", err) // no constraint can refuse a change
	}
	t.seq = c.Seq
	t.changes = append(t.changes, c)
	return nil
}

// Seq is the number of the last change; see [ecp.Tx].
func (t *tx) Seq() (n int64, err error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	if !t.readOnly {
		return t.seq, nil
	}
	if err = t.one(lastSeq, &n); err == nil {
		t.s.engine.saw(t.s, n)
	}
	return n, err
}

func (t *tx) usable() error {
	if t.ended {
		return misuse("use a transaction",
			"it has ended: Tx must not be used after the function it was given to returns")
	}
	return t.broken
}

func (t *tx) writing(op string) error {
	switch {
	case t.ended || t.broken != nil:
		return t.usable()
	case t.readOnly:
		return misuse(op, "the transaction is for reading only")
	case t.lists > 0:
		return misuse(op, "a List of this transaction is under way")
	}
	return nil
}

// misuse is a mistake of the caller's program.
func misuse(op, message string) error {
	return &ecp.Error{Code: ecp.CodeInternal, Op: op, Message: message}
}

func notFound(verb string, kind ecp.Kind, key string) error {
	return &ecp.Error{Code: ecp.CodeNotFound, Op: verb + " " + string(kind),
		Message: fmt.Sprintf("there is no %s %q", kind, key)}
}

// check refuses a record that could not be found, or read, again as it says.
func check(op string, r ecp.Record) error {
	if r.Payload == nil || r.Key == "" {
		return &ecp.Error{Code: ecp.CodeInvalid, Op: op, Message: "a record needs a key and a payload"}
	}
	if kind, key, index := r.Payload.Describe(); kind != r.Kind || key != r.Key || index != r.Index {
		return &ecp.Error{Code: ecp.CodeInvalid, Op: op,
			Message: "kind, key and index are not those of the payload; ecp.NewRecord makes them so"}
	}
	return nil
}
