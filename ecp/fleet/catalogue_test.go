package fleet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/stretchr/testify/require"
)

// store is an office whose catalogues can hold secrets.
func newShop(t *testing.T) *company {
	t.Helper()
	o := newCompany(t)
	ring, err := ecp.NewKeyRing(aKey("k1", 1))
	require.NoError(t, err)
	o.begin(func(c *Config) { c.Sealer, c.NewProvisioner = ring, shopProvisioner })
	return o
}

func shopProvisioner(_ context.Context, c ecp.TargetConfig) (ecp.Provisioner, error) {
	if !strings.HasPrefix(string(c.Kubeconfig), "apiVersion") {
		return nil, ecp.NewError(ecp.CodeInvalid, "", "not a kubeconfig")
	}
	return newWorld(), nil
}

var (
	anImage    = ecp.Image{ID: "emqx-5.8.0", Reference: "emqx/emqx-enterprise:5.8.0", Version: "5.8.0"}
	aSize      = ecp.Size{Name: "8C16G", CPU: ecp.Resource{Request: "8", Limit: "8"}, Memory: ecp.Resource{Request: "16Gi", Limit: "16Gi"}, Storage: ecp.Storage{Size: "80Gi"}}
	aRegistry  = ecp.Registry{Name: "ours", Host: "registry.example.com:5000", User: "robot"}
	aLicense   = ecp.License{Name: "prod", Format: ecp.LicenseV5}
	aLBProfile = ecp.LBProfile{Name: "small", MaxConnections: 1000, Annotations: map[string]string{"example.com/class": "s"}}
	aTarget    = ecp.Target{Name: "west"}
	aKeyText   = ecp.Secret(base64.StdEncoding.EncodeToString([]byte("220111\n0\n10\nEvaluation\ncontact@emqx.io\ndefault\n20230109\n1825\n100\n")) + ".c2ln")
)

