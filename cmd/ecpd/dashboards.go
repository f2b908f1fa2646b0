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

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/proxy"
)

// anyPort gives each dashboard any free port.
const anyPort = "127.0.0.1:0"

// dashboardDomain returns the domain below which each cluster's dashboard has a name,
// and nil if there is none. Where the setting has no scheme and port, they are those of
// the API, which is served on port.
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
	case err != nil || scheme != "http" && scheme != "https" || host != u.Host || u.Hostname() == "" ||
		net.ParseIP(u.Hostname()) != nil || strings.ContainsAny(host, "*_@"):
		return nil, fmt.Errorf("is %q; a domain is wanted, e.g. dash.example.com, or https://dash.example.com:8443 "+
			"where TLS ends in front of the daemon", c.dashDomain)
	case !given && u.Port() == "":
		host = net.JoinHostPort(host, port)
	}
	return &proxy.Domain{Scheme: scheme, Host: host}, nil
}

// portRange is the ports that dashboards get.
type portRange struct {
	listen      string // host that is listened on
	host        string // name or address that browsers use
	first, last int    // 0 means any free ports
}

// dashboardPorts returns the range, and nil if there is none.
func (c *config) dashboardPorts() (*portRange, error) {
	if c.dashListen == "" {
		return nil, nil
	}
	wanted := fmt.Errorf("is %q; HOST:FIRST-LAST is wanted, e.g. 10.0.0.1:18200-18299, or HOST:0 for any free ports",
		c.dashListen)
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
		return nil, fmt.Errorf("is %q, every address of this host: "+
			"give --dashboard-host, the name or address that browsers use", c.dashListen)
	}
	return r, nil
}

// checkDashboards reports what is wrong with the settings of dashboards.
func (c *config) checkDashboards(bad report) {
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
	h := c.dashHost
	if h != "" && (strings.ContainsAny(h, "/ @*[]") || strings.Contains(h, ":") && net.ParseIP(h) == nil) {
		bad("dashboard-host", "is %q; a name or an address is wanted, without a port", h)
	}
}

// dashboardSetup names what to set so that dashboards are shown.
const dashboardSetup = "set `dashboard.domain` (the flag --dashboard-domain) to a domain " +
	"whose names lead to the daemon, or `dashboard.listen` (--dashboard-listen) to a range of ports for them"

// newLinkHint tells a person how to get a new link to a dashboard.
func newLinkHint(id ecp.ID) string {
	return "Ask OpenECP for a new link to this dashboard (POST /api/v1/clusters/" + string(id) + "/dashboard)."
}

// newDashboards makes what shows dashboards, as configured: on a domain, on ports, or
// not at all. Dashboards with addresses of their own have links in any case. ctx is the
// daemon's, because a listener outlives the request for which it is opened.
func (d *daemon) newDashboards(ctx context.Context, port string) (*proxy.Dashboards, error) {
	c := proxy.DashboardsConfig{Manager: d.manager, Logger: d.log, SetupHint: dashboardSetup, NewLinkHint: newLinkHint}
	domain, err := d.config.dashboardDomain(port)
	if err != nil {
		return nil, err
	}
	ports, err := d.config.dashboardPorts()
	if err != nil {
		return nil, err
	}
	c.Domain = domain
	if d.shared != nil {
		c.Store = d.store
	}
	if ports != nil {
		d.listeners = &listeners{setting: d.config.at("dashboard-listen"), pair: d.certificate, log: d.log}
		c.Ports = &proxy.Ports{
			Scheme: "http", Host: ports.host, First: ports.first, Last: ports.last,
			Open: func(_ context.Context, port int, h http.Handler) (int, error) {
				return d.listeners.open(ctx, net.JoinHostPort(ports.listen, strconv.Itoa(port)), h)
			},
		}
		if d.certificate != nil {
			c.Ports.Scheme = "https"
		}
	}
	return proxy.NewDashboards(c)
}

// withDashboards serves the dashboards of a domain under their names, and the API under
// all other names. No name has both.
func withDashboards(api http.Handler, domain *proxy.Domain, dashboards http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if domain.Covers(r.Host) {
			dashboards.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// listeners are opened while the daemon runs.
type listeners struct {
	setting string
	pair    *certificate
	log     *slog.Logger

	mu      sync.Mutex
	closed  bool           // guarded by mu
	servers []*server      // guarded by mu
	serving sync.WaitGroup // added to under mu
}

var errClosed = errors.New("the daemon is shutting down")

// open serves a handler on an address and returns the port.
func (l *listeners) open(ctx context.Context, address string, h http.Handler) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, errClosed
	}
	s, err := listen(ctx, l.setting, address, l.pair, h, l.log)
	if err != nil {
		l.log.WarnContext(ctx, "a port for a dashboard could not be opened", "error", err)
		return 0, err
	}
	l.servers = append(l.servers, s)
	l.serving.Go(func() {
		if err := s.serve(); err != nil {
			l.log.ErrorContext(ctx, "a port no longer serves its dashboard", "error", err)
		}
	})
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// shut ends all of them.
func (l *listeners) shut(ctx context.Context) {
	l.mu.Lock()
	l.closed = true
	servers := l.servers
	l.mu.Unlock()
	var shut sync.WaitGroup
	for _, s := range servers {
		shut.Go(func() { s.shut(ctx) })
	}
	shut.Wait()
	l.serving.Wait()
}

// shutDashboards ends the dashboards and their connections.
func (d *daemon) shutDashboards(ctx context.Context) {
	if d.dashboards == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	var shut sync.WaitGroup
	shut.Go(func() { _ = d.dashboards.Shutdown(ctx) }) // closing the listeners ends the requests that are left
	if d.listeners != nil {
		shut.Go(func() { d.listeners.shut(ctx) })
	}
	shut.Wait()
}
