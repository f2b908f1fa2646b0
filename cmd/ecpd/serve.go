package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/argon2id"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/httpapi"
	"github.com/openecp/openecp/k8sprovisioner"
	"github.com/openecp/openecp/proxy"
	"github.com/openecp/openecp/sqlstore"
)

// started is how the program was started, beside its configuration.
type started struct {
	warnings       []string
	stdout, stderr io.Writer
	environ        []string
}

// serve runs the daemon until ctx ends. The configuration has been checked;
// whatever else can be wrong is found before anything is touched.
func serve(ctx context.Context, c config, with started) (err error) {
	hangups := make(chan os.Signal, 1)
	if !fromTerminal(os.Stdin) { // else it means that the terminal has gone, which main takes for the end
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
	}
	level := new(slog.LevelVar)
	log := newLogger(c, level, with.stderr)
	takeStandardLog(log)
	var kube k8sprovisioner.Config
	if !c.dev {
		if kube, err = kubernetesConfig(c, log); err != nil {
			return err
		}
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: c.dataDir, Platform: platformOf(c), Unmarked: unmarked(c), Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	d := &daemon{config: c, store: store, log: log, metrics: newMetrics(), notify: newNotifier(with.environ), done: make(chan struct{})}
	if err := d.build(ctx, kube, with.stdout); err != nil {
		return err
	}
	d.reloader = &reloader{config: c, level: level, certificate: d.certificate, authorities: d.authorities, kubeconfig: d.kubeconfig, hangups: hangups, notify: d.notify, log: log, done: d.metrics.reload}
	for _, w := range with.warnings {
		log.WarnContext(ctx, "the configuration is not what it seems", "warning", w)
	}
	agents, err := countAgents(ctx, store)
	if err != nil {
		return err
	}
	warnOfFewFiles(ctx, agents, log)
	if d.certificate == nil && !c.loopbackOnly() {
		log.WarnContext(ctx, "tokens travel unencrypted: give --tls-auto, or --tls-cert and --tls-key, or end TLS in front of the daemon", "listen", c.listen)
	}
	return d.run(ctx, with.stdout)
}

// daemon is the parts of a running program.
type daemon struct {
	config      config
	store       *sqlstore.Store
	manager     *ecp.Manager
	metrics     *metrics
	certificate *certificate // nil = plain HTTP
	authorities *authorities // that agents are told
	downloads   *downloads
	hub         *adopt.Hub                                                      // nil = no agent is told where to dial
	kubeconfig  func(ctx context.Context, force bool) (changed bool, err error) // reads it again; nil = there is none
	reloader    *reloader
	notify      notifier
	servers     []*server         // the API's first
	dashboards  *proxy.Dashboards // nil = not made yet
	listeners   *listeners        // of dashboards; nil where they have no ports of their own
	log         *slog.Logger
	up          atomic.Bool   // the Manager runs and nobody has asked for the end
	done        chan struct{} // closed when streams and long polls have to end
}

// build puts the parts together; it starts nothing, and where it fails it leaves
// no listener open.
func (d *daemon) build(ctx context.Context, kube k8sprovisioner.Config, stdout io.Writer) error {
	err := d.assemble(ctx, kube)
	if err == nil {
		err = bootstrap(ctx, d.config, d.store, d.manager, stdout, d.log)
	}
	if err != nil {
		d.close()
	}
	return err
}

// assemble makes the parts, each from those before it. The API's listener comes
// first: where agents dial may be its address. It answers once everything is there.
func (d *daemon) assemble(ctx context.Context, kube k8sprovisioner.Config) (err error) {
	if err := d.secure(ctx); err != nil {
		return err
	}
	if err := d.openListener(ctx); err != nil {
		return err
	}
	if err := d.newHub(); err != nil {
		return err
	}
	if err := d.newManager(ctx, kube); err != nil {
		return err
	}
	if err := d.metrics.register(d.manager, d.config.dataDir, d.certificate, d.log); err != nil {
		return err
	}
	return d.answer(ctx)
}

// secure makes what the listeners show, and what agents are told to trust.
func (d *daemon) secure(ctx context.Context) (err error) {
	var own *x509.Certificate
	switch {
	case d.config.tlsAuto:
		a, err := openAuthority(authorityDir(d.config.dataDir), d.config.certificateNames(), time.Now())
		if err != nil {
			return err
		}
		own = a.ca.Leaf
		if d.certificate, err = newOwnCertificate(a, d.log); err != nil {
			return err
		}
	case d.config.tlsCert != "":
		if d.certificate, err = newCertificate(d.config.tlsCert, d.config.tlsKey, d.log); err != nil {
			return err
		}
	}
	if d.certificate != nil {
		d.certificate.warn(ctx)
	}
	d.downloads = newDownloads(d.config.programsDir(), d.log)
	d.authorities, err = newAuthorities(d.config.agentsCAFile, own, d.log)
	return err
}

// newManager makes the Manager with its platforms.
func (d *daemon) newManager(ctx context.Context, kube k8sprovisioner.Config) error {
	kube.Incarnation, kube.Dead = d.store.Incarnation(), d.store.Dead()
	provisioners, err := d.newProvisioners(ctx, kube)
	if err != nil {
		return err
	}
	sealer, err := newSealer(d.config)
	if err != nil {
		return err
	}
	hasher, err := argon2id.New(argon2id.Config{})
	if err != nil {
		return err
	}
	d.manager, err = ecp.New(ctx, ecp.Config{
		Store:          timedStore{d.store, d.metrics},
		Provisioners:   provisioners,
		NewProvisioner: newTargets(d.config, kube, d.log),
		Sealer:         sealer,
		Adapters:       []ecp.Adapter{emqxv4.New(emqxv4.Config{Logger: d.log, LimitField: "max_connections"}), emqxv5.New(emqxv5.Config{Logger: d.log})},
		Logger:         d.log,
		Workers:        d.config.workers,
		Limits:         ecp.Limits{ProjectsPerOrg: d.config.projectsPerOrg, Projects: d.config.projects, Operations: d.config.operations},
		Hasher:         hasher,
		SessionLife:    d.config.sessionLife,
		AuditKept:      d.config.auditKept,
		OperationsKept: d.config.operationsKept,
		Timings:        timings(d.config),
		AgentAddress:   d.agentURL(),

		LocalServiceAddresses: d.config.localServiceAddresses,
		Link:                  d.link(),
	})
	if err != nil {
		return err
	}
	if d.hub != nil {
		d.hub.Bind(d.manager)
	}
	if err := d.checkPlatform(ctx); err != nil {
		return err
	}
	reseal(ctx, d.manager, sealer != nil, d.log)
	return nil
}

// openListener opens the API's address.
func (d *daemon) openListener(ctx context.Context) error {
	s, err := listen(ctx, d.config.at("listen"), d.config.listen, d.certificate, nil, d.log)
	if err != nil {
		return err
	}
	d.servers = append(d.servers, s)
	return nil
}

// answer makes what the listeners serve, and opens the one for metrics.
func (d *daemon) answer(ctx context.Context) error {
	proxies, err := d.config.proxies()
	if err != nil {
		return err
	}
	s := d.servers[0]
	if d.hub != nil && d.certificate != nil {
		d.hub.Server().ConfigureTLS(s.http)
		s.tls = func(l net.Listener) net.Listener { return d.hub.Server().Listener(ctx, l, s.http.TLSConfig) }
	}
	if s.http.Handler, err = d.api(ctx, s, proxies); err != nil {
		return err
	}
	if d.certificate != nil {
		s.http.Handler = withStrictTransport(s.http.Handler)
	}
	if d.config.metricsListen == "" {
		return nil
	}
	s, err = listen(ctx, d.config.at("metrics-listen"), d.config.metricsListen, nil, metricsOnly(d.metrics.page()), d.log)
	if err != nil {
		return err
	}
	d.servers = append(d.servers, s)
	return nil
}

// api makes what the API's listener serves.
func (d *daemon) api(ctx context.Context, s *server, proxies []netip.Prefix) (api http.Handler, err error) {
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	if d.dashboards, err = d.newDashboards(ctx, port); err != nil {
		return nil, err
	}
	api, err = httpapi.New(httpapi.Config{
		Manager: d.manager, Logger: d.log, Version: buildInfo(), Ready: d.ready, Notes: d.notes, Dev: d.config.dev, Done: d.done,
		Streams:        httpapi.Streams{InAll: d.config.streams, PerActor: d.config.streamsPerActor},
		TrustedProxies: proxies, Observe: d.metrics.request, Dashboards: d.dashboards, Agents: d.agentSetup(), PublicURL: d.publicURL(),
	})
	if err != nil {
		return nil, err
	}
	api = d.withAgents(d.metrics.withStreams(api), proxies)
	if d.config.metricsListen == "" {
		api = withMetrics(api, d.metrics.page(), d.manager)
	}
	if domain, err := d.config.dashboardDomain(port); domain != nil || err != nil {
		return withDashboards(api, domain, d.dashboards), err
	}
	return api, nil
}

// platformOf is what this daemon makes clusters on.
func platformOf(c config) sqlstore.Platform {
	if c.dev {
		return sqlstore.Simulated
	}
	return sqlstore.Kubernetes
}

// unmarked is what a database of an earlier build holds: simulated clusters have
// always had a folder beside it.
func unmarked(c config) sqlstore.Platform {
	if isThere(simulationDir(c)) {
		return sqlstore.Simulated
	}
	return sqlstore.Kubernetes
}

func simulationDir(c config) string { return filepath.Join(c.dataDir, "sim") }

func newProvisioner(c config, kube k8sprovisioner.Config, log *slog.Logger) (ecp.Provisioner, error) {
	if c.dev {
		return emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{Dir: simulationDir(c), Logger: log, Furnish: furnish})
	}
	return newKubernetes(kube)
}

