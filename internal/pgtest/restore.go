//go:build linux

package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// Archived are the settings of a server that keeps its log beside its data, as
// [Server.RestoreTo] needs it.
func Archived() []string {
	return []string{"archive_mode=on", "archive_command=mkdir -p ../archive && cp %p ../archive/%f"}
}

// Backup makes a copy of the server's files while it runs, and returns its directory.
func (s *Server) Backup(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(s.Dir, "backup")
	s.run(t, "pg_basebackup", "--pgdata", dir, "--host=127.0.0.1", fmt.Sprint("--port=", s.Port), "--username=openecp",
		"--checkpoint=fast", "--no-sync")
	return dir
}

// Get reads the one row of a query in the database at a URL.
func (s *Server) Get(t testing.TB, url, query string, into ...any) {
	t.Helper()
	require.NoError(t, s.askAt(t, url, "SELECT 1")) // there is a connection then
	s.mu.Lock()
	db := s.dbs[url]
	s.mu.Unlock()
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(into...))
}

// RestoreTo puts the state of a moment in the place of what the server has, from a backup and
// the archive of the log, as its documentation says. What was committed later is lost. The
// server is away meanwhile.
func (s *Server) RestoreTo(t testing.TB, backup string, at time.Time) {
	t.Helper()
	s.Ask(t, s.URL("postgres"), "SELECT pg_switch_wal()")
	s.Ask(t, s.URL("postgres"), "CREATE TABLE archived AS SELECT pg_walfile_name(pg_current_wal_lsn()) AS upto")
	s.Ask(t, s.URL("postgres"), "SELECT pg_switch_wal()")
	processtest.Eventually(t, patience, func() (bool, string) {
		err := s.ask(t, "postgres", "SELECT 1 / (last_archived_wal >= upto)::int FROM pg_stat_archiver, archived")
		return err == nil, fmt.Sprint("the log is not archived: ", err)
	})
	s.End()
	require.NoError(t, os.Rename(s.data(), filepath.Join(s.Dir, "before")))
	require.NoError(t, os.Rename(backup, s.data()))
	set := fmt.Sprintf("restore_command = 'cp ../archive/%%f \"%%p\"'\nrecovery_target_time = '%s'\n"+
		"recovery_target_action = promote\n", at.UTC().Format("2006-01-02 15:04:05.000000+00"))
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(set)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(filepath.Join(s.data(), "recovery.signal"), nil, 0o644)) //nolint:gosec // as others
	s.Run(t)
	processtest.Eventually(t, patience, func() (bool, string) {
		err := s.ask(t, "postgres", "SELECT 1 / (NOT pg_is_in_recovery())::int")
		return err == nil, fmt.Sprint("it recovers: ", err)
	})
}
