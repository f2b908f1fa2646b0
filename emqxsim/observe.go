package emqxsim

import (
	"context"
	"net/http"
	"time"

	"github.com/openecp/openecp/ecp"
)

// observe returns the observation of a settled state.
func (s *state) observe(now time.Time) ecp.Observation {
	if s.ForeignOwner != "" {
		return ecp.Observation{ForeignOwner: s.ForeignOwner}
	}
	o := ecp.Observation{Exists: s.UID != "", Terminating: !s.Gone.IsZero(), Replicas: -1,
		EvictionsHeld: s.Held, MachinesSeen: s.UID != ""}
	n := s.names()
	if w := s.Workload; w != nil {
		o.Replicas, o.Generation, o.ChangeID, o.Manifest = w.Replicas, w.Generation, w.ChangeID, w.Manifest
		o.Converged, o.Drift = s.converged(now), s.drift(n)
	}
	if s.Auth != nil {
		o.Auth = s.Auth.UID
	}
	o.Nodes = s.observePods(now)
	s.observeReplicants(&o, now)
	if s.Refusal != "" && s.Workload != nil && len(s.Pods) < s.Workload.Replicas {
		o.Obstacles = append(o.Obstacles, s.refusal())
	}
	for _, c := range s.Claims {
		o.Volumes = append(o.Volumes, ecp.VolumeObservation{
			Ordinal: c.Ordinal, Name: n.claimOf(c.Ordinal), UID: c.UID, Bound: c.Unbound == "",
			Terminating: c.Terminating, Capacity: c.size(s), Pending: s.pending(c),
		})
	}
	o.Endpoints = s.Service.endpoints(n.host())
	if s.Service != nil && s.Service.Type == ecp.LoadBalancer {
		o.AddressPending = s.Service.Withheld
	}
	return o
}

func (s *state) observePods(now time.Time) (out []ecp.NodeObservation) {
	for _, p := range s.Pods {
		node := p.observe(s.names(), now)
		node.Outdated, node.Resizable = s.outdated(p), p.Rest != ""
		node.Resize, node.ResizeReason = s.resizeOf(p, now)
		out = append(out, node)
	}
	return out
}

func (s *state) names() names { return names{s.ID, s.version(), s.Role} }

// version returns the cluster's version, which names depend on. A cluster that is being
// deleted has no workload any more, but it has pods.
func (s *state) version() string {
	switch {
	case s.Workload != nil:
		return s.Workload.Image.Version
	case len(s.Pods) > 0:
		return s.Pods[0].Image.Version
	}
	return ""
}

func (s *state) converged(now time.Time) bool {
	if len(s.Pods) != s.Workload.Replicas {
		return false
	}
	for _, p := range s.Pods {
		if !p.ready(now) || s.outdated(p) {
			return false
		}
	}
	return true
}

// drift names what Apply would write.
func (s *state) drift(n names) []string {
	var out []string
	if s.Service == nil {
		out = append(out, "Service "+n.service()+" is missing")
	}
	if s.Workload.Replicas != s.Workload.Rendered {
		out = append(out, "StatefulSet "+n.workload())
	}
	for _, c := range s.Claims {
		if s.small(c) && !s.Fixed && c.Want != s.Volume && c.Ordinal < s.Workload.Rendered {
			out = append(out, "PersistentVolumeClaim "+n.claimOf(c.Ordinal))
		}
	}
	return out
}