// shopCalls make, read, change and remove one entry of each catalogue.
var shopCalls = []struct {
	name                 string
	create, read, update func(*Manager, context.Context) (int64, error) // give the entry's revision
	list                 func(*Manager, context.Context) (int, error)
	remove               func(*Manager, context.Context, int64) error
	secret               string // what must not be shown
	usersRead            bool
}{
	{"image",
		func(m *Manager, ctx context.Context) (int64, error) {
			i, err := m.Catalog.CreateImage(ctx, anImage)
			return i.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			i, err := m.Catalog.Image(ctx, anImage.ID)
			return i.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			i := anImage
			i.Reference, i.Revision = "emqx/emqx-enterprise:5.8.0-1", 1
			i, err := m.Catalog.UpdateImage(ctx, i)
			return i.Revision, err
		},
		func(m *Manager, ctx context.Context) (int, error) {
			l, err := m.Catalog.Images(ctx)
			return len(l), err
		},
		func(m *Manager, ctx context.Context, rev int64) error {
			return m.Catalog.DeleteImage(ctx, anImage.ID, rev)
		}, "", true},
	{"size",
		func(m *Manager, ctx context.Context) (int64, error) {
			s, err := m.Catalog.CreateSize(ctx, aSize)
			return s.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			s, err := m.Catalog.Size(ctx, aSize.Name)
			return s.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			s := aSize
			s.Storage.Size, s.Revision = "90Gi", 1
			s, err := m.Catalog.UpdateSize(ctx, s)
			return s.Revision, err
		},
		func(m *Manager, ctx context.Context) (int, error) { l, err := m.Catalog.Sizes(ctx); return len(l), err },
		func(m *Manager, ctx context.Context, rev int64) error {
			return m.Catalog.DeleteSize(ctx, aSize.Name, rev)
		}, "", true},
	{"registry",
		func(m *Manager, ctx context.Context) (int64, error) {
			r, err := m.Catalog.CreateRegistry(ctx, aRegistry, "hush-1")
			return r.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			r, err := m.Catalog.Registry(ctx, "ours")
			return r.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			r, word := aRegistry, ecp.Secret("hush-2")
			r.User, r.Revision = "other", 1
			r, err := m.Catalog.UpdateRegistry(ctx, r, &word)
			return r.Revision, err
		},
		func(m *Manager, ctx context.Context) (int, error) {
			l, err := m.Catalog.Registries(ctx)
			return len(l), err
		},
		func(m *Manager, ctx context.Context, rev int64) error {
			return m.Catalog.DeleteRegistry(ctx, "ours", rev)
		}, "hush", false},
	{"license",
		func(m *Manager, ctx context.Context) (int64, error) {
			if _, err := m.Catalog.CreateLicense(ctx, ecp.License{Name: "first", Format: ecp.LicenseV5}, "key"); err != nil && !errors.Is(err, ecp.ErrExists) {
				return 0, err
			}
			l, err := m.Catalog.CreateLicense(ctx, aLicense, aKeyText)
			return l.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			l, err := m.Catalog.License(ctx, "prod")
			return l.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			l, key := aLicense, ecp.Secret("other-"+string(aKeyText))
			l.Revision = 1
			l, err := m.Catalog.UpdateLicense(ctx, l, &key)
			return l.Revision, err
		},
		func(m *Manager, ctx context.Context) (int, error) {
			l, err := m.Catalog.Licenses(ctx)
			return len(l), err
		},
		func(m *Manager, ctx context.Context, rev int64) error {
			return m.Catalog.DeleteLicense(ctx, "prod", rev)
		}, string(aKeyText), false},
	{"load-balancer profile",
		func(m *Manager, ctx context.Context) (int64, error) {
			l, err := m.Catalog.CreateLBProfile(ctx, aLBProfile)
			return l.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			l, err := m.Catalog.LBProfile(ctx, "small")
			return l.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			l := aLBProfile
			l.MinConnections, l.Revision = 5, 1
			l, err := m.Catalog.UpdateLBProfile(ctx, l)
			return l.Revision, err
		},
		func(m *Manager, ctx context.Context) (int, error) {
			l, err := m.Catalog.LBProfiles(ctx)
			return len(l), err
		},
		func(m *Manager, ctx context.Context, rev int64) error {
			return m.Catalog.DeleteLBProfile(ctx, "small", rev)
		}, "", true},
	{"Kubernetes target",
		func(m *Manager, ctx context.Context) (int64, error) {
			t, err := m.Catalog.CreateTarget(ctx, aTarget, "apiVersion: hush-1")
			return t.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			t, err := m.Target(ctx, "west")
			return t.Revision, err
		},
		func(m *Manager, ctx context.Context) (int64, error) {
			t, config := aTarget, ecp.Secret("apiVersion: hush-2")
			t.Description, t.Revision = "words", 1
			t, err := m.Catalog.UpdateTarget(ctx, t, &config)
			return t.Revision, err
		},
		func(m *Manager, ctx context.Context) (int, error) { l, err := m.Targets(ctx); return len(l), err },
		func(m *Manager, ctx context.Context, rev int64) error {
			return m.Catalog.DeleteTarget(ctx, "west", rev)
		}, "hush", true},
}

