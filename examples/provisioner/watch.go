package main

import (
	"context"
	"reflect"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
)

// checkEvery is the time between two checks of the files. A host with many
// clusters would be told of changes instead.
const checkEvery = 200 * time.Millisecond

// view is what Watch saw of a cluster.
type view struct {
	found  ecp.Observation
	unseen bool
}

// Watch runs the nodes: it starts and stops them until they agree with the
// files, and wakes a cluster when something of it has changed. When ctx ends,
// so do the nodes. See ecp.Watcher.
func (h *host) Watch(ctx context.Context, wake func(ecp.ID)) error {
	defer h.stopAll()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	seen := map[ecp.ID]view{}
	for {
		for _, id := range h.round(ctx, seen) {
			wake(id)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.poke:
		case <-tick.C:
		}
	}
}

// round brings the nodes of every cluster in line with its files, and gives
// the clusters that look different from before.
func (h *host) round(ctx context.Context, seen map[ecp.ID]view) (changed []ecp.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := map[ecp.ID]bool{}
	ids, err := h.ids()
	for _, id := range ids {
		known[id] = true
	}
	for id := range seen {
		known[id] = true
	}
	for id := range known {
		if err == nil {
			h.converge(ctx, id)
		}
		var now view
		found, err := h.observe(id)
		now.found, now.unseen = found, err != nil
		if before, ok := seen[id]; !ok || !reflect.DeepEqual(before, now) {
			changed = append(changed, id)
		}
		seen[id] = now
		if !now.unseen && !found.Exists && found.ForeignOwner == "" {
			delete(seen, id)
		}
	}
	return changed
}

// converge starts and stops the nodes of one cluster.
func (h *host) converge(ctx context.Context, id ecp.ID) {
	rec, err := h.load(id)
	if err != nil {
		rec.Replicas = 0 // it is not there, or not ours
	}
	keys, err := h.auth(id)
	s := h.sims[id]
	fresh := err == nil && (s == nil || s.keys != keys.UID)
	for ordinal, n := range h.nodes[id] {
		if ordinal >= rec.Replicas || fresh {
			n.stop()
			<-n.ended // closing a server takes no time
			n.broker.Leave()
		}
		if !n.running() {
			delete(h.nodes[id], ordinal)
		}
	}
	if rec.Replicas == 0 {
		delete(h.nodes, id)
		delete(h.sims, id)
		return
	}
	if fresh {
		s = &sim{keys: keys.UID, cluster: emqxsim.NewCluster(emqxsim.ClusterConfig{Version: rec.Image.Version,
			Username: keys.Username, Password: keys.Password})}
		h.sims[id] = s
	}
	if err != nil {
		return // no node starts without keys; those that run go on
	}
	for ordinal := range rec.Replicas {
		if h.nodes[id][ordinal] != nil {
			continue
		}
		if _, err := h.volume(id, ordinal); err != nil {
			continue // nor without its data
		}
		n, err := startNode(ctx, id, ordinal, rec, s)
		if err != nil {
			continue // no port, or the end of Watch; the next round tries again
		}
		if h.nodes[id] == nil {
			h.nodes[id] = map[int]*node{}
		}
		h.nodes[id][ordinal] = n
	}
}

// stopAll ends every node and waits for it.
func (h *host) stopAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, nodes := range h.nodes {
		for _, n := range nodes {
			n.stop()
			<-n.ended
		}
	}
	h.nodes, h.sims = map[ecp.ID]map[int]*node{}, map[ecp.ID]*sim{}
}

var (
	_ ecp.Provisioner = (*host)(nil)
	_ ecp.Watcher     = (*host)(nil)
	_ ecp.Accessor    = (*host)(nil)
)
