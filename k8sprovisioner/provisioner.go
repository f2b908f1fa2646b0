package k8sprovisioner

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openecp/openecp/ecp"
)

// Provisioner makes hosted clusters on one Kubernetes cluster. It sees nothing
// until Watch runs.
type Provisioner struct {
	cfg      Config
	way      *way
	client   kubernetes.Interface
	podIPs   *http.Transport // to pods' own addresses
	eyes     *eyes
	written  *written
	fence    *fence
	watching atomic.Bool

	rights rightSet    // which of the rights that came later the account lacks
	seen   seenNetwork // what Kubernetes says of its own network

	mu       sync.Mutex
	identity string             // of Kubernetes, as last seen; "" = not known; guarded by mu
	memos    map[ecp.ID]*memo   // guarded by mu; the memos themselves, too
	machines map[string]machine // guarded by mu; those that were asked about, by name
}

var (
	_ ecp.Provisioner   = (*Provisioner)(nil)
	_ ecp.Watcher       = (*Provisioner)(nil)
	_ ecp.Accessor      = (*Provisioner)(nil)
	_ ecp.Renderer      = (*Provisioner)(nil)
	_ ecp.LogReader     = (*Provisioner)(nil)
	_ ecp.SecretTeller  = (*Provisioner)(nil)
	_ ecp.ClusterLister = (*Provisioner)(nil)
	_ ecp.Fencer        = (*Provisioner)(nil)
	_ ecp.Configurer    = (*Provisioner)(nil)
	_ ecp.ClientDialer  = (*Provisioner)(nil)
)

// memo is what is kept of a cluster between calls. Losing it costs at most one
// needless write for each object.
type memo struct {
	rendered []object           // by the last Apply that succeeded; nil = there was none
	checked  map[string]checked // by object
	contests map[string]contest // by object
	claims   map[int]string     // UIDs of claims that were bound, by ordinal; of those that are expected only
	expected int                // ordinals below it are meant to have claims; -1 = nothing was applied yet
	dropped  map[int]string     // UIDs of claims whose deletion we asked for, by ordinal
	want     resource.Quantity  // the least that volumes are to have; zero = nothing was applied yet
	grown    map[types.UID]growth
	address  pending // the load balancer's, while it is missing
	login    login
	hashKey  hashKey
	hints    hints
	released string      // UID of the last pod that was removed without its machine's word
	leftover []secretRow // Secrets that are not wanted any more, but were in use
}

// checked is the result of comparing an object with how it was rendered.
type checked struct {
	hash     string   // of the rendering compared with
	version  string   // resource version of the live object
	differs  bool     // it would be written
	fields   []string // because of these
	accepted []string // differences right after our own write: the API server's way to say the same
}

// New checks the configuration. It sends nothing and starts nothing.
func New(c Config) (*Provisioner, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &way{}
	if c.Kubeconfig != "" {
		if w.digest, err = digestOf(c.Kubeconfig); err == nil {
			c.REST, err = LoadREST(c.Kubeconfig)
		}
		if err != nil {
			return nil, fmt.Errorf("k8sprovisioner: use Config.Kubeconfig: %w", err)
		}
	}
	over := tuned(c.REST)
	err = w.take(over)
	var client kubernetes.Interface
	if err == nil {
		client, err = kubernetes.NewForConfigAndClient(over, &http.Client{Transport: w, Timeout: over.Timeout})
	}
	if err != nil {
		return nil, fmt.Errorf("k8sprovisioner: use Config.REST: %w", err)
	}
	return &Provisioner{
		cfg: c, way: w, client: client, eyes: newEyes(), written: newWritten(), fence: newFence(c),
		podIPs: &http.Transport{
			DialContext: dialPod, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second,
			ResponseHeaderTimeout: 10 * time.Second, DisableCompression: true,
		},
		memos: map[ecp.ID]*memo{}, machines: map[string]machine{},
	}, nil
}

// tuned is a configuration as we use it. It is a copy.
func tuned(c *rest.Config) *rest.Config {
	t := rest.CopyConfig(c)
	t.QPS, t.Burst, t.RateLimiter = -1, -1, nil
	t.ContentType = runtime.ContentTypeProtobuf
	t.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if t.UserAgent == "" {
		t.UserAgent = fieldManager
	}
	return t
}

// RenderVersion is the newest way objects are rendered.
func (p *Provisioner) RenderVersion() int { return newest(renderers) }

// remember runs fn on a cluster's memo.
func (p *Provisioner) remember(id ecp.ID, fn func(*memo)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.memos[id]
	if m == nil {
		m = &memo{checked: map[string]checked{}, contests: map[string]contest{}, claims: map[int]string{}, expected: -1, dropped: map[int]string{}, grown: map[types.UID]growth{}}
		p.memos[id] = m
	}
	fn(m)
}

func (p *Provisioner) forget(id ecp.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.memos, id)
}

// known lists the clusters that were asked for.
func (p *Provisioner) known() []ecp.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]ecp.ID, 0, len(p.memos))
	for id := range p.memos {
		ids = append(ids, id)
	}
	return ids
}