// newProvisioners makes the program's own target, "default". Without a Kubernetes
// there is none, unless it has clusters: they would be as if lost.
func (d *daemon) newProvisioners(ctx context.Context, kube k8sprovisioner.Config) (map[string]ecp.Provisioner, error) {
	if !d.config.dev && kube.REST == nil {
		hosted, err := countHosted(ctx, d.store, "default")
		switch {
		case err != nil:
			return nil, err
		case hosted > 0:
			return nil, fmt.Errorf("the database has %d hosted clusters on the target default: %w", hosted, errNoKubernetes)
		}
		d.log.InfoContext(ctx, "no Kubernetes: clusters are adopted, and hosted ones made only on targets that are added over the API")
		return nil, nil
	}
	p, err := newProvisioner(d.config, kube, d.log)
	if err != nil {
		return nil, err
	}
	if k, ok := p.(*k8sprovisioner.Provisioner); ok && kube.Kubeconfig != "" {
		d.kubeconfig = k.ReloadKubeconfig
	}
	return map[string]ecp.Provisioner{"default": p}, nil
}

// countHosted counts the hosted clusters of a Kubernetes target.
func countHosted(ctx context.Context, store ecp.Store, target string) (n int, err error) {
	err = store.Read(ctx, func(tx ecp.Tx) error {
		n = 0
		for rec, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			if rec.Spec.Hosted != nil && rec.Spec.Hosted.Target == target {
				n++
			}
		}
		return nil
	})
	return n, err
}

