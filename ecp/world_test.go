package ecp

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// world is a tiny platform: what hosted clusters are made on, with EMQX inside.
// It moves only when tick is called.
type world struct {
	clusters   map[ID]*platform
	unseen     bool // nothing can be reached
	failApply  bool
	failDelete bool
	applies    int
	uids       int
	// remade is told when something that does not come back silently was made
	// once more.
	remade func(id ID, what string)
}

// platform is what is there of one cluster.
type platform struct {
	foreign  string
	there    bool // the namespace
	going    bool
	auth     string
	applied  Desired
	rendered bool // the workload and its Service are there
	replicas int
	service  bool
	had      map[int]bool // ordinals that once had a claim
	hadAuth  bool
	claims   map[int]string
	pods     map[int]*worldPod
	split    map[int]bool // nodes that count only themselves
	mute     bool         // EMQX does not answer
	lagging  bool         // what is seen is one tick old
	seen     *Observation
}

type worldPod struct {
	uid                string
	ready, going, down bool
}

func newWorld() *world {
	return &world{clusters: map[ID]*platform{}, remade: func(ID, string) {}}
}

func (w *world) at(id ID) *platform {
	p := w.clusters[id]
	if p == nil {
		p = &platform{had: map[int]bool{}, claims: map[int]string{}, pods: map[int]*worldPod{}, split: map[int]bool{}}
		w.clusters[id] = p
	}
	return p
}

func (w *world) uid(what string) string {
	w.uids++
	return fmt.Sprintf("%s-%d", what, w.uids)
}

func (w *world) away(op string) error {
	if w.unseen {
		return fail(CodeUnavailable, op, "the platform does not answer")
	}
	return nil
}

func (w *world) Apply(_ context.Context, d Desired) error {
	w.applies++
	if err := w.away("apply"); err != nil {
		return err
	}
	p := w.at(d.ID)
	switch {
	case w.failApply:
		return fail(CodeUnavailable, "apply", "admission webhook is away")
	case p.foreign != "":
		return fail(CodeConflict, "apply", "somebody else's")
	case p.going:
		return fail(CodeConflict, "apply", "being removed")
	}
	if lost := p.lost(d); lost != nil {
		if !d.Create {
			p.replicas = min(p.replicas, d.Replicas)
			return &Error{Code: CodeConflict, Op: "apply", Message: lost.What + " has gone", Cause: lost}
		}
		w.remade(d.ID, lost.What)
	}
	p.there = true
	if p.auth == "" {
		p.auth, p.hadAuth = w.uid("auth"), true
	}
	for i := range d.Spec.Nodes {
		if p.had[i] && p.claims[i] == "" {
			p.claims[i] = w.uid("claim")
		}
	}
	p.applied, p.rendered, p.service, p.replicas = d, true, true, d.Replicas
	return nil
}

// lost says what was there once and does not come back silently.
func (p *platform) lost(d Desired) *Loss {
	switch {
	case !p.there && (p.hadAuth || !d.Create):
		return &Loss{ReasonDataLost, "namespace"}
	case p.auth == "" && (p.hadAuth || !d.Create):
		return &Loss{ReasonSecretLost, "auth"}
	}
	for i := range d.Spec.Nodes {
		if p.had[i] && p.claims[i] == "" {
			return &Loss{ReasonDataLost, "claim"}
		}
	}
	return nil
}

func (w *world) Observe(_ context.Context, id ID) (Observation, error) {
	if err := w.away("observe"); err != nil {
		return Observation{}, err
	}
	p := w.at(id)
	if p.lagging && p.seen != nil {
		return *p.seen, nil
	}
	o := p.observe()
	p.seen = &o
	return o, nil
}

