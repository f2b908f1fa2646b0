package sqlstore_test

import (
	"testing"

	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// Files names what Open makes.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	database, log := sqlstore.Files(dir)
	require.FileExists(t, database)
	require.FileExists(t, log)
}
