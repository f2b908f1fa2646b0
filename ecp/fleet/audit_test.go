package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet/internal/pruning"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

func (c *company) audit(ctx context.Context, q change.AuditOptions) []change.AuditEntry {
	c.t.Helper()
	page, err := c.m.Changes.Audit(ctx, q)
	require.NoError(c.t, err)
	return page.Items
}

func TestEveryChangeIsAudited(t *testing.T) {
	o := newCompany(t)
	o.now = o.now.Add(time.Hour)
	ctx := ecp.WithOrigin(o.as("a-boss"), ecp.Origin{RemoteAddress: "192.0.2.7", RequestID: "r-1"})
	_, err := o.m.Directory.UpdateProject(ctx, "a/p", "new words", 0)
	require.NoError(t, err)
	got := o.audit(o.system(), change.AuditOptions{Limit: 1})
	require.Len(t, got, 1)
	require.NotEmpty(t, got[0].ID)
	got[0].ID = ""
	require.Equal(t, change.AuditEntry{
		At: o.now.UTC(), Actor: "a-boss", User: "a-boss", Credential: "session/test", Origin: ecp.Origin{
			RemoteAddress: "192.0.2.7",
			RequestID:     "r-1",
		}, Action: "update", Kind: ecp.KindProject, Key: "a/p", Scope: "a/p",
		Outcome: change.OutcomeDone, Changes: []change.AuditChange{
			{Path: "/description", Before: `""`, After: `"new words"`}, {Path: "/revision", Before: "1", After: "2"},
		},
	}, got[0])

	since := o.now.Add(time.Second)
	o.now = since
	word, name := "another password", "New Name"
	_, err = o.m.Accounts.UpdateUser(o.as("a-boss"), "ap-user", tenancy.UserChange{Password: &word})
	require.NoError(t, err)
	made, err := o.m.Accounts.CreateToken(o.system(),
		tenancy.TokenRequest{Name: "t", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "a/p"}})
	require.NoError(t, err)
	require.NoError(t, o.m.Accounts.DeleteToken(o.as("ap-lead"), made.ID))
	s := o.login("ap-lead")
	ring, err := ecp.NewKeyRing(aKey("k1", 1))
	require.NoError(t, err)
	o.begin(func(c *Config) { c.Sealer = ring })
	info, _, err := o.m.Create(o.as("ap-lead"),
		CreateRequest{Mode: ecp.Hosted, Project: "a/p", Name: "one", Spec: ecp.Spec{
			Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 5, Config: map[string]string{"authn.password": "hush"}},
		}})
	require.NoError(t, err)
	for _, cmd := range []ecp.Command{ecp.Update{
		Name: &name,
	}, ecp.Stop{}, ecp.Stop{}, ecp.Transfer{Project: "a/q"}, ecp.Delete{}} {
		_, err = o.m.Cluster(info.ID).Do(o.as("a-boss"), cmd)
		require.NoError(t, err)
	}
	_, err = o.m.Directory.CreateOrg(o.as("root"), "z", "")
	require.NoError(t, err)
	require.NoError(t, o.m.Directory.DeleteOrg(o.as("root"), "z", 0))
	var said []string
	for _, e := range o.audit(o.system(), change.AuditOptions{Since: since, Limit: 100}) {
		said = append(said, fmt.Sprintf("%s %s %s %s", e.Actor, e.Action, e.Kind, e.Scope))
		require.False(t, strings.Contains(fmt.Sprint(e), "hush") || strings.Contains(fmt.Sprint(e), word))
	}
	slices.Reverse(said)
	slices.Sort(said)
	want := []string{
		"a-boss update user a/p", "system create token a/p", "ap-lead delete token a/p", "ap-lead login session a/p",
		"ap-lead create cluster a/p",
		"a-boss update cluster a/p", "a-boss stop cluster a/p", "a-boss transfer cluster a/p",
		"a-boss transfer cluster a/q", "a-boss delete cluster a/q",
		"root create org z", "root delete org z",
	}
	slices.Sort(want)
	require.Equal(t, want, said, "the second stop held already, and changed nothing")
	require.NotContains(t, fmt.Sprint(o.s.Records[ecp.KindAudit]), s.Secret)

	create := o.audit(o.system(),
		change.AuditOptions{Kind: ecp.KindCluster, Key: string(info.ID), Since: since, Limit: 100})
	b, err := json.Marshal(create)
	require.NoError(t, err)
	require.Contains(t, string(b), `{"path":"/spec/hosted/config/authn.password","after":"\"[redacted]\""}`)
	require.Contains(t, string(b), `{"path":"/name","before":"\"one\"","after":"\"New Name\""}`)
}