func TestEveryCatalogue(t *testing.T) {
	for _, c := range shopCalls {
		t.Run(c.name, func(t *testing.T) {
			o := newShop(t)
			_, err := c.read(o.m, o.system())
			require.ErrorIs(t, err, ecp.ErrNotFound)
			_, err = c.update(o.m, o.system())
			require.ErrorIs(t, err, ecp.ErrNotFound)
			require.ErrorIs(t, c.remove(o.m, o.system(), 0), ecp.ErrNotFound)

			rev, err := c.create(o.m, o.system())
			require.NoError(t, err)
			require.EqualValues(t, 1, rev)
			_, err = c.create(o.m, o.system())
			var taken *ecp.Error
			require.ErrorAs(t, err, &taken)
			require.Equal(t, ecp.CodeExists, taken.Code)
			require.Contains(t, []string{"id", "name"}, taken.Fields[0].Field)
			n, err := c.list(o.m, o.system())
			require.NoError(t, err)
			rev, err = c.update(o.m, o.system())
			require.NoError(t, err)
			require.EqualValues(t, 2, rev)
			rev, err = c.read(o.m, o.system())
			require.NoError(t, err)
			require.EqualValues(t, 2, rev)
			_, err = c.update(o.m, o.system())
			require.ErrorIs(t, err, ecp.ErrPrecondition)
			require.ErrorIs(t, c.remove(o.m, o.system(), 1), ecp.ErrPrecondition)

			for _, who := range []string{"a-boss", "ap-lead", "ap-user"} { // the catalogues are the installation's
				_, err = c.create(o.m, o.as(who))
				require.ErrorIs(t, err, ecp.ErrDenied, who)
				_, err = c.update(o.m, o.as(who))
				require.ErrorIs(t, err, ecp.ErrDenied, who)
				require.ErrorIs(t, c.remove(o.m, o.as(who), 0), ecp.ErrDenied, who)
				_, err = c.read(o.m, o.as(who))
				require.Equal(t, c.usersRead, err == nil, who)
				_, err = c.list(o.m, o.as(who))
				require.Equal(t, c.usersRead, err == nil, who)
			}
			_, err = c.create(o.m, context.Background())
			require.ErrorIs(t, err, ecp.ErrDenied)

			if c.secret != "" { // neither in the database nor in anything derived from it
				require.NotEmpty(t, o.s.Records[ecp.KindSecret])
				for kind, table := range o.s.Records {
					for key, r := range table {
						b, err := json.Marshal(r)
						require.NoError(t, err)
						require.NotContains(t, string(b)+fmt.Sprintf("%#v", r), c.secret, "%s %s", kind, key)
					}
				}
			}
			require.NoError(t, c.remove(o.m, o.system(), 2))
			less, err := c.list(o.m, o.system())
			require.NoError(t, err)
			require.Equal(t, n-1, less)
			for key := range o.s.Records[ecp.KindSecret] {
				require.NotContains(t, key, "/prod/")
				require.NotContains(t, key, "/west/")
				require.NotContains(t, key, "/ours/")
			}
		})
	}
}

