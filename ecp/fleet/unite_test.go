package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// strangers is a platform whose nodes start without finding each other: each knows
// itself only, until one of them is another pod.
type strangers struct {
	*appliedTo
	stopped bool // they know each other as stopped ones: a split of the network

	mu    sync.Mutex
	first map[string]bool // UIDs of the first pods; guarded by mu
	met   time.Time       // guarded by mu
}

// Observe notes the first pods.
func (p *strangers) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	o, err := p.appliedTo.Observe(ctx, id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil && len(o.Nodes) == 2 {
		p.first = map[string]bool{}
		for _, n := range o.Nodes {
			p.first[n.PodUID] = true
		}
	}
	for _, n := range o.Nodes {
		if p.first != nil && !p.first[n.PodUID] && p.met.IsZero() {
			p.met = time.Now()
		}
	}
	return o, err
}

func (p *strangers) apart() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met.IsZero()
}

// Endpoint leads to a node that tells only what it knows.
func (p *strangers) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	e, err := p.appliedTo.Endpoint(ctx, id, node)
	inner := e.Transport
	e.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := inner.RoundTrip(r)
		if err != nil || !strings.HasSuffix(r.URL.Path, "/nodes") || !p.apart() {
			return resp, err
		}
		defer resp.Body.Close()
		var all, known []map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
			return nil, err
		}
		for _, n := range all {
			if own := n["node"] == node; !own && !p.stopped {
				continue
			} else if !own {
				n = map[string]any{"node": n["node"], "node_status": "stopped"}
			}
			known = append(known, n)
		}
		b, err := json.Marshal(known)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		resp.Header.Del("Content-Length")
		return resp, err
	})
	return e, err
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestNodesThatNeverMet: two new nodes that each see only themselves are seen as
// partitioned within 30 s of the last one being ready, and the younger one is
// restarted; where nodes know each other nothing is restarted.
func TestNodesThatNeverMet(t *testing.T) {
	for name, stopped := range map[string]bool{"never met": false, "cut off": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				p := &strangers{appliedTo: &r.applied, stopped: stopped}
				r.make(r.store, p)
				r.run()
				info, op, err := r.m.Create(asSystem(),
					fleet.CreateRequest{Mode: ecp.Hosted, Name: "one", Spec: spec("emqx-ee-5.8.9", 2)})
				require.NoError(t, err)
				c := r.m.Cluster(info.ID)
				r.until("two ready nodes", func() bool { return r.get(c).ReadyNodes == 2 },
					func() any { return r.get(c).Status })
				ready := time.Now()
				if stopped {
					r.looked(60) // nothing is to happen
					require.True(t, p.apart())
					return
				}
				r.until("a partition", func() bool {
					return ecp.ConditionOf(r.get(c).Status.Conditions,
						ecp.CondReady).Reason == ecp.ReasonPartitioned || !p.apart()
				}, func() any { return r.get(c).Status })
				require.LessOrEqual(t, time.Since(ready), 30*time.Second)
				r.ends(op, ecp.PhaseSucceeded)
				require.False(t, p.apart())
				found := r.found(c)
				require.True(t, p.first[found.Nodes[0].PodUID] != p.first[found.Nodes[1].PodUID],
					"one of them was restarted")
			})
		})
	}
}
