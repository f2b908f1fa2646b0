package sqlstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/sqlstore"
)

// Files names what Open makes.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir, Kinds: ecp.Kinds()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	database, log := sqlstore.Files(dir)
	require.FileExists(t, database)
	require.FileExists(t, log)
}
