package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

func openHere(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Kinds: fleet.Kinds()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func big(id string) ecp.Image { return ecp.Image{ID: id, Reference: strings.Repeat("x", 10_000)} }

// fill writes records until the database may not grow, and says how many were
// acknowledged.
func fill(t *testing.T, s *Store, prefix string) (n int, err error) {
	t.Helper()
	for ; n < 150; n++ {
		if err = s.Write(t.Context(), func(tx ecp.Tx) error {
			return ecp.Put(tx, big(fmt.Sprint(prefix, n)),
				0)
		}); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Store) count(t *testing.T) (n int) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx ecp.Tx) error {
		for _, err := range tx.List(ecp.Query{Kind: ecp.KindImage}) {
			require.NoError(t, err)
			n++
		}
		return nil
	}))
	return n
}

func TestFullDisk(t *testing.T) {
	s := openHere(t)
	limit := func(pages int) {
		_, err := s.engine.(*sqliteEngine).writer.ExecContext(context.WithoutCancel(t.Context()),
			fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		require.NoError(t, err)
	}
	limit(80)
	n, err := fill(t, s, "a")
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.EqualError(t, err, "write: the disk that holds the database is full; nothing was written, an operator "+
		"has to free some space")
	require.Positive(t, n)
	require.Equal(t, n, s.count(t), "what was acknowledged is there, and nothing else")

	// A transaction that takes no notice is not half done, and does not go on
	// outside of itself.
	err = s.Write(t.Context(), func(tx ecp.Tx) error {
		_ = ecp.Put(tx, big("half 1"), 0)
		_ = ecp.Put(tx, big("half 2"), 0)
		_ = ecp.Put(tx, ecp.Image{ID: "small"}, 0)
		return nil
	})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.Equal(t, n, s.count(t))

	limit(10_000) // somebody has freed space
	more, err := fill(t, s, "b")
	require.NoError(t, err)
	require.Equal(t, n+more, s.count(t))
	i := 0
	for c, err := range s.Changes(t.Context(), 0) {
		require.NoError(t, err)
		i++
		require.EqualValues(t, i, c.Seq, "no number was lost")
		if i == n+more {
			break
		}
	}
}

// Every query finds what it looks for by an index, and in order: none sorts or
// reads a whole table.
func TestQueryPlans(t *testing.T) {
	s := openHere(t)
	for n, text := range sqliteTexts {
		if statement(n) == firstSince { // reads what it is about to remove, by design
			continue
		}
		index := map[statement]string{
			listAll: "autoindex", listProject: "records_project", listParent: "records_parent",
			listBoth: "records_parent",
		}[statement(n)]
		for _, step := range s.plan(t, text) {
			require.NotContains(t, step, "TEMP B-TREE", text)
			require.NotContains(t, step, "SCAN records", text)
			if statement(n) != firstSeq { // which reads one end
				require.NotContains(t, step, "SCAN changes", text)
			}
			require.Contains(t, step, index, text)
		}
	}
}

// plan gives the steps SQLite takes for a query.
func (s *Store) plan(t *testing.T, text string) (steps []string) {
	t.Helper()
	var args []any
	for i := 1; strings.Contains(text, fmt.Sprint("?", i)); i++ {
		args = append(args, 1)
	}
	rows, err := s.engine.(*sqliteEngine).writer.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	require.NoError(t, err, text)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	return steps
}

func TestSettings(t *testing.T) {
	s := openHere(t)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000",
		"application_id": fmt.Sprint(applicationID),
	} {
		var got string
		require.NoError(t, s.engine.(*sqliteEngine).writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
	_, err := s.engine.(*sqliteEngine).readers.ExecContext(t.Context(), "DELETE FROM records")
	require.Error(t, err, "readers cannot write")
}

func TestFaultKeepsWhatIsKnown(t *testing.T) {
	for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, errClosed} {
		require.Equal(t, err, fault("write", "file", err))
	}
	require.ErrorIs(t, fault("write", "file", ErrHeld), ecp.ErrInternal)
	require.NotContains(t, fault("write", "file", ErrHeld).Error(), ErrHeld.Error(), "a cause is not for users")
}
