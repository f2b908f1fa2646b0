package podsim

import corev1 "k8s.io/api/core/v1"

// HoldResizes keeps pods of a namespace that run from getting other CPU and memory, as a
// kubelet does, which then says why in the condition PodResizePending: for a reason that
// is "Deferred" or "Infeasible", ": " and a message. An empty text lets them have it.
func (s *Sim) HoldResizes(namespace, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[namespace] = why
	for key, w := range s.workers {
		if key.Namespace == namespace {
			w.now()
		}
	}
}

// specOf returns the CPU and memory that the first container of a pod is to have.
func specOf(pod *corev1.Pod) string { return encoded(pod.Spec.Containers[0].Resources) }

// respecified takes note of what the pod's spec says now.
func (w *worker) respecified(spec string) {
	w.mu.Lock()
	changed := w.spec != spec
	w.spec = spec
	w.mu.Unlock()
	if changed {
		w.now()
	}
}

// resize sets the resources of the container to those of the spec, unless that is held.
func (w *worker) resize() {
	w.sim.mu.Lock()
	why := w.sim.pending[w.pod.Namespace]
	w.sim.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if why != "" && w.wanted.resources != "" && w.wanted.resources != w.spec {
		w.wanted.pending = why
		return
	}
	w.wanted.resources, w.wanted.pending = w.spec, ""
}
