package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// An older database is put back: nothing is written to what it does not know of,
// and a person decides.
func TestOlderDatabaseIsPutBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	d := dev(t, dir)
	first, second := d.create(t, "first", 3), d.create(t, "second", 2)
	d.reaches(t, first, "running")
	d.reaches(t, second, "running")
	backup := filepath.Join(t.TempDir(), "backup.db")
	out := command(t, "backup", backup, "--data-dir", dir)
	require.Regexp(t, `^backup `+backup+`: 2 clusters, \d+ KiB, last change 20\d\d-\S+Z\n$`, out)
	p := launch(t, t.TempDir(), nil, "backup", "-", "--data-dir", dir)
	require.Zero(t, p.Wait(t, time.Minute))
	require.Regexp(t, `^backup: 2 clusters, \d+ KiB, last change 20\d\d-\S+Z\n$`, p.Stderr)
	backup = filepath.Join(t.TempDir(), "from-stdout.db")
	require.NoError(t, os.WriteFile(backup, []byte(p.Stdout.String()), 0o600))
	left, err := filepath.Glob(filepath.Join(dir, ".backup-*"))
	require.NoError(t, err)
	require.Empty(t, left)

	d.operation(t, "POST", "/api/v1/clusters/"+first+"/scale", `{"nodes":5}`)
	d.operation(t, "POST", "/api/v1/clusters/"+first+"/network", `{"type":"NodePort"}`)
	d.operation(t, "POST", "/api/v1/clusters/"+second+"/scale", `{"nodes":3}`)
	third := d.create(t, "third", 1)
	d.reaches(t, third, "running")
	code, _ := d.Terminate(t)
	require.Zero(t, code)
	require.Contains(t, command(t, "restore", backup, "--data-dir", dir), "the database that was there is now "+dir)
	simulated := snapshot(t, dir)

	d = dev(t, dir)
	for _, id := range []string{first, second} {
		c := d.reaches(t, id, "abnormal")
		assert.Equal(t, "RecordOlder", c.Status.Reason, c.Status.Message)
	}
	var list struct {
		Items []struct{ ID, Name, Target string }
	}
	processtest.Eventually(t, 30*time.Second, func() (bool, string) {
		d.call(t, "GET", "/api/v1/unrecorded-clusters", "", &list, 200)
		return len(list.Items) == 1, "unrecorded clusters are not listed"
	})
	assert.Equal(t, third, list.Items[0].ID)
	assert.Equal(t, "third", list.Items[0].Name)
	d.call(t, "PATCH", "/api/v1/clusters/"+first, `{"spec":{"connections":1500}}`, nil, 409)
	d.call(t, "DELETE", "/api/v1/clusters/"+first, "", nil, 409)
	assert.Equal(t, simulated, snapshot(t, dir), "nothing is written")
	processtest.Eventually(t, 20*time.Second, func() (bool, string) {
		log := d.Stderr.String()
		return strings.Count(log, "no record knows") == 1 &&
			strings.Count(log, "the record is older than what is found") == 2, log
	})

	var plan struct{ Notes []string }
	d.call(t, "POST", "/api/v1/clusters/"+first+"/take-over?dryRun=true", "", &plan, 200)
	assert.Contains(t, strings.Join(plan.Notes, "\n"), "nodes 3 becomes 5")
	d.operation(t, "POST", "/api/v1/clusters/"+first+"/take-over", "")
	assert.Equal(t, 5, d.reaches(t, first, "running").Status.ReadyNodes)
	d.call(t, "POST", "/api/v1/clusters/"+second+"/put-back?dryRun=true", "", &plan, 200)
	assert.Contains(t, strings.Join(plan.Notes, "\n"), "volumes are deleted")
	d.operation(t, "POST", "/api/v1/clusters/"+second+"/put-back", "")
	assert.Len(t, d.reaches(t, second, "running").Status.Nodes, 2)
	d.call(t, "POST", "/api/v1/unrecorded-clusters/"+third+"/take-over", `{}`, nil, 202)
	d.reaches(t, third, "running")
	assert.Equal(t, pool{3000, 3}, d.pool(t))
	d.call(t, "GET", "/api/v1/unrecorded-clusters", "", &list, 200)
	assert.Empty(t, list.Items)
}

// operation asks for something and waits until it has succeeded.
func (d *daemon) operation(t *testing.T, method, path, body string) {
	t.Helper()
	var op struct{ ID, Phase, Error string }
	d.call(t, method, path, body, &op, 202)
	d.call(t, "GET", "/api/v1/operations/"+op.ID+"?wait=40s", "", &op, 200)
	require.Equal(t, "succeeded", op.Phase, "%s: %s", path, op.Error)
}

// command runs a command of the program that ends by itself, and returns what it
// prints.
func command(t *testing.T, args ...string) string {
	t.Helper()
	p := launch(t, t.TempDir(), nil, args...)
	require.Zero(t, p.Wait(t, 30*time.Second), "%v: %s", args, p.Stderr)
	require.Empty(t, p.Stderr.String())
	return p.Stdout.String()
}

// snapshot reads what the simulated platform has stored.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	}))
	require.NotEmpty(t, out)
	return out
}
