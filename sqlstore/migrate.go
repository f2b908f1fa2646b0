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
	var last int64
	var moved Moved
	err = source.Read(ctx, func(reading ecp.Tx) (err error) {
		if last, err = reading.Seq(); err != nil {
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
	if err := target.engine.jump(ctx, last+skipped); err != nil {
		return moved, target.engine.fault(migrating, err)
	}
	return moved, nil
}

// copyRecords copies every record from one transaction to another, and compares.
func copyRecords(from, to *tx) (Moved, error) {
	if used, err := to.used(); err != nil || used {
		return Moved{}, errors.Join(err, &ecp.Error{Code: ecp.CodeConflict, Op: migrating,
			Message: "the database " + to.s.engine.place() + " is not empty, and nothing is written over it; give " +
				"one that is"})
	}
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

// used reports whether a database has records, or has had some.
func (t *tx) used() (bool, error) {
	some, err := t.every(row{}, 1)
	return len(some) > 0 || t.seq > 0, err
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
