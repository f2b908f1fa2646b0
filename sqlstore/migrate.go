package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash"

	"github.com/openecp/openecp/ecp"
)

const migrating = "migrate the database"

// Moved tells what Migrate has copied.
type Moved struct {
	// Records counts all records, Clusters those of clusters among them.
	Records, Clusters int
	// Hash is the SHA-256 over every record, as it is in both databases.
	Hash []byte
}

// Migrate copies all records of one database into another one that is empty: from
// SQLite to PostgreSQL, back, or to the same. While it works it has both databases
// for itself, so that a daemon on one of them is a conflict. Records keep their
// versions and times. Changes are left behind, and their numbers jump, as after
// [Restore]: watchers begin anew.
//
// The target is read back before its transaction is committed: it has the same
// records as the source, or none. The source is not changed. Kinds of records that
// this program does not know are copied, too.
func Migrate(ctx context.Context, from, to Config) (_ Moved, err error) {
	from.Kinds, to.Kinds, from.mustExist = ecp.Codec{}, ecp.Codec{}, true
	source, err := Open(ctx, from)
	if err != nil {
		return Moved{}, fmt.Errorf("from: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if to.Platform, err = source.engine.platform(ctx); err != nil {
		return Moved{}, source.engine.fault(migrating, err)
	}
	target, err := Open(ctx, to)
	if err != nil {
		return Moved{}, fmt.Errorf("to: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	var moved Moved
	err = source.Read(ctx, func(reading ecp.Tx) (err error) {
		last, err := reading.Seq()
		if err != nil {
			return err
		}
		// First, so that no copy can be there with numbers that lie before its versions.
		if err := target.jump(ctx, last); err != nil {
			return err
		}
		return target.write(ctx, func(writing *tx) (err error) {
			moved, err = copyRecords(reading.(*tx), writing)
			return err
		})
	})
	if err != nil {
		return Moved{}, err
	}
	return moved, nil
}

// jump makes the numbers of an empty database go on where neither it nor a source has
// given any out.
func (s *Store) jump(ctx context.Context, last int64) error {
	err := s.Read(ctx, func(reading ecp.Tx) error {
		t := reading.(*tx)
		own, err := t.Seq()
		last = max(last, own)
		return errors.Join(err, t.empty())
	})
	if err != nil {
		return err
	}
	return s.engine.fault(migrating, s.engine.jump(ctx, last+skipped))
}

// copyRecords copies every record from one transaction to another, and compares.
func copyRecords(from, to *tx) (Moved, error) {
	there, err := from.digest(func(r row) error {
		i := r.Index
		_, err := to.exec(insertRecord, string(r.Kind), r.Key, i.Project, i.Name, i.Parent, i.State, r.Version, r.at,
			string(r.payload))
		return err
	})
	if err != nil {
		return Moved{}, err
	}
	here, err := to.digest(func(row) error { return nil })
	if err != nil {
		return Moved{}, err
	}
	if here.Records != there.Records || !bytes.Equal(here.Hash, there.Hash) {
		return Moved{}, &ecp.Error{Code: ecp.CodeInternal, Op: migrating, Message: fmt.Sprintf(
			"the copy is not what was copied: %d records came to %d; nothing was written", there.Records, here.Records)}
	}
	return here, nil
}

// empty returns an error unless a database has neither records nor changes.
func (t *tx) empty() error {
	some, err := t.every(row{}, 1)
	if err != nil {
		return err
	}
	var first sql.NullInt64
	if err := t.one(firstSeq, &first); err != nil {
		return err
	}
	if len(some) == 0 && !first.Valid {
		return nil
	}
	return &ecp.Error{Code: ecp.CodeConflict, Op: migrating, Message: "the database " + t.s.engine.place() +
		" is not empty, and nothing is written over it; give one that is"}
}

// every reads records of all kinds, in order, behind one.
func (t *tx) every(behind row, n int) (out []row, err error) {
	err = t.rows(listEvery, []any{string(behind.Kind), behind.Key, n}, func(rows *sql.Rows) error {
		var r row
		err := r.scan(rows)
		out = append(out, r)
		return err
	})
	return out, err
}

// digest calls each for every record, and hashes them.
func (t *tx) digest(each func(row) error) (m Moved, err error) {
	sum := sha256.New()
	for at := (row{}); ; {
		some, err := t.every(at, listBatch)
		if err != nil {
			return m, err
		}
		for _, at = range some {
			if err := errors.Join(at.hash(sum), each(at), t.alive()); err != nil {
				return m, err
			}
			m.Records++
			if at.Kind == ecp.KindCluster {
				m.Clusters++
			}
		}
		if len(some) < listBatch {
			m.Hash = sum.Sum(nil)
			return m, nil
		}
	}
}

// hash adds a record to a sum: each part with its length, so that no two are alike.
func (r row) hash(sum hash.Hash) error {
	return json.NewEncoder(sum).Encode([]any{r.Kind, r.Key, r.Index, r.Version, r.at, string(r.payload)})
}
