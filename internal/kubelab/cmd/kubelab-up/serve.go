package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/emqxpod"
)

// serve runs the control plane and the brokers behind its pods until ctx ends
// or something breaks.
func serve(ctx context.Context, p place, stdout, stderr io.Writer) (err error) {
	if err := kubelab.Available(); err != nil {
		return err
	}
	lock, err := holdSoon(ctx, p)
	if err != nil {
		return err
	}
	defer lock.Close()
	defer func() { err = errors.Join(err, p.sweep()) }()
	if err := announce(p, false); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	lab, err := kubelab.Start(ctx, kubelab.Config{Logger: log})
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it started
		}
		return err
	}
	defer func() { err = errors.Join(err, lab.Stop()) }()
	return brokers(ctx, p, lab, log, stdout)
}

// brokers runs the simulated EMQX behind the pods.
func brokers(ctx context.Context, p place, lab *kubelab.Lab, log *slog.Logger, stdout io.Writer) error {
	fleet, err := emqxpod.New(lab, emqxpod.Config{Logger: log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- fleet.Run(ctx) }()
	err = func() error {
		if err := publish(p, lab); err != nil {
			return err
		}
		fmt.Fprintln(stdout, "ready: export KUBECONFIG="+p.kubeconfig())
		select {
		case <-ctx.Done():
			log.Info("stopping")
			return nil
		case err := <-lab.Failed():
			return err
		}
	}()
	cancel()
	return errors.Join(err, <-ended)
}

// publish copies the kubeconfig to a path that is the same for all runs, and records
// that the control plane is ready.
func publish(p place, lab *kubelab.Lab) error {
	b, err := os.ReadFile(lab.Kubeconfig)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.kubeconfig(), b, 0o600); err != nil {
		return err
	}
	return announce(p, true)
}

func announce(p place, ready bool) error {
	r, err := self(ready)
	if err != nil {
		return err
	}
	return p.write(r)
}

// holdSoon takes the lock. It waits for up and down, which hold it for an instant.
func holdSoon(ctx context.Context, p place) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := p.hold()
		if !errors.Is(err, errHeld) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; `kubelab-up down` stops it", errHeld)
		case <-tick.C:
		}
	}
}