func TestRefusedEntries(t *testing.T) {
	o := newShop(t)
	ctx := o.system()
	one := func(err error, field string) {
		t.Helper()
		var e *ecp.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, ecp.CodeInvalid, e.Code, "%s: %v", field, err)
		require.Equal(t, field, e.Fields[0].Field, err.Error())
	}
	image := func(spoil func(*ecp.Image)) error {
		i := anImage
		spoil(&i)
		_, err := o.m.Catalog.CreateImage(ctx, i)
		return err
	}
	one(image(func(i *ecp.Image) { i.ID = "Upper" }), "id")
	one(image(func(i *ecp.Image) { i.ID = strings.Repeat("x", 64) }), "id")
	one(image(func(i *ecp.Image) { i.Reference = "emqx emqx" }), "reference")
	one(image(func(i *ecp.Image) { i.Reference = "" }), "reference")
	one(image(func(i *ecp.Image) { i.Version = "5.8" }), "version")
	one(image(func(i *ecp.Image) { i.Version = "4.3.22" }), "version")
	size := func(spoil func(*ecp.Size)) error {
		s := aSize
		spoil(&s)
		_, err := o.m.Catalog.CreateSize(ctx, s)
		return err
	}
	one(size(func(s *ecp.Size) { s.Name = "a b" }), "name")
	one(size(func(s *ecp.Size) { s.CPU.Request = "one" }), "cpu.request")
	one(size(func(s *ecp.Size) { s.CPU.Limit = "500m" }), "cpu.limit")
	one(size(func(s *ecp.Size) { s.Memory.Limit = "0" }), "memory.limit")
	one(size(func(s *ecp.Size) { s.Memory = ecp.Resource{Request: "512m", Limit: "512Mi"} }), "memory.request")
	one(size(func(s *ecp.Size) { s.Memory = ecp.Resource{Request: "64Mi", Limit: "128Mi"} }), "memory.limit")
	one(size(func(s *ecp.Size) { s.Memory = ecp.Resource{Request: "0.3", Limit: "1Gi"} }), "memory.request")
	one(size(func(s *ecp.Size) { s.Storage.Size = "-1Gi" }), "storage.size")
	one(size(func(s *ecp.Size) { s.Storage.Size = "10Mi" }), "storage.size")
	one(size(func(s *ecp.Size) { s.Storage.Size = "80000000000m" }), "storage.size")
	one(size(func(s *ecp.Size) { s.Storage.Class = "A B" }), "storage.class")
	registry := func(spoil func(*ecp.Registry)) error {
		r := aRegistry
		spoil(&r)
		_, err := o.m.Catalog.CreateRegistry(ctx, r, "x")
		return err
	}
	one(registry(func(r *ecp.Registry) { r.Host = "https://x" }), "host")
	one(registry(func(r *ecp.Registry) { r.User = "" }), "user")
	_, err := o.m.Catalog.CreateRegistry(ctx, aRegistry, ecp.Secret(strings.Repeat("x", catalog.MaxSecret+1)))
	one(err, "password")
	_, err = o.m.Catalog.CreateLicense(ctx, aLicense, "")
	one(err, "content")
	_, err = o.m.Catalog.CreateLicense(ctx, aLicense, "two words")
	one(err, "content")
	_, err = o.m.Catalog.CreateLicense(ctx, ecp.License{Name: "x", Format: "v6"}, "key")
	one(err, "format")
	profile := func(spoil func(*ecp.LBProfile)) error {
		l := aLBProfile
		spoil(&l)
		_, err := o.m.Catalog.CreateLBProfile(ctx, l)
		return err
	}
	one(profile(func(l *ecp.LBProfile) { l.MinConnections = 1001 }), "maxConnections")
	one(profile(func(l *ecp.LBProfile) { l.MinConnections = -1 }), "minConnections")
	one(profile(func(l *ecp.LBProfile) { l.Annotations = nil }), "annotations")
	one(profile(func(l *ecp.LBProfile) { l.Annotations = map[string]string{"openecp.io/cluster": "x"} }), "annotations[openecp.io/cluster]")
	_, err = o.m.Catalog.CreateTarget(ctx, aTarget, "not a kubeconfig")
	one(err, "kubeconfig")
	_, err = o.m.Catalog.CreateTarget(ctx, aTarget, "")
	one(err, "kubeconfig")
	_, err = o.m.Catalog.CreateTarget(ctx, ecp.Target{Name: "A"}, "apiVersion")
	one(err, "name")
	_, err = o.m.Catalog.CreateTarget(ctx, ecp.Target{Name: "default"}, "apiVersion")
	require.ErrorIs(t, err, ecp.ErrExists, "the program has one of that name")
	require.ErrorIs(t, o.m.Catalog.DeleteTarget(ctx, "default", 0), ecp.ErrUnsupported)
	_, err = o.m.Catalog.UpdateTarget(ctx, ecp.Target{Name: "default"}, nil)
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	empty := ecp.Secret("")
	_, err = o.m.Catalog.CreateTarget(ctx, aTarget, "apiVersion")
	require.NoError(t, err)
	_, err = o.m.Catalog.UpdateTarget(ctx, aTarget, &empty)
	one(err, "kubeconfig")
	require.NoError(t, registry(func(*ecp.Registry) {}))
	twin := registry(func(r *ecp.Registry) { r.Name = "twin" })
	require.ErrorIs(t, twin, ecp.ErrExists, "one registry for each host")
	require.ErrorContains(t, twin, "host: the registry")

	o.begin(func(c *Config) { c.Sealer = nil })
	_, err = o.m.Catalog.CreateRegistry(ctx, ecp.Registry{Name: "b", Host: "b.example.com", User: "u"}, "x")
	require.ErrorIs(t, err, ecp.ErrUnsupported, "no secret is stored in the clear")
	o.begin(func(c *Config) { c.NewProvisioner = nil })
	_, err = o.m.Catalog.CreateTarget(ctx, ecp.Target{Name: "east"}, "apiVersion")
	require.ErrorIs(t, err, ecp.ErrUnsupported)
}

