package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// host makes clusters on the host it runs on. A cluster is a directory named
// by its id:
//
//	cluster.json   what was applied last; it also marks the directory as ours
//	auth.json      the keys of its management API
//	data-0, …      one for each node, with what the node stores
//
// Apply and Delete change files only. Watch starts and stops nodes until they
// agree with the files, so that it does not matter who changed them.
//
// It is an ecp.Provisioner, ecp.Watcher and ecp.Accessor. All methods may be
// called at once.
type host struct {
	dir  string
	poke chan struct{} // tells Watch that there is something to do

	mu     sync.Mutex
	nodes  map[ecp.ID]map[int]*node // those that run, by ordinal; guarded by mu
	sims   map[ecp.ID]*sim          // what they simulate together; guarded by mu
	writes int                      // to files; guarded by mu
}

// newHost uses a directory, which is made if it is not there. It starts nothing.
func newHost(dir string) (*host, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the clusters: %w", err)
	}
	if err := sweep(dir); err != nil {
		return nil, fmt.Errorf("remove what is left of an earlier run: %w", err)
	}
	return &host{dir: dir, poke: make(chan struct{}, 1), nodes: map[ecp.ID]map[int]*node{},
		sims: map[ecp.ID]*sim{}}, nil
}

// Apply writes what is wanted; see ecp.Provisioner.
func (h *host) Apply(_ context.Context, d ecp.Desired) error {
	if err := check(d); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.wakeWatch()
	rec, err := h.load(d.ID)
	switch {
	case errors.Is(err, errForeign):
		return conflict("the directory "+h.path(d.ID)+" is somebody else's and is not touched", nil)
	case errors.Is(err, fs.ErrNotExist) && !d.Create:
		return lost(ecp.ReasonDataLost, "directory "+h.path(d.ID))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return unseen(err)
	}
	if older := d.Older(rec.Generation, rec.ChangeID); rec.Major != 0 && older != nil {
		return ecp.RecordOlderError("apply cluster", older)
	}
	if rec.Major != 0 && rec.Major != major(d.Image) {
		return &ecp.Error{Code: ecp.CodeUnsupported, Op: "apply cluster",
			Message: "one major version of EMQX cannot become another"}
	}
	rec.Volumes = min(rec.Volumes, meant(d)) // what becomes of others is no loss
	if lossErr := h.loss(rec, d); rec.Major != 0 && lossErr != nil && !d.Create {
		if d.Replicas < rec.Replicas { // to end a node takes nothing that is lost
			rec.Replicas = d.Replicas
			return errors.Join(lossErr, h.save(d.ID, rec))
		}
		return lossErr
	}
	if d.Create { // a loss is accepted: what is made now counts from now on
		rec.Volumes = d.Replicas
	}
	if err := h.make(d, &rec); err != nil {
		return unseen(err)
	}
	for ordinal, n := range h.nodes[d.ID] {
		outdated := slices.Contains(d.Roll, ordinal) && n.revision != rec.Revision
		if outdated || d.Replace[ordinal] == n.uid {
			n.stop() // Watch starts it anew, as it is wanted now
		}
	}
	return nil
}

// make brings the files of a cluster to what is wanted; the caller holds mu.
func (h *host) make(d ecp.Desired, rec *record) error {
	rec.ChangeID, rec.Manifest = d.ChangeID, d.Manifest
	rec.Generation, rec.Replicas, rec.Image, rec.Major, rec.Revision = d.Generation, d.Replicas, d.Image, major(
		d.Image), revision(d)
	rec.Network = d.Spec.Network
	if err := h.openPorts(d.ID, rec); err != nil {
		return err
	}
	if err := h.save(d.ID, *rec); err != nil { // the first time this makes the directory
		return err
	}
	if err := h.makeAuth(d.ID); err != nil {
		return err
	}
	for i := range d.Replicas {
		if err := h.makeVolume(d.ID, i); err != nil {
			return err
		}
	}
	for _, i := range d.Drop {
		if i >= meant(d) && h.nodes[d.ID][i] == nil {
			if err := h.dropVolume(d.ID, i); err != nil {
				return err
			}
		}
	}
	rec.Volumes = max(rec.Volumes, d.Replicas)
	return h.save(d.ID, *rec)
}

// meant is how many nodes are meant to have data.
func meant(d ecp.Desired) int { return max(d.Spec.Nodes, d.Replicas) }

// loss says what has gone of a cluster that does not come back unasked.
func (h *host) loss(rec record, d ecp.Desired) error {
	if _, err := h.auth(d.ID); err != nil {
		return lost(ecp.ReasonSecretLost, "file "+h.path(d.ID, authFile))
	}
	for i := range rec.Volumes {
		if _, err := h.volume(d.ID, i); err != nil {
			return lost(ecp.ReasonDataLost, "directory "+h.path(d.ID, volumeName(i)))
		}
	}
	return nil
}

