package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/httpapi"
	"github.com/openecp/openecp/k8sprovisioner"
	"github.com/openecp/openecp/sqlstore"
)

// purgeEvery is the time between two removals of changes nobody can resume
// from any more.
const purgeEvery = time.Hour

// serve runs the daemon until ctx ends. Whatever can be wrong with the
// configuration is found before anything is touched.
func serve(ctx context.Context, c config, strangers []string, stdout, stderr io.Writer) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	log := newLogger(c, stderr)
	var kube k8sprovisioner.Config
	if !c.dev {
		if kube, err = kubernetesConfig(c, log); err != nil {
			return err
		}
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: c.dataDir, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	d, err := newDaemon(ctx, c, kube, store, stdout, log)
	if err != nil {
		return err
	}
	for _, name := range strangers {
		log.WarnContext(ctx, "a variable is not known and not used; see ecpd --help", "variable", name)
	}
	if c.certificate == nil && !c.loopbackOnly() {
		log.WarnContext(ctx, "tokens travel unencrypted: give --tls-cert and --tls-key, or end TLS in front of the daemon", "listen", c.listen)
	}
	return d.run(ctx, stdout)
}

// daemon is the parts of a running program.
type daemon struct {
	store   *sqlstore.Store
	manager *ecp.Manager
	servers []*server // the API's first
	log     *slog.Logger
	up      atomic.Bool   // the Manager runs and nobody has asked for the end
	done    chan struct{} // closed when the end begins: streams and long polls end then
}

// newDaemon puts the parts together. The last thing it does is to open the
// listeners; it starts nothing.
func newDaemon(ctx context.Context, c config, kube k8sprovisioner.Config, store *sqlstore.Store, stdout io.Writer, log *slog.Logger) (*daemon, error) {
	d := &daemon{store: store, log: log, done: make(chan struct{})}
	provisioner, err := newProvisioner(c, kube, log)
	if err != nil {
		return nil, err
	}
	d.manager, err = ecp.New(ctx, ecp.Config{
		Store:        store,
		Provisioners: map[string]ecp.Provisioner{"default": provisioner},
		Adapters:     []ecp.Adapter{emqxv4.New(emqxv4.Config{Logger: log}), emqxv5.New(emqxv5.Config{Logger: log})},
		Logger:       log,
	})
	if err != nil {
		return nil, err
	}
	api, err := httpapi.New(httpapi.Config{Manager: d.manager, Logger: log, Version: buildInfo(), Ready: d.ready, Dev: c.dev, Done: d.done})
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(d.manager)
	if err != nil {
		return nil, err
	}
	if c.metricsListen == "" {
		api = withMetrics(api, metrics, d.manager)
	}
	s, err := listen(ctx, "--listen", c.listen, c.certificate, api, log)
	if err != nil {
		return nil, err
	}
	d.servers = append(d.servers, s)
	if c.metricsListen != "" {
		s, err := listen(ctx, "--metrics-listen", c.metricsListen, nil, metricsOnly(metrics), log)
		if err != nil {
			d.close()
			return nil, err
		}
		d.servers = append(d.servers, s)
	}
	if err := bootstrap(ctx, c, store, d.manager, stdout, log); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func newProvisioner(c config, kube k8sprovisioner.Config, log *slog.Logger) (ecp.Provisioner, error) {
	if c.dev {
		return emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{Dir: filepath.Join(c.dataDir, "sim"), Logger: log})
	}
	return newKubernetes(kube)
}

func (d *daemon) close() {
	for _, s := range d.servers {
		s.close()
	}
}

// ready says why the daemon cannot do its work; nil if it can.
func (d *daemon) ready(ctx context.Context) error {
	if !d.up.Load() {
		return &ecp.Error{Code: ecp.CodeUnavailable, Message: "the daemon is starting or ending"}
	}
	_, err := d.manager.Pool(ecp.WithActor(ctx, ecp.System))
	return err
}

// run starts everything, says so, and ends everything in order when ctx ends
// or a part cannot go on: no new request, no running one, no work.
func (d *daemon) run(ctx context.Context, stdout io.Writer) error {
	detached := context.WithoutCancel(ctx)
	working, stopWork := context.WithCancel(detached)
	defer stopWork()
	parts := []func() error{
		func() error { return d.manager.Run(working) },
		func() error { d.purge(working); return nil },
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
	if err == nil {
		select {
		case <-ctx.Done():
			d.log.InfoContext(detached, "told to end")
		case err = <-ended:
			left--
		}
	}

	d.up.Store(false)
	close(d.done)
	for _, s := range d.servers {
		s.shut(detached)
	}
	stopWork()
	late := time.After(workMayTake)
	for range left {
		select {
		case e := <-ended:
			err = errors.Join(err, e)
		case <-late:
			return errors.Join(err, errors.New("the work on the clusters did not end in time; the next start takes it up"))
		}
	}
	return err
}

// announce prints the ready line, which promises that requests are answered.
func (d *daemon) announce(ctx context.Context, stdout io.Writer) error {
	if err := d.ready(ctx); err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	if _, err := fmt.Fprintf(stdout, "ecpd ready on %s\n", d.servers[0].url()); err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	return nil
}

// purge removes old changes now and then until ctx ends.
func (d *daemon) purge(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		n, err := d.store.Purge(ctx, time.Now().Add(-ecp.ChangesKept))
		if err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "old changes could not be removed; it is tried again", "error", err)
		} else if n > 0 {
			d.log.DebugContext(ctx, "old changes removed", "count", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