func TestThereIsExactlyOneDefault(t *testing.T) {
	o := newShop(t)
	ctx := o.system()
	check := func(want string) {
		t.Helper()
		all, err := o.m.Catalog.Images(ctx)
		require.NoError(t, err)
		var defaults []string
		for _, i := range all {
			if i.Default {
				defaults = append(defaults, i.ID)
			}
		}
		require.Equal(t, []string{want}, defaults)
	}
	check("emqx-ee-5.8.9")
	require.ErrorIs(t, o.m.Catalog.DeleteImage(ctx, "emqx-ee-5.8.9", 0), ecp.ErrConflict)
	i, err := o.m.Catalog.Image(ctx, "emqx-ee-5.8.9")
	require.NoError(t, err)
	i.Default = false
	_, err = o.m.Catalog.UpdateImage(ctx, i)
	require.ErrorIs(t, err, ecp.ErrConflict)
	fresh := anImage
	fresh.Default = true
	_, err = o.m.Catalog.CreateImage(ctx, fresh)
	require.NoError(t, err)
	check(anImage.ID)
	i, err = o.m.Catalog.Image(ctx, "emqx-ee-5.8.9")
	require.NoError(t, err)
	require.EqualValues(t, 2, i.Revision, "it has changed, too")
	i.Default = true
	_, err = o.m.Catalog.UpdateImage(ctx, i)
	require.NoError(t, err)
	check("emqx-ee-5.8.9")
	require.NoError(t, o.m.Catalog.DeleteImage(ctx, anImage.ID, 0))

	for _, format := range []ecp.LicenseFormat{ecp.LicenseV4, ecp.LicenseV5} { // one for each
		for _, name := range []string{"a", "b"} {
			l, err := o.m.Catalog.CreateLicense(ctx, ecp.License{Name: string(format) + name, Format: format}, "key")
			require.NoError(t, err)
			require.Equal(t, name == "a", l.Default)
		}
	}
}