func TestAuditIsReadWithinReach(t *testing.T) {
	o := newCompany(t)
	for _, p := range []string{"a/p", "a/q", "b/p"} {
		_, _, err := o.m.Create(o.system(), CreateRequest{Mode: ecp.Adopted, Project: p, Name: "x"})
		require.NoError(t, err)
	}
	_, err := o.m.Directory.UpdateOrg(o.system(), "a", "x", 0)
	require.NoError(t, err)
	for name, want := range map[string][]string{
		"root":    {"", "a", "a/p", "a/q", "b", "b/p"},
		"a-boss":  {"a", "a/p", "a/q"},
		"b-boss":  {"b", "b/p"},
		"ap-lead": {"a/p"},
	} {
		var got []string
		for _, e := range o.audit(o.as(name), change.AuditOptions{Limit: 100}) {
			if !slices.Contains(got, e.Scope) {
				got = append(got, e.Scope)
			}
		}
		slices.Sort(got)
		require.Equal(t, want, got, name)
		require.Empty(t, o.audit(o.as(name), change.AuditOptions{Scope: "none"}))
	}
	_, err = o.m.Changes.Audit(o.as("ap-user"), change.AuditOptions{})
	require.ErrorIs(t, err, ecp.ErrDenied)
	_, err = o.m.Changes.Audit(context.Background(), change.AuditOptions{})
	require.ErrorIs(t, err, ecp.ErrDenied)
	for scope, n := range map[string]int{"a": 7, "a/q": 2, "b": 2} { // the people's own entries, too
		got := o.audit(o.system(), change.AuditOptions{Scope: scope, Limit: 100})
		require.Len(t, got, n, "%s: %v", scope, got)
	}
}

