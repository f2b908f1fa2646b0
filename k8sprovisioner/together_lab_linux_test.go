package k8sprovisioner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// company is daemons that share a database and a control plane.
type company struct {
	*testing.T
	lab   *kubelab.Lab
	url   string // of the database
	lease string
	ids   []ecp.ID

	mu      sync.Mutex
	sent    []string         // audit ids of the writes that were answered; guarded by mu
	written map[string]int   // writes by "daemon cluster"; guarded by mu
	owner   map[ecp.ID]*mate // who has written last; guarded by mu
}

// mate is one of them: its Manager, and its ways to the database and to the API server.
type mate struct {
	*fleet.Manager
	company *company
	name    string
	stop    func()

	dead   atomic.Bool                   // nothing that it does arrives any more
	frozen atomic.Pointer[chan struct{}] // nothing goes on until that is closed; nil = it goes on
	hold   atomic.Pointer[chan struct{}] // writes of StatefulSets wait until that is closed
	late   sync.WaitGroup                // writes that wait, or did

	mu   sync.Mutex
	held map[ecp.ID]int // writes that wait, or did; guarded by mu
}

var errDead = errors.New("the process is dead")

func newCompany(t *testing.T) *company {
	lab := labtest.Start(t)
	labFleet(t, lab)
	return &company{T: t, lab: lab, url: pgtest.Start(t).Database(t), lease: newLease(), written: map[string]int{},
		owner: map[ecp.ID]*mate{}}
}

// join starts a daemon.
func (c *company) join(name string) *mate {
	c.Helper()
	d := &mate{company: c, name: name, held: map[ecp.ID]int{}}
	store, err := sqlstore.Open(c.Context(), sqlstore.Config{URL: c.url, Kinds: fleet.Kinds(),
		Postgres: sqlstore.Postgres{Shared: true, Poll: 20 * time.Millisecond}})
	require.NoError(c, err)
	c.Cleanup(func() { require.NoError(c, store.Close()) })
	config := shipped(c, c.lab)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return way{next, d} })
	p, err := New(Config{REST: rest.CopyConfig(config), Namespace: "openecp-system", Lease: c.lease})
	require.NoError(c, err)
	m, err := fleet.New(c.Context(), fleet.Config{
		Store: wire{store, d}, Provisioners: map[string]ecp.Provisioner{"default": p},
		Adapters: []ecp.Adapter{emqxv5.New(emqxv5.Config{})}, Shared: &fleet.Shared{Host: name},
		Timings: ecp.Timings{Notice: time.Second, Takeover: time.Second},
	})
	require.NoError(c, err)
	d.Manager = m
	ctx, cancel := context.WithCancel(c.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !d.dead.Load() {
			c.Errorf("Run: %v", err)
		}
	})
	c.Cleanup(d.stop)
	return d
}

// kill ends a daemon without any word to anybody.
func (d *mate) kill() {
	d.dead.Store(true)
	d.stop()
}

// alive waits while the daemon is suspended; the error is that it is dead.
func (d *mate) alive() error {
	if thaw := d.frozen.Load(); thaw != nil {
		<-*thaw
	}
	if d.dead.Load() {
		return errDead
	}
	return nil
}

// wire is the way of a daemon to the database.
type wire struct {
	ecp.Store
	d *mate
}

func (w wire) Unwrap() ecp.Store { return w.Store }

func (w wire) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := w.d.alive(); err != nil {
		return err
	}
	return w.Store.Read(ctx, fn)
}

func (w wire) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	if err := w.d.alive(); err != nil {
		return err
	}
	return w.Store.Write(ctx, fn)
}

func (w wire) Changes(ctx context.Context, after int64) iter.Seq2[ecp.Change, error] {
	return func(yield func(ecp.Change, error) bool) {
		for change, err := range w.Store.Changes(ctx, after) {
			if cut := w.d.alive(); cut != nil {
				yield(ecp.Change{}, cut)
				return
			}
			if !yield(change, err) {
				return
			}
		}
	}
}

// way is the way of a daemon to the API server. Writes to clusters say by whom and with
// what ownership they were sent, and can be held up where nothing can stop them any more:
// what a suspended process, or the network, has not delivered yet.
type way struct {
	http.RoundTripper
	d *mate
}

func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	id := clusterOf(r)
	if id == "" {
		if err := w.d.alive(); err != nil {
			return nil, err
		}
		return w.RoundTripper.RoundTrip(r)
	}
	o, _ := ecp.OwnershipFrom(r.Context())
	by := writer{daemon: w.d.name, shard: int64(o.Shard), epoch: o.Epoch}
	ctx := r.Context()
	if hold := w.d.hold.Load(); hold != nil && strings.Contains(r.URL.Path, "/statefulsets/") {
		w.d.late.Add(1)
		defer w.d.late.Done()
		w.d.holds(id)
		<-*hold
		by.late, ctx = true, context.WithoutCancel(ctx)
	} else if err := w.d.alive(); err != nil {
		return nil, err
	}
	r = r.Clone(ctx)
	r.Header.Set("User-Agent", by.userAgent())
	resp, err := w.RoundTripper.RoundTrip(r)
	if err == nil {
		w.d.company.answered(w.d, id, resp)
	}
	return resp, err
}

