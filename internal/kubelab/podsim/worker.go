package podsim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pauses between tries.
const (
	configRetry = 500 * time.Millisecond // of what a pod refers to and is not there
	patchRetry  = 250 * time.Millisecond // of a status that could not be written
	crashRetry  = time.Second            // of a process that failed to start; doubles
	crashMost   = 10 * time.Second
)

// worker runs one pod: its loop starts the process, probes it and writes the
// pod's status.
type worker struct {
	sim    *Sim
	log    *slog.Logger
	pod    *corev1.Pod        // as it was when first seen running; read only
	before <-chan struct{}    // closed when the predecessor of that name has ended; may be nil
	cancel context.CancelFunc // ends the loop
	done   chan struct{}      // closed when it has ended
	wake   chan struct{}      // one slot; makes the loop run at once

	mu       sync.Mutex
	proc     *running  // guarded by mu; nil while nothing runs
	last     *running  // guarded by mu; the process that was killed last and may still be ending
	dead     bool      // guarded by mu; the process was killed, so none is started
	diedAt   time.Time // guarded by mu
	restarts int32     // guarded by mu; counted by Restart, not yet by the status
	spec     string    // guarded by mu; resources that the pod is to have, as JSON

	// The loop's own.
	health  health
	wanted  found     // the status to be written
	said    found     // the status that was written last
	tryAt   time.Time // not before: start
	probeAt time.Time // not before: probe
	patchAt time.Time // not before: write the status
	crashes int
}

func newWorker(s *Sim, pod *corev1.Pod) *worker {
	f := foundIn(pod)
	return &worker{
		sim: s, pod: pod, log: s.log.With("namespace", pod.Namespace, "pod", pod.Name),
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		wanted: f, said: f, health: health{started: f.started, ready: f.ready}, spec: specOf(pod),
	}
}

func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	defer w.sim.forget(w)
	defer w.end()
	if w.before != nil {
		<-w.before
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.wake:
			w.probeAt = time.Time{}
		case err := <-w.ended():
			w.exited(err)
		}
		w.live(ctx)
		w.probe(ctx)
		w.publish(ctx)
		timer.Reset(max(0, time.Until(w.next())))
	}
}

// ended yields an error when the process that runs ends by itself.
func (w *worker) ended() <-chan error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proc == nil {
		return nil
	}
	return w.proc.ended
}

// exited takes note that the process has ended by itself; it is started again later.
func (w *worker) exited(err error) {
	w.mu.Lock()
	proc := w.proc
	w.proc = nil
	w.mu.Unlock()
	if proc == nil { // killed meanwhile
		return
	}
	proc.kill()
	w.failed(fmt.Errorf("%w: %w", errExited, err))
}

