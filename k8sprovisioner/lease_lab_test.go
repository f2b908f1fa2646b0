package k8sprovisioner

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	labFleet(t, lab)
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

// lateWrites are two daemons that share a target. What the former owner of a cluster sends
// can be held up until the next one has applied something else.
type lateWrites struct {
	*testing.T
	lab          *kubelab.Lab
	former, next *Provisioner
	epoch        int64
	holds        atomic.Value // of strings: method and part of a path of the requests that are held up
	arrived      chan struct{}
	onward       chan struct{}
	answers      chan int // status of what was held up
}

// TestLateWrites: what an owner of a cluster has sent to make, change or delete something,
// and arrives when the next owner has done so, is refused by the API server.
func TestLateWrites(t *testing.T) {
	t.Parallel()
	l := &lateWrites{T: t, lab: labtest.Start(t), arrived: make(chan struct{}), onward: make(chan struct{}),
		answers: make(chan int, 1)}
	name, group := newLease(), ecp.LeaseGroup{Incarnation: "0123456789abcdef"}
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
	l.holds.Store("")
	c := shipped(t, l.lab)
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return l.delayed(r, next) })
	})
	l.former, l.next = join(c), join(shipped(t, l.lab))
	l.ofWorkloads()
	l.ofSecrets()
}

func (l *lateWrites) delayed(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	method, part, _ := strings.Cut(l.holds.Load().(string), " ")
	if r.Method != method || !strings.Contains(r.URL.Path, part) {
		return next.RoundTrip(r)
	}
	l.arrived <- struct{}{}
	<-l.onward
	resp, err := next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	if err == nil {
		l.answers <- resp.StatusCode
	}
	return resp, err
}

// handOver lets the former owner apply d, and the next one what then makes of it, before a
// request of the former one arrives. Both begin an epoch.
func (l *lateWrites) handOver(holds string, d *ecp.Desired, then func(*ecp.Desired)) {
	l.Helper()
	l.holds.Store(holds)
	defer l.holds.Store("")
	ctx, lose := context.WithCancelCause(l.Context())
	check := func() error { return context.Cause(ctx) }
	sent, was := make(chan error, 1), *d
	go func() { sent <- l.former.Apply(ecp.WithOwnership(ctx, 7, l.epoch+1, check), was) }()
	<-l.arrived
	lose(ecp.ErrLostOwnership)
	d.Generation++
	then(d)
	require.NoError(l, l.next.Apply(ecp.WithOwnership(l.Context(), 7, l.epoch+2, nil), *d), holds)
	l.onward <- struct{}{}
	require.Error(l, <-sent, holds)
	require.Equal(l, http.StatusConflict, <-l.answers, holds)
	d.Create = false
	d.Generation++
	l.epoch += 2
}

// cluster returns what is wanted of a new cluster.
func (l *lateWrites) cluster(nodes, replicas int) ecp.Desired {
	d := desired("5.8.9")
	d.ID, d.Spec.Network, d.Spec.Nodes, d.Replicas = ecptest.NewID(), ecp.Network{Type: ecp.ClusterIP}, nodes, replicas
	l.Cleanup(func() { removing(l.lab)(l.T, d.ID) })
	return d
}

func (l *lateWrites) ofWorkloads() {
	d := l.cluster(1, 1)
	for range 2 { // it makes the StatefulSet, then changes it
		l.handOver(http.MethodPatch+" /statefulsets/", &d, func(d *ecp.Desired) {
			d.Replicas, d.Spec.Nodes = d.Replicas+1, d.Spec.Nodes+1
		})
		out, err := l.lab.Kubectl(l.Context(), "", "get", "sts", "-n", string(d.ID), "-o",
			"jsonpath={.items[*].spec.replicas}")
		require.NoError(l, err)
		require.Equal(l, fmt.Sprint(d.Replicas), out)
		labtest.Eventually(l, settled, "the former owner sees it", func(ctx context.Context) (bool, string) {
			o, err := l.former.Observe(ctx, d.ID)
			return err == nil && o.Replicas == d.Replicas, fmt.Sprintf("%+v %v", o, err)
		})
		d.Replicas, d.Spec.Nodes = d.Replicas+1, d.Spec.Nodes+1
	}
	pod := l.pod(d.ID)
	_, err := l.lab.Kubectl(l.Context(), "", "label", "pod", pod.Name, "-n", pod.Namespace, "example.com/changed=yes")
	require.NoError(l, err)
	resize := func(pod *corev1.Pod) error {
		return l.former.send(l.Context(), resizeRequest(l.former, pod, resourcesOf(pod.Spec)).
			Param("dryRun", metav1.DryRunAll), nil)
	}
	require.True(l, apierrors.IsConflict(resize(pod)), "the pod has changed since it was seen")
	err = resize(l.pod(d.ID))
	require.False(l, apierrors.IsConflict(err), "%v", err)
}

// pod returns the first pod of a cluster, as an administrator reads it.
func (l *lateWrites) pod(id ecp.ID) (pod *corev1.Pod) {
	l.Helper()
	labtest.Eventually(l, settled, "there is a pod", func(ctx context.Context) (bool, string) {
		out, err := l.lab.Kubectl(ctx, "", "get", "pods", "-n", string(id), "-o", "json")
		var list corev1.PodList
		if err == nil {
			err = json.Unmarshal([]byte(out), &list)
		}
		if err != nil || len(list.Items) == 0 {
			return false, fmt.Sprint(err)
		}
		pod = &list.Items[0]
		return true, ""
	})
	return pod
}

// ofSecrets: of a stopped cluster, since a Secret that a pod reads is not deleted.
func (l *lateWrites) ofSecrets() {
	d := l.cluster(1, 0)
	license := func() string {
		l.Helper()
		out, err := l.lab.Kubectl(l.Context(), "", "get", "secret", licenseRow.name(d.ID), "-n", string(d.ID), "-o",
			`jsonpath={.data.emqx\.lic}`)
		require.NoError(l, err)
		text, err := base64.StdEncoding.DecodeString(out)
		require.NoError(l, err)
		return string(text)
	}
	for _, round := range []string{"made", "changed"} {
		d.License = ecp.Secret("obviously-fake-late-" + round)
		l.handOver(http.MethodPatch+" /secrets/", &d, func(d *ecp.Desired) {
			d.License = ecp.Secret("obviously-fake-next-" + round)
		})
		require.Equal(l, "obviously-fake-next-"+round, license())
	}
	d.License = ""
	require.NoError(l, l.former.Apply(ecp.WithOwnership(l.Context(), 7, l.epoch+1, nil), d))
	l.handOver(http.MethodDelete+" /secrets/", &d, func(d *ecp.Desired) { d.License = "obviously-fake-again" })
	require.Equal(l, "obviously-fake-again", license())
}