// clusterOf is the cluster that a request writes to; none if it is not one.
func clusterOf(r *http.Request) ecp.ID {
	parts := strings.Split(r.URL.Path, "/")
	i := slices.Index(parts, "namespaces")
	if verbs[r.Method] == "" || r.URL.Query().Has("dryRun") || i < 0 {
		return ""
	}
	if len(parts) == i+1 {
		return "new" // the name is in the body
	}
	if id := parts[i+1]; strings.HasPrefix(id, "emqx-") {
		return ecp.ID(id)
	}
	return ""
}

func (d *mate) holds(id ecp.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[id]++
}

// heldOf counts the writes to some clusters that wait.
func (d *mate) heldOf(ids ...ecp.ID) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		n += d.held[id]
	}
	return n
}

func (c *company) answered(d *mate, id ecp.ID, resp *http.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, resp.Header.Get("Audit-Id"))
	if resp.StatusCode < http.StatusBadRequest {
		c.written[d.name]++
		c.owner[id] = d
	}
}

// wrote counts the writes of a daemon.
func (c *company) wrote(d *mate) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written[d.name]
}

// owned counts the clusters that a daemon has written to last.
func (c *company) owned(d *mate) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, by := range c.owner {
		if by == d {
			n++
		}
	}
	return n
}

// create lets a daemon take the command for one more cluster.
func (c *company) create(by *mate) (ecp.ID, ecp.Operation) {
	c.Helper()
	info, op, err := by.Create(system(c.Context()), fleet.CreateRequest{Mode: ecp.Hosted,
		Name: fmt.Sprint("drilled ", len(c.ids)), Spec: ecp.Spec{Hosted: &ecp.HostedSpec{
			Image: "emqx-ee-5.8.9", Nodes: 2, Connections: 100, Network: ecp.Network{Type: ecp.ClusterIP}}}})
	require.NoError(c, err)
	c.ids = append(c.ids, info.ID)
	c.Cleanup(func() { removing(c.lab)(c.T, info.ID) })
	return info.ID, op
}

// change lets a daemon take the command for a change of every cluster.
func (c *company) change(by *mate, patch string) (ops []ecp.Operation) {
	c.Helper()
	for _, id := range c.ids {
		op, err := by.Cluster(id).Do(system(c.Context()), ecp.Update{Patch: json.RawMessage(patch)})
		require.NoError(c, err, "%s %s", id, patch)
		if op.ID != "" { // otherwise it is so already
			ops = append(ops, op)
		}
	}
	return ops
}

func (c *company) until(what string, holds func() bool) {
	c.Helper()
	labtest.Eventually(c, settled, what, func(context.Context) (bool, string) { return holds(), "" })
}

// done waits until operations have succeeded, whoever works on them.
func (c *company) done(by *mate, ops []ecp.Operation) {
	c.Helper()
	for _, op := range ops {
		labtest.Eventually(c, 2*settled, string(op.Kind)+" has ended", func(ctx context.Context) (bool, string) {
			now, err := by.Operation(system(ctx), op.ID)
			if err != nil || !now.Phase.Final() {
				info, _ := by.Cluster(op.Cluster).Get(system(ctx))
				return false, fmt.Sprintf("%+v %v; %s", now, err, describe(info, nil))
			}
			require.Equal(c, ecp.PhaseSucceeded, now.Phase, "%+v", now)
			return true, ""
		})
	}
}