// next returns when the loop has something to do again.
func (w *worker) next() time.Time {
	at := w.probeAt
	w.mu.Lock()
	starting := w.proc == nil && !w.dead
	if w.dead && w.sim.cfg.RestartAfter > 0 {
		at = earlier(at, w.diedAt.Add(w.sim.cfg.RestartAfter))
	}
	w.mu.Unlock()
	if starting {
		at = w.tryAt // there is nothing to probe
	}
	if w.wanted != w.said {
		at = earlier(at, w.patchAt)
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// live starts the process if it should run and does not.
func (w *worker) live(ctx context.Context) {
	now := time.Now()
	w.mu.Lock()
	if after := w.sim.cfg.RestartAfter; w.dead && after > 0 && !now.Before(w.diedAt.Add(after)) {
		w.dead, w.restarts = false, w.restarts+1
	}
	for ; w.restarts > 0; w.restarts-- {
		w.restarted(now)
	}
	start := w.proc == nil && !w.dead && !now.Before(w.tryAt)
	last := w.last
	w.last = nil
	w.mu.Unlock()
	last.kill() // waits for it
	if !start {
		return
	}
	proc, err := w.start(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.failed(err)
		}
		return
	}
	w.mu.Lock()
	if w.dead { // killed meanwhile
		w.mu.Unlock()
		proc.kill()
		return
	}
	w.proc = proc
	w.mu.Unlock()
	w.crashes = 0
	w.probeAt = time.Time{}
	if w.wanted.waiting != "" {
		w.wanted.waiting, w.wanted.message = "", ""
		w.wanted.since = now.Unix()
	}
}

// restarted records that the container has ended and starts again.
func (w *worker) restarted(now time.Time) {
	w.health = health{}
	w.wanted.started, w.wanted.ready = false, false
	w.wanted.restarts++
	w.wanted.exit, w.wanted.exitAt = 137, now.Unix()
	w.wanted.since = now.Unix()
}

func (w *worker) start(ctx context.Context) (*running, error) {
	resolving, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	p, err := resolve(resolving, live{w.sim.client}, w.pod)
	if err != nil {
		return nil, err
	}
	p.Restarts = int(w.wanted.restarts)
	return launch(ctx, p, w.sim.cfg.Factory)
}

// failed puts the reason why nothing runs into the status, and sets the time of the
// next try.
func (w *worker) failed(err error) {
	now := time.Now()
	w.health = health{}
	w.wanted.started, w.wanted.ready = false, false
	w.tryAt = now.Add(configRetry)
	var m *missing
	switch {
	case errors.As(err, &m):
		w.wanted.waiting, w.wanted.message = m.reason, m.Error()
	case errors.Is(err, errExited):
		w.crashes++
		w.tryAt = now.Add(min(crashRetry<<min(w.crashes-1, 10), crashMost))
		w.wanted.restarts++
		w.wanted.exit, w.wanted.exitAt = 1, now.Unix()
		w.wanted.waiting, w.wanted.message = "CrashLoopBackOff", err.Error()
	default: // the cause is not in the pod, so its status stays
		w.log.Warn("start a pod's process", "err", err)
	}
}

// probe runs the probe that is due. It also probes a process that was killed: the
// probe has to find out that it does not answer.
func (w *worker) probe(ctx context.Context) {
	w.mu.Lock()
	starting := w.proc == nil && !w.dead
	w.mu.Unlock()
	if starting || time.Now().Before(w.probeAt) {
		return
	}
	before := w.health
	c := &w.pod.Spec.Containers[0]
	if !w.health.started {
		w.health.startup(c, w.check(ctx, c.StartupProbe))
	}
	if w.health.started {
		w.health.readiness(c, w.check(ctx, c.ReadinessProbe))
	}
	if ctx.Err() != nil {
		w.health = before // the probe was cut off, so its result does not count
		return
	}
	w.wanted.started, w.wanted.ready = w.health.started, w.health.ready
	if w.health.started {
		w.resize()
	}
	w.probeAt = time.Now().Add(w.pause(c))
}

// check runs one probe. Kill closes the connection of a probe that waits for an
// answer, and so ends it.
func (w *worker) check(ctx context.Context, p *corev1.Probe) bool {
	if p == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.proc != nil
	}
	err := check(ctx, w.sim.prober, w.pod.Status.PodIP, &w.pod.Spec.Containers[0], p)
	if err != nil {
		w.log.Debug("probe failed", "err", err)
	}
	return err == nil
}

// pause returns the time until the next probe.
func (w *worker) pause(c *corev1.Container) time.Duration {
	every := w.sim.cfg.ProbeEvery
	if every == 0 {
		every = min(period(c, w.health.started), 500*time.Millisecond)
	}
	if w.health.counting {
		return every / 5
	}
	return every
}

// publish writes the status if it has changed. It ignores that the pod is gone or
// was replaced: the loop ends with the event of that.
func (w *worker) publish(ctx context.Context) {
	if w.wanted == w.said || time.Now().Before(w.patchAt) {
		return
	}
	body, err := patch(w.pod, w.said, w.wanted, time.Now())
	if err == nil {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err = w.sim.client.CoreV1().Pods(w.pod.Namespace).Patch(one, w.pod.Name,
			types.StrategicMergePatchType, body, metav1.PatchOptions{FieldManager: "podsim"}, "status")
		cancel()
	}
	switch {
	case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
		w.said = w.wanted
	case ctx.Err() == nil:
		w.log.Debug("write a pod's status", "err", err)
		w.patchAt = time.Now().Add(patchRetry)
	}
}

// end ends the process with the pod.
func (w *worker) end() {
	w.mu.Lock()
	proc := w.proc
	w.proc, w.dead = nil, true
	w.mu.Unlock()
	proc.kill()
}

func (w *worker) kill() {
	w.mu.Lock()
	proc := w.proc
	if !w.dead {
		w.proc, w.last, w.dead, w.diedAt = nil, proc, true, time.Now()
	}
	w.mu.Unlock()
	proc.kill()
	w.now()
}

func (w *worker) revive() {
	w.mu.Lock()
	w.dead = false
	w.mu.Unlock()
	w.now()
}

func (w *worker) restart() {
	w.kill()
	w.mu.Lock()
	w.dead = false
	w.restarts++
	w.mu.Unlock()
	w.now()
}

// now makes the loop run at once.
func (w *worker) now() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
