package tenancy

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp/change"
	"github.com/stretchr/testify/require"
)

// audit reads the audit; the options' Limit is the most that is read.
func (o *office) audit(ctx context.Context, q change.AuditOptions) []change.AuditEntry {
	o.t.Helper()
	page, err := o.changes.Audit(ctx, q)
	require.NoError(o.t, err)
	return page.Items
}

func (o *office) refusedLogins() (out []change.AuditEntry) {
	for _, e := range o.audit(o.system(), change.AuditOptions{Outcome: change.OutcomeDenied, Limit: 500}) {
		if e.Action == "login" {
			out = append(out, e)
		}
	}
	return out
}

// told counts the refusals that entries tell of, by name and origin.
func told(entries []change.AuditEntry) map[string]int {
	out := map[string]int{}
	for _, e := range entries {
		out[e.Actor+"@"+e.RemoteAddress] += 1 + e.Unwritten
	}
	return out
}

// Guesses with names that anybody can make up hide none on a real one, and every
// guess is counted in the end.
func TestRefusedLoginsAreAllTold(t *testing.T) {
	o := newOffice(t)
	for i := range 2000 {
		_ = o.loginFrom("203.0.113.9", fmt.Sprint("guess", i), "wrong password")
	}
	for range 7 {
		_ = o.loginFrom("203.0.113.9", "root", "wrong password")
		_ = o.loginFrom("198.51.100.3", "ap-user", "wrong password")
	}
	require.NotZero(t, told(o.refusedLogins())["root@203.0.113.9"], "at once")
	require.LessOrEqual(t, len(o.refusedLogins()), 3*loginEntries.Burst)
	o.flush()
	got := o.refusedLogins()
	require.Equal(t, map[string]int{"@203.0.113.9": 2000, "root@203.0.113.9": 7, "ap-user@198.51.100.3": 7}, told(got))
	require.LessOrEqual(t, len(got), 3*(loginEntries.Burst+1))
	for _, e := range got {
		require.Equal(t, change.OutcomeDenied, e.Outcome)
		require.NotContains(t, fmt.Sprint(e), "guess", "what was typed there may be a password")
	}
	require.Len(t, o.audit(o.as("ap-lead"), change.AuditOptions{Outcome: change.OutcomeDenied}), loginEntries.Burst+1,
		"the user's own administrator sees it")
	require.Empty(t, o.audit(o.as("b-boss"), change.AuditOptions{Outcome: change.OutcomeDenied}))
}

// Many origins fill no disk either, and every user that is attacked is named.
func TestRefusedLoginsFromManyOrigins(t *testing.T) {
	o := newOffice(t)
	for i := range 3 * 1000 {
		address := fmt.Sprintf("203.%d.%d.%d", i/65536, i/256%256, i%256)
		_ = o.loginFrom(address, "made-up", "wrong password")
		_ = o.loginFrom(address, "root", "wrong password")
	}
	_ = o.loginFrom("198.51.100.3", "ap-user", "wrong password")
	o.flush()
	got := o.refusedLogins()
	require.LessOrEqual(t, len(got), 2*(loginEntriesAll.Burst+100)+3, "the rest in one for each user")
	named, all := map[string]bool{}, 0
	for _, e := range got {
		named[e.Actor] = true
		all += 1 + e.Unwritten
	}
	require.Equal(t, 6*1000+1, all)
	require.True(t, named["root"] && named["ap-user"])
}

// The log has a line for each address that a program can read which shuts it out.
func TestRefusedLoginsAreLogged(t *testing.T) {
	o := newOffice(t)
	var log bytes.Buffer
	o.accounts.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 30 {
		_ = o.loginFrom("203.0.113.9", "root", "wrong password")
	}
	_ = o.loginFrom("2001:db8::1", "hunter2-hunter2", "wrong password")
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, loginLines.Burst+1)
	require.Contains(t, lines[0], `level=WARN msg="login refused" remote=203.0.113.9 user=root reason=denied attempts=1`)
	require.Contains(t, lines[9], `reason=throttled attempts=1`)
	require.Contains(t, lines[10], `remote=2001:db8::1 user="" reason=denied attempts=1`)
	log.Reset()
	o.flush()
	require.Contains(t, log.String(), `msg="login refused" remote=203.0.113.9 user=root reason=throttled attempts=20`)
	log.Reset()
	o.now = o.now.Add(time.Hour)
	require.NoError(t, o.loginFrom("203.0.113.9", "root", goodPassword))
	o.flush()
	require.Empty(t, log.String())
}

// hangsUp is a hasher whose caller has gone when the answer is there.
type hangsUp struct {
	PasswordHasher
	gone context.CancelFunc
}

func (h hangsUp) Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error) {
	h.gone()
	return h.PasswordHasher.Verify(ctx, hash, password)
}

// Nobody gets out of being told of by hanging up.
func TestRefusedLoginsOfWhoHangsUp(t *testing.T) {
	o := newOffice(t)
	for range attemptsFree + 1 {
		ctx, cancel := context.WithCancel(from("203.0.113.9"))
		o.accounts.hasher = hangsUp{o.hasher, cancel}
		_, err := o.accounts.Login(ctx, "root", "wrong password")
		require.Error(t, err)
		cancel()
	}
	o.flush()
	require.Equal(t, map[string]int{"root@203.0.113.9": attemptsFree + 1}, told(o.refusedLogins()))
}

// The sums are written while the Manager runs, and when it ends.
func TestSumsOfRefusalsAreWrittenAtTheEnd(t *testing.T) {
	o := newOffice(t)
	for range 10 {
		_ = o.loginFrom("203.0.113.9", "root", "wrong password")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.changes.FlushRefusals(ctx, o.accounts.RefusedLogins)
	require.Equal(t, map[string]int{"root@203.0.113.9": 10}, told(o.refusedLogins()))
}

// flush writes the sums of refused logins to the audit.
func (o *office) flush() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	o.changes.FlushRefusals(ended, o.accounts.RefusedLogins)
}
