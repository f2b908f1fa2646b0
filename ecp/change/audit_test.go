package change

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/mapstore"
)

// t0 is when tests begin.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rig is a Writer on a store with the project a/p.
type rig struct {
	t   *testing.T
	s   *mapstore.Store
	w   *Writer
	now time.Time
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, s: mapstore.New(), now: t0}
	r.w = New(r.s, slog.New(slog.DiscardHandler), func() time.Time { return r.now })
	require.NoError(t,
		r.s.Write(t.Context(), func(tx ecp.Tx) error { return ecp.Put(tx, ecp.Project{Path: "a/p"}, 0) }))
	return r
}

func system() context.Context { return ecp.WithActor(context.Background(), ecp.System) }

// user returns the context of somebody who may only read in a/p.
func user() context.Context {
	return ecp.WithActor(context.Background(),
		ecp.Actor{Name: "ann", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "a/p"}}})
}

// describe changes the project.
func (r *rig) describe(ctx context.Context, words string) (ecp.Project, error) {
	q := Request{Op: "change project", Action: "update", Kind: ecp.KindProject, Key: "a/p", Scope: "a/p", Asked: words}
	return Submit(ctx, r.w, q, func(w *Tx) (ecp.Project, error) {
		p, _, err := ecp.Get[ecp.Project](w.Tx, "a/p")
		if err != nil {
			return p, err
		}
		if err := w.Permit(ecp.RightProjects, "a"); err != nil {
			return p, err
		}
		before := p
		p.Description = words
		w.Note(p.Path, p.Path, before, p)
		return p, ecp.Put(w.Tx, p, ecp.AnyVersion)
	})
}

func (r *rig) audit(q AuditOptions) []AuditEntry {
	r.t.Helper()
	page, err := r.w.Audit(system(), q)
	require.NoError(r.t, err)
	return page.Items
}

// flush writes the sums of refusals.
func (r *rig) flush() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	r.w.FlushRefusals(ended, func(context.Context) []AuditEntry { return nil })
}

func TestAuditPagesAndExport(t *testing.T) {
	r := newRig(t)
	var ids []string
	for i := range 1234 {
		r.now = r.now.Add(time.Second)
		_, err := r.describe(system(), fmt.Sprint(i))
		require.NoError(t, err)
	}
	q := AuditOptions{Kind: ecp.KindProject, Limit: 100}
	for {
		page, err := r.w.Audit(system(), q)
		require.NoError(t, err)
		for _, e := range page.Items {
			ids = append(ids, e.ID)
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	require.Len(t, ids, 1234)
	require.True(t, slices.IsSorted(ids))
	var exported []string
	var at []time.Time
	for e, err := range r.w.ExportAudit(system(), AuditOptions{Kind: ecp.KindProject}) {
		require.NoError(t, err)
		exported, at = append(exported, e.ID), append(at, e.At)
	}
	require.Equal(t, ids, exported)
	slices.Reverse(at)
	require.True(t, slices.IsSortedFunc(at, time.Time.Compare), "newest first")

	got := r.audit(AuditOptions{Since: at[10], Until: at[20], Kind: ecp.KindProject, Limit: 100})
	require.Len(t, got, 10)
	require.Equal(t, at[19], got[0].At)
	require.Equal(t, at[10], got[9].At)
	for _, err := range r.w.ExportAudit(user(), AuditOptions{}) {
		require.ErrorIs(t, err, ecp.ErrDenied)
	}
}

// Times that lie beyond what an id can hold are times all the same.
func TestAuditOfAnyTime(t *testing.T) {
	r := newRig(t)
	_, err := r.describe(system(), "words")
	require.NoError(t, err)
	all := r.audit(AuditOptions{Limit: 100})
	require.NotEmpty(t, all)
	for _, c := range []struct {
		name         string
		since, until time.Time
		want         int
	}{
		{"since before 1970", time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), time.Time{}, len(all)},
		{"since 1970", time.Unix(0, 0), time.Time{}, len(all)},
		{"since long before", time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Time{}, len(all)},
		{"since far ahead", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}, 0},
		{"until before 1970", time.Time{}, time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		{"until far ahead", time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), len(all)},
		{"ever", time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC), len(all)},
	} {
		require.Len(t, r.audit(AuditOptions{Since: c.since, Until: c.until, Limit: 100}), c.want, c.name)
	}
}