// TestOneWriterAtATime lets daemons share a database and a control plane, be suspended in
// the middle of their writes, killed, ended and started, under commands to all clusters.
// The API server's audit log then shows, for each cluster, that never two of them wrote at
// one time, and that what a former owner had under way was refused.
func TestOneWriterAtATime(t *testing.T) {
	t.Parallel()
	if os.Getenv("OPENECP_LONG") == "" {
		t.Skip("takes a minute and a half; run with OPENECP_LONG=1")
	}
	c := newCompany(t)
	begun := time.Now()
	stage := func(what string) { t.Logf("%5.1f s: %s", time.Since(begun).Seconds(), what) }
	a, b := c.join("a"), c.join("b")
	c.until("two share", func() bool { return c.even(a, b) })
	stage("two share")
	var ops []ecp.Operation
	for len(c.ids) < 4 || c.owned(a) < 2 || c.owned(b) < 2 {
		id, op := c.create([]*mate{a, b}[len(c.ids)%2])
		ops = append(ops, op)
		c.until("somebody works on it", func() bool { return c.ownedBy(id) != nil })
	}
	c.done(b, ops)
	stage(fmt.Sprint(len(c.ids), " clusters run"))

	// a is suspended with writes under way: of clusters that are there, and of one that it makes.
	hold, thaw := make(chan struct{}), make(chan struct{})
	a.hold.Store(&hold)
	ops = c.change(b, `{"nodes":3}`)
	for made := ecp.ID(""); made == "" || a.heldOf(made) == 0; {
		var op ecp.Operation
		made, op = c.create(b)
		ops = append(ops, op)
		c.until("its StatefulSet is written", func() bool { return a.heldOf(made) > 0 || c.workloads(made) > 0 })
	}
	c.until("writes wait", func() bool { return a.heldOf(c.ids...) >= 3 })
	late := a.heldOf(c.ids...)
	a.frozen.Store(&thaw)
	suspended := time.Now()
	third := c.join("c")
	c.done(b, ops)
	c.done(b, c.change(b, `{"nodes":3}`)) // those that were made meanwhile, too
	stage(fmt.Sprintf("taken over %v after one was suspended", time.Since(suspended)))
	a.frozen.Store(nil)
	a.hold.Store(nil)
	close(hold)
	close(thaw)
	a.late.Wait()
	stage(fmt.Sprint(late, " late writes have arrived"))
	c.until("three share", func() bool { return c.even(a, b, third) })

	// b is killed in the middle.
	before := c.wrote(b)
	ops = c.change(third, `{"nodes":2,"network":{"annotations":{"example.com/drilled":"once"}}}`)
	c.until("it is in the middle", func() bool { return c.wrote(b) > before })
	b.kill()
	c.done(third, ops)
	stage("taken over from one that was killed")

	// c ends in the middle, and d comes.
	before = c.wrote(third)
	ops = c.change(a, `{"nodes":3,"network":{"annotations":{"example.com/drilled":"twice"}}}`)
	c.until("it is in the middle", func() bool { return c.wrote(third) > before })
	third.stop()
	d := c.join("d")
	c.done(a, ops)
	c.until("two share again", func() bool { return c.even(a, d) })
	c.done(d, c.change(d, `{"connections":200}`))
	stage("all is done")
	c.sameEnd(d)
	a.stop()
	d.stop()
	c.audit(late)
}

// even reports whether these daemons, and no others, share the fleet evenly.
func (c *company) even(mates ...*mate) bool {
	all, err := mates[0].Daemons(system(c.Context()))
	require.NoError(c, err)
	return len(all) == len(mates) && !slices.ContainsFunc(all, func(d fleet.Daemon) bool {
		return d.Shards < 256/len(mates)
	})
}

func (c *company) ownedBy(id ecp.ID) *mate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owner[id]
}

// workloads counts the StatefulSets of a cluster.
func (c *company) workloads(id ecp.ID) int {
	out, err := c.lab.Kubectl(c.Context(), "", "get", "statefulset", "-n", string(id), "-o", "name")
	require.NoError(c, err)
	return len(strings.Fields(out))
}

// sameEnd: all clusters are as was asked for last, and alike.
func (c *company) sameEnd(d *mate) {
	c.Helper()
	ends := map[string][]ecp.ID{}
	for _, id := range c.ids {
		c.until("it is settled", func() bool {
			info, err := d.Cluster(id).Get(system(c.Context()))
			return err == nil && info.Status.State == ecp.Running && info.ReadyNodes == 3 &&
				ecp.ConditionOf(info.Status.Conditions, ecp.CondSettled).Status == ecp.True
		})
		out, err := c.lab.Kubectl(c.Context(), "", "get", "statefulset,configmap,service,pdb", "-n", string(id), "-o",
			`jsonpath={range .items[*]}{.kind} {.metadata.name} {.spec.replicas} {.spec.template.spec} {.data} `+
				`{.spec.ports} {.metadata.annotations.example\.com/drilled} {.status.readyReplicas}{"\n"}{end}`)
		require.NoError(c, err)
		end := strings.ReplaceAll(out, string(id), "ID")
		ends[end] = append(ends[end], id)
		require.Contains(c, out, " twice ")
	}
	require.Len(c, ends, 1, "all have come to the same end")
}

// audit reads the API server's log of what the daemons have written.
func (c *company) audit(late int) {
	c.Helper()
	var trail map[ecp.ID][]auditEvent
	labtest.Eventually(c, settled, "the log has each answer", func(context.Context) (bool, string) {
		trail = auditTrail(c, c.lab, c.ids)
		logged := map[string]bool{}
		for _, events := range trail {
			for _, e := range events {
				logged[e.AuditID] = true
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		missing := slices.DeleteFunc(slices.Clone(c.sent), func(id string) bool { return logged[id] })
		return len(missing) == 0, fmt.Sprint(missing)
	})
	arrived, refused, taken, handed := 0, map[int]int{}, 0, 0
	for id, events := range trail {
		oneWriterAtATime(c, id, events)
		owners := map[int64]bool{}
		for _, e := range events {
			owners[e.epoch] = true
			if e.late {
				arrived++
				refused[e.ResponseStatus.Code]++
				require.False(c, e.taken(), "a late write was carried out: %s", e)
			} else if e.taken() {
				taken++
			}
		}
		handed += len(owners) - 1
	}
	require.Equal(c, late, arrived, "each late write has arrived")
	c.Logf("%d writes to %d clusters, which changed hands %d times; %d late writes were refused: %v", taken, len(c.ids),
		handed, arrived, refused)
}
