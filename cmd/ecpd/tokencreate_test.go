package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tokenCreate runs `ecpd token create` to its success and gives the token.
func tokenCreate(t *testing.T, data string, args ...string) string {
	t.Helper()
	p := launch(t, t.TempDir(), nil, append([]string{"token", "create", "--data-dir", data}, args...)...)
	require.Zero(t, p.Wait(t, 30*time.Second), p.Stderr.String())
	token := strings.TrimSpace(p.Stdout.String())
	require.Regexp(t, `^ecpt_[0-9a-f]{64}$`, token)
	require.NotContains(t, p.Stderr.String(), token)
	require.Equal(t, 1, strings.Count(p.Stderr.String(), "\n"), p.Stderr.String())
	return token
}

// A token made beside the daemon leads in after its start, as far as its role
// reaches, and the audit knows of it.
func TestTokenCreate(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	create := []string{"token", "create", "--data-dir", data}
	require.Contains(t, refuses(t, 1, nil, append(create, "--role", "system")...), "no database")

	d := dev(t, data)
	require.Contains(t, refuses(t, 1, nil, append(create, "--role", "system")...), "POST /api/v1/tokens")
	code, _ := d.Terminate(t)
	require.Zero(t, code)

	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{2, "--role is missing", nil},
		{2, "--expires", []string{"--role", "system", "--expires", "soon"}},
		{2, "past", []string{"--role", "system", "--expires", "-1h"}},
		{1, "past", []string{"--role", "system", "--expires", "2020-01-01T00:00:00Z"}},
		{1, "role", []string{"--role", "king"}},
		{1, "project", []string{"--role", "user"}},
		{1, "does not belong to this role", []string{"--role", "system", "--project", "default/default"}},
		{1, `--project there is no project "default/nowhere"`,
			[]string{"--role", "user", "--project", "default/nowhere"}},
		{2, "no argument", []string{"--role", "system", "extra"}},
	} {
		require.Contains(t, refuses(t, c.code, nil, append(create, c.args...)...), c.says, c.args)
	}

	reader := tokenCreate(t, data, "--role", "user", "--project", "default/default", "--name", "ci", "--expires", "1h")
	root := tokenCreate(t, data, "--role", "system", "--expires", "2099-01-01T00:00:00Z")
	d = dev(t, data)
	as := func(token, method, path, body string) int {
		d.token = token
		a, err := d.try(method, path, body)
		require.NoError(t, err)
		return a.status
	}
	const adopted = `{"mode":"adopted","name":"one"}`
	require.Equal(t, http.StatusOK, as(reader, "GET", "/api/v1/clusters", ""))
	require.Equal(t, http.StatusForbidden, as(reader, "POST", "/api/v1/clusters", adopted))
	require.Equal(t, http.StatusCreated, as(root, "POST", "/api/v1/clusters", adopted))
	audit, err := d.try("GET", "/api/v1/audit?kind=token", "")
	require.NoError(t, err)
	require.Contains(t, string(audit.body), "ecpd token create")
	require.NotContains(t, string(audit.body), reader)
}
