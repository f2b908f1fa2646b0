package fleet

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
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
	aKeyText = ecp.Secret(base64.StdEncoding.EncodeToString(
		[]byte("220111\n0\n10\nEvaluation\ncontact@emqx.io\ndefault\n20230109\n1825\n100\n"),
	) + ".c2ln")
)

// What a cluster was made with stays, whatever becomes of the catalogues; and
// what it was made with cannot be deleted.
func TestCataloguesTouchNoCluster(t *testing.T) {
	o := newShop(t)
	ctx := o.system()
	image := anImage
	image.Reference, image.Default = "registry.example.com:5000/emqx/emqx:5.8.0", true
	for _, err := range []error{
		errOf(o.m.Catalog.Registries.Create(ctx, aRegistry, "hush")), errOf(o.m.Catalog.Images.Create(ctx, image, "")),
		errOf(o.m.Catalog.Sizes.Create(ctx, aSize, "")),
		errOf(o.m.Catalog.Licenses.Create(ctx, aLicense, aKeyText)),
		errOf(o.m.Catalog.LBProfiles.Create(ctx, aLBProfile, "")),
	} {
		require.NoError(t, err)
	}
	info, _, err := o.m.Create(ctx,
		CreateRequest{Mode: ecp.Hosted, Project: "a/p", Name: "one", Spec: ecp.Spec{Hosted: &ecp.HostedSpec{
			Nodes:       1,
			Connections: 7,
			Size:        aSize.Name,
			Network:     ecp.Network{Type: ecp.LoadBalancer, Annotations: map[string]string{"example.com/own": "1"}},
		}}})
	require.NoError(t, err)
	made := info.Resolved
	require.Equal(t, []any{"ours", "prod", "small", int64(0)},
		[]any{made.Registry, made.License, made.LBProfile, made.Image.Revision})
	d := derive.Desired(info.ClusterRecord)
	require.NoError(t, o.m.observed.AddSecrets(ctx, info.ClusterRecord, &d))
	require.Equal(t, ecp.PullCredentials{Host: "registry.example.com:5000", User: "robot", Password: "hush"}, d.Pull)
	require.Equal(t, aKeyText, d.License)
	require.Equal(t, map[string]string{"example.com/own": "1", "example.com/class": "s"}, d.Spec.Network.Annotations)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", d, d, d), "hush")

	image.Reference = "elsewhere/emqx:5.8.0"
	_, err = o.m.Catalog.Images.Update(ctx, image, nil)
	require.NoError(t, err)
	size := aSize
	size.CPU = ecp.Resource{Request: "1", Limit: "1"}
	_, err = o.m.Catalog.Sizes.Update(ctx, size, nil)
	require.NoError(t, err)
	profile := aLBProfile
	profile.Annotations = map[string]string{"example.com/class": "xxl"}
	_, err = o.m.Catalog.LBProfiles.Update(ctx, profile, nil)
	require.NoError(t, err)
	got, err := o.m.Cluster(info.ID).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, made, got.Resolved)

	for what, err := range map[string]error{
		"image":    o.m.Catalog.Images.Delete(ctx, image.ID, 0),
		"size":     o.m.Catalog.Sizes.Delete(ctx, aSize.Name, 0),
		"registry": o.m.Catalog.Registries.Delete(ctx, "ours", 0),
		"license":  o.m.Catalog.Licenses.Delete(ctx, "prod", 0),
		"profile":  o.m.Catalog.LBProfiles.Delete(ctx, "small", 0),
	} {
		require.ErrorIs(t, err, ecp.ErrConflict, what)
		require.ErrorContains(t, err, "it is in use by cluster one", what)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestPoolIsNotMadeSmallerThanWhatIsUsed(t *testing.T) {
	o := newShop(t)
	for name, n := range map[string]int{"one": 30, "two": 12} {
		_, _, err := o.m.Create(o.system(), CreateRequest{
			Mode:    ecp.Hosted,
			Project: "a/p",
			Name:    name,
			Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 1, Connections: n}},
		})
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
	p, err := o.m.Catalog.UpdatePool(o.system(), ecp.Pool{
		Connections:     42,
		LargestCluster:  30,
		Clusters:        3,
		UsedConnections: 999,
		ExpiresAt:       t0.Add(time.Hour),
		Revision:        1,
	})
	require.NoError(t, err)
	require.Equal(t, ecp.Pool{
		Connections:     42,
		LargestCluster:  30,
		Clusters:        3,
		UsedConnections: 42,
		UsedClusters:    2,
		ExpiresAt:       t0.Add(time.Hour),
		Revision:        2,
	}, p)
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

// What is booked is what nodes are made with from then on, each listener with its share.
func TestNodesAreMadeWithTheirShare(t *testing.T) {
	o := newShop(t)
	info, _, err := o.m.Create(o.system(), CreateRequest{
		Mode:    ecp.Hosted,
		Project: "a/p",
		Name:    "one",
		Spec:    ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 2, Connections: 7}},
	})
	require.NoError(t, err)
	c := o.m.Cluster(info.ID)
	for _, step := range []struct {
		cmd         ecp.Command
		want, share int
	}{
		{ecp.Update{Patch: []byte(`{"connections":9}`)}, 9, 5}, {ecp.Stop{}, 9, 5}, {ecp.Start{}, 9, 5},
		{ecp.Update{Patch: []byte(`{"nodes":3}`)}, 9, 3},
	} {
		_, err = c.Do(o.system(), step.cmd)
		require.NoError(t, err)
		got, err := c.Get(o.system())
		require.NoError(t, err)
		d := derive.Desired(got.ClusterRecord)
		require.Equal(t, []int{step.want, step.share}, []int{d.Spec.Connections, d.ListenerLimit},
			"after %s", step.cmd.Kind())
	}
}