func (p pod) observe(n names, now time.Time) ecp.NodeObservation {
	o := ecp.NodeObservation{
		Ordinal: p.Ordinal, Name: n.node(p.Ordinal), Pod: n.pod(p.Ordinal), PodUID: p.UID, Host: "simulated",
		IP:    podIP(p.UID),
		Ready: p.ready(now), Terminating: !p.Deleted.IsZero(), Broken: p.Broken != "",
		Revision: p.Revision, Image: p.Image.Reference, Restarts: p.Restarts, Since: p.since(now), Role: n.role,
	}
	if n.role == ecp.RoleCore {
		o.Volume = n.claimOf(p.Ordinal)
	}
	o.Machine, o.Unschedulable = p.Machine, p.Cordoned
	switch {
	case p.Machine == ecp.MachineUnanswered:
		o.Reason, o.Message = "MachineUnanswered", "its machine does not answer; if it is off for good, say so"
	case p.Machine == ecp.MachineGone:
		o.Reason, o.Message = "MachineGone", "its machine is out of service"
	case o.Ready || o.Terminating:
	case p.Broken == noSecret:
		o.Reason, o.Message = p.Broken, "secret \""+n.auth()+"\" not found"
	case p.Stranded:
		o.VolumeLost = true
		o.Reason, o.Message = "VolumeLost", "its volume "+o.Volume+" is on a machine that has been removed"
	case p.Waiting:
		o.Reason, o.Message = "Unschedulable", "pod has unbound immediate PersistentVolumeClaims"
	case p.Broken != "":
		o.Reason, o.Message = p.Broken, "it will not start without help"
	case !p.Down.IsZero():
		o.Reason, o.Message = "ContainersNotReady", "EMQX does not answer its readiness probe"
	default:
		o.Reason, o.Message = "ContainersNotReady", "EMQX is starting"
	}
	return o
}

// probe is the readiness probe. From the version on that has availability_check, a node
// that is evacuated is not ready.
func (p *Provisioner) probe(o *ecp.Observation, id ecp.ID, version string) {
	if !atLeast(version, 4, 4, 24) {
		return
	}
	e := p.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hosted == nil || !e.hosted.evacuates() {
		return
	}
	h := p.sync(e)
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	h.sim.changeLocked(h.sim.now(), func(t time.Time) {
		for i := range o.Nodes {
			n := &o.Nodes[i]
			node := h.sim.findAny(n.Name)
			if n.Ready && node != nil && node.up(t) && !node.available(t) {
				n.Ready, n.Reason, n.Message, o.Converged = false, "ContainersNotReady",
					"the availability check answers 503", false
			}
		}
	})
}

// Endpoint returns a way to a node's API without a socket. It stays usable whatever happens
// to the node: connections are refused while the node is down.
func (p *Provisioner) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	const op = "reach node"
	if err := p.checkReachable(ctx, op); err != nil {
		return ecp.Endpoint{}, err
	}
	now := p.now()
	st := p.at(id, now)
	if st.absent() || st.ForeignOwner != "" {
		return ecp.Endpoint{}, &ecp.Error{Code: ecp.CodeNotFound, Op: op, Message: "there is no cluster " + string(id)}
	}
	if st.Auth == nil {
		return ecp.Endpoint{}, &ecp.Error{Code: ecp.CodeUnavailable, Op: op,
			Message: "the key to the cluster's API is " +
				"not there"}
	}
	name, err := st.choose(node, now)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	dial := func(port string) (http.Handler, bool) { return p.dial(id, name, port) }
	return ecp.Endpoint{
		BaseURL: "http://" + hostOf(name) + st.names().api(), Transport: transport{dial},
		Credentials:  ecp.Credentials{Username: st.Auth.Username, Password: st.Auth.Password},
		DashboardURL: "http://" + hostOf(name) + ":" + dashboardPort, Node: name,
	}, nil
}

// choose returns the name of a node. An empty name means the first core node that is ready.
func (s *state) choose(node string, now time.Time) (string, error) {
	if p := s.podOf(node); p != nil {
		return node, nil
	}
	if node != "" {
		return "", &ecp.Error{Code: ecp.CodeNotFound, Op: "reach node", Message: "there is no node " + node}
	}
	for _, p := range s.Pods {
		if p.ready(now) {
			return s.names().node(p.Ordinal), nil
		}
	}
	return "", &ecp.Error{Code: ecp.CodeUnavailable, Op: "reach node", Message: "no node is ready"}
}