func (p *platform) observe() Observation {
	if p.foreign != "" {
		return Observation{Foreign: p.foreign, Replicas: -1}
	}
	o := Observation{Exists: p.there, Terminating: p.going, Replicas: -1, Auth: p.auth}
	if p.rendered {
		o.Replicas, o.Generation, o.Converged = p.replicas, p.applied.Generation, len(p.pods) == p.replicas
		if !p.service {
			o.Drift = []string{"Service"}
		}
	}
	for _, i := range sortedKeys(p.pods) {
		pod := p.pods[i]
		o.Nodes = append(o.Nodes, NodeObservation{Ordinal: i, Name: nodeName(i), Pod: fmt.Sprint("pod-", i), PodUID: pod.uid, Ready: pod.ready && !pod.going, Going: pod.going})
		o.Converged = o.Converged && pod.ready && !pod.going
	}
	for _, i := range sortedKeys(p.claims) {
		o.Volumes = append(o.Volumes, VolumeObservation{Ordinal: i, Name: fmt.Sprint("data-", i), UID: p.claims[i], Bound: true})
	}
	return o
}

func (w *world) Delete(_ context.Context, id ID) error {
	if err := w.away("delete"); err != nil {
		return err
	}
	p := w.at(id)
	if w.failDelete {
		return fail(CodeUnavailable, "delete", "the finalizer is away")
	}
	if p.foreign == "" && p.there {
		p.going = true
	}
	return nil
}

// tick lets one moment pass on the platform.
func (w *world) tick(id ID) {
	p := w.at(id)
	p.seen = nil
	if p.going {
		w.erase(id)
		return
	}
	for i, pod := range p.pods {
		switch {
		case pod.going:
			delete(p.pods, i)
		case i >= p.replicas:
			pod.going, pod.ready = true, false
		default:
			pod.ready = !pod.down
		}
	}
	if !p.rendered || p.auth == "" {
		return
	}
	for i := range p.replicas {
		if p.had[i] && p.claims[i] == "" || p.pods[i] != nil {
			continue
		}
		if !p.had[i] {
			p.had[i], p.claims[i] = true, w.uid("claim")
		}
		p.pods[i] = &worldPod{uid: w.uid("pod")}
	}
}

// erase takes everything of a cluster away; what it once had is remembered.
func (w *world) erase(id ID) {
	old := w.at(id)
	delete(w.clusters, id)
	p := w.at(id)
	p.had, p.hadAuth = old.had, old.hadAuth
}

func (p *platform) ready() int {
	return len(slices.Collect(func(yield func(int) bool) {
		for i, pod := range p.pods {
			if pod.ready && !pod.going && !yield(i) {
				return
			}
		}
	}))
}

func (w *world) Endpoint(_ context.Context, id ID, node string) (Endpoint, error) {
	return Endpoint{BaseURL: "world://" + string(id) + "/" + node}, w.away("endpoint")
}

// worldAdapter speaks to the brokers of a world.
type worldAdapter struct{ w *world }

func (a worldAdapter) Major() int { return 5 }

func (a worldAdapter) Open(e Endpoint) (Broker, error) {
	id, node, _ := strings.Cut(strings.TrimPrefix(e.BaseURL, "world://"), "/")
	return worldBroker{a.w, ID(id), node}, nil
}

type worldBroker struct {
	w    *world
	id   ID
	node string
}

func (b worldBroker) Close() {}

func (b worldBroker) Describe(context.Context) (Description, error) {
	p := b.w.at(b.id)
	if p.mute {
		return Description{}, fail(CodeUnavailable, "describe", "connection refused")
	}
	d := Description{Version: "5.8.9"}
	for _, i := range slices.Sorted(maps.Keys(p.pods)) {
		self := nodeName(i) == b.node
		if p.pods[i].ready && (self || !p.split[i] && !p.split[ordinalOf(b.node)]) {
			d.Nodes = append(d.Nodes, BrokerNode{Name: nodeName(i), Status: NodeRunning, Version: p.applied.Image.Version})
		}
	}
	return d, nil
}

func ordinalOf(node string) (i int) {
	if _, err := fmt.Sscanf(node, "emqx@n%d", &i); err != nil {
		panic(err)
	}
	return i
}