func TestRefusalsAreAudited(t *testing.T) {
	o := newCompany(t)
	info, _, err := o.m.Create(o.system(), CreateRequest{Mode: ecp.Adopted, Project: "a/p", Name: "x"})
	require.NoError(t, err)
	refused := func() []change.AuditEntry {
		return o.audit(o.system(), change.AuditOptions{Outcome: change.OutcomeDenied, Limit: 500})
	}
	_, err = o.m.Cluster(info.ID).Do(o.as("aq-lead"), ecp.Delete{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
	_, err = o.m.Cluster("emqx-00000000").Do(o.as("aq-lead"), ecp.Delete{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
	_, err = o.m.Cluster("emqx-00000000").Do(o.as("root"), ecp.Delete{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
	got := refused()
	require.Len(t, got, 2, "a mistyped id is no attempt of who may do everything")
	var of [][]any
	for _, e := range got {
		of = append(of, []any{e.Actor, e.Action, e.Key, e.Scope, e.Why})
	}
	require.ElementsMatch(t, [][]any{
		{"aq-lead", "delete", string(info.ID), "a/p", "not_found"},
		{"aq-lead", "delete", "emqx-00000000", "", "not_found"},
	}, of)
	require.Len(t, o.audit(o.as("ap-lead"), change.AuditOptions{Outcome: change.OutcomeDenied}), 1,
		"the project's own administrator sees it")
}

func TestPruneRemovesWhatIsOver(t *testing.T) {
	o := newCompany(t)
	o.login("root")
	ctx := ecp.WithIdempotencyKey(o.system(), "key")
	_, err := o.m.Directory.CreateOrg(ctx, "fresh", "")
	require.NoError(t, err)
	for range 3 * pruning.Batch {
		_, err := o.m.Directory.UpdateOrg(o.system(), "fresh", "x", 0)
		require.NoError(t, err)
	}
	require.NoError(t, o.m.pruning.Once(t.Context()))
	require.Len(t, o.s.Records[ecp.KindSession], 1)
	require.Len(t, o.s.Records[ecp.KindAnswered], 1)
	o.m.observed.Tick = func() time.Time { return t0 } // the wall clock alone is set forward
	o.now = t0.Add(change.IdempotencyKept + time.Second)
	require.NoError(t, o.m.pruning.Once(t.Context()))
	require.Len(t, o.s.Records[ecp.KindAnswered], 1, "nothing goes by a clock that was set forward")
	o.m.observed.Tick = func() time.Time { return o.now }
	require.NoError(t, o.m.pruning.Once(t.Context()))
	require.Empty(t, o.s.Records[ecp.KindSession])
	require.Empty(t, o.s.Records[ecp.KindAnswered])
	_, err = o.m.Directory.UpdateOrg(o.system(), "fresh", "kept", 0)
	require.NoError(t, err)
	o.now = t0.Add(90*24*time.Hour + time.Second)
	require.NoError(t, o.m.pruning.Once(t.Context()))
	require.Len(t, o.s.Records[ecp.KindAudit], 1, "ninety days are kept")
	writes := o.s.Writes
	require.NoError(t, o.m.pruning.Once(t.Context()))
	require.Equal(t, writes, o.s.Writes)
}

// The number of a change is for everybody who follows events: it has to grow
// alike for what is somebody else's and for what is not there.
func TestRefusalsDoNotTellWhatIsThere(t *testing.T) {
	o := newCompany(t)
	info, operation, err := o.m.Create(o.system(), CreateRequest{
		Mode:    ecp.Hosted,
		Project: "b/p",
		Name:    "x",
		Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 5}},
	})
	require.NoError(t, err)
	token, err := o.m.Accounts.CreateToken(o.system(),
		tenancy.TokenRequest{Name: "x", Grant: ecp.Grant{Role: ecp.RoleUser, Project: "b/p"}})
	require.NoError(t, err)
	for what, try := range map[string]func(context.Context, bool) error{
		"cluster": func(ctx context.Context, there bool) error {
			_, err := o.m.Cluster(pickID(there, info.ID, "emqx-00000000")).Do(ctx, ecp.Stop{})
			return err
		},
		"operation": func(ctx context.Context, there bool) error {
			_, err := o.m.CancelOperation(ctx, pickID(there, operation.ID, "op-0000000000000000"))
			return err
		},
		"org": func(ctx context.Context, there bool) error {
			return o.m.Directory.DeleteOrg(ctx, pickID(there, "b", "none"), 0)
		},
		"project": func(ctx context.Context, there bool) error {
			return o.m.Directory.DeleteProject(ctx, pickID(there, "b/p", "b/none"), 0)
		},
		"new project": func(ctx context.Context, there bool) error {
			_, err := o.m.Directory.CreateProject(ctx, pickID(there, "b/new", "none/new"), "")
			return err
		},
		"user": func(ctx context.Context, there bool) error {
			return o.m.Accounts.DeleteUser(ctx, pickID(there, "b-boss", "none"), 0)
		},
		"token": func(ctx context.Context, there bool) error {
			return o.m.Accounts.DeleteToken(ctx, pickID(there, token.ID, "tok-none"))
		},
	} {
		var writes []int64
		for _, there := range []bool{true, false} {
			o.now = o.now.Add(time.Hour) // enough may be written
			before := o.s.Seq
			err := try(o.as("ap-lead"), there)
			require.ErrorIs(t, err, ecp.ErrNotFound, what)
			writes = append(writes, o.s.Seq-before)
		}
		require.Equal(t, []int64{1, 1}, writes, what)
	}
}

func pickID[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}
