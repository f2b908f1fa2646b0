package ecptest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// lifeCases: a cluster that nothing happens to.
var lifeCases = []provisionerCase{
	{name: "absence is an observation", test: absence},
	{name: "create converges", test: createConverges},
	{name: "a second Apply changes nothing", test: secondApply},
	{name: "license and pull credentials replace no pod", test: secretsChange},
	{name: "stop and start keep claims and keys", test: stopAndStart},
	{name: "replicas go up and down", test: scaling},
	{name: "node ports stay", test: nodePortsStay},
	{name: "delete leaves nothing", test: deletion},
	{name: "an older way of rendering is accepted", test: renderVersions},
	{name: "clusters do not meet", test: severalClusters},
}

func absence(b *bench) {
	o := b.seen("observed", func(ecp.Observation) string { return "" })
	if o.Exists || o.Terminating || o.ForeignOwner != "" || o.Replicas != -1 || o.Auth != "" ||
		len(o.Nodes)+len(o.Volumes) > 0 {
		b.Errorf("a cluster that was never made is %s; want nothing, and replicas -1", describe(o))
	}
	if err := b.p.Delete(b.Context(), b.id); err != nil {
		b.Errorf("Delete of nothing: %v", err)
	}
}

func createConverges(b *bench) {
	d, o := b.create(b.suite.Nodes)
	if o.Auth == "" {
		b.Error("the Secret with the keys is not there")
	}
	if o.Generation != d.Generation {
		b.Errorf("generation is %d, want %d", o.Generation, d.Generation)
	}
	names := map[string]bool{}
	for i, n := range o.Nodes {
		names[n.Name] = true
		if n.Ordinal != i || n.PodUID == "" || n.Pod == "" || n.Image != b.image.Reference || n.Since.IsZero() ||
			n.Broken {
			b.Errorf("node %d is %+v", i, n)
		}
		if !strings.Contains(n.Name, "@") || !strings.Contains(n.Name, n.Pod) {
			b.Errorf("node %d is called %q; want an EMQX node name with the pod %q in it", i, n.Name, n.Pod)
		}
		if n.Revision == "" || n.Revision != o.Nodes[0].Revision {
			b.Errorf("node %d has revision %q, the first %q", i, n.Revision, o.Nodes[0].Revision)
		}
	}
	if len(names) != b.suite.Nodes {
		b.Errorf("%d different names of %d nodes", len(names), b.suite.Nodes)
	}
	o = b.seen("bound", bound(b.suite.Nodes))
	for i, v := range o.Volumes {
		if v.Ordinal != i || v.UID == "" || v.Name != o.Nodes[i].Volume {
			b.Errorf("volume %d is %+v; its node says %q", i, v, o.Nodes[i].Volume)
		}
	}
	want := []ecp.EndpointPort{{Protocol: ecp.MQTT, Port: 1883}, {Protocol: ecp.WS, Port: 8083}}
	if in := o.Endpoints.Internal; in.Host == "" || !slices.Equal(in.Ports, want) || len(o.Endpoints.External) > 0 {
		b.Errorf("endpoints are %+v, want %v inside and none outside", o.Endpoints, want)
	}
}

// bound is what is missing until n claims are bound.
func bound(n int) func(o ecp.Observation) string {
	return func(o ecp.Observation) string {
		if len(o.Volumes) != n || slices.ContainsFunc(o.Volumes,
			func(v ecp.VolumeObservation) bool { return !v.Bound || v.Terminating }) {
			return fmt.Sprintf("not %d bound volumes", n)
		}
		return ""
	}
}

// identity is what must not change: keys, claims and, if asked, pods.
func identity(o ecp.Observation, pods bool) map[string]string {
	id := map[string]string{"auth": o.Auth}
	for _, v := range o.Volumes {
		id[fmt.Sprint("claim ", v.Ordinal)] = v.UID
	}
	if pods {
		for _, n := range o.Nodes {
			id[fmt.Sprint("pod ", n.Ordinal)] = n.PodUID
		}
	}
	return id
}

// same fails the test where one of what before had is another in after.
func (b *bench) same(before, after map[string]string) {
	b.Helper()
	for _, k := range slices.Sorted(maps.Keys(before)) {
		if after[k] != before[k] {
			b.Errorf("%s was %q and is %q", k, before[k], after[k])
		}
	}
}

func secondApply(b *bench) {
	d, _ := b.create(b.suite.Nodes)
	o := b.seen("bound", bound(b.suite.Nodes))
	writes := b.writes()
	for range 3 {
		b.apply(d)
	}
	if now := b.writes(); now != writes {
		b.Errorf("an Apply that changes nothing wrote %d times", now-writes)
	}
	after := b.seen("running", running(b.suite.Nodes))
	b.same(identity(o, true), identity(after, true))
}

func (b *bench) writes() int {
	if b.suite.Writes == nil {
		return 0
	}
	return b.suite.Writes(b.p)
}

