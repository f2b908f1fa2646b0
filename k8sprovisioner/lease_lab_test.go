package k8sprovisioner

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// pausing is a way to the API server that a test can hold up, as SIGSTOP does.
func pausing(c *rest.Config, stopped <-chan struct{}) {
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			select {
			case <-stopped:
				if strings.Contains(r.URL.Path, "/leases/") {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
			default:
			}
			return next.RoundTrip(r)
		})
	})
}

// removing removes a cluster's namespace by hand.
func removing(lab *kubelab.Lab) func(*testing.T, ecp.ID) {
	return func(t *testing.T, id ecp.ID) {
		_, _, _ = lab.Do(context.WithoutCancel(t.Context()), http.MethodDelete, "/api/v1/namespaces/"+string(id), nil)
	}
}

// TestFencerSuite: of two daemons on one Kubernetes one writes, under the
// shipped rights.
func TestFencerSuite(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	ecptest.TestFencer(t, ecptest.FencerSuite{Within: settled, Remove: removing(lab),
		New: func(t *testing.T) (ecp.Provisioner, ecp.Provisioner) {
			name := newLease()
			return watched(t, Config{REST: shipped(t, lab), Lease: name}, nil),
				watched(t, Config{REST: shipped(t, lab), Lease: name}, nil)
		}})
}

// TestLeaseOnTheAPIServer is what becomes of a holder that cannot renew, of one
// that is known to have ended, and of a daemon that may not read Leases.
func TestLeaseOnTheAPIServer(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	name := newLease()
	hold := func(p *Provisioner) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Hold(ctx, func() {}) }()
		t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
	}
	becomes := func(p *Provisioner, what string, is func(ecp.Lease) bool) ecp.Lease {
		labtest.Eventually(t, settled, what, func(context.Context) (bool, string) {
			l := p.Lease()
			return is(l),
				l.Waiting() + l.Message
		})
		return p.Lease()
	}
	held := func(l ecp.Lease) bool { return l.Held }

	stopped := make(chan struct{})
	c := shipped(t, lab)
	pausing(c, stopped)
	a := watched(t, Config{REST: c, Lease: name}, nil)
	hold(a)
	first := becomes(a, "held by the first", held)
	d := desired("5.8.9")
	d.ID, d.Spec.Network = ecptest.NewID(), ecp.Network{Type: ecp.ClusterIP}
	require.NoError(t, a.Apply(t.Context(), d))
	d.Create = false
	t.Cleanup(func() { removing(lab)(t, d.ID) })
	stamp, err := lab.Kubectl(t.Context(), "", "get", "sts", "-n", string(d.ID), "-o",
		`jsonpath={.items[*].metadata.annotations.openecp\.io/epoch}`)
	require.NoError(t, err)
	require.Equal(t, first.Holder.Incarnation+"/all/1", stamp)

	b := watched(t, Config{REST: shipped(t, lab), Lease: name}, nil)
	hold(b)
	close(stopped)
	second := becomes(b, "held by the second, when the lease has run out", held)
	require.Greater(t, second.Epoch, first.Epoch)
	d.Generation++
	require.ErrorIs(t, a.Apply(t.Context(), d), ecp.ErrUnavailable, "its own deadline was before")
	require.NoError(t, b.Apply(t.Context(), d))

	dead := watched(t, Config{REST: shipped(t, lab), Lease: name, Dead: []string{second.Holder.Incarnation}}, nil)
	hold(dead)
	require.Greater(t, becomes(dead, "taken at once from one that has ended", held).Epoch, second.Epoch)

	path, err := lab.User("without-leases")
	require.NoError(t, err)
	p := watched(t, Config{REST: loaded(t, path), Lease: name}, nil)
	hold(p)
	without := becomes(p, "without the right", func(l ecp.Lease) bool { return l.Unfenced })
	require.Contains(t, without.Message, "leases.coordination.k8s.io")
}

// TestLateWrites: what an owner of a cluster has sent to make or change it, and arrives when
// the next owner has done so, is refused by the API server.
func TestLateWrites(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	name, group := newLease(), ecp.LeaseGroup{Incarnation: "0123456789abcdef"}
	arrived, onward, answers := make(chan struct{}), make(chan struct{}), make(chan int, 1)
	c := shipped(t, lab)
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, "/statefulsets/") {
				return next.RoundTrip(r)
			}
			arrived <- struct{}{}
			<-onward
			resp, err := next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
			if err == nil {
				answers <- resp.StatusCode
			}
			return resp, err
		})
	})
	join := func(c *rest.Config) *Provisioner {
		p := watched(t, Config{REST: c, Lease: name}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.HoldFor(ctx, group, func() {}) }()
		t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
		labtest.Eventually(t, settled, "the lease is held", func(context.Context) (bool, string) {
			return p.Lease().Held, p.Lease().Waiting()
		})
		return p
	}
	former, next := join(c), join(shipped(t, lab))
	d := desired("5.8.9")
	d.ID, d.Spec.Network, d.Replicas, d.Spec.Nodes = ecptest.NewID(), ecp.Network{Type: ecp.ClusterIP}, 1, 1
	t.Cleanup(func() { removing(lab)(t, d.ID) })
	for epoch := int64(1); epoch < 5; epoch += 2 { // it makes the StatefulSet, then changes it
		ctx, lose := context.WithCancelCause(t.Context())
		check := func() error { return context.Cause(ctx) }
		sent := make(chan error, 1)
		go func() { sent <- former.Apply(ecp.WithOwnership(ctx, 7, epoch, check), d) }()
		<-arrived
		lose(ecp.ErrLostOwnership)
		d.Generation++
		d.Replicas, d.Spec.Nodes = d.Replicas+1, d.Spec.Nodes+1
		require.NoError(t, next.Apply(ecp.WithOwnership(t.Context(), 7, epoch+1, nil), d))
		onward <- struct{}{}
		require.Error(t, <-sent)
		require.Equal(t, http.StatusConflict, <-answers)
		out, err := lab.Kubectl(t.Context(), "", "get", "sts", "-n", string(d.ID), "-o",
			"jsonpath={.items[*].spec.replicas}")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(d.Replicas), out)
		d.Create = false
		d.Generation++
		labtest.Eventually(t, settled, "the former owner sees it", func(ctx context.Context) (bool, string) {
			o, err := former.Observe(ctx, d.ID)
			return err == nil && o.Replicas == d.Replicas, fmt.Sprintf("%+v %v", o, err)
		})
		d.Replicas, d.Spec.Nodes = d.Replicas+1, d.Spec.Nodes+1
	}
}
