package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
)

// world is a tiny platform: what hosted clusters are made on, with EMQX inside.
// It moves only when tick is called.
type world struct {
	clusters   map[ecp.ID]*platform
	unseen     bool // nothing can be reached
	failApply  bool
	refuse     bool // everything, for good
	refuseLB   bool // one object that nodes do not depend on
	failDelete bool
	applies    int
	uids       int
	// remade is told when something that does not come back silently was made
	// once more.
	remade func(id ecp.ID, what string)
	// wrong is told of what must never be asked for.
	wrong func(id ecp.ID, what string)
}

// platform is what is there of one cluster.
type platform struct {
	foreign  string
	there    bool // the namespace
	going    bool
	auth     string
	applied  ecp.Desired
	rendered bool // the workload and its Service are there
	replicas int
	service  bool
	had      map[int]bool // ordinals that once had a claim
	hadAuth  bool
	claims   map[int]string
	pods     map[int]*worldPod
	split    map[int]bool // nodes that count only themselves
	met      bool         // those know the others as stopped ones, as in a split of the network
	stuck    bool         // a pod that is named is not replaced
	mute     bool         // EMQX does not answer
	leaving  map[int]int  // clients left on nodes that are evacuated; outlives pods
	lagging  bool         // what is seen is one tick old
	seen     *ecp.Observation
}

type worldPod struct {
	uid, made, version string // made: what it was made from
	ready, going, down bool
}

func newWorld() *world {
	return &world{clusters: map[ecp.ID]*platform{}, remade: func(ecp.ID, string) {}, wrong: func(ecp.ID, string) {}}
}

func (w *world) at(id ecp.ID) *platform {
	p := w.clusters[id]
	if p == nil {
		p = &platform{
			had:     map[int]bool{},
			claims:  map[int]string{},
			pods:    map[int]*worldPod{},
			split:   map[int]bool{},
			leaving: map[int]int{},
		}
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
		return ecp.NewError(ecp.CodeUnavailable, op, "the platform does not answer")
	}
	return nil
}

func (w *world) Apply(_ context.Context, d ecp.Desired) error {
	w.applies++
	if err := w.away("apply"); err != nil {
		return err
	}
	p := w.at(d.ID)
	switch {
	case w.failApply:
		return ecp.NewError(ecp.CodeUnavailable, "apply", "admission webhook is away")
	case w.refuse:
		return ecp.NewError(ecp.CodeInvalid, "apply", "StatefulSet is invalid")
	case p.foreign != "":
		return ecp.NewError(ecp.CodeConflict, "apply", "somebody else's")
	case p.going:
		return ecp.NewError(ecp.CodeConflict, "apply", "being removed")
	}
	if lost := p.lost(d); lost != nil {
		if !d.Create {
			p.replicas = min(p.replicas, d.Replicas)
			return &ecp.Error{Code: ecp.CodeConflict, Op: "apply", Message: lost.What + " has gone", Cause: lost}
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
	for _, i := range d.Drop {
		if i < d.Replicas || i < d.Spec.Nodes {
			w.wrong(d.ID, fmt.Sprintf("the claim of node %d of %d is dropped", i, d.Replicas))
		}
		delete(p.claims, i)
		delete(p.had, i)
	}
	for _, i := range d.Roll {
		w.roll(d.ID, p, i)
	}
	for i, uid := range d.Replace {
		if pod := p.pods[i]; pod != nil && pod.uid == uid && !p.stuck {
			pod.going, pod.ready = true, false
			delete(p.split, i) // it joins when it starts anew
		}
	}
	if w.refuseLB {
		return &ecp.Error{
			Code:    ecp.CodeInvalid,
			Op:      "apply",
			Message: "Service is invalid",
			Cause:   &ecp.Refusal{What: "Service", Why: "invalid", Rest: true},
		}
	}
	return nil
}

// roll replaces a pod; a healthy one goes only while all others are.
func (w *world) roll(id ecp.ID, p *platform, i int) {
	pod := p.pods[i]
	if pod == nil || pod.going || pod.made == madeOf(p.applied) {
		return
	}
	if len(p.pods) > 1 && p.ready()-derive.OneIf(pod.ready) < len(p.pods)-1 && (pod.ready || p.leaving[i] > 0) &&
		!p.lagging {
		w.wrong(id, fmt.Sprintf("node %d is replaced while another is away", i))
	}
	pod.going, pod.ready = true, false
}

// madeOf is what pods are made from.
func madeOf(d ecp.Desired) string { return fmt.Sprint(d.Image.ID, d.Size.Name, d.Restarts) }

// lost says what was there once and does not come back silently.
func (p *platform) lost(d ecp.Desired) *ecp.Loss {
	switch {
	case !p.there && (p.hadAuth || !d.Create):
		return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "namespace"}
	case p.auth == "" && (p.hadAuth || !d.Create):
		return &ecp.Loss{Reason: ecp.ReasonSecretLost, What: "auth"}
	}
	for i := range d.Spec.Nodes {
		if p.had[i] && p.claims[i] == "" {
			return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "claim"}
		}
	}
	return nil
}

func (w *world) Observe(_ context.Context, id ecp.ID) (ecp.Observation, error) {
	if err := w.away("observe"); err != nil {
		return ecp.Observation{}, err
	}
	p := w.at(id)
	if p.lagging && p.seen != nil {
		return *p.seen, nil
	}
	o := p.observe()
	p.seen = &o
	return o, nil
}

