package fleet_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

// pair is two daemons that share the store of a drill. At one of the steps that are taken
// for a cluster, whoever takes it dies.
type pair struct {
	*drilled
	daemons []*paired

	mu    sync.Mutex
	at    int      // the step at which one dies, from 1; 0 = none does
	steps []string // guarded by mu
	open  bool     // guarded by mu; steps count
}

// paired is one of two daemons, and its way to the store and to the platform.
type paired struct {
	ecp.Store
	*emqxsim.Peer
	p    *pair
	m    *fleet.Manager
	dead bool // guarded by pair.mu
}

// step counts a step that a pass takes for a cluster, and lets the daemon die at one.
func (d *paired) step(ctx context.Context, what string) error {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	_, owned := ecp.OwnershipFrom(ctx)
	if owned && d.p.open && !d.dead {
		d.p.steps = append(d.p.steps, what)
		if len(d.p.steps) == d.p.at {
			d.dead = true
			d.Suspend(true)
		}
	}
	if d.dead {
		return broken(what)
	}
	return nil
}

func (d *paired) around(ctx context.Context, what string, do func() error) error {
	if err := d.step(ctx, "before "+what); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return d.step(ctx, "after "+what)
}

func (d *paired) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	return d.around(ctx, "write", func() error { return d.Store.Write(ctx, fn) })
}

func (d *paired) Read(ctx context.Context, fn func(ecp.Tx) error) error {
	d.p.mu.Lock()
	dead := d.dead
	d.p.mu.Unlock()
	if dead {
		return broken("read")
	}
	return d.Store.Read(ctx, fn)
}

func (d *paired) Apply(ctx context.Context, want ecp.Desired) error {
	return d.around(ctx, "apply", func() error { return d.Peer.Apply(ctx, want) })
}

func (d *paired) Delete(ctx context.Context, id ecp.ID) error {
	return d.around(ctx, "delete", func() error { return d.Peer.Delete(ctx, id) })
}

func (d *paired) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	e, err := d.Peer.Endpoint(ctx, id, node)
	e.Transport = pairedTransport{d, e.Transport}
	return e, err
}

type pairedTransport struct {
	d      *paired
	inside http.RoundTripper
}

func (t pairedTransport) RoundTrip(q *http.Request) (resp *http.Response, err error) {
	if q.Method == http.MethodGet {
		return t.inside.RoundTrip(q)
	}
	err = t.d.around(q.Context(), "tell EMQX", func() (err error) {
		resp, err = t.inside.RoundTrip(q) //nolint:bodyclose // the caller does, or below
		return err
	})
	if err != nil && resp != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, err
}

// begin lets both daemons run, and waits until they share the fleet.
func (p *pair) begin() {
	p.t.Helper()
	p.stop()
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	for i := range 2 {
		d := &paired{Store: p.store, Peer: p.sim.Peer(fmt.Sprint("daemon-", i)), p: p}
		m, err := fleet.New(ctx, fleet.Config{
			Store: d, Provisioners: map[string]ecp.Provisioner{"default": d}, Sealer: p.sealer,
			Adapters: []ecp.Adapter{emqxv4.New(emqxv4.Config{}), emqxv5.New(emqxv5.Config{})},
			Timings:  ecp.Timings{Notice: 3 * time.Second, Takeover: 2 * time.Second},
			Shared:   &fleet.Shared{Host: fmt.Sprint("daemon-", i)},
		})
		require.NoError(p.t, err)
		d.m = m
		p.daemons = append(p.daemons, d)
		ended.Go(func() { _ = m.Run(ctx) }) // that of a dead one may fail
	}
	p.stop = sync.OnceFunc(func() { cancel(); ended.Wait() })
	p.m, p.g = p.daemons[0].m, p.gate("", 0)
	p.until("shared evenly", func() bool {
		all, err := p.m.Daemons(asSystem())
		return err == nil && len(all) == 2 && all[0].Shards == 128 && all[1].Shards == 128
	}, func() any { return nil })
	p.named()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = true
}

// survivor returns a daemon that is alive, and whether the other one is not.
func (p *pair) survivor() (d *paired, alone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.daemons, func(d *paired) bool { return d.dead })
	return p.daemons[max(1-i, 0)%2], i >= 0
}

// carriedOut carries the operation out, and lets the daemon die that takes a step; 0 =
// none does. It returns the end, and the steps that there were.
func (p *pair) carriedOut(at int) (outcome string, steps []string) {
	p.at = at
	p.begin()
	require.NoError(p.t, p.command())
	var over time.Time // a step may come after the end of the operation
	for alone := false; at > 0 && !alone && (over.IsZero() || time.Since(over) < 2*time.Minute); {
		<-time.After(20 * time.Millisecond)
		if over.IsZero() && p.over() {
			over = time.Now()
		}
		_, alone = p.survivor()
	}
	d, _ := p.survivor()
	p.m = d.m
	p.named()
	outcome = p.finish()
	p.mu.Lock()
	defer p.mu.Unlock()
	return outcome, p.steps
}

// TestOneOfTwoDiesAtAnyStep: wherever a daemon dies in an operation, the other one carries
// it on, and the end is that of an operation in which none dies.
func TestOneOfTwoDiesAtAnyStep(t *testing.T) {
	n := 3
	for _, op := range drawn(dice(t), n) {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			dice := dice(t)
			var steps []string
			var want string
			inDrillOf(t, op, func(r *drilled) { want, steps = (&pair{drilled: r}).carriedOut(0) })
			t.Logf("%d steps: %s", len(steps), strings.Join(steps, ", "))
			at := dice.Perm(len(steps))
			if !long() {
				at = at[:min(4, len(at))]
			}
			for _, i := range at {
				t.Run(fmt.Sprint(i+1, " ", steps[i]), func(t *testing.T) {
					inDrillOf(t, op, func(r *drilled) {
						got, _ := (&pair{drilled: r}).carriedOut(i + 1)
						r.same(want, got)
					})
				})
			}
		})
	}
}
