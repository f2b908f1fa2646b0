package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// passwordIsReplaced: a process goes on with the password that is there by then, and what is
// wrong with one is told to people without it.
func passwordIsReplaced(t *testing.T, server *pgtest.Server) {
	admin, url := server.URL("postgres"), server.Database(t)
	rules := filepath.Join(server.Dir, "data", "pg_hba.conf")
	before, err := os.ReadFile(rules)
	require.NoError(t, err)
	own := "host all keeper 127.0.0.1/32 scram-sha-256\n"
	require.NoError(t, os.WriteFile(rules, append([]byte(own), before...), 0o600))
	server.Ask(t, admin, "SELECT pg_reload_conf()")
	server.Ask(t, url, "CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'hunter2'")

	var word atomic.Pointer[string]
	give := func(w string) { word.Store(&w) }
	give("hunter2")
	s := openAt(t, strings.Replace(url, "openecp@", "keeper@", 1), func(c *sqlstore.Config) {
		c.Postgres.Password = func(context.Context) (string, error) {
			if w := *word.Load(); w != "" {
				return w, nil
			}
			return "", errors.New("/etc/hunter2 is empty")
		}
	})
	put(t, s, ecp.Image{ID: "a"})
	disconnect := func() {
		server.Ask(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'")
	}
	write := func(id string) error {
		return s.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Image{ID: id}, ecp.AnyVersion) })
	}
	until := func(says string) {
		t.Helper()
		processtest.Eventually(t, reach, func() (bool, error) {
			err := write("b")
			if says == "" || err == nil {
				return err == nil && says == "", err
			}
			require.ErrorIs(t, err, ecp.ErrUnavailable)
			require.NotContains(t, ecp.MessageOf(err), "hunter2")
			return strings.Contains(ecp.MessageOf(err), says), err
		})
	}
	server.Ask(t, admin, "ALTER ROLE keeper PASSWORD 'hunter3'")
	disconnect()
	until("does not let this user in")
	give("")
	until("its password or certificates cannot be read; the cause is logged")
	give("hunter3")
	until("")
	require.Equal(t, []string{"a", "b"}, images(t, s))
	require.NoError(t, s.LostReason())
}
