package k8sprovisioner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// shipped gives the way to the API server of the account that ships.
func shipped(t testing.TB, lab *kubelab.Lab) *rest.Config {
	t.Helper()
	return loaded(t, labtest.Shipped(t, lab))
}

// loaded is LoadREST with the client's certificate in memory: client-go starts
// a goroutine for ever to follow one in a file.
func loaded(t testing.TB, kubeconfig string) *rest.Config {
	t.Helper()
	c, err := LoadREST(kubeconfig)
	require.NoError(t, err)
	require.NoError(t, rest.LoadTLSFiles(c))
	c.CertFile, c.KeyFile, c.CAFile = "", "", ""
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if err := precondition(r); err != nil {
				t.Errorf("%s %s: %v", r.Method, r.URL, err)
			}
			return next.RoundTrip(r)
		})
	})
	return c
}

// precondition returns an error for a write that does not name what it was decided on: held
// up on its way, it would undo what the next owner of the cluster has done meanwhile. What
// creates an object is refused where there is one.
func precondition(r *http.Request) error {
	if r.Body == nil || r.URL.Query().Has("dryRun") {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var only metav1.Preconditions
	of := func(uid types.UID, version string) { only.UID, only.ResourceVersion = &uid, &version }
	switch {
	case r.Method == http.MethodPatch:
		var o metav1.PartialObjectMetadata
		if err := json.Unmarshal(body, &o); err != nil {
			return err
		}
		of(o.UID, o.ResourceVersion)
	case r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/eviction"):
		return nil
	default:
		sent, err := runtime.Decode(codecs.UniversalDeserializer(), body)
		if err != nil {
			return err
		}
		var options *metav1.DeleteOptions
		switch o := sent.(type) {
		case *metav1.DeleteOptions:
			options = o
		case *policyv1.Eviction:
			options = o.DeleteOptions
		case metav1.Object:
			of(o.GetUID(), o.GetResourceVersion())
		}
		if options != nil && options.Preconditions != nil {
			only = *options.Preconditions
		}
	}
	if only.ResourceVersion == nil || *only.ResourceVersion == "" ||
		*only.ResourceVersion != neverVersion && (only.UID == nil || *only.UID == "") {
		return errors.New("it names no UID and version")
	}
	return nil
}

// counter counts requests by verb as the API server understands it.
type counter struct {
	mu   sync.Mutex
	seen map[string]int // guarded by mu; "create pods"
}

// counting makes every request over c count.
func counting(c *rest.Config) *counter {
	n := &counter{seen: map[string]int{}}
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			n.count(r)
			return next.RoundTrip(r)
		})
	})
	return n
}

var verbs = map[string]string{http.MethodPost: "create", http.MethodPatch: "patch", http.MethodDelete: "delete",
	http.MethodPut: "update"}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ofTheTarget are objects that tell which Kubernetes it is and how it is set up.
// They are asked for now and then, whatever is done to clusters.
var ofTheTarget = []string{
	"/api/v1/namespaces/kube-system", "/api/v1/namespaces/kube-system/configmaps/coredns",
	"/api/v1/namespaces/default/services/kubernetes", "/api/v1/nodes",
}

func (n *counter) count(r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	verb, what := verbs[r.Method], r.URL.Path
	aboutTarget := slices.Contains(parts, nowhere) || slices.Contains(ofTheTarget, r.URL.Path)
	// it makes nothing, or asks what the account may do and how the target is set up
	if r.URL.Query().Has("dryRun") || aboutTarget {
		verb = "try"
	}
	switch i := slices.Index(parts, "namespaces"); {
	case r.URL.Path == "/readyz":
	case i >= 0 && len(parts) > i+2:
		what = parts[i+2]
		if len(parts) > i+4 {
			what += "/" + parts[i+4]
		}
	case i >= 0:
		what = "namespaces"
	default:
		what = parts[len(parts)-1]
	}
	if verb == "" {
		verb = "get"
		if r.URL.Query().Get("watch") != "" {
			verb = "watch"
		} else if r.URL.Query().Has("labelSelector") {
			verb = "list"
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[verb+" "+what]++
}

// since gives the requests since an earlier count; probes, and what is only tried,
// are left out, and a write that had to be repeated counts once.
func (n *counter) since(earlier map[string]int) map[string]int {
	out := map[string]int{}
	for k, v := range n.all() {
		if d := v - earlier[k]; d > 0 && k != "get /readyz" && !strings.HasPrefix(k, "try ") {
			out[k] = d
		}
	}
	for k, looks := range maps.Clone(out) { // a write that met a newer version: it was looked at and is made again
		if what, ok := strings.CutPrefix(k, "get "); ok && out["patch "+what] > looks {
			out["patch "+what] -= looks
			delete(out, k)
		}
	}
	return out
}

func (n *counter) all() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.seen)
}

