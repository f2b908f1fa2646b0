package drilltest

import (
	"context"
	"encoding/json"
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

// What later versions do to the tables: one adds to them, such that programs before it go on;
// a later one takes away what these would use, and says so.
var (
	expand = laterStep{2, `-- +goose Up
SET LOCAL lock_timeout = '5s';
ALTER TABLE openecp.records ADD COLUMN owner TEXT NOT NULL DEFAULT '';
CREATE INDEX records_owner ON openecp.records (owner, kind, key) WHERE owner <> '';
CREATE TABLE openecp.owners (name TEXT PRIMARY KEY);
`}
	contract = laterStep{3, `-- +goose Up
SET LOCAL lock_timeout = '5s';
UPDATE openecp.store SET needs = 3;
DROP INDEX openecp.records_parent;
`}
)

type laterStep struct {
	version int
	text    string
}

// laterProgram builds ecpd as it is, with further steps for the tables.
func laterProgram(t *testing.T, steps ...laterStep) string {
	t.Helper()
	dir := t.TempDir()
	there, err := filepath.Abs("../../sqlstore/migrations/postgres")
	require.NoError(t, err)
	replace := map[string]string{}
	for _, s := range steps {
		name := fmt.Sprintf("%05d_later.sql", s.version)
		replace[filepath.Join(there, name)] = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(s.text), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	require.NoError(t, processtest.BuildProgram(dir, "./cmd/ecpd", "-overlay", filepath.Join(dir, "overlay.json")))
	return filepath.Join(dir, "ecpd")
}

// TestRollingUpgrade replaces two daemons of an earlier commit one after the other with
// today's, and these with such that add to the tables, under somebody who writes and somebody
// who watches: an earlier program works on the tables that a later one has brought up to
// date, beside it and on its own start. Where a version takes something away, those that do
// not know its tables write nothing any more, and end.
func TestRollingUpgrade(t *testing.T) {
	if !long() {
		t.Skip("a long drill; OPENECP_LONG=1 runs it")
	}
	t.Parallel()
	before, today := earlierProgram(t), processtest.Program(t, "./cmd/ecpd")
	expanded, contracted := laterProgram(t, expand), laterProgram(t, expand, contract)
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

	tables := func(version int) {
		t.Helper()
		var is int
		server.Get(t, w.url, "SELECT max(version_id) FROM openecp.versions", &is)
		require.Equal(t, version, is)
	}
	for _, step := range []struct {
		*process
		program string
		tables  int
	}{
		{all[0], today, 1}, {all[1], today, 1}, {all[0], before, 1}, {all[0], today, 1},
		{all[0], expanded, 2}, {all[1], before, 2}, {all[1], today, 2}, {all[1], expanded, 2},
	} {
		<-time.After(2 * time.Second)
		step.end()
		step.process.program = step.program
		require.NoError(t, step.start())
		w.ready()
		_, err := c.all[1].Cluster(t.Context(), made.ID)
		require.NoError(t, err)
		tables(step.tables)
	}
	for _, p := range all {
		require.Zero(t, p.by, "it ended by itself")
	}

	all[0].end()
	all[0].program = contracted
	require.NoError(t, all[0].start())
	w.until("who does not know the tables ends", func() (bool, string) {
		by, said := all[1].endedBy()
		return by > 0, said
	})
	_, said := all[1].endedBy()
	require.Contains(t, said, "to version 3, and this one knows versions up to 2 only; nothing was written since: "+
		"run the newer version in its place")
	all[1].end()
	all[1].program = contracted
	require.NoError(t, all[1].start())
	w.ready()
	tables(3)
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
	t.Logf("nothing could be written for %v at most; %d writes, %d events", writes.longest(), len(writes.acknowledged),
		len(watcher.seen))
}
