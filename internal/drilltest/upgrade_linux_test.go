package drilltest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// earlier is the commit of the program that today's takes the place of: the first one whose
// daemons work together.
const earlier = "3449e063a32b53993ec5027b0bc67c8e4953c714"

// earlierProgram builds ecpd as it was then. The test is skipped where the commit is not in
// this clone.
func earlierProgram(t *testing.T) string {
	t.Helper()
	sh := func(script string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	root, err := sh("git rev-parse --show-toplevel && git cat-file -e " + earlier + "^{commit}")
	if err != nil {
		t.Skipf("the commit %s is not in this clone: %s", earlier, root)
	}
	dir := t.TempDir()
	root = strings.TrimSpace(root)
	out, err := sh(fmt.Sprintf("git -C %q archive %s | tar -x -C %q && cd %[3]q && go build -trimpath -buildvcs=false "+
		"-o %[3]q/ecpd-before ./cmd/ecpd", root, earlier, dir))
	require.NoError(t, err, out)
	return filepath.Join(dir, "ecpd-before")
}

// TestRollingUpgrade replaces two daemons of an earlier commit one after the other with
// today's, under somebody who writes and somebody who watches, and one of them back again:
// the earlier program works on the tables that today's has brought up to date, beside it and
// on its own start.
func TestRollingUpgrade(t *testing.T) {
	if !long() {
		t.Skip("a long drill; OPENECP_LONG=1 runs it")
	}
	t.Parallel()
	before, today := earlierProgram(t), processtest.Program(t, "./cmd/ecpd")
	server := pgtest.Start(t)
	w, all := newProcesses(t, server, 2, before)
	c := w.doors(rand.New(rand.NewPCG(0, 0)))
	made, err := c.all[0].CreateCluster(t.Context(), client.Create{Mode: ecp.Adopted, Project: project, Name: "one",
		Spec: map[string]any{}})
	require.NoError(t, err)

	writes := w.writer(made.ID)
	watcher := &reader{doors: w.doors(rand.New(rand.NewPCG(0, 2)))}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var last atomic.Int64
	var writing, watching sync.WaitGroup
	writing.Go(func() { writes.run(ctx) })
	watching.Go(func() { watcher.follow(t.Context(), func() (int64, bool) { n := last.Load(); return n, n > 0 }) })

	for _, step := range []struct {
		*process
		program string
	}{{all[0], today}, {all[1], today}, {all[0], before}} {
		<-time.After(2 * time.Second)
		step.end()
		step.process.program = step.program
		require.NoError(t, step.start())
		w.ready()
		_, err := c.all[1].Cluster(t.Context(), made.ID)
		require.NoError(t, err)
	}
	<-time.After(2 * time.Second)
	stop()
	writing.Wait()
	h := &history{end: w.endOf(nil), truth: w.stream()}
	last.Store(h.truth[len(h.truth)-1].Seq)
	watching.Wait()
	h.readers = [][]seen{watcher.seen}
	h.checkReaders(func(format string, args ...any) { t.Errorf(format, args...) })
	require.Empty(t, watcher.wrong)
	require.Less(t, writes.longest(), most(mostGap))
	for _, p := range all {
		require.Zero(t, p.by, "it ended by itself")
	}
	t.Logf("nothing could be written for %v at most; %d writes, %d events", writes.longest(), len(writes.acknowledged),
		len(watcher.seen))
}
