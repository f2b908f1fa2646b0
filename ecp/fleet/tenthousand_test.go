package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

const (
	crowd     = 10_000
	crowdRate = 100 // clients moved each second, as the spec has it
)

// TestTenThousandClients: a cluster that loses nodes, and one that is upgraded, with ten thousand clients
// that come back by themselves. What counts is what the brokers say, asked by the test itself.
func TestTenThousandClients(t *testing.T) {
	if !long() {
		t.Skip("asks brokers for a quarter of an hour; run with OPENECP_LONG=1")
	}
	for _, v := range []struct{ version, later string }{{"5.8.9", "5.10.4"}, {"4.4.24", "4.4.26"}, {"6.2.1", "6.2.2"}} {
		for name, patch := range map[string]string{
			"scale in": `{"nodes":2}`, "upgrade": `{"image":"later"}`,
			"upgrade and scale in": `{"image":"later","nodes":3}`,
		} {
			t.Run(v.version+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					license := emqxsim.License{Limit: 2 * crowd}
					r := newRigOn(t, memstore.New(), emqxsim.ProvisionerConfig{License: &license})
					defer func() { r.stop() }()
					r.crowded(license, v.version, v.later, patch)
				})
			})
		}
	}
}

func (r *rig) crowded(license emqxsim.License, version, later, patch string) {
	t := r.t
	r.sealer = aRing(t, "a")
	r.make(r.store, &r.applied)
	pool := r.pool()
	pool.Connections = 3 * crowd
	_, err := r.m.Catalog.UpdatePool(asSystem(), pool)
	require.NoError(t, err)
	if version[0] != '4' {
		r.withLicense(ecp.Secret(emqxsim.LicenseKey(license)))
	}
	for id, v := range map[string]string{"first": version, "later": later} {
		_, err := r.m.Catalog.Images.Create(asSystem(), ecp.Image{
			ID: id, Reference: "emqx/emqx-enterprise:" + v, Version: v}, "")
		require.NoError(t, err)
	}
	r.run()
	s := spec("first", 5)
	s.Hosted.Connections, s.Hosted.Evacuation.Rate = crowd+crowd/2, crowdRate
	if version[0] == '4' { // whose nodes keep the share that they have started with when others leave
		s.Hosted.Connections = 3 * crowd
	}
	info, op, err := r.m.Create(asSystem(), fleet.CreateRequest{
		Mode: ecp.Hosted, Name: "a", Spec: s})
	require.NoError(t, err)
	r.ends(op, ecp.PhaseSucceeded)
	c := r.m.Cluster(info.ID)
	r.settled(c)
	connected := r.clients(c, crowd)
	r.sim.Cluster(c.ID()).Disconnect("c", crowd/10) // their sessions stay
	<-time.After(time.Minute)

	refusedBefore := total(r.sim.Cluster(c.ID()).Refused())
	op = r.change(c, patch)
	w := witness{rig: r, c: c, leaving: map[string][]sample{}}
	for ended := r.ended(op); !ended(); <-time.After(time.Second) {
		w.look()
	}
	r.ends(op, ecp.PhaseSucceeded)
	r.settled(c)
	r.until("all are back", func() bool { return connected() == crowd-crowd/10 }, func() any { return connected() })
	usage := r.sim.Cluster(c.ID()).Usage()
	require.Equal(t, crowd, usage.Sessions, "sessions")
	require.Zero(t, usage.Lost, "sessions that ended with their node")
	require.Equal(t, refusedBefore, total(r.sim.Cluster(c.ID()).Refused()), "connects that no node took")
	require.Len(t, usage.Nodes, len(r.found(c).Nodes), "members of EMQX")
	require.Empty(t, r.get(c).ForeignMembers)
	rates := w.rates()
	require.NotEmpty(t, rates)
	for _, rate := range rates {
		require.InDelta(t, crowdRate, rate, crowdRate/5, "%v", rates)
	}
	t.Logf("%d nodes freed at %.0f clients/s in %s; at most %d away on purpose; sessions %d, lost %d, refused %d",
		len(rates), rates, time.Since(op.CreatedAt), w.away, usage.Sessions, usage.Lost,
		total(r.sim.Cluster(c.ID()).Refused())-refusedBefore)
}

func total(counts map[string]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// sample is how many clients a node has had, by what it says itself.
type sample struct {
	at time.Time
	n  int
}

// witness asks the brokers of a cluster, beside the Manager.
type witness struct {
	*rig
	c       ecp.Cluster
	away    int                 // the most nodes that were away on purpose
	leaving map[string][]sample // of pods whose clients are moved
}

func (w *witness) look() {
	w.t.Helper()
	w.lookAtClients()
	away := 0
	found := w.found(w.c)
	for _, n := range found.Nodes {
		evacuated := w.evacuated(n)
		if evacuated || !n.Ready || n.Terminating {
			away++
		}
	}
	away += max(0, found.Replicas-len(found.Nodes))
	w.away = max(w.away, away)
	require.LessOrEqual(w.t, away, 1, "two nodes are away on purpose: %+v", found.Nodes)
}

func (w *witness) lookAtClients() {
	usage := w.sim.Cluster(w.c.ID()).Usage()
	require.Equal(w.t, crowd, usage.Sessions, "a session is nowhere")
	require.Zero(w.t, usage.Lost)
}

// evacuated asks a node whether its clients are moved, and notes how many it has.
func (w *witness) evacuated(n ecp.NodeObservation) bool {
	e, err := w.sim.Endpoint(context.Background(), w.c.ID(), n.Name)
	if err != nil {
		return false
	}
	adapter := emqxv5.New(emqxv5.Config{})
	if w.get(w.c).Resolved.Image.Version[0] == '4' {
		adapter = emqxv4.New(emqxv4.Config{})
	}
	b, err := adapter.Open(e)
	require.NoError(w.t, err)
	defer b.Close()
	p, err := b.(ecp.Evacuator).EvacuationProgress(context.Background(), n.Name)
	if err != nil || p.Phase == ecp.EvacuationNone {
		return false // it starts, or serves
	}
	w.leaving[n.PodUID] = append(w.leaving[n.PodUID], sample{time.Now(), p.Connections})
	return true
}

// rates returns how many clients left each node a second, while any left.
func (w *witness) rates() (out []float64) {
	for _, samples := range w.leaving {
		first := slices.IndexFunc(samples, func(s sample) bool { return s.n < samples[0].n })
		last := slices.IndexFunc(samples, func(s sample) bool { return s.n == 0 })
		if first < 1 || last < 0 {
			w.t.Log("no client has left: ", fmt.Sprint(samples))
			continue
		}
		from, to := samples[first-1], samples[last]
		out = append(out, float64(from.n-to.n)/to.at.Sub(from.at).Seconds())
	}
	return out
}
