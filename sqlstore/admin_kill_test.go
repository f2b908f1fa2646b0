package sqlstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

// officeEnv makes the test's program administer the store in the folder before
// the colon; what it makes is named by what stands behind it.
const officeEnv = "SQLSTORE_TEST_OFFICE"

// desk is one thing that is made, changed and removed again and again.
type desk struct {
	kind                   string
	create, change, remove func(m *fleet.Manager, ctx context.Context, name string) error
	revision               func(m *fleet.Manager, ctx context.Context, name string) (int64, error)
}

var someGrant = []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}

// desks are all kinds of administrative writes, those of several records first
// of all.
var desks = []desk{
	{
		kind: "user",
		create: func(m *fleet.Manager, ctx context.Context, name string) error {
			_, err := m.Accounts.CreateUser(ctx,
				tenancy.UserRequest{Name: name, Password: "password of " + name, Grants: someGrant})
			return err
		},
		change: func(m *fleet.Manager, ctx context.Context, name string) error {
			if _, err := m.Accounts.Login(ctx, name, "password of "+name); err != nil {
				return err
			}
			word := "another of " + name
			_, err := m.Accounts.UpdateUser(ctx, name, tenancy.UserChange{Password: &word})
			return err
		},
		remove: func(m *fleet.Manager, ctx context.Context, name string) error {
			return m.Accounts.DeleteUser(ctx, name, 0)
		},
		revision: func(m *fleet.Manager, ctx context.Context, name string) (int64, error) {
			u, err := m.Accounts.User(ctx, name)
			return u.Revision, err
		},
	},
	{
		kind: "size",
		create: func(m *fleet.Manager, ctx context.Context, name string) error {
			_, err := m.Catalog.Sizes.Create(ctx, aSize(name, false), "")
			return err
		},
		change: func(m *fleet.Manager, ctx context.Context, name string) error { // takes the default from another
			if _, err := m.Catalog.Sizes.Update(ctx, aSize(name, true), nil); err != nil {
				return err
			}
			_, err := m.Catalog.Sizes.Update(ctx,
				ecp.Size{Name: "1C1G", CPU: ecp.Resource{Request: "1", Limit: "1"},
					Memory: ecp.Resource{Request: "1Gi", Limit: "1Gi"}, Storage: ecp.Storage{Size: "10Gi"},
					Default: true},
				nil)
			return err
		},
		remove: func(m *fleet.Manager, ctx context.Context, name string) error {
			return m.Catalog.Sizes.Delete(ctx, name, 0)
		},
		revision: func(m *fleet.Manager, ctx context.Context, name string) (int64, error) {
			s, err := m.Catalog.Sizes.Get(ctx, name)
			return s.Revision, err
		},
	},
	{
		kind: "registry",
		create: func(m *fleet.Manager, ctx context.Context, name string) error {
			_, err := m.Catalog.Registries.Create(ctx, ecp.Registry{Name: name, Host: name + ".example.com", User: "u"},
				"password")
			return err
		},
		change: func(m *fleet.Manager, ctx context.Context, name string) error {
			word := ecp.Secret(strings.Repeat("x", 3000))
			_, err := m.Catalog.Registries.Update(ctx, ecp.Registry{Name: name, Host: name + ".example.com", User: "v"},
				&word)
			return err
		},
		remove: func(m *fleet.Manager, ctx context.Context, name string) error {
			return m.Catalog.Registries.Delete(ctx, name, 0)
		},
		revision: func(m *fleet.Manager, ctx context.Context, name string) (int64, error) {
			r, err := m.Catalog.Registries.Get(ctx, name)
			return r.Revision, err
		},
	},
	{
		kind: "project",
		create: func(m *fleet.Manager, ctx context.Context, name string) error {
			_, err := m.Directory.CreateProject(ctx, "default/"+name, "")
			return err
		},
		change: func(m *fleet.Manager, ctx context.Context, name string) error {
			n, err := m.Accounts.CreateToken(ctx,
				tenancy.TokenRequest{Name: name, Grant: ecp.Grant{Role: ecp.RoleUser, Project: "default/" + name}})
			if err != nil {
				return err
			}
			if _, err := m.Directory.UpdateProject(ctx, "default/"+name, "changed", 0); err != nil {
				return err
			}
			return m.Accounts.DeleteToken(ctx, n.ID)
		},
		remove: func(m *fleet.Manager, ctx context.Context, name string) error {
			return m.Directory.DeleteProject(ctx, "default/"+name, 0)
		},
		revision: func(m *fleet.Manager, ctx context.Context, name string) (int64, error) {
			p, err := m.Directory.Project(ctx, "default/"+name)
			return p.Revision, err
		},
	},
}