// What a cluster was made with stays, whatever becomes of the catalogues; and
// what it was made with cannot be deleted.
func TestCataloguesTouchNoCluster(t *testing.T) {
	o := newShop(t)
	ctx := o.system()
	image := anImage
	image.Reference, image.Default = "registry.example.com:5000/emqx/emqx:5.8.0", true
	for _, err := range []error{
		errOf(o.m.Catalog.CreateRegistry(ctx, aRegistry, "hush")), errOf(o.m.Catalog.CreateImage(ctx, image)), errOf(o.m.Catalog.CreateSize(ctx, aSize)),
		errOf(o.m.Catalog.CreateLicense(ctx, aLicense, aKeyText)), errOf(o.m.Catalog.CreateLBProfile(ctx, aLBProfile)),
	} {
		require.NoError(t, err)
	}
	info, _, err := o.m.Create(ctx, CreateRequest{Mode: ecp.Hosted, Project: "a/p", Name: "one", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{
		Nodes: 1, Connections: 7, Size: aSize.Name, Network: ecp.Network{Type: ecp.LoadBalancer, Annotations: map[string]string{"example.com/own": "1"}},
	}}})
	require.NoError(t, err)
	made := info.Resolved
	require.Equal(t, []any{"ours", "prod", "small", int64(0)}, []any{made.Registry, made.License, made.LBProfile, made.Image.Revision})
	d := derive.Desired(info.ClusterRecord)
	require.NoError(t, o.m.observed.AddSecrets(ctx, info.ClusterRecord, &d))
	require.Equal(t, ecp.PullCredentials{Host: "registry.example.com:5000", User: "robot", Password: "hush"}, d.Pull)
	require.Equal(t, aKeyText, d.License)
	require.Equal(t, map[string]string{"example.com/own": "1", "example.com/class": "s"}, d.Spec.Network.Annotations)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", d, d, d), "hush")

	image.Reference = "elsewhere/emqx:5.8.0"
	_, err = o.m.Catalog.UpdateImage(ctx, image)
	require.NoError(t, err)
	size := aSize
	size.CPU = ecp.Resource{Request: "1", Limit: "1"}
	_, err = o.m.Catalog.UpdateSize(ctx, size)
	require.NoError(t, err)
	profile := aLBProfile
	profile.Annotations = map[string]string{"example.com/class": "xxl"}
	_, err = o.m.Catalog.UpdateLBProfile(ctx, profile)
	require.NoError(t, err)
	got, err := o.m.Cluster(info.ID).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, made, got.Resolved)

	for what, err := range map[string]error{
		"image": o.m.Catalog.DeleteImage(ctx, image.ID, 0), "size": o.m.Catalog.DeleteSize(ctx, aSize.Name, 0), "registry": o.m.Catalog.DeleteRegistry(ctx, "ours", 0),
		"license": o.m.Catalog.DeleteLicense(ctx, "prod", 0), "profile": o.m.Catalog.DeleteLBProfile(ctx, "small", 0),
	} {
		require.ErrorIs(t, err, ecp.ErrConflict, what)
		require.ErrorContains(t, err, "it is in use by cluster one", what)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestLBProfilesByRange(t *testing.T) {
	o := newShop(t)
	o.begin(func(c *Config) { c.Limits.LBProfiles = 3 })
	make := func(name string, low, high int) error {
		o.now = o.now.Add(time.Second)
		_, err := o.m.Catalog.CreateLBProfile(o.system(), ecp.LBProfile{Name: name, MinConnections: low, MaxConnections: high, Annotations: map[string]string{"example.com/x": name}})
		return err
	}
	require.NoError(t, make("z-oldest", 100, 200))
	require.NoError(t, make("a-younger", 150, 0))
	require.NoError(t, make("m-youngest", 0, 120))
	require.ErrorIs(t, make("one-too-many", 0, 0), ecp.ErrQuotaExceeded)
	require.ErrorIs(t, make("a-younger", 0, 0), ecp.ErrExists)
	for connections, want := range map[int]string{0: "m-youngest", 99: "m-youngest", 100: "z-oldest", 120: "z-oldest", 200: "z-oldest", 201: "a-younger", 1_000_000: "a-younger"} {
		require.NoError(t, o.s.Read(t.Context(), func(tx ecp.Tx) error {
			l, err := catalog.LbProfileFor(tx, connections)
			require.Equal(t, want, l.Name, "%d", connections)
			return err
		}))
	}
	require.NoError(t, o.m.Catalog.DeleteLBProfile(o.system(), "a-younger", 0))
	require.NoError(t, o.s.Read(t.Context(), func(tx ecp.Tx) error {
		_, err := catalog.LbProfileFor(tx, 201)
		require.ErrorIs(t, err, ecp.ErrNotFound)
		return nil
	}))
}

func TestPoolIsNotMadeSmallerThanWhatIsUsed(t *testing.T) {
	o := newShop(t)
	for name, n := range map[string]int{"one": 30, "two": 12} {
		_, _, err := o.m.Create(o.system(), CreateRequest{Mode: ecp.Hosted, Project: "a/p", Name: name, Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: n}}})
		require.NoError(t, err)
	}
	for _, c := range []struct {
		pool  ecp.Pool
		code  ecp.Code
		field string
	}{
		{ecp.Pool{Connections: 41}, ecp.CodeConflict, "connections"},
		{ecp.Pool{LargestCluster: 29}, ecp.CodeConflict, "largestCluster"},
		{ecp.Pool{Clusters: 1}, ecp.CodeConflict, "clusters"},
		{ecp.Pool{Connections: -1}, ecp.CodeInvalid, "connections"},
		{ecp.Pool{Revision: 7}, ecp.CodePrecondition, ""},
	} {
		_, err := o.m.Catalog.UpdatePool(o.system(), c.pool)
		require.Equal(t, c.code, ecp.CodeOf(err), "%+v", c.pool)
		var e *ecp.Error
		if require.ErrorAs(t, err, &e); c.field != "" {
			require.Equal(t, c.field, e.Fields[0].Field)
		}
	}
	p, err := o.m.Catalog.UpdatePool(o.system(), ecp.Pool{Connections: 42, LargestCluster: 30, Clusters: 3, UsedConnections: 999, ExpiresAt: t0.Add(time.Hour), Revision: 1})
	require.NoError(t, err)
	require.Equal(t, ecp.Pool{Connections: 42, LargestCluster: 30, Clusters: 3, UsedConnections: 42, UsedClusters: 2, ExpiresAt: t0.Add(time.Hour), Revision: 2}, p)
	_, err = o.m.Catalog.UpdatePool(o.as("a-boss"), ecp.Pool{})
	require.ErrorIs(t, err, ecp.ErrDenied)

	o.now = t0.Add(time.Hour)
	_, _, err = o.m.Create(o.system(), CreateRequest{Mode: ecp.Adopted, Project: "a/p", Name: "late"})
	require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
	require.ErrorContains(t, err, "the pool expired at")
	p.ExpiresAt = time.Time{}
	_, err = o.m.Catalog.UpdatePool(o.system(), p)
	require.NoError(t, err)
	_, _, err = o.m.Create(o.system(), CreateRequest{Mode: ecp.Adopted, Project: "a/p", Name: "late"})
	require.NoError(t, err)
}

