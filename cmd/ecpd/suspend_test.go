package main_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// TestSuspended stops the process in the middle of an operation, as a debugger
// or the freezing of a container does: that is time in which nobody looked, and
// the operation has it on top.
func TestSuspended(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"))
	id := d.create(t, "suspended", 7)
	var op struct {
		ID, Phase           string
		CreatedAt, Deadline time.Time
		Steps               []struct {
			Name string
			Done int
		}
	}
	var list struct{ Items []struct{ ID string } }
	d.call(t, "GET", "/api/v1/clusters/"+id+"/operations", "", &list, 200)
	read := func(query string) {
		d.call(t, "GET", "/api/v1/operations/"+list.Items[0].ID+query, "", &op, 200)
	}
	processtest.Eventually(t, 10*time.Second, func() (bool, string) {
		read("")
		return op.Steps[0].Done > 0, op.Phase
	})
	require.Equal(t, "running", op.Phase, "it is under way")
	before := op.Deadline

	const gap = 14 * time.Second // of which a second and ten of tolerance count
	d.Signal(t, syscall.SIGSTOP)
	<-time.After(gap)
	d.Signal(t, syscall.SIGCONT)
	read("?wait=30s")
	assert.Equal(t, "succeeded", op.Phase)
	assert.WithinRange(t, op.Deadline, before.Add(2*time.Second), before.Add(gap+time.Second))
}
