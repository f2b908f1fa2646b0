package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"
)

// run starts everything and prints the ready line. When ctx ends, or a part fails, it
// ends everything in order: /readyz is not ready, then new requests and agents are
// refused, then running requests end, then the work on clusters.
func (d *daemon) run(ctx context.Context, stdout io.Writer) error {
	detached := context.WithoutCancel(ctx)
	working, stopWork := context.WithCancel(detached)
	defer stopWork()
	parts := []func() error{
		func() error { return d.manager.Run(working) },
		func() error { d.metrics.fleet.Run(working); return nil },
		func() error { return d.watchStore(working) },
		func() error { d.reloader.run(working); return nil },
	}
	connected, hangUp := context.WithCancel(detached)
	defer hangUp()
	if d.hub != nil {
		parts = append(parts, func() error { return d.hub.Run(connected) })
	}
	for _, s := range d.servers {
		parts = append(parts, s.serve)
	}
	left, ended := len(parts), make(chan error, len(parts))
	for _, part := range parts {
		go func() { ended <- part() }()
	}
	d.up.Store(true)
	err := d.announce(ctx, stdout)
	if err != nil && ctx.Err() != nil {
		err = nil // what it reads is cut short
	}
	if err == nil {
		select {
		case <-ctx.Done():
			d.log.InfoContext(detached, "shutting down")
		case err = <-ended:
			left--
		}
	}

	left, err = d.drain(detached, ended, left, err)
	close(d.done)
	hangUp() // agents are told to reconnect later; the listener waits for their connections
	var shut sync.WaitGroup
	for _, s := range d.servers {
		shut.Go(func() { s.shut(detached) })
	}
	shut.Go(func() { d.shutDashboards(detached) })
	shut.Wait()
	stopWork()
	return errors.Join(err, await(ended, left))
}

// drain makes /readyz not ready and goes on serving for a moment, so that load
// balancers send requests elsewhere before they are refused. After an error it does not
// wait, because a part is missing. It returns how many parts still run, and the error.
func (d *daemon) drain(ctx context.Context, ended <-chan error, left int, wrong error) (int, error) {
	d.up.Store(false)
	d.tell(ctx, notifyStopping, "ending")
	if wrong != nil {
		return left, wrong
	}
	drained := time.NewTimer(d.config.drain)
	defer drained.Stop()
	select {
	case <-drained.C:
		return left, nil
	case wrong = <-ended:
		return left - 1, wrong
	}
}

// await waits for the parts that still run, and joins their errors.
func await(ended <-chan error, left int) (err error) {
	late := time.NewTimer(workTimeout)
	defer late.Stop()
	for range left {
		select {
		case e := <-ended:
			err = errors.Join(err, e)
		case <-late.C:
			slow := errors.New("the work on the clusters did not end in time; the next start resumes it")
			return errors.Join(err, slow)
		}
	}
	return err
}

// tell notifies systemd. An error is only logged.
func (d *daemon) tell(ctx context.Context, state, status string) {
	if err := d.notify.tell(ctx, state, status); err != nil {
		d.log.WarnContext(ctx, "systemd was not told the state of the daemon", "error", err)
	}
}

// announce prints the ready line once requests are answered.
func (d *daemon) announce(ctx context.Context, stdout io.Writer) error {
	if err := d.working(ctx); err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	if _, err := fmt.Fprintf(stdout, "ecpd ready on %s\n", d.servers[0].url()); err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	d.tell(ctx, notifyReady, "serving on "+d.servers[0].url())
	debug.FreeOSMemory() // a start takes as much again as peace does: the API's document, templates, tables
	return nil
}
