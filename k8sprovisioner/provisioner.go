package k8sprovisioner

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// Provisioner creates hosted clusters on one Kubernetes cluster. Its calls fail as
// unavailable until Watch runs.
type Provisioner struct {
	cfg      Config
	api      *apiTransport
	client   clients
	podIPs   *http.Transport // to pods' own addresses
	watch    *watchState
	writes   *writeCache
	fence    *fence
	watching atomic.Bool

	cordons      cordons      // which machines take no new pods
	rights       rightSet     // which of the rights that came later the account lacks
	networkFacts networkFacts // what Kubernetes says of its own network

	mu sync.Mutex
	// resizeSupport is what discovery says; guarded by mu
	resizeSupport resizeSupport

	identity string             // of Kubernetes, as last seen; "" = not known; guarded by mu
	memos    map[ecp.ID]*memo   // guarded by mu; the memos themselves, too
	machines map[string]machine // guarded by mu; those that were asked about, by name
	strands  map[string]strand  // guarded by mu; volumes that were asked about, by name
}

var (
	_ ecp.Provisioner       = (*Provisioner)(nil)
	_ ecp.Watcher           = (*Provisioner)(nil)
	_ ecp.Accessor          = (*Provisioner)(nil)
	_ ecp.Renderer          = (*Provisioner)(nil)
	_ ecp.LogReader         = (*Provisioner)(nil)
	_ ecp.SecretTeller      = (*Provisioner)(nil)
	_ ecp.ClusterLister     = (*Provisioner)(nil)
	_ ecp.Fencer            = (*Provisioner)(nil)
	_ ecp.Configurer        = (*Provisioner)(nil)
	_ ecp.RunTimeConfigurer = (*Provisioner)(nil)
	_ ecp.ClientDialer      = (*Provisioner)(nil)
)

// memo is what is remembered of a cluster between calls. Losing it costs at most one
// needless write for each object.
type memo struct {
	epoch           int64              // of the owner that works on the cluster; zero if nobody shares the Store
	rendered        []object           // by the last Apply that succeeded; nil before the first
	checked         map[string]checked // by object
	contests        map[string]contest // by object
	claims          map[int]string     // UIDs of claims that were bound, by ordinal; of those that are expected only
	expected        int                // ordinals below it are meant to have claims; -1 before the first Apply
	deletedClaims   map[int]string     // UIDs of claims whose deletion was requested, by ordinal
	want            resource.Quantity  // the least that volumes are to have; zero before the first Apply
	growthAttempts  map[types.UID]growth
	resizes         map[types.UID]resizeAttempt // of pods
	revisions       map[string]string           // hashes of revisions without CPU and memory, by name
	addressCheck    addressCheck                // the load balancer's, while it is missing
	authKeys        authKeys
	hashKey         hashKey
	eventHints      podEvents
	forceDeleted    string      // UID of the last pod that was deleted without waiting for its machine
	unwantedSecrets []secretRow // Secrets that were still in use when they were no longer wanted
}

// checked is the result of comparing an object with how it was rendered.
type checked struct {
	hash     string   // of the rendering compared with
	version  string   // resource version of the live object
	differs  bool     // whether it would be written
	fields   []string // the reasons for that
	accepted []string // differences right after our own write, where the API server stores the same in another form
}

// New checks the configuration and returns a Provisioner. It sends no request and starts
// no goroutine.
func New(c Config) (*Provisioner, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &apiTransport{}
	if c.Kubeconfig != "" {
		if w.digest, err = digestOf(c.Kubeconfig); err == nil {
			c.REST, err = LoadREST(c.Kubeconfig)
		}
		if err != nil {
			return nil, fmt.Errorf("k8sprovisioner: use Config.Kubeconfig: %w", err)
		}
	}
	over := withoutLimits(c.REST)
	err = w.use(over)
	var client clients
	if err == nil {
		client, err = newClients(over, &http.Client{Transport: w, Timeout: over.Timeout})
	}
	if err != nil {
		return nil, fmt.Errorf("k8sprovisioner: use Config.REST: %w", err)
	}
	return &Provisioner{
		cfg: c, api: w, client: client, watch: newWatchState(), writes: newWriteCache(), fence: newFence(c),
		podIPs: &http.Transport{
			DialContext: dialPod, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second,
			ResponseHeaderTimeout: 10 * time.Second, DisableCompression: true,
		},
		memos: map[ecp.ID]*memo{}, machines: map[string]machine{}, strands: map[string]strand{},
	}, nil
}

// withoutLimits returns a copy of a configuration with the protobuf encoding and without
// client-go's rate limit.
func withoutLimits(c *rest.Config) *rest.Config {
	t := rest.CopyConfig(c)
	t.QPS, t.Burst, t.RateLimiter = -1, -1, nil
	t.ContentType = runtime.ContentTypeProtobuf
	t.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if t.UserAgent == "" {
		t.UserAgent = fieldManager
	}
	return t
}

// RenderVersion returns the version of the newest rendering.
func (p *Provisioner) RenderVersion() int { return newest(renderers) }

// withMemo calls fn with the memo of a cluster, under the lock.
func (p *Provisioner) withMemo(id ecp.ID, fn func(*memo)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.memos[id]
	if m == nil {
		m = newMemo()
		p.memos[id] = m
	}
	fn(m)
}

func newMemo() *memo {
	return &memo{checked: map[string]checked{}, contests: map[string]contest{}, claims: map[int]string{}, expected: -1,
		deletedClaims: map[int]string{}, growthAttempts: map[types.UID]growth{},
		resizes: map[types.UID]resizeAttempt{}, revisions: map[string]string{}}
}

// takeOver lets the memo of a cluster begin anew with each epoch of its owner: another
// process may have worked on it since, and have deleted claims that this one saw.
func (p *Provisioner) takeOver(ctx context.Context, id ecp.ID) {
	o, ok := ecp.OwnershipFrom(ctx)
	if !ok {
		return
	}
	p.withMemo(id, func(m *memo) {
		if m.epoch != o.Epoch {
			*m = *newMemo()
			m.epoch = o.Epoch
		}
	})
}

func (p *Provisioner) forget(id ecp.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.memos, id)
}

// knownClusters returns the clusters that have a memo.
func (p *Provisioner) knownClusters() []ecp.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]ecp.ID, 0, len(p.memos))
	for id := range p.memos {
		ids = append(ids, id)
	}
	return ids
}
