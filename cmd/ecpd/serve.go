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
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/httpapi"
	"github.com/openecp/openecp/k8sprovisioner"
	"github.com/openecp/openecp/peers"
	"github.com/openecp/openecp/proxy"
	"github.com/openecp/openecp/sqlstore"
)

// started is how the program was started, besides its configuration.
type started struct {
	warnings       []string
	stdout, stderr io.Writer
	environ        []string
}

// serve runs the daemon until ctx ends. The configuration was checked; what else can be
// wrong is found before anything is written.
func serve(ctx context.Context, c config, with started) (err error) {
	hangups := make(chan os.Signal, 1)
	if !fromTerminal(os.Stdin) { // there it means that the terminal was closed; see untilSignal
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
	d := &daemon{
		config: c, log: log, metrics: newMetrics(), notify: newNotifier(with.environ), done: make(chan struct{}),
	}
	if d.store, err = d.openStore(ctx); err != nil {
		return d.endedEarly(ctx, err)
	}
	defer func() { err = errors.Join(err, d.store.Close()) }()
	if err := d.build(ctx, kube, with.stdout); err != nil {
		return d.endedEarly(ctx, err)
	}
	d.reloader = &reloader{
		config: c, level: level, certificate: d.certificate, authorities: d.authorities, kubeconfig: d.kubeconfig,
		hangups: hangups, notify: d.notify, log: log, done: d.metrics.reload,
	}
	for _, w := range with.warnings {
		log.WarnContext(ctx, "the configuration may not be what was meant", "warning", w)
	}
	agents, err := countAgents(ctx, d.store)
	if err != nil {
		d.close()
		return d.endedEarly(ctx, err)
	}
	warnOfFewFiles(ctx, agents, log)
	if d.certificate == nil && !c.loopbackOnly() {
		log.WarnContext(ctx, "tokens are sent unencrypted: give --tls-auto, or --tls-cert and --tls-key, "+
			"or end TLS in front of the daemon", "listen", c.listen)
	}
	return d.run(ctx, with.stdout)
}

// endedEarly returns the error of a start that failed; nil if it was asked to end meanwhile,
// since whatever it was about to do is cut short then.
func (d *daemon) endedEarly(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	d.log.InfoContext(ctx, "asked to end before the start was complete: ending", "reason", oneLine(err))
	return nil
}

// daemon holds the parts of the running program.
type daemon struct {
	config      config
	store       *sqlstore.Store
	manager     *fleet.Manager
	metrics     *metrics
	certificate *certificate // nil with plain HTTP
	authorities *authorities
	downloads   *downloads
	hub         *adopt.Hub    // nil if agents cannot connect
	shared      *fleet.Shared // nil if no other daemon works on the database
	peers       net.Listener  // for other daemons; nil without them, or without agents
	mesh        *peers.Mesh   // on that listener, which the hub runs; nil as that is
	// kubeconfig reads the file again; it is nil if there is none.
	kubeconfig func(ctx context.Context, force bool) (changed bool, err error)
	reloader   *reloader
	notify     notifier
	servers    []*server         // the API's first
	dashboards *proxy.Dashboards // nil until assemble has made them
	listeners  *listeners        // of dashboards; nil where they have no ports of their own
	log        *slog.Logger
	up         atomic.Bool   // the Manager runs, and the daemon is not shutting down
	done       chan struct{} // closed when streams and long polls have to end
}

// build assembles the parts. It starts nothing, and leaves no listener open if it fails.
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

// assemble makes the parts, each from those before it. The API's listener is opened
// first, because its address may be the one that agents dial. It serves at the end.
func (d *daemon) assemble(ctx context.Context, kube k8sprovisioner.Config) (err error) {
	if err := os.MkdirAll(d.config.dataDir, 0o700); err != nil { // a database elsewhere has not made it
		return err
	}
	if err := d.secure(ctx); err != nil {
		return err
	}
	if err := d.openListener(ctx); err != nil {
		return err
	}
	if err := d.openPeers(ctx); err != nil {
		return err
	}
	if err := d.newHub(); err != nil {
		return err
	}
	if err := d.newManager(ctx, kube); err != nil {
		return err
	}
	if err := d.metrics.register(d); err != nil {
		return err
	}
	return d.serveAPI(ctx)
}

// secure makes the certificate of the listeners, and the authorities for agents.
func (d *daemon) secure(ctx context.Context) (err error) {
	if d.authorities != nil { // while it stood by
		return nil
	}
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

// newManager makes the Manager with its Provisioners.
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
	d.manager, err = fleet.New(ctx, fleet.Config{
		Store:          timedStore{d.store, d.metrics},
		Provisioners:   provisioners,
		NewProvisioner: newTargets(d.config, kube, d.log),
		Sealer:         sealer,
		Adapters: []ecp.Adapter{
			emqxv4.New(emqxv4.Config{Logger: d.log, LimitField: "max_connections"}),
			emqxv5.New(emqxv5.Config{Logger: d.log}),
		},
		Shared:  d.shared,
		Logger:  d.log,
		Workers: d.config.workers,
		Limits: fleet.Limits{
			ProjectsPerOrg: d.config.projectsPerOrg, Projects: d.config.projects, Operations: d.config.operations,
		},
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
	if err := d.manager.CheckKeys(ctx); err != nil {
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

// serveAPI makes what the API's listener serves, and opens the listener for metrics.
func (d *daemon) serveAPI(ctx context.Context) error {
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
	page := metricsOnly(d.metrics.page())
	s, err = listen(ctx, d.config.at("metrics-listen"), d.config.metricsListen, nil, page, d.log)
	if err != nil {
		return err
	}
	d.servers = append(d.servers, s)
	return nil
}

// api makes the handler of the API's listener.
func (d *daemon) api(ctx context.Context, s *server, proxies []netip.Prefix) (api http.Handler, err error) {
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	if d.dashboards, err = d.newDashboards(ctx, port); err != nil {
		return nil, err
	}
	api, err = httpapi.New(httpapi.Config{
		Manager: d.manager, Logger: d.log, Version: buildInfo(), Ready: d.ready, Notes: d.notes, Unheard: d.unheard,
		Dev: d.config.dev, Done: d.done,
		Streams:        httpapi.Streams{InAll: d.config.streams, PerActor: d.config.actorStreams},
		TrustedProxies: proxies, Observe: d.metrics.request, ObserveStream: d.metrics.stream,
		Dashboards: d.dashboards, Agents: d.agentSetup(), PublicURL: d.publicURL(),
	})
	if err != nil {
		return nil, err
	}
	if api, err = withPages(api); err != nil {
		return nil, err
	}
	api = d.withAgents(api, proxies)
	if d.config.metricsListen == "" {
		api = withMetrics(api, d.metrics.page(), d.manager)
	}
	if domain, err := d.config.dashboardDomain(port); domain != nil || err != nil {
		return withDashboards(api, domain, d.dashboards), err
	}
	return api, nil
}

// platformOf returns the kind of platform that the daemon makes clusters on.
func platformOf(c config) sqlstore.Platform {
	if c.dev {
		return sqlstore.Simulated
	}
	return sqlstore.Kubernetes
}

// unmarked returns the platform of a database of an earlier build, which does not record
// it: simulated clusters have always had a folder beside the database.
func unmarked(c config) sqlstore.Platform {
	if isThere(simulationDir(c)) {
		return sqlstore.Simulated
	}
	return sqlstore.Kubernetes
}

func simulationDir(c config) string { return filepath.Join(c.dataDir, "sim") }

func newProvisioner(c config, kube k8sprovisioner.Config, log *slog.Logger) (ecp.Provisioner, error) {
	if c.dev {
		return emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{
			Dir: simulationDir(c), Logger: log, Seed: seedSimulation,
		})
	}
	return newKubernetes(kube)
}

// newProvisioners makes the Provisioner of the daemon's own target, "default". Without a
// Kubernetes there is none. It is an error if that target has clusters, because they
// would be out of reach.
func (d *daemon) newProvisioners(ctx context.Context, kube k8sprovisioner.Config) (map[string]ecp.Provisioner, error) {
	if !d.config.dev && kube.REST == nil {
		hosted, err := countHosted(ctx, d.store, "default")
		switch {
		case err != nil:
			return nil, err
		case hosted > 0:
			return nil, fmt.Errorf("the database has %d hosted clusters on the target default: %w",
				hosted, errNoKubernetes)
		}
		d.log.InfoContext(ctx, "no Kubernetes: clusters are adopted, "+
			"and hosted clusters need a target that is added over the API")
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

// countHosted returns the number of hosted clusters on a target.
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

// seedSimulation adds to a simulated cluster a few clients, and a rule that forwards what
// they publish, so that there is something to see.
func seedSimulation(c *emqxsim.Cluster) {
	c.AddClients(emqxsim.Clients{
		Name: "sensor", Count: 5, Subscribe: []string{"commands/%c"}, Topic: "readings/%c", Rate: 0.5,
	})
	c.AddClients(emqxsim.Clients{Name: "reader", Count: 1, Subscribe: []string{"readings/#"}})
	c.AddConnector("http", "archive", nil)
	c.AddAction("http", "store", "archive")
	c.AddRule("readings", `SELECT * FROM "readings/#"`, "http:store")
}

func (d *daemon) close() {
	if d.peers != nil {
		_ = d.peers.Close()
	}
	for _, s := range d.servers {
		s.close()
	}
}

// ready returns why requests should not be sent here: the daemon cannot do its work, or
// another one does it.
func (d *daemon) ready(ctx context.Context) error {
	if err := d.working(ctx); err != nil {
		return err
	}
	if err := d.manager.Claims(); err != nil {
		return err
	}
	return waitsForLeases(d.manager.Leases())
}

// waitsForLeases returns an error that names the targets that other daemons hold, or that
// lead to another platform than their clusters are on.
func waitsForLeases(leases map[string]ecp.Lease) error {
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

// notes are added to /readyz for people: targets that a second daemon could write to at
// the same time, programs of agents that cannot be downloaded, and daemons that are not
// reached.
func (d *daemon) notes() (out []string) {
	leases := d.manager.Leases()
	for _, target := range slices.Sorted(maps.Keys(leases)) {
		if l := leases[target]; l.Unfenced {
			out = append(out,
				"target "+target+": nothing keeps a second instance from writing to it at the same time: "+l.Message)
		}
	}
	return slices.Concat(out, d.agentNotes(), d.peerNotes())
}

// working returns why the daemon cannot do its work.
func (d *daemon) working(ctx context.Context) error {
	if !d.up.Load() {
		return &ecp.Error{Code: ecp.CodeUnavailable, Message: "the daemon is starting or ending"}
	}
	if _, err := d.manager.Pool(ecp.WithActor(ctx, ecp.System)); err != nil {
		return err
	}
	if err := d.store.Writable(ctx); err != nil {
		return err
	}
	return d.lost()
}

// timings are short with --dev: no load balancer has to notice that a simulated node
// leaves.
func timings(c config) ecp.Timings {
	if c.dev {
		return ecp.Timings{Notice: time.Second, Takeover: time.Second}
	}
	return ecp.Timings{}
}
