package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

const (
	// writerEnv makes the test's program a writer in the folder it names.
	writerEnv = "SQLSTORE_TEST_WRITER"
	// killSeed repeats a run: the seed that a failure printed.
	killSeed = "SQLSTORE_TEST_SEED"
	writers  = 4
)

// writeUntilKilled writes on and on from several goroutines. Each transaction
// counts one writer on by one, in a record of its own and in the ledger that
// all share; a line says which count was acknowledged. Nothing is buffered.
func writeUntilKilled(dir string) int {
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, "open")
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for {
				var n int
				if err := s.Write(ctx, func(tx ecp.Tx) (err error) {
					n,
						err = countOn(tx, w)
					return err
				}); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Fprintf(os.Stdout, "%d %d\n", w, n)
			}
		})
	}
	group.Wait()
	return 1
}

func countOn(tx ecp.Tx, w int) (int, error) {
	key := fmt.Sprint("writer-", w)
	i, version, err := ecp.Get[ecp.Image](tx, key)
	if err != nil && ecp.CodeOf(err) != ecp.CodeNotFound {
		return 0, err
	}
	pool, _, err := ecp.Get[ecp.Pool](tx, "pool")
	if err != nil && ecp.CodeOf(err) != ecp.CodeNotFound {
		return 0, err
	}
	n, _ := strconv.Atoi(i.Version) // "" the first time
	n++
	pool.UsedConnections++
	if err := ecp.Put(tx, pool, ecp.AnyVersion); err != nil {
		return 0, err
	}
	filling := strings.Repeat("x", n%5000) // so that pages are split and freed
	return n, ecp.Put(tx, ecp.Image{ID: key, Version: strconv.Itoa(n), Reference: filling}, version)
}

// TestKillNine kills a process that writes, at random moments, and finds every
// write it had acknowledged, whole, in a database that is intact.
func TestKillNine(t *testing.T) {
	random := seeded(t)
	rounds := 8
	if os.Getenv("OPENECP_LONG") != "" {
		rounds = 100
	}
	dir := t.TempDir()
	acknowledged := [writers]int{}
	for round := range rounds {
		lines := random.IntN(150)
		if round%4 == 3 {
			lines = random.IntN(3) // while it opens, or has just begun
		}
		killAfter(t, dir, lines, &acknowledged)
		survived(t, dir, &acknowledged)
	}
	t.Logf("%d kills, acknowledged by writer: %v", rounds, acknowledged)
}

// seeded gives random numbers, and prints how to have them again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(killSeed); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("%s=%d", killSeed, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestSecondDaemon has a process refused while another one has the folder, and
// let in as soon as that one is dead.
func TestSecondDaemon(t *testing.T) {
	dir := t.TempDir()
	cmd, out := startWriter(t, writerEnv, dir)
	require.True(t, out.Scan(), "the other process says that it has opened the store")
	err := tryOpen(t, dir)
	require.ErrorIs(t, err, ecp.ErrConflict)
	require.ErrorContains(t, err, fmt.Sprintf("process %d has the data directory %s already", cmd.Process.Pid, dir))
	require.NoError(t, cmd.Process.Kill())
	for out.Scan() { // it must not wait for us to read
	}
	require.ErrorContains(t, cmd.Wait(), "killed")
	require.NoError(t, tryOpen(t, dir))
}

// startWriter starts a process that writes to a folder: the variable says what.
func startWriter(t *testing.T, variable, value string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), variable+"="+value)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// killAfter runs a writer, kills it when it has printed a number of lines, and
// notes all it has acknowledged until then.
func killAfter(t *testing.T, dir string, lines int, acknowledged *[writers]int) {
	t.Helper()
	cmd, scanner := startWriter(t, writerEnv, dir)
	n := 0
	kill := func() {
		if n++; n == lines+1 {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	kill()
	for scanner.Scan() { // on to the end of the pipe: what was said before the kill counts
		var w, count int
		if line := scanner.Text(); line != "open" {
			_, err := fmt.Sscanf(line, "%d %d", &w, &count)
			require.NoError(t, err, line)
			require.Greater(t, count, acknowledged[w], "writer %d counts on", w)
			acknowledged[w] = count
		}
		kill()
	}
	require.NoError(t, scanner.Err())
	require.ErrorContains(t, cmd.Wait(), "killed")
}

// survived looks at what is left. A write may be there that nobody was told
// of, one for each writer.
func survived(t *testing.T, dir string, acknowledged *[writers]int) {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	require.NoError(t, err, "the lock ended with the process")
	defer func() { require.NoError(t, s.Close()) }()
	sum, last := 0, int64(0)
	require.NoError(t, s.Read(t.Context(), func(tx ecp.Tx) error {
		for w := range writers {
			i, _, err := ecp.Get[ecp.Image](tx, fmt.Sprint("writer-", w))
			if ecp.CodeOf(err) == ecp.CodeNotFound {
				require.Zero(t, acknowledged[w])
				continue
			}
			require.NoError(t, err)
			n, err := strconv.Atoi(i.Version)
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, acknowledged[w], "writer %d was told that its write was safe", w)
			require.LessOrEqual(t, n, acknowledged[w]+1, "writer %d has one write under way at most", w)
			require.Len(t, i.Reference, n%5000, "the record is whole")
			sum, acknowledged[w] = sum+n, n
		}
		pool, _, err := ecp.Get[ecp.Pool](tx, "pool")
		require.True(t, err == nil || sum == 0, err)
		require.Equal(t, sum, pool.UsedConnections, "both records of a transaction, or none")
		last, err = tx.Seq()
		return err
	}))
	require.EqualValues(t, 2*sum, last)
	seq := int64(0)
	for c, err := range s.Changes(t.Context(), 0) {
		if last == 0 {
			break
		}
		require.NoError(t, err)
		if seq++; seq == last {
			break
		}
		require.Equal(t, seq, c.Seq, "a change is missing")
	}
	require.Equal(t, []string{"ok"}, integrity(t, filepath.Join(dir, "ecpd.db")))
}

func integrity(t *testing.T, file string) (out []string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), "PRAGMA integrity_check")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		out = append(out, line)
	}
	require.NoError(t, rows.Err())
	return out
}