// furnish gives a simulated cluster a few clients, and a rule that sends on what
// they publish: there is something to see.
func furnish(c *emqxsim.Cluster) {
	c.AddClients(emqxsim.Clients{Name: "sensor", Count: 5, Subscribe: []string{"commands/%c"}, Topic: "readings/%c", Rate: 0.5})
	c.AddClients(emqxsim.Clients{Name: "reader", Count: 1, Subscribe: []string{"readings/#"}})
	c.AddConnector("http", "archive", nil)
	c.AddAction("http", "store", "archive")
	c.AddRule("readings", `SELECT * FROM "readings/#"`, "http:store")
}

func (d *daemon) close() {
	for _, s := range d.servers {
		s.close()
	}
}

// ready says why requests should not be sent here; nil if they should: the
// daemon cannot do its work, or another one does it.
func (d *daemon) ready(ctx context.Context) error {
	if err := d.working(ctx); err != nil {
		return err
	}
	return waits(d.manager.Leases())
}

// waits says which targets other daemons hold, or lead to another platform than
// the clusters were made on; nil if none.
func waits(leases map[string]ecp.Lease) error {
	var all []string
	for _, target := range slices.Sorted(maps.Keys(leases)) {
		if l := leases[target]; (l.Holder.Incarnation != "" || l.OtherPlatform) && !l.MayWrite() {
			all = append(all, "target "+target+": "+l.Waiting())
		}
	}
	if all == nil {
		return nil
	}
	return &ecp.Error{Code: ecp.CodeConflict, Message: strings.Join(all, "; ")}
}

// notes are what /readyz adds for people: targets that a second daemon could
// write to at the same time, and agents that nobody can download.
func (d *daemon) notes() (out []string) {
	leases := d.manager.Leases()
	for _, target := range slices.Sorted(maps.Keys(leases)) {
		if l := leases[target]; l.Unfenced {
			out = append(out, "target "+target+": nothing keeps a second daemon from writing to it at the same time: "+l.Message)
		}
	}
	return append(out, d.agentNotes()...)
}

// working says why the daemon cannot do its work; nil if it can.
func (d *daemon) working(ctx context.Context) error {
	if !d.up.Load() {
		return &ecp.Error{Code: ecp.CodeUnavailable, Message: "the daemon is starting or ending"}
	}
	if _, err := d.manager.Pool(ecp.WithActor(ctx, ecp.System)); err != nil {
		return err
	}
	return d.store.Writable()
}

// timings: simulated clients have no load balancer that has to notice anything.
func timings(c config) ecp.Timings {
	if c.dev {
		return ecp.Timings{Notice: time.Second, Takeover: time.Second}
	}
	return ecp.Timings{}
}