func aSize(name string, dflt bool) ecp.Size {
	return ecp.Size{Name: name, CPU: ecp.Resource{Request: "1", Limit: "2"},
		Memory: ecp.Resource{Request: "1Gi", Limit: "1Gi"}, Storage: ecp.Storage{Size: "1Gi"}, Default: dflt}
}

// quickHasher is no hash: the test is about what is stored, not how well.
type quickHasher struct{}

func (quickHasher) Hash(_ context.Context, p string) (string, error) { return "hash of " + p, nil }
func (quickHasher) Verify(_ context.Context, h, p string) (bool, bool, error) {
	return h == "hash of "+p, false, nil
}

func officeManager(ctx context.Context, s ecp.Store, keys ...ecp.Key) (*fleet.Manager, error) {
	ring, err := ecp.NewKeyRing(keys...)
	if err != nil {
		return nil, err
	}
	return fleet.New(ctx, fleet.Config{Store: s, Hasher: quickHasher{}, Sealer: ring,
		Limits: fleet.Limits{ProjectsPerOrg: 1 << 20, Projects: 1 << 20}})
}

func officeKey(id string) ecp.Key { return ecp.Key{ID: id, Secret: bytes.Repeat([]byte(id[:1]), 32)} }

// administerUntilKilled works at every desk at once. A line says what was
// acknowledged: desk, verb, number. Nothing is buffered.
func administerUntilKilled(where string) int {
	ctx := ecp.WithActor(context.Background(), ecp.System)
	dir, prefix, _ := strings.Cut(where, ":")
	s, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	m, err := officeManager(ctx, s, officeKey("a"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var group sync.WaitGroup
	for i, d := range desks {
		group.Go(func() {
			for n := 0; ; n++ {
				for verb, do := range []func(*fleet.Manager, context.Context, string) error{d.create, d.change,
					d.remove} {
					n := n
					if verb == 2 { // the last few stay
						n -= 3
					}
					if n < 0 {
						continue
					}
					if err := do(m, ctx, fmt.Sprint(prefix, n)); err != nil {
						fmt.Fprintln(os.Stderr, d.kind, verb, err)
						os.Exit(1)
					}
					fmt.Fprintf(os.Stdout, "%d %d %d\n", i, verb, n)
				}
			}
		})
	}
	group.Wait()
	return 1
}

// done is how many of each were acknowledged at a desk: created, changed, removed.
type done [3]int

// TestKillNineDuringAdministration kills a process that makes, changes and
// removes users, tokens, projects and entries of catalogues, and finds nothing
// half done.
func TestKillNineDuringAdministration(t *testing.T) {
	random := seeded(t)
	rounds := 6
	if os.Getenv("OPENECP_LONG") != "" {
		rounds = 60
	}
	dir := t.TempDir()
	for round := range rounds {
		prefix := fmt.Sprintf("r%d-", round)
		acknowledged := administerAndKill(t, dir, prefix, random.IntN(120))
		inOrder(t, dir, prefix, acknowledged)
		t.Logf("acknowledged: %v", acknowledged)
	}
}

func administerAndKill(t *testing.T, dir, prefix string, lines int) []done {
	t.Helper()
	cmd, out := startWriter(t, officeEnv, dir+":"+prefix)
	acknowledged := make([]done, len(desks))
	n := 0
	if lines == 0 {
		require.NoError(t, cmd.Process.Kill())
	}
	for out.Scan() {
		var desk, verb, i int
		_, err := fmt.Sscanf(out.Text(), "%d %d %d", &desk, &verb, &i)
		require.NoError(t, err, out.Text())
		acknowledged[desk][verb] = i + 1
		if n++; n == lines {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.ErrorContains(t, cmd.Wait(), "killed")
	return acknowledged
}

// inOrder looks at what is left. At each desk one thing may be done that
// nobody was told of.
func inOrder(t *testing.T, dir, prefix string, acknowledged []done) {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir, Kinds: fleet.Kinds()})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	m, err := officeManager(t.Context(), s, officeKey("b"), officeKey("a"))
	require.NoError(t, err)
	ctx := ecp.WithActor(t.Context(), ecp.System)
	for i, d := range desks {
		made, removed := acknowledged[i][0], acknowledged[i][2]
		for n := range made + 2 {
			rev, err := d.revision(m, ctx, fmt.Sprint(prefix, n))
			switch {
			case n < removed || n > made:
				require.ErrorIs(t, err, ecp.ErrNotFound, "%s %d", d.kind, n)
			case n == made || n == removed: // perhaps
				require.True(t, err == nil || ecp.CodeOf(err) == ecp.CodeNotFound, "%s %d: %v", d.kind, n, err)
			default:
				require.NoError(t, err, "%s %d", d.kind, n)
				require.True(t, rev > 1 || n >= acknowledged[i][1], "%s %d was changed", d.kind, n)
			}
		}
	}
	wholeOffice(t, s, m, ctx)
	require.Equal(t, []string{"ok"}, integrity(t, filepath.Join(dir, "ecpd.db")))
}

// wholeOffice holds against each other what belongs together.
func wholeOffice(t *testing.T, s *sqlstore.Store, m *fleet.Manager, ctx context.Context) {
	t.Helper()
	sizes, err := m.Catalog.Sizes.List(ctx)
	require.NoError(t, err)
	defaults := 0
	for _, z := range sizes {
		if z.Default {
			defaults++
		}
	}
	require.Equal(t, 1, defaults, "exactly one default size")

	registries, err := m.Catalog.Registries.List(ctx)
	require.NoError(t, err)
	require.Len(t, records(t, s, ecp.KindSecret), len(registries), "a secret for each registry, and none besides")
	_, err = m.ResealSecrets(ctx)
	require.NoError(t, err, "every secret opens")
	back, err := officeManager(ctx, s, officeKey("a"), officeKey("b"))
	require.NoError(t, err)
	n, err := back.ResealSecrets(ctx)
	require.NoError(t, err)
	require.Equal(t, len(registries), n)

	users, err := m.Accounts.Users(ctx)
	require.NoError(t, err)
	passwords := records(t, s, ecp.KindPassword)
	require.Len(t, passwords, len(users), "a password for each user, and none besides")
	for _, u := range users {
		var p struct{ Hash string }
		require.NoError(t, json.Unmarshal(passwords[u.Name], &p))
		want := map[bool]string{true: "hash of password of ", false: "hash of another of "}[u.Revision == 1]
		require.Equal(t, want+u.Name, p.Hash, "revision %d", u.Revision)
	}
	for _, b := range records(t, s, ecp.KindSession) {
		var session struct{ User string }
		require.NoError(t, json.Unmarshal(b, &session))
		u, err := m.Accounts.User(ctx, session.User)
		require.NoError(t, err, "a session of nobody")
		require.EqualValues(t, 1, u.Revision, "a new password ends sessions")
	}
	told := map[string]int{} // changes by kind and key that the audit tells of
	for e, err := range m.Changes.ExportAudit(ctx, change.AuditOptions{}) {
		require.NoError(t, err)
		told[string(e.Kind)+"/"+e.Key]++
	}
	for _, u := range users {
		require.EqualValues(t, u.Revision, told["user/"+u.Name], "an entry for each change")
	}
	for _, r := range registries {
		require.EqualValues(t, r.Revision, told["registry/"+r.Name])
	}
	for _, z := range sizes {
		if seeded := z.Name == "1C1G" || z.Name == "2C4G" || z.Name == "4C8G"; !seeded {
			require.EqualValues(t, z.Revision, told["size/"+z.Name])
		}
	}
}

// records gives the JSON of every record of a kind by key.
func records(t *testing.T, s *sqlstore.Store, kind ecp.Kind) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	require.NoError(t, s.Read(t.Context(), func(tx ecp.Tx) error {
		for r, err := range tx.List(ecp.Query{Kind: kind}) {
			if err != nil {
				return err
			}
			b, err := json.Marshal(r.Payload)
			if err != nil {
				return err
			}
			out[r.Key] = b
		}
		return nil
	}))
	return out
}