func TestWhatLicensesSayOfThemselves(t *testing.T) {
	o := newShop(t)
	l, err := o.m.Catalog.CreateLicense(o.system(), aLicense, aKeyText)
	require.NoError(t, err)
	require.Equal(t, ecp.License{
		Name: "prod", Format: ecp.LicenseV5, Default: true, ContentSet: true, Customer: "Evaluation", Type: "evaluation", Limit: 100,
		ExpiresAt: time.Date(2028, 1, 8, 0, 0, 0, 0, time.UTC), Revision: 1,
	}, l)
	other := ecp.Secret("a-key-of-an-unknown-form")
	l, err = o.m.Catalog.UpdateLicense(o.system(), ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true, Customer: "made up"}, &other)
	require.NoError(t, err)
	require.Equal(t, ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true, ContentSet: true, Revision: 2}, l, "what is not known is not said")
	_, err = o.m.Catalog.UpdateLicense(o.system(), ecp.License{Name: "prod", Format: ecp.LicenseV4, Default: true}, nil)
	require.ErrorIs(t, err, ecp.ErrInvalid)
}

func FuzzLearnLicense(f *testing.F) {
	f.Add("v5", string(aKeyText))
	f.Add("v4", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----")
	f.Fuzz(func(t *testing.T, format, content string) {
		var wrong fault.Fields
		l := ecp.License{Name: "x", Format: ecp.LicenseFormat(format)}
		catalog.LearnLicense(&wrong, &l, ecp.Secret(content))
		if _, err := json.Marshal(l); err != nil {
			t.Fatal(err)
		}
		if len([]rune(l.Customer)) > ecp.MaxName {
			t.Fatal("too long to be shown")
		}
	})
}

// Booking more renders nothing anew: pods would be replaced for it on some
// versions. Nodes that are started get what is booked.
func TestNodesKeepTheLimitTheyWereMadeWith(t *testing.T) {
	o := newShop(t)
	info, _, err := o.m.Create(o.system(), CreateRequest{Mode: ecp.Hosted, Project: "a/p", Name: "one", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: 7}}})
	require.NoError(t, err)
	c := o.m.Cluster(info.ID)
	for _, step := range []struct {
		cmd  ecp.Command
		want int
	}{{ecp.Update{Patch: []byte(`{"connections":9}`)}, 7}, {ecp.Stop{}, 7}, {ecp.Start{}, 9}, {ecp.Update{Patch: []byte(`{"connections":8}`)}, 9}} {
		_, err = c.Do(o.system(), step.cmd)
		require.NoError(t, err)
		got, err := c.Get(o.system())
		require.NoError(t, err)
		require.Equal(t, step.want, derive.Desired(got.ClusterRecord).Spec.Connections, "after %s", step.cmd.Kind())
	}
}