func (p *platform) observe() ecp.Observation {
	if p.foreign != "" {
		return ecp.Observation{ForeignOwner: p.foreign, Replicas: -1}
	}
	o := ecp.Observation{Exists: p.there, Terminating: p.going, Replicas: -1, Auth: p.auth}
	if p.rendered {
		o.Replicas, o.Generation, o.Converged = p.replicas, p.applied.Generation, len(p.pods) == p.replicas
		if !p.service {
			o.Drift = []string{"Service"}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(p.pods)) {
		pod := p.pods[i]
		o.Nodes = append(o.Nodes, ecp.NodeObservation{
			Ordinal:     i,
			Name:        nodeName(i),
			Pod:         fmt.Sprint("n", i),
			PodUID:      pod.uid,
			Ready:       pod.ready && !pod.going,
			Terminating: pod.going,
			Outdated:    pod.made != madeOf(p.applied),
		})
		o.Converged = o.Converged && pod.ready && !pod.going && pod.made == madeOf(p.applied)
	}
	for _, i := range slices.Sorted(maps.Keys(p.claims)) {
		o.Volumes = append(o.Volumes,
			ecp.VolumeObservation{Ordinal: i, Name: fmt.Sprint("data-", i), UID: p.claims[i], Bound: true})
	}
	return o
}

func (w *world) Delete(_ context.Context, id ecp.ID) error {
	if err := w.away("delete"); err != nil {
		return err
	}
	p := w.at(id)
	if w.failDelete {
		return ecp.NewError(ecp.CodeUnavailable, "delete", "the finalizer is away")
	}
	if p.foreign == "" && p.there {
		p.going = true
	}
	return nil
}

// tick lets one moment pass on the platform.
func (w *world) tick(id ecp.ID) {
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
			left, leaving := p.leaving[i]
			p.pods[i].ready = !pod.down && !leaving
			if leaving {
				p.leaving[i] = max(0, left-1)
			}
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
		p.pods[i] = &worldPod{uid: w.uid("pod"), made: madeOf(p.applied), version: p.applied.Image.Version}
	}
}

// erase takes everything of a cluster away; what it once had is remembered.
func (w *world) erase(id ecp.ID) {
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

func (w *world) Endpoint(_ context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	return ecp.Endpoint{BaseURL: "world://" + string(id) + "/" + node}, w.away("endpoint")
}

// worldAdapter speaks to the brokers of a world.
type worldAdapter struct{ w *world }

func (a worldAdapter) Major() int { return 5 }

func (a worldAdapter) Open(e ecp.Endpoint) (ecp.Broker, error) {
	id, node, _ := strings.Cut(strings.TrimPrefix(e.BaseURL, "world://"), "/")
	return worldBroker{a.w, ecp.ID(id), node}, nil
}

type worldBroker struct {
	w    *world
	id   ecp.ID
	node string
}

func (b worldBroker) Close() {}

func (b worldBroker) Describe(context.Context) (ecp.Description, error) {
	p := b.w.at(b.id)
	if p.mute {
		return ecp.Description{}, ecp.NewError(ecp.CodeUnavailable, "describe", "connection refused")
	}
	d := ecp.Description{Version: "5.8.9"}
	for _, i := range slices.Sorted(maps.Keys(p.pods)) {
		self := nodeName(i) == b.node
		if _, leaving := p.leaving[i]; !p.pods[i].down && (p.pods[i].ready || leaving) &&
			(self || !p.split[i] && !p.split[ordinalOf(b.node)]) {
			d.Nodes = append(d.Nodes,
				ecp.BrokerNode{Name: nodeName(i), Status: ecp.NodeRunning, Version: p.pods[i].version})
		} else if p.met {
			d.Nodes = append(d.Nodes, ecp.BrokerNode{Name: nodeName(i), Status: ecp.NodeStopped})
		}
	}
	return d, nil
}

func (b worldBroker) StartEvacuation(_ context.Context, node string, _ ecp.EvacuationOrder) error {
	p, i := b.w.at(b.id), ordinalOf(node)
	if p.mute || p.pods[i] == nil {
		return ecp.NewError(ecp.CodeUnavailable, "start evacuation", "connection refused")
	}
	if _, leaving := p.leaving[i]; !leaving {
		p.leaving[i] = 2
	}
	return nil
}

func (b worldBroker) EvacuationProgress(_ context.Context, node string) (ecp.EvacuationProgress, error) {
	p := b.w.at(b.id)
	left, leaving := p.leaving[ordinalOf(node)]
	switch {
	case p.mute:
		return ecp.EvacuationProgress{}, ecp.NewError(ecp.CodeUnavailable, "watch evacuation", "connection refused")
	case !leaving:
		return ecp.EvacuationProgress{Phase: ecp.EvacuationNone}, nil
	}
	return ecp.EvacuationProgress{Phase: ecp.EvacuationCutting, Connections: left}, nil
}

func (b worldBroker) StopEvacuation(_ context.Context, node string) error {
	p, i := b.w.at(b.id), ordinalOf(node)
	if p.mute || p.pods[i] == nil {
		return ecp.NewError(ecp.CodeUnavailable, "stop evacuation", "connection refused")
	}
	delete(p.leaving, i)
	return nil
}

func (b worldBroker) InviteMember(context.Context, string) error { return nil }

func (b worldBroker) RemoveMember(_ context.Context, node string) error {
	p, i := b.w.at(b.id), ordinalOf(node)
	if p.mute {
		return ecp.NewError(ecp.CodeUnavailable, "remove member", "connection refused")
	}
	if p.pods[i] != nil {
		b.w.wrong(b.id, node+" is removed while its pod is there")
	}
	delete(p.leaving, i)
	return nil
}

func ordinalOf(node string) (i int) {
	if _, err := fmt.Sscanf(node, "emqx@n%d", &i); err != nil {
		panic(err)
	}
	return i
}
