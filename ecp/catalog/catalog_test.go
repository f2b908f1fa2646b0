package catalog

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/mapstore"
	"github.com/stretchr/testify/require"
)

var asSystem = ecp.WithActor(context.Background(), ecp.System)

// rig is a Catalog without a Manager, with the entries that an installation begins with.
type rig struct {
	s   *mapstore.Store
	c   *Catalog
	cfg Config
	now time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	o := &rig{s: mapstore.New(), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	require.NoError(t, o.s.Write(t.Context(), func(tx ecp.Tx) error {
		for _, i := range ecp.DefaultImages() {
			if err := ecp.Put(tx, i, 0); err != nil {
				return err
			}
		}
		return nil
	}))
	ring, err := ecp.NewKeyRing(ecp.Key{ID: "k1", Secret: bytes.Repeat([]byte{1}, 32)})
	require.NoError(t, err)
	o.cfg = Config{
		Changes: change.New(o.s, slog.New(slog.DiscardHandler), func() time.Time { return o.now }), Sealer: ring,
		Hooks: Hooks{
			BuiltIn: func(name string) bool { return name == "default" },
			TryTarget: func(_ context.Context, c ecp.TargetConfig) error {
				if !strings.HasPrefix(string(c.Kubeconfig), "apiVersion") {
					return ecp.NewError(ecp.CodeInvalid, "", "not a kubeconfig")
				}
				return nil
			},
		},
	}
	o.begin(func(*Config) {})
	return o
}

// begin makes the Catalog anew, with other settings.
func (o *rig) begin(change func(*Config)) {
	change(&o.cfg)
	o.c = New(o.cfg)
}

var (
	anImage = ecp.Image{ID: "emqx-5.8.0", Reference: "emqx/emqx-enterprise:5.8.0", Version: "5.8.0"}
	aSize   = ecp.Size{
		Name:    "8C16G",
		CPU:     ecp.Resource{Request: "8", Limit: "8"},
		Memory:  ecp.Resource{Request: "16Gi", Limit: "16Gi"},
		Storage: ecp.Storage{Size: "80Gi"},
	}
	aRegistry  = ecp.Registry{Name: "ours", Host: "registry.example.com:5000", User: "robot"}
	aLicense   = ecp.License{Name: "prod", Format: ecp.LicenseV5}
	aLBProfile = ecp.LBProfile{
		Name:           "small",
		MaxConnections: 1000,
		Annotations:    map[string]string{"example.com/class": "s"},
	}
	aTarget  = ecp.Target{Name: "west"}
	aKeyText = ecp.Secret(base64.StdEncoding.EncodeToString(
		[]byte("220111\n0\n10\nEvaluation\ncontact@emqx.io\ndefault\n20230109\n1825\n100\n"),
	) + ".c2ln")
)

// TestUnverifiedImages: the catalogue marks them itself, and none is ever the default.
func TestUnverifiedImages(t *testing.T) {
	o := newRig(t)
	six := ecp.Image{ID: "six", Reference: "emqx/emqx-enterprise:6.1.4", Version: "6.1.4"}
	asked := six
	asked.Default = true
	_, err := o.c.Images.Create(asSystem, asked, "")
	require.ErrorContains(t, err, "default: is for images that OpenECP was run on: EMQX 6.1.4 is unverified")
	made, err := o.c.Images.Create(asSystem, six, "")
	require.NoError(t, err)
	require.True(t, made.Unverified)
	made.Default = true
	_, err = o.c.Images.Update(asSystem, made, nil)
	require.ErrorIs(t, err, ecp.ErrInvalid)
	made.Default, made.Unverified = false, false
	made, err = o.c.Images.Update(asSystem, made, nil)
	require.NoError(t, err)
	require.True(t, made.Unverified, "nobody takes the mark away")
	five := anImage
	five.Unverified = true
	five, err = o.c.Images.Create(asSystem, five, "")
	require.NoError(t, err)
	require.False(t, five.Unverified)

	// Of an empty catalogue the first image that can be is the default.
	o.s = mapstore.New()
	o.begin(func(c *Config) { c.Changes.Store = o.s })
	made, err = o.c.Images.Create(asSystem, six, "")
	require.NoError(t, err)
	require.False(t, made.Default)
	five, err = o.c.Images.Create(asSystem, anImage, "")
	require.NoError(t, err)
	require.True(t, five.Default)
}

func TestEntries(t *testing.T) {
	t.Run("image", func(t *testing.T) { requireEntries(t, (*Catalog).images, anImage, "", true) })
	t.Run("size", func(t *testing.T) { requireEntries(t, (*Catalog).sizes, aSize, "", true) })
	t.Run("registry", func(t *testing.T) { requireEntries(t, (*Catalog).registries, aRegistry, "hush-1", false) })
	t.Run("license", func(t *testing.T) { requireEntries(t, (*Catalog).licenses, aLicense, aKeyText, false) })
	t.Run("certificate", func(t *testing.T) {
		leaf := issue(t, "mqtt.example.com", nil, nil, nil)
		e := ecp.Certificate{Name: "shops", Chain: chainOf(leaf)}
		requireEntries(t, (*Catalog).certificates, e, leaf.pem(t), false)
	})
	t.Run("profile", func(t *testing.T) { requireEntries(t, (*Catalog).lbProfiles, aLBProfile, "", true) })
	t.Run("target", func(t *testing.T) { requireEntries(t, (*Catalog).targets, aTarget, "apiVersion: hush-2", true) })
}

// requireEntries makes, reads, changes and removes an entry.
func requireEntries[E ecp.Payload](
	t *testing.T, of func(*Catalog) *Entries[E], e E, secret ecp.Secret, usersRead bool,
) {
	t.Helper()
	o := newRig(t)
	all, key := of(o.c), of(o.c).key(e)
	var changed *ecp.Secret
	if secret != "" {
		changed = &secret
	} else {
		_, err := all.Create(asSystem, e, "surplus")
		require.ErrorContains(t, err, "have no secret")
	}
	_, err := all.Get(asSystem, key)
	require.ErrorIs(t, err, ecp.ErrNotFound)
	_, err = all.Update(asSystem, e, changed)
	require.ErrorIs(t, err, ecp.ErrNotFound)
	require.ErrorIs(t, all.Delete(asSystem, key, 0), ecp.ErrNotFound)

	made, err := all.Create(asSystem, e, secret)
	require.NoError(t, err)
	require.EqualValues(t, 1, *all.rev(&made))
	_, err = all.Create(asSystem, e, secret)
	require.ErrorIs(t, err, ecp.ErrExists)
	require.ErrorContains(t, err, all.id+": there is a "+all.what)
	made = changeOf(any(made)).(E)
	made, err = all.Update(asSystem, made, changed)
	require.NoError(t, err)
	require.EqualValues(t, 2, *all.rev(&made))
	got, err := all.Get(asSystem, key)
	require.NoError(t, err)
	require.Equal(t, made, got)
	*all.rev(&made) = 1
	_, err = all.Update(asSystem, made, changed)
	require.ErrorIs(t, err, ecp.ErrPrecondition)
	require.ErrorIs(t, all.Delete(asSystem, key, 1), ecp.ErrPrecondition)
	list, err := all.List(asSystem)
	require.NoError(t, err)
	require.Contains(t, list, got)
	requireRights(t, all, e, secret, usersRead)
	o.requireHidden(t, secret)
	if all.dflt != nil && *all.dflt(&made) {
		return
	}
	require.NoError(t, all.Delete(asSystem, key, 2))
	require.Empty(t, o.s.Records[ecp.KindSecret])
}

// changeOf returns an entry with another content.
func changeOf(e any) any {
	switch e := e.(type) {
	case ecp.Image:
		e.Architectures = []string{"arm64"}
		return e
	case ecp.Size:
		e.CPU.Limit = "9"
		return e
	case ecp.LBProfile:
		e.MinConnections = 1
		return e
	}
	return e // its secret is changed
}

func requireRights[E ecp.Payload](t *testing.T, all *Entries[E], e E, secret ecp.Secret, usersRead bool) {
	t.Helper()
	boss := ecp.WithActor(t.Context(), ecp.Actor{Name: "boss", Grants: []ecp.Grant{{Role: ecp.RoleOrgAdmin, Org: "a"}}})
	for who, reads := range map[context.Context]bool{boss: usersRead, t.Context(): false} {
		_, err := all.Create(who, e, secret)
		require.ErrorIs(t, err, ecp.ErrDenied)
		_, err = all.Update(who, e, nil)
		require.ErrorIs(t, err, ecp.ErrDenied)
		require.ErrorIs(t, all.Delete(who, all.key(e), 0), ecp.ErrDenied)
		_, err = all.Get(who, all.key(e))
		require.Equal(t, reads, err == nil)
		_, err = all.List(who)
		require.Equal(t, reads, err == nil)
	}
}

// requireHidden requires that a secret is neither in the store nor in anything that is
// made of what is stored.
func (o *rig) requireHidden(t *testing.T, secret ecp.Secret) {
	t.Helper()
	if secret == "" {
		return
	}
	require.NotEmpty(t, o.s.Records[ecp.KindSecret])
	for kind, table := range o.s.Records {
		for key, r := range table {
			b, err := json.Marshal(r)
			require.NoError(t, err)
			require.NotContains(t, string(b)+fmt.Sprintf("%#v", r), string(secret), "%s %s", kind, key)
		}
	}
}

// What an earlier build sealed is bound to the kind as it was spelled then.
func TestSecretOfEarlierLicense(t *testing.T) {
	o := newRig(t)
	sealed, err := o.cfg.Sealer.Seal([]byte("a key"), "licence/main/content")
	require.NoError(t, err)
	require.NoError(t, o.s.Write(t.Context(), func(tx ecp.Tx) error {
		for _, name := range []string{"main", "other"} {
			if err := ecp.Put(tx, SealedSecret{Kind: ecp.KindLicense, Key: name, Field: "content", Sealed: sealed},
				0); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, o.s.Read(t.Context(), func(tx ecp.Tx) error {
		content, err := o.c.Licenses.Secret(tx, "main")
		require.NoError(t, err)
		require.Equal(t, ecp.Secret("a key"), content)
		_, err = o.c.Licenses.Secret(tx, "other")
		require.ErrorContains(t, err, `the content of license "other" cannot be read`)
		return nil
	}))
}

func TestRefusedEntries(t *testing.T) {
	o := newRig(t)
	ctx := asSystem
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
		_, err := o.c.Images.Create(ctx, i, "")
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
		_, err := o.c.Sizes.Create(ctx, s, "")
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
		_, err := o.c.Registries.Create(ctx, r, "x")
		return err
	}
	one(registry(func(r *ecp.Registry) { r.Host = "https://x" }), "host")
	one(registry(func(r *ecp.Registry) { r.User = "" }), "user")
	_, err := o.c.Registries.Create(ctx, aRegistry, ecp.Secret(strings.Repeat("x", MaxSecret+1)))
	one(err, "password")
	_, err = o.c.Licenses.Create(ctx, aLicense, "")
	one(err, "content")
	for _, content := range []ecp.Secret{"two words", "nonsense"} {
		_, err = o.c.Licenses.Create(ctx, aLicense, content)
		one(err, "content")
	}
	_, err = o.c.Licenses.Create(ctx, ecp.License{Name: "x", Format: "v6"}, "default")
	one(err, "format")
	profile := func(spoil func(*ecp.LBProfile)) error {
		l := aLBProfile
		spoil(&l)
		_, err := o.c.LBProfiles.Create(ctx, l, "")
		return err
	}
	one(profile(func(l *ecp.LBProfile) { l.MinConnections = 1001 }), "maxConnections")
	one(profile(func(l *ecp.LBProfile) { l.MinConnections = -1 }), "minConnections")
	one(profile(func(l *ecp.LBProfile) { l.Annotations = nil }), "annotations")
	one(profile(func(l *ecp.LBProfile) { l.Annotations = map[string]string{"openecp.io/cluster": "x"} }),
		"annotations[openecp.io/cluster]")
	_, err = o.c.Targets.Create(ctx, aTarget, "not a kubeconfig")
	one(err, "kubeconfig")
	_, err = o.c.Targets.Create(ctx, aTarget, "")
	one(err, "kubeconfig")
	_, err = o.c.Targets.Create(ctx, ecp.Target{Name: "A"}, "apiVersion")
	one(err, "name")
	_, err = o.c.Targets.Create(ctx, ecp.Target{Name: "default"}, "apiVersion")
	require.ErrorIs(t, err, ecp.ErrExists, "the program has one of that name")
	require.ErrorIs(t, o.c.Targets.Delete(ctx, "default", 0), ecp.ErrUnsupported)
	_, err = o.c.Targets.Update(ctx, ecp.Target{Name: "default"}, nil)
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	empty := ecp.Secret("")
	_, err = o.c.Targets.Create(ctx, aTarget, "apiVersion")
	require.NoError(t, err)
	_, err = o.c.Targets.Update(ctx, aTarget, &empty)
	one(err, "kubeconfig")
	require.NoError(t, registry(func(*ecp.Registry) {}))
	twin := registry(func(r *ecp.Registry) { r.Name = "twin" })
	require.ErrorIs(t, twin, ecp.ErrExists, "one registry for each host")
	require.ErrorContains(t, twin, "host: the registry")

	o.begin(func(c *Config) { c.Sealer = nil })
	_, err = o.c.Registries.Create(ctx, ecp.Registry{Name: "b", Host: "b.example.com", User: "u"}, "x")
	require.ErrorIs(t, err, ecp.ErrUnsupported, "no secret is stored in the clear")
	o.begin(func(c *Config) { c.Hooks.TryTarget = nil })
	_, err = o.c.Targets.Create(ctx, ecp.Target{Name: "east"}, "apiVersion")
	require.ErrorIs(t, err, ecp.ErrUnsupported)
}

func TestThereIsExactlyOneDefault(t *testing.T) {
	o := newRig(t)
	ctx := asSystem
	check := func(want string) {
		t.Helper()
		all, err := o.c.Images.List(ctx)
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
	require.ErrorIs(t, o.c.Images.Delete(ctx, "emqx-ee-5.8.9", 0), ecp.ErrConflict)
	i, err := o.c.Images.Get(ctx, "emqx-ee-5.8.9")
	require.NoError(t, err)
	i.Default = false
	_, err = o.c.Images.Update(ctx, i, nil)
	require.ErrorIs(t, err, ecp.ErrConflict)
	fresh := anImage
	fresh.Default = true
	_, err = o.c.Images.Create(ctx, fresh, "")
	require.NoError(t, err)
	check(anImage.ID)
	i, err = o.c.Images.Get(ctx, "emqx-ee-5.8.9")
	require.NoError(t, err)
	require.EqualValues(t, 2, i.Revision, "it has changed, too")
	i.Default = true
	_, err = o.c.Images.Update(ctx, i, nil)
	require.NoError(t, err)
	check("emqx-ee-5.8.9")
	require.NoError(t, o.c.Images.Delete(ctx, anImage.ID, 0))

	for format, content := range map[ecp.LicenseFormat]ecp.Secret{ // one for each
		ecp.LicenseV4: "-----BEGIN X-----\n-----END X-----", ecp.LicenseV5: "default",
	} {
		for _, name := range []string{"a", "b"} {
			l, err := o.c.Licenses.Create(ctx, ecp.License{Name: string(format) + name, Format: format}, content)
			require.NoError(t, err)
			require.Equal(t, name == "a", l.Default)
		}
	}
}

func TestLBProfilesByRange(t *testing.T) {
	o := newRig(t)
	o.begin(func(c *Config) { c.LBProfiles = 3 })
	make := func(name string, low, high int) error {
		o.now = o.now.Add(time.Second)
		_, err := o.c.LBProfiles.Create(asSystem, ecp.LBProfile{
			Name:           name,
			MinConnections: low,
			MaxConnections: high,
			Annotations:    map[string]string{"example.com/x": name},
		}, "")
		return err
	}
	require.NoError(t, make("z-oldest", 100, 200))
	require.NoError(t, make("a-younger", 150, 0))
	require.NoError(t, make("m-youngest", 0, 120))
	require.ErrorIs(t, make("one-too-many", 0, 0), ecp.ErrQuotaExceeded)
	require.ErrorIs(t, make("a-younger", 0, 0), ecp.ErrExists)
	for connections, want := range map[int]string{
		0:         "m-youngest",
		99:        "m-youngest",
		100:       "z-oldest",
		120:       "z-oldest",
		200:       "z-oldest",
		201:       "a-younger",
		1_000_000: "a-younger",
	} {
		require.NoError(t, o.s.Read(t.Context(), func(tx ecp.Tx) error {
			l, err := lbProfileFor(tx, connections)
			require.Equal(t, want, l.Name, "%d", connections)
			return err
		}))
	}
	require.NoError(t, o.c.LBProfiles.Delete(asSystem, "a-younger", 0))
	require.NoError(t, o.s.Read(t.Context(), func(tx ecp.Tx) error {
		_, err := lbProfileFor(tx, 201)
		require.ErrorIs(t, err, ecp.ErrNotFound)
		return nil
	}))
}

func TestWhatLicensesSayOfThemselves(t *testing.T) {
	o := newRig(t)
	l, err := o.c.Licenses.Create(asSystem, aLicense, aKeyText)
	require.NoError(t, err)
	require.Equal(t, ecp.License{
		Name:       "prod",
		Format:     ecp.LicenseV5,
		Default:    true,
		ContentSet: true,
		Customer:   "Evaluation",
		Type:       "evaluation",
		Limit:      100,
		ExpiresAt:  time.Date(2028, 1, 8, 0, 0, 0, 0, time.UTC),
		Revision:   1,
	}, l)
	other := ecp.Secret("a-key-of-an-unknown-form.c2ln")
	l, err = o.c.Licenses.Update(asSystem,
		ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true, Customer: "made up"}, &other)
	require.NoError(t, err)
	require.Equal(t, ecp.License{Name: "prod", Format: ecp.LicenseV5, Default: true, ContentSet: true, Revision: 2}, l,
		"what is not known is not said")
	_, err = o.c.Licenses.Update(asSystem, ecp.License{Name: "prod", Format: ecp.LicenseV4, Default: true}, nil)
	require.ErrorIs(t, err, ecp.ErrInvalid)
}

func FuzzLearnLicense(f *testing.F) {
	f.Add("v5", string(aKeyText))
	f.Add("v4", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----")
	f.Fuzz(func(t *testing.T, format, content string) {
		var wrong fault.Fields
		l := ecp.License{Name: "x", Format: ecp.LicenseFormat(format)}
		learnLicense(&wrong, &l, ecp.Secret(content))
		if _, err := json.Marshal(l); err != nil {
			t.Fatal(err)
		}
		if len([]rune(l.Customer)) > ecp.MaxName {
			t.Fatal("too long to be shown")
		}
	})
}