// secretsChange: what a cluster is given of the catalogues converges, and new
// contents reach it without a pod being replaced.
func secretsChange(b *bench) {
	d := b.desired(1)
	d.License = "obviously-fake-license"
	d.Pull = ecp.PullCredentials{Host: "registry.example", User: "robot", Password: "obviously-fake-password"}
	d.Spec.Network.Certificate = "one"
	d.Certificate = ecp.ServedCertificate{Chain: "obviously-fake-chain", Key: "obviously-fake-key"}
	b.apply(d)
	before := b.seen("running", running(1))
	d.Create = false
	d.License, d.Pull.Password = "another-fake-license", "another-fake-password"
	d.Spec.Network.Certificate = "two"
	d.Certificate = ecp.ServedCertificate{Chain: "another-fake-chain", Key: "another-fake-key"}
	b.apply(d)
	writes := b.writes()
	b.apply(d)
	if now := b.writes(); now != writes {
		b.Errorf("an Apply that changes nothing wrote %d times", now-writes)
	}
	b.same(identity(before, true), identity(b.seen("running", running(1)), true))
}

func stopAndStart(b *bench) {
	d, _ := b.create(b.suite.Nodes)
	o := b.seen("bound", bound(b.suite.Nodes))
	d.Replicas, d.Generation, d.Spec.Power = 0, 2, ecp.PowerOff
	b.apply(d)
	halted := b.seen("stopped", stopped)
	b.same(identity(o, false), identity(halted, false))
	if halted.Generation != 2 {
		b.Errorf("generation is %d, want 2", halted.Generation)
	}
	d.Replicas, d.Generation, d.Spec.Power = b.suite.Nodes, 3, ecp.PowerOn
	b.apply(d)
	b.same(identity(o, false), identity(b.seen("running again", running(b.suite.Nodes)), false))
}

func scaling(b *bench) {
	n := b.suite.Nodes
	d, _ := b.create(n)
	before := identity(b.seen("bound", bound(n)), true)
	d.Replicas, d.Spec.Nodes, d.Generation = n+1, n+1, 2
	b.apply(d)
	b.same(before, identity(b.seen("scaled out", running(n+1)), true))
	d.Replicas, d.Spec.Nodes, d.Generation = n, n, 3
	b.apply(d)
	b.same(before, identity(b.seen("scaled in", running(n)), true))
}

func nodePortsStay(b *bench) {
	d := b.desired(1)
	d.Spec.Network.Type = ecp.NodePort
	b.apply(d)
	open := func(o ecp.Observation) string {
		if len(o.Endpoints.External) != 2 || slices.ContainsFunc(o.Endpoints.External,
			func(e ecp.ExternalEndpoint) bool { return e.Port == 0 }) {
			return fmt.Sprintf("not two ports outside: %v", o.Endpoints.External)
		}
		return ""
	}
	before := b.seen("open", open).Endpoints.External
	d.Create, d.Replicas, d.Generation, d.Spec.Power = false, 0, 2, ecp.PowerOff
	b.apply(d)
	o := b.seen("stopped", stopped)
	if !slices.Equal(before, o.Endpoints.External) {
		b.Errorf("a stop changed the ports from %v to %v", before, o.Endpoints.External)
	}
}

func deletion(b *bench) {
	b.create(b.suite.Nodes)
	for range 2 {
		if err := b.p.Delete(b.Context(), b.id); err != nil {
			b.Fatalf("Delete: %v", err)
		}
	}
	o := b.seen("gone", gone)
	if o.Replicas != -1 || o.Auth != "" || len(o.Nodes)+len(o.Volumes) > 0 {
		b.Errorf("what is left is %s", describe(o))
	}
	if err := b.p.Delete(b.Context(), b.id); err != nil {
		b.Errorf("Delete of what has gone: %v", err)
	}
}

func renderVersions(b *bench) {
	r, ok := b.p.(ecp.Renderer)
	if !ok {
		b.Skip("it is no ecp.Renderer")
	}
	newest := r.RenderVersion()
	if newest < 1 {
		b.Fatalf("RenderVersion is %d, want 1 or more", newest)
	}
	d := b.desired(1)
	for v := newest; v > 0; v-- { // objects are those of the version asked for, whatever was there
		d.RenderVersion = v
		b.apply(d)
		d.Create = false
	}
	d.RenderVersion = newest
	b.apply(d)
	b.seen("taken up", func(o ecp.Observation) string {
		if len(o.Drift) > 0 || o.Replicas != 1 {
			return "drift"
		}
		return ""
	})
	writes := b.writes()
	d.RenderVersion = 0
	b.apply(d)
	if now := b.writes(); now != writes {
		b.Errorf("render version 0 is the newest, %d; it wrote %d times", newest, now-writes)
	}
}

func severalClusters(b *bench) {
	const clusters = 4
	var all sync.WaitGroup
	errs := make([]error, clusters)
	ids := make([]ecp.ID, clusters)
	b.seen("observed", func(ecp.Observation) string { return "" }) // the platform is in sight
	for i := range clusters {
		ids[i] = NewID()
		b.removeAfter(ids[i])
		all.Go(func() {
			d := b.desired(1)
			d.ID = ids[i]
			ctx, cancel := context.WithTimeout(b.Context(), b.suite.Ready)
			defer cancel()
			_, looked := b.p.Observe(ctx, ids[i])
			errs[i] = errors.Join(b.p.Apply(ctx, d), looked)
		})
	}
	all.Wait()
	names, keys := map[string]bool{}, map[string]bool{}
	for i, id := range ids {
		if errs[i] != nil {
			b.Fatalf("cluster %s: %v", id, errs[i])
		}
		o := b.seenOf(id, "running", running(1))
		names[o.Nodes[0].Name], keys[o.Auth] = true, true
	}
	if len(names) != clusters || len(keys) != clusters {
		b.Errorf("%d clusters have %d different node names and %d different keys", clusters, len(names), len(keys))
	}
}
