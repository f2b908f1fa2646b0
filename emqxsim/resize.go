package emqxsim

import (
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// resizePatience is how long a resize may wait before the pod has to be made anew.
const resizePatience = 2 * time.Minute

// resources are CPU and memory of a pod.
type resources struct {
	CPU    ecp.Resource `json:"cpu"`
	Memory ecp.Resource `json:"memory"`
}

func (r resources) size() ecp.Size { return ecp.Size{CPU: r.CPU, Memory: r.Memory} }

// RefuseResizes makes the machines of a cluster refuse to change CPU and memory of pods that
// run, for the given reason, as the kubelet does with what it can never give. An empty
// reason ends that.
func (p *Provisioner) RefuseResizes(id ecp.ID, why string) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		s.NoResize = why
		return nil
	})
}

// DeferResizes makes resizes wait for the given reason, as a machine without room does. An
// empty reason lets them go on.
func (p *Provisioner) DeferResizes(id ecp.ID, why string) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		s.NoRoom = why
		return nil
	})
}

// setRest sets size and rest of what pods are created from.
func (s *state) setRest(d ecp.Desired) {
	w := s.Workload
	w.Size = resources{d.Size.CPU, d.Size.Memory}
	d.Size.CPU, d.Size.Memory = ecp.Resource{}, ecp.Resource{}
	w.Rest = s.revision(d) + w.ForeignOwner
}

// outdated reports whether a pod would be created in another way now. A pod that has been
// resized is of an old revision for ever, and is not.
func (s *state) outdated(p pod) bool {
	w := s.Workload
	if w == nil || p.Rest == "" { // stored by an earlier build
		return w != nil && p.Revision != w.Revision
	}
	return p.Rest != w.Rest || p.Has != w.Size || p.Asked != w.Size
}

// resizeOf returns how far it is with the resize of a pod.
func (s *state) resizeOf(p pod, now time.Time) (ecp.ResizeState, string) {
	if !s.outdated(p) || p.Rest == "" || p.Rest != s.Workload.Rest || !p.ready(now) {
		return "", ""
	}
	want := s.Workload.Size
	if why := p.Has.size().ResizeObstacle(want.size()); why != "" {
		return ecp.ResizeRefused, why
	}
	switch {
	case p.Asked != want:
		return ecp.ResizeDue, ""
	case s.NoResize != "":
		return ecp.ResizeRefused, s.NoResize
	case s.NoRoom != "" && now.Sub(p.AskedAt) >= resizePatience:
		return ecp.ResizeRefused, "it has waited for 2m0s: " + s.NoRoom
	case s.NoRoom != "":
		return ecp.ResizeWaiting, s.NoRoom
	}
	return ecp.ResizeWaiting, "its machine has not done it yet"
}

// resize asks for the CPU and memory of the workload.
func (s *state) resize(ordinals []int, now time.Time, t pace) {
	for i := range s.Pods {
		p := &s.Pods[i]
		if is, _ := s.resizeOf(*p, now); is == ecp.ResizeDue && slices.Contains(ordinals, p.Ordinal) {
			p.Asked, p.AskedAt, p.ResizedAt = s.Workload.Size, now, now.Add(t.stop)
		}
	}
}

// resized sets what a pod has to what was asked for, unless its machine does not do that.
func (s *state) resized(p *pod, now time.Time) {
	if p.Has != p.Asked && s.NoResize == "" && s.NoRoom == "" && !now.Before(p.ResizedAt) {
		p.Has = p.Asked
	}
}
