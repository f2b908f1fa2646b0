package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// TestFailOver ends a primary under a Store that writes, and makes its replica the new
// one: what was acknowledged is there, and numbers go on where none were given out.
func TestFailOver(t *testing.T) {
	primary := pgtest.Start(t)
	url := primary.Database(t)
	replica := primary.Replica(t) // which has what is acknowledged
	both := strings.Replace(url, fmt.Sprint(":", primary.Port, "/"),
		fmt.Sprint(":", primary.Port, ",127.0.0.1:", replica.Port, "/"), 1)
	s := openAt(t, both)
	for n := range 20 {
		put(t, s, ecp.Image{ID: fmt.Sprint("before-", n)})
	}
	before := images(t, s)
	last, err := first(t, s, 19)
	require.NoError(t, err)

	primary.End()
	err = s.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "lost"}, 0) })
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	require.Error(t, s.Writable(t.Context()), "nothing can be written")
	replica.Promote(t)
	processtest.Eventually(t, reach, func() (bool, string) {
		err := s.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: "after"}, 0) })
		return err == nil || errors.Is(err, ecp.ErrExists), fmt.Sprint(err)
	})
	require.NoError(t, s.Writable(t.Context()))
	require.Equal(t, append([]string{"after"}, before...), images(t, s))

	ctx, cancel := context.WithTimeout(t.Context(), reach)
	defer cancel()
	for _, err := range s.Changes(ctx, last.Seq) {
		require.ErrorIs(t, err, ecp.ErrGone, "watchers begin anew")
	}
	require.NoError(t, s.Read(ctx, func(tx ecp.Tx) error {
		seq, err := tx.Seq()
		require.Greater(t, seq, last.Seq+1<<31)
		return err
	}))
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		_, err := tryAt(t, both)
		return errors.Is(err, ecp.ErrConflict), fmt.Sprint("it is held on the new primary, too: ", err)
	})
}
