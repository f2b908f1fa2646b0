package k8sprovisioner

import (
	"context"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// How the API server is probed: informers do not tell when they see nothing.
const (
	probeEvery   = 5 * time.Second // while it answers
	probeAgain   = time.Second     // after a failure, and until it answers
	probeTimeout = 3 * time.Second
)

// Watch keeps objects with our label in sight, by watches and a probe of the
// API server, and wakes clusters. Two failed probes end the sight; the next
// good one begins a new one with fresh lists, so that nothing seen before the
// outage is passed off as what is.
func (p *Provisioner) Watch(ctx context.Context, wake func(ecp.ID)) error {
	if !p.watching.CompareAndSwap(false, true) {
		return &ecp.Error{Code: ecp.CodeConflict, Op: "watch Kubernetes", Message: "Watch is running already"}
	}
	defer p.watching.Store(false)
	defer p.podIPs.CloseIdleConnections()
	defer p.eyes.close("nothing watches Kubernetes: Watch is not running")
	if p.way.config().Insecure {
		p.cfg.Logger.WarnContext(ctx, "the way to Kubernetes is not safe", "warning", insecureTLS)
	}
	for p.awaitAnswer(ctx) {
		p.watchOnce(ctx, wake)
	}
	return nil
}

// awaitAnswer probes until the API server answers; false when ctx ends.
func (p *Provisioner) awaitAnswer(ctx context.Context) bool {
	for failed := 1; ctx.Err() == nil; failed++ {
		err := p.probe(ctx)
		if err == nil {
			return true
		}
		if failed == 2 {
			p.lose(ctx, err)
		}
		pause(ctx, probeAgain, nil)
	}
	return false
}

// watchOnce watches for as long as the API server answers.
func (p *Provisioner) watchOnce(ctx context.Context, wake func(ecp.ID)) {
	watching, stop := context.WithCancel(ctx)
	s := p.newSight(wake)
	s.factory.Start(watching.Done())
	defer s.factory.Shutdown()
	var probing sync.WaitGroup
	defer probing.Wait()
	defer stop()
	probing.Go(func() {
		defer stop()
		p.probeOn(watching)
	})
	for _, synced := range s.factory.WaitForCacheSync(watching.Done()) {
		if !synced {
			return
		}
	}
	p.eyes.open(s)
	p.wakeAll(wake)
	probing.Go(func() { p.checkRights(watching) })
	probing.Go(func() { p.checkNetwork(watching) })
	<-watching.Done()
	if ctx.Err() == nil {
		p.wakeAll(wake) // they are not seen any more
	}
}

// probeOn returns when two probes in a row have failed, or ctx ends.
func (p *Provisioner) probeOn(ctx context.Context) {
	for failed := 0; ; {
		wait, signal := probeEvery, p.eyes.doubt
		if failed > 0 { // whatever is in doubt, the second one is a second later
			wait, signal = probeAgain, nil
		}
		if !pause(ctx, wait, signal) {
			return
		}
		err := p.probe(ctx)
		if err == nil {
			failed = 0
			continue
		}
		if failed++; failed >= 2 && ctx.Err() == nil {
			p.lose(ctx, err)
			return
		}
	}
}

func (p *Provisioner) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return p.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// lose says that nothing is seen any more, and why.
func (p *Provisioner) lose(ctx context.Context, err error) {
	p.eyes.close(ecp.MessageOf(failure("probe the API server", err)))
	p.cfg.Logger.WarnContext(ctx, "the Kubernetes API does not answer", "error", err)
}

func (p *Provisioner) wakeAll(wake func(ecp.ID)) {
	for _, id := range p.known() {
		wake(id)
	}
}

// pause waits for d or a signal; false when ctx ends.
func pause(ctx context.Context, d time.Duration, signal <-chan struct{}) bool {
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
