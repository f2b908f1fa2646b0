package k8sprovisioner

import (
	"context"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// How the API server is probed: an informer does not report an outage.
const (
	probeEvery   = 5 * time.Second // while it answers
	probeAgain   = time.Second     // after a failure, and until it answers
	probeTimeout = 3 * time.Second
)

// Watch runs informers for the objects with our label until ctx ends, and calls wake for
// a cluster whose objects have changed. It also probes the API server: after two failed
// probes it drops the informers, and after the next good one it starts new ones with
// fresh lists, so that nothing from before an outage is taken for the present state.
func (p *Provisioner) Watch(ctx context.Context, wake func(ecp.ID)) error {
	if !p.watching.CompareAndSwap(false, true) {
		return &ecp.Error{Code: ecp.CodeConflict, Op: "watch Kubernetes", Message: "Watch is running already"}
	}
	defer p.watching.Store(false)
	defer p.podIPs.CloseIdleConnections()
	defer p.watch.suspend("nothing watches Kubernetes: Watch is not running")
	if p.api.config().Insecure {
		p.cfg.Logger.WarnContext(ctx, "the way to Kubernetes is not safe", "warning", insecureTLS)
	}
	for p.awaitAnswer(ctx) {
		p.watchOnce(ctx, wake)
	}
	return nil
}

// awaitAnswer probes until the API server answers. It returns false if ctx ends before.
func (p *Provisioner) awaitAnswer(ctx context.Context) bool {
	for failed := 1; ctx.Err() == nil; failed++ {
		err := p.probe(ctx)
		if err == nil {
			return true
		}
		if failed == 2 {
			p.suspendWatch(ctx, err)
		}
		sleep(ctx, probeAgain, nil)
	}
	return false
}

// watchOnce runs informers for as long as the API server answers.
func (p *Provisioner) watchOnce(ctx context.Context, wake func(ecp.ID)) {
	watching, stop := context.WithCancel(ctx)
	s := p.newInformers(wake)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	s.run(watching, &group)
	group.Go(func() {
		defer stop()
		p.probeOn(watching)
	})
	if !s.synced(watching) {
		return
	}
	p.watch.resume(s)
	p.wakeAll(wake)
	group.Go(func() { p.checkRights(watching) })
	group.Go(func() { p.watchCordons(watching, s, wake) })
	group.Go(func() { p.checkNetwork(watching) })
	group.Go(func() { p.checkResize(watching) })
	<-watching.Done()
	if ctx.Err() == nil {
		p.wakeAll(wake) // they are not seen any more
	}
}

// probeOn returns when two probes in a row have failed, or ctx ends.
func (p *Provisioner) probeOn(ctx context.Context) {
	for failed := 0; ; {
		wait, signal := probeEvery, p.watch.probeNow
		if failed > 0 { // whatever is in doubt, the second one is a second later
			wait, signal = probeAgain, nil
		}
		if !sleep(ctx, wait, signal) {
			return
		}
		err := p.probe(ctx)
		if err == nil {
			failed = 0
			continue
		}
		if failed++; failed >= 2 && ctx.Err() == nil {
			p.suspendWatch(ctx, err)
			return
		}
	}
}

func (p *Provisioner) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return core(p.client).Get().AbsPath("/readyz").Do(ctx).Error()
}

// suspendWatch drops the informers and records the reason.
func (p *Provisioner) suspendWatch(ctx context.Context, err error) {
	p.watch.suspend(ecp.MessageOf(failure("probe the API server", err)))
	p.cfg.Logger.WarnContext(ctx, "the Kubernetes API does not answer", "error", err)
}

func (p *Provisioner) wakeAll(wake func(ecp.ID)) {
	for _, id := range p.knownClusters() {
		wake(id)
	}
}

// sleep waits for d or a signal. It returns false if ctx has ended.
func sleep(ctx context.Context, d time.Duration, signal <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-signal:
	case <-timer.C:
	}
	return ctx.Err() == nil
}