// writes sums the requests that change something of a cluster: a lease is
// renewed whatever happens.
func writes(requests map[string]int) int {
	sum := 0
	for k, v := range requests {
		if verb, what, _ := strings.Cut(k, " "); what != "leases" && verb != "try" && verb != "get" && verb != "list" &&
			verb != "watch" {
			sum += v
		}
	}
	return sum
}

// watched makes a provisioner and lets it watch until the test ends.
func watched(t testing.TB, c Config, wake func(ecp.ID)) *Provisioner {
	t.Helper()
	p, err := New(c)
	require.NoError(t, err)
	if wake == nil {
		wake = func(ecp.ID) {}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Watch(ctx, wake) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return p
}

func TestObjectsOfAClusterOnTheAPIServer(t *testing.T) {
	lab := labtest.Start(t)
	config := shipped(t, lab)
	_, err := lab.Kubectl(t.Context(), fmt.Sprintf(`{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":%q},
		"provisioner":"kubernetes.io/host-path","allowVolumeExpansion":false}`, fixedClass), "create", "-f", "-")
	require.NoError(t, err)
	for _, version := range []string{"4.4.19", "4.4.24", "5.8.9"} {
		for _, kind := range []ecp.NetworkType{ecp.ClusterIP, ecp.NodePort, ecp.LoadBalancer} {
			t.Run(version+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				c := rest.CopyConfig(config)
				requests := counting(c)
				p := watched(t, Config{REST: c, Namespace: "openecp-system"}, nil)
				d := elaborate(desired(version))
				d.ID = ecptest.NewID()
				d.Spec.Placement = ecp.Placement{}
				d.Spec.Network.Type = kind
				if kind != ecp.LoadBalancer {
					d.Spec.Network.LoadBalancerClass = ""
				}
				d.Spec.Storage = map[bool]string{true: fixedClass}[kind == ecp.NodePort]
				ctx := t.Context()
				knownBeforeItIsThere(t, p, d)

				before := requests.all()
				found, err := p.Observe(ctx, d.ID)
				require.NoError(t, err)
				require.Equal(t, ecp.Observation{Replicas: -1}, found)
				require.NoError(t, p.Apply(ctx, d))
				made := requests.since(before)
				require.LessOrEqual(t, writes(made), 10, "a write for each object: %v", made)
				require.LessOrEqual(t, verb(made, "get"), 1, "what is observed is not asked for again: %v", made)

				found, err = p.Observe(ctx, d.ID)
				require.NoError(t, err)
				require.True(t, found.Exists)
				require.Equal(t, 3, found.Replicas)
				require.Empty(t, found.Drift)
				require.NotEmpty(t, found.Auth)
				require.EqualValues(t, 7, found.Generation)

				labtest.Eventually(t, 3*time.Minute, "three pods with claims",
					func(ctx context.Context) (bool, string) {
						found, err = p.Observe(ctx, d.ID)
						bound := 0
						for _, v := range found.Volumes {
							if v.Bound {
								bound++
							}
						}
						running := 0
						for _, n := range found.Nodes {
							if n.IP != "" {
								running++
							}
						}
						return err == nil && bound == 3 && running == 3, fmt.Sprintf("%+v %v", found, err)
					})
				d.Create = false
				before = requests.all()
				require.NoError(t, p.Apply(ctx, d))
				require.Empty(t, requests.since(before), "a pass that changes nothing sends nothing")
				knownBefore(t, p, d)
				require.Zero(t, writes(requests.since(before)), "what is only tried writes nothing: %v",
					requests.since(before))

				again := watched(t, Config{REST: c, Namespace: "openecp-system"}, nil)
				before = requests.all()
				require.NoError(t, again.Apply(ctx, d))
				require.Zero(t, writes(requests.since(before)), "a new process finds everything as it should be: %v",
					requests.since(before))

				require.NoError(t, p.Delete(ctx, d.ID))
				require.NoError(t, p.Delete(ctx, d.ID))
				found, err = p.Observe(ctx, d.ID)
				require.NoError(t, err)
				require.True(t, found.Terminating)
				labtest.Eventually(t, 3*time.Minute, "nothing is left", func(ctx context.Context) (bool, string) {
					found, err = p.Observe(ctx, d.ID)
					return err == nil && !found.Exists, fmt.Sprintf("%+v %v", found, err)
				})
			})
		}
	}
}