// Observe reads the files and looks at the nodes; see ecp.Provisioner.
func (h *host) Observe(_ context.Context, id ecp.ID) (ecp.Observation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.observe(id)
}

func (h *host) observe(id ecp.ID) (ecp.Observation, error) {
	o := ecp.Observation{Replicas: -1}
	rec, err := h.load(id)
	switch {
	case errors.Is(err, errForeign):
		o.ForeignOwner = "somebody else on this host"
		return o, nil
	case errors.Is(err, fs.ErrNotExist):
		return o, nil
	case err != nil:
		return o, unseen(err)
	}
	o.Exists, o.Replicas, o.Generation = true, rec.Replicas, rec.Generation
	o.ChangeID, o.Manifest = rec.ChangeID, rec.Manifest
	if a, err := h.auth(id); err == nil {
		o.Auth = a.UID
	}
	for _, i := range h.volumes(id) {
		if uid, err := h.volume(id, i); err == nil {
			o.Volumes = append(o.Volumes, ecp.VolumeObservation{Ordinal: i, Name: volumeName(i), UID: uid, Bound: true})
		}
	}
	o.Converged = len(h.nodes[id]) == rec.Replicas
	for _, n := range h.nodes[id] {
		node := n.observation()
		node.Outdated = n.revision != rec.Revision
		o.Nodes = append(o.Nodes, node)
		o.Converged = o.Converged && n.revision == rec.Revision && n.running()
	}
	slices.SortFunc(o.Nodes, func(a, b ecp.NodeObservation) int { return a.Ordinal - b.Ordinal })
	o.Endpoints = rec.endpoints()
	return o, nil
}

// Delete removes a cluster; see ecp.Provisioner. The directory is renamed
// first: one that is half removed would look like somebody else's.
func (h *host) Delete(_ context.Context, id ecp.ID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.wakeWatch()
	_, err := h.load(id)
	switch {
	case errors.Is(err, errForeign), errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unseen(err)
	}
	away := filepath.Join(h.dir, ".deleted-"+string(id)+"-"+newUID())
	if err := errors.Join(os.Rename(h.path(id), away), os.RemoveAll(away)); err != nil {
		return unseen(err)
	}
	h.writes++
	return nil
}

// Endpoint leads to the server of a node; see ecp.Accessor.
func (h *host) Endpoint(_ context.Context, id ecp.ID, name string) (ecp.Endpoint, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, err := h.auth(id)
	if err != nil {
		return ecp.Endpoint{}, &ecp.Error{Code: ecp.CodeUnavailable, Op: "reach node",
			Message: "the keys of the cluster are not there", Cause: err}
	}
	for _, n := range h.nodes[id] {
		if n.running() && (name == "" || name == n.name) {
			return ecp.Endpoint{BaseURL: "http://" + n.address,
				Credentials: ecp.Credentials{Username: a.Username, Password: a.Password}}, nil
		}
	}
	return ecp.Endpoint{}, &ecp.Error{Code: ecp.CodeUnavailable, Op: "reach node",
		Message: fmt.Sprintf("no node %q of the cluster %s runs", name, id)}
}

func (h *host) wakeWatch() {
	select {
	case h.poke <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// check refuses what this host cannot make.
func check(d ecp.Desired) error {
	switch {
	case !d.ID.Valid():
		return &ecp.Error{Code: ecp.CodeInvalid, Op: "apply cluster", Message: fmt.Sprintf("%q is no cluster id", d.ID)}
	case d.Spec.Network.Type == ecp.LoadBalancer:
		return &ecp.Error{Code: ecp.CodeUnsupported, Op: "apply cluster",
			Message: "this host has no load balancer; ClusterIP and NodePort are possible"}
	}
	return nil
}

func major(i ecp.Image) int {
	v, _ := ecp.ParseVersion(i.Version)
	return v.Major
}

func lost(reason ecp.Reason, what string) error {
	l := &ecp.Loss{Reason: reason, What: what}
	return conflict(l.What+" has gone and is not made anew unasked", l)
}

func conflict(message string, cause error) error {
	return &ecp.Error{Code: ecp.CodeConflict, Op: "apply cluster", Message: message, Cause: cause}
}

// unseen is what a broken disk comes to: nothing is known of the cluster.
func unseen(err error) error {
	return &ecp.Error{Code: ecp.CodeUnavailable, Op: "use the disk",
		Message: "the cluster's files cannot be used at present", Cause: err}
}
