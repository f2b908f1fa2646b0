package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/openecp/openecp/proxy"
)

// anyPort lets every dashboard have a port that is free.
const anyPort = "127.0.0.1:0"

// dashboardDomain is the domain below which each cluster's dashboard has a name.
// Where the setting does not say how browsers get there, they get there as to the
// API, which is served on port. nil = there is no domain.
func (c *config) dashboardDomain(port string) (*proxy.Domain, error) {
	if c.dashDomain == "" {
		return nil, nil
	}
	scheme, host, given := strings.Cut(c.dashDomain, "://")
	if !given {
		scheme, host = "http", c.dashDomain
		if c.servesTLS() {
			scheme = "https"
		}
	}
	u, err := url.Parse(scheme + "://" + host)
	switch {
	case err != nil || scheme != "http" && scheme != "https" || host != u.Host || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil || strings.ContainsAny(host, "*_@"):
		return nil, fmt.Errorf("is %q; a domain is wanted, e.g. dash.example.com, or https://dash.example.com:8443 where TLS ends in front of the daemon", c.dashDomain)
	case !given && u.Port() == "":
		host = net.JoinHostPort(host, port)
	}
	return &proxy.Domain{Scheme: scheme, Host: host}, nil
}

// portRange is where dashboards have ports of their own.
type portRange struct {
	listen      string // host that is listened on
	host        string // that browsers ask for
	first, last int    // 0 = any that are free
}

// dashboardPorts reads the range; nil = there is none.
func (c *config) dashboardPorts() (*portRange, error) {
	if c.dashListen == "" {
		return nil, nil
	}
	wanted := fmt.Errorf("is %q; HOST:FIRST-LAST is wanted, e.g. 10.0.0.1:18200-18299, or HOST:0 for any free ports", c.dashListen)
	host, ports, err := net.SplitHostPort(c.dashListen)
	if err != nil {
		return nil, wanted
	}
	low, high, isRange := strings.Cut(ports, "-")
	if !isRange {
		high = low
	}
	first, err := strconv.Atoi(low)
	last, also := strconv.Atoi(high)
	if err != nil || also != nil || first < 0 || last > 65535 || first > last || first == 0 && last != 0 {
		return nil, wanted
	}
	r := &portRange{listen: host, host: c.dashHost, first: first, last: last}
	if r.host == "" {
		r.host = host
	}
	if ip := net.ParseIP(r.host); r.host == "" || ip != nil && ip.IsUnspecified() {
		return nil, fmt.Errorf("is %q, every address of this host: say with --dashboard-host under which name or address browsers get there", c.dashListen)
	}
	return r, nil
}

// checkDashboards says what is wrong with where dashboards are.
func (c *config) checkDashboards(bad complain) {
	if c.dashDomain != "" && c.dashListen != "" {
		bad("dashboard-domain", "and --dashboard-listen exclude one another: dashboards have names or ports")
	}
	if c.dev && c.dashDomain == "" && c.dashListen == "" {
		c.dashListen = anyPort
	}
	if _, err := c.dashboardDomain("0"); err != nil {
		bad("dashboard-domain", "%v", err)
	}
	r, err := c.dashboardPorts()
	switch {
	case err != nil:
		bad("dashboard-listen", "%v", err)
	case r != nil && c.dev && !isLoopback(r.listen):
		bad("dashboard-listen", "is %q; with --dev only loopback is listened on, e.g. %s", c.dashListen, anyPort)
	}
	if h := c.dashHost; h != "" && (strings.ContainsAny(h, "/ @*[]") || strings.Contains(h, ":") && net.ParseIP(h) == nil) {
		bad("dashboard-host", "is %q; a name or an address is wanted, without a port", h)
	}
}

// nowhere says what to set where dashboards are to be shown.
const nowhere = "set `dashboard.domain` (the flag --dashboard-domain) to a domain whose names lead to the daemon, or `dashboard.listen` (--dashboard-listen) to ports that they may have"

// newDashboards makes what shows dashboards, as configured: on a domain, on ports,
// or nowhere. Then people are led to addresses that dashboards have of their own.
// ctx is the daemon's: what is opened later outlives who asked for it.
func (d *daemon) newDashboards(ctx context.Context, port string) (*proxy.Dashboards, error) {
	c := proxy.DashboardsConfig{Manager: d.manager, Logger: d.log, Nowhere: nowhere}
	domain, err := d.config.dashboardDomain(port)
	if err != nil {
		return nil, err
	}
	ports, err := d.config.dashboardPorts()
	if err != nil {
		return nil, err
	}
	c.Domain = domain
	if ports != nil {
		d.doors = &doors{setting: d.config.at("dashboard-listen"), pair: d.certificate, log: d.log}
		c.Ports = &proxy.Ports{
			Scheme: "http", Host: ports.host, First: ports.first, Last: ports.last,
			Open: func(_ context.Context, port int, h http.Handler) (int, error) {
				return d.doors.open(ctx, net.JoinHostPort(ports.listen, strconv.Itoa(port)), h)
			},
		}
		if d.certificate != nil {
			c.Ports.Scheme = "https"
		}
	}
	return proxy.NewDashboards(c)
}

// withDashboards serves those of a domain by their names, and the API under every
// other: never both under one.
func withDashboards(api http.Handler, domain *proxy.Domain, dashboards http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if domain.Covers(r.Host) {
			dashboards.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// doors are listeners that are opened while the daemon runs.
type doors struct {
	setting string
	pair    *certificate
	log     *slog.Logger

	mu      sync.Mutex
	closed  bool           // guarded by mu
	servers []*server      // guarded by mu
	serving sync.WaitGroup // added to under mu
}

var errClosed = errors.New("the daemon is ending")

// open serves a handler on an address and says which port it is.
func (d *doors) open(ctx context.Context, address string, h http.Handler) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, errClosed
	}
	s, err := listen(ctx, d.setting, address, d.pair, h, d.log)
	if err != nil {
		d.log.WarnContext(ctx, "a port for a dashboard could not be opened", "error", err)
		return 0, err
	}
	d.servers = append(d.servers, s)
	d.serving.Go(func() {
		if err := s.serve(); err != nil {
			d.log.ErrorContext(ctx, "dashboards are not served any more", "error", err)
		}
	})
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// shut ends all of them.
func (d *doors) shut(ctx context.Context) {
	d.mu.Lock()
	d.closed = true
	servers := d.servers
	d.mu.Unlock()
	var shut sync.WaitGroup
	for _, s := range servers {
		shut.Go(func() { s.shut(ctx) })
	}
	shut.Wait()
	d.serving.Wait()
}

// shutDashboards ends what shows dashboards, with everybody's connections.
func (d *daemon) shutDashboards(ctx context.Context) {
	if d.dashboards == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, serverMayTake)
	defer cancel()
	var shut sync.WaitGroup
	shut.Go(func() { _ = d.dashboards.Shutdown(ctx) }) // whoever is left is cut off with the listeners
	if d.doors != nil {
		shut.Go(func() { d.doors.shut(ctx) })
	}
	shut.Wait()
}