// However many entries a transaction has, the later ones come first, and none
// has an id of another form.
func TestAuditIDsAreOfOneForm(t *testing.T) {
	last := ""
	for n := 1000; n >= 0; n-- {
		id := auditID(t0, n)
		require.Regexp(t, `^[0-9a-f]{32}$`, id, n)
		require.Less(t, last, id, n)
		last = id
	}
	require.Less(t, auditID(t0.Add(1), 0), auditID(t0, 1000))
}

// What is refused is written, but does not fill the disk.
func TestManyRefusalsAreSummed(t *testing.T) {
	r := newRig(t)
	refused := func() []AuditEntry { return r.audit(AuditOptions{Outcome: OutcomeDenied, Limit: 500}) }
	try := func(times int) {
		for range times {
			_, err := r.describe(user(), "x")
			require.ErrorIs(t, err, ecp.ErrDenied)
		}
	}
	try(1000)
	require.Len(t, refused(), refusalsOfActor.Burst)
	r.now = r.now.Add(refusalsOfActor.Every)
	try(1)
	require.Equal(t, 1000-refusalsOfActor.Burst, refused()[0].Unwritten)

	r.now = r.now.Add(time.Second)
	try(1000)
	r.flush()
	require.Equal(t, 999, refused()[0].Unwritten, "what nothing follows is written in a sum")
	before := len(refused())
	r.flush()
	require.Len(t, refused(), before, "once")
}

// A repeated request is answered as it was, and changes nothing.
func TestIdempotency(t *testing.T) {
	r := newRig(t)
	repeat := func(key, words string) (ecp.Project, error) {
		return r.describe(ecp.WithIdempotencyKey(system(), key), words)
	}
	first, err := repeat("k", "one")
	require.NoError(t, err)
	_, err = r.describe(system(), "two")
	require.NoError(t, err)
	again, err := repeat("k", "one")
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Len(t, r.audit(AuditOptions{}), 2)
	_, err = repeat("k", "three")
	require.ErrorIs(t, err, ecp.ErrKeyReused)

	r.now = r.now.Add(IdempotencyKept + time.Second)
	third, err := repeat("k", "three")
	require.NoError(t, err, "a day later the key is free again")
	require.Equal(t, "three", third.Description)
}

// However many keys there are, some are counted together, and nothing is lost.
func TestRefusalsAreBounded(t *testing.T) {
	r := NewRefusals(refusalsOfActor, Rate{}, func(string) string { return "" })
	for i := range 10 * refusalKeys {
		r.Take(fmt.Sprint(i), AuditEntry{Actor: fmt.Sprint(i % 7)}, t0)
		r.Take(fmt.Sprint(i%refusalKeys), AuditEntry{Actor: fmt.Sprint(i % 7)}, t0)
	}
	require.LessOrEqual(t, len(r.keys), refusalKeys+1)
	missed := 0
	sums := r.Sums()
	require.LessOrEqual(t, len(sums), refusalSums+7)
	for _, e := range sums {
		missed += e.Unwritten + 1
	}
	require.Equal(t, 20*refusalKeys-(refusalKeys+1)*refusalsOfActor.Burst, missed)
}

// A call that is repeated after the program was replaced is the same call.
func TestIdempotencyKeysOutliveTheName(t *testing.T) {
	require.Equal(t, "ci", keyHolder(ecp.Actor{Name: "token:ci", Credential: "token/tok-1"}))
	require.Equal(t, "ann", keyHolder(ecp.Actor{Name: "ann", Credential: "session/1"}))
	require.Equal(t, "token:own", keyHolder(ecp.Actor{Name: "token:own"}))
}

func TestIdempotencyKeysOutliveTheSpelling(t *testing.T) {
	require.Equal(t, "update licence license-1", keyOp(Request{Op: "update license license-1", Kind: ecp.KindLicense}))
	require.Equal(t, "update size license-1", keyOp(Request{Op: "update size license-1", Kind: ecp.KindSize}))
}
