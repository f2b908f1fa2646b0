package proxy

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/ecp/fleet"
)

// The pages of this package on a dashboard's origin are below this path. EMQX has
// nothing there.
const (
	ownPages  = "/_ecp/"
	enterPath = ownPages + "enter/" // followed by the secret of a link
	leavePath = ownPages + "leave"
)

// internalError is what a person sees of an error that is only for the log.
const internalError = "Internal error; its cause was logged."

// DashboardsConfig is the configuration of [Dashboards]: a Manager, and at most one of
// Domain and Ports. With neither, no dashboard is shown here, and people are only
// directed to dashboards that have an address of their own.
type DashboardsConfig struct {
	Manager *fleet.Manager
	Domain  *Domain
	Ports   *Ports
	// SetupHint completes the error about dashboards that are not shown, where there
	// is neither Domain nor Ports: it says what to configure. An empty SetupHint is
	// replaced by a general text.
	SetupHint string
	// NewLinkHint returns the sentence that tells a person how to get a new link to a
	// cluster's dashboard. If it is nil, the sentence is a general one.
	NewLinkHint func(ecp.ID) string
	// Store keeps links and sessions of dashboards with a Domain, so that each of several
	// programs that share it takes those of the others; its codec has to know [Kinds]. If
	// it is nil, they are in memory. Those with Ports always are: a port is one program's.
	Store ecp.Store
	// Logger receives what went wrong with brokers. If it is nil, nothing is logged.
	Logger *slog.Logger
	// Now is the clock of links and sessions; nil means time.Now.
	Now func() time.Time
	// Bounds of one request. Zero fields mean 256 MiB, 4 GiB, 60 s and 15 min. A
	// WebSocket is bounded by its session only.
	Bounds Bounds
	// Recheck is the time between two checks whether the person with an open WebSocket
	// may still have it. Zero means 15 s.
	Recheck time.Duration
}

// Link leads one person to one dashboard.
type Link struct {
	// URL is opened in a browser. It holds a secret and can be used once. If ExpiresAt
	// is zero, it is the dashboard's own address instead, with no secret in it.
	URL       string
	ExpiresAt time.Time
	// Via is the way that the link leads.
	Via access.DashboardVia
}

// Dashboards shows the dashboards of clusters, each on an origin of its own. Its
// methods may be called concurrently.
type Dashboards struct {
	manager     *fleet.Manager
	domain      *Domain   // nil where dashboards have ports
	ports       *portPool // nil where dashboards have names; if both are nil, nothing is shown
	setupHint   string
	newLinkHint func(ecp.ID) string // may be nil
	log         *slog.Logger
	now         func() time.Time
	bounds      Bounds
	recheck     time.Duration
	sessions    sessionKeeper
	inUse       func(ecp.ID, time.Time) bool // whether somebody may come to a cluster's dashboard
	requests    *limiter[ecp.ID]             // but those for WebSockets
	webSockets  *limiter[ecp.ID]

	closing chan struct{} // closed by Shutdown
	ended   chan struct{} // closed after Shutdown when no request runs any more
	mu      sync.Mutex
	closed  bool // guarded by mu
	running int  // requests; guarded by mu
}

// How many requests run at once. One cluster can have fewer than its agent accepts at
// once (dashboardAtOnce in internal/agent/broker).
var (
	quickRequests  = limits{all: 512, perCluster: 96, perActor: 48}
	longRequests   = limits{all: 96, perCluster: 24, perActor: 8}
	openWebSockets = limits{all: 1024, perCluster: 128, perActor: 32}
)

// usualDashboardBounds allow downloads of backups and trace files, and uploads of
// backups.
var usualDashboardBounds = Bounds{Body: 256 << 20, Answer: 4 << 30, Idle: time.Minute, Total: 15 * time.Minute}

// NewDashboards checks the configuration. It starts nothing.
func NewDashboards(c DashboardsConfig) (*Dashboards, error) {
	if c.Manager == nil || c.Domain != nil && c.Ports != nil {
		return nil, errors.New("proxy: DashboardsConfig wants a Manager, and at most one of Domain and Ports")
	}
	d := &Dashboards{
		manager: c.Manager, domain: c.Domain, newLinkHint: c.NewLinkHint, log: loggerOr(c.Logger), now: c.Now,
		setupHint:  cmp.Or(c.SetupHint, "there is neither a domain nor ports for them"),
		bounds:     c.Bounds.or(usualDashboardBounds),
		recheck:    cmp.Or(c.Recheck, 15*time.Second),
		requests:   newLimiter[ecp.ID](quickRequests, longRequests),
		webSockets: newLimiter[ecp.ID](openWebSockets, limits{}),
		closing:    make(chan struct{}), ended: make(chan struct{}),
	}
	memory := newSessions()
	d.sessions, d.inUse = inMemory{memory}, memory.hasAny
	if c.Store != nil && c.Domain != nil {
		d.sessions = storedSessions{c.Store}
	}
	if c.Ports != nil {
		d.ports = newPortPool(*c.Ports)
	}
	d.webSockets.longAfter = 0 // all of them last, and have limits of their own
	if d.now == nil {
		d.now = time.Now
	}
	return d, nil
}

// Open makes a link to a cluster's dashboard for the actor in ctx. An empty via means
// the way that fits the cluster. The actor needs [ecp.RightRead] over the cluster's
// project. The audit records who asked, and which way the link leads; nobody is logged
// in to EMQX by it.
//
// Unless the dashboard has an address of its own, the link can be used once and for a
// minute. Whoever opens it sees the dashboard as the actor, so it must be shown to
// nobody else.
func (d *Dashboards) Open(ctx context.Context, id ecp.ID, via access.DashboardVia) (Link, error) {
	way, err := d.manager.Access.DashboardWay(ctx, id, via)
	if errors.Is(err, ecp.ErrDenied) || errors.Is(err, ecp.ErrNotFound) {
		_, err = d.manager.Access.OpenDashboard(ctx, id, via) // which records the refusal in the audit
	}
	if err != nil {
		return Link{}, err
	}
	if way.Via != access.ViaServiceAddress {
		return d.newLink(ctx, id, way.Via)
	}
	if way, err = d.manager.Access.OpenDashboard(ctx, id, way.Via); err != nil {
		return Link{}, err
	}
	return Link{URL: way.Address, Via: way.Via}, nil
}

// newLink makes a link to an origin of this package. An actor with too many links is
// refused before anything is recorded.
func (d *Dashboards) newLink(ctx context.Context, id ecp.ID, via access.DashboardVia) (Link, error) {
	const op = "open dashboard"
	if d.domain == nil && d.ports == nil {
		return Link{}, &ecp.Error{
			Code: ecp.CodeUnsupported, Op: op, Message: "dashboards are not shown here: " + d.setupHint,
		}
	}
	actor, _ := ecp.ActorFrom(ctx)
	secret, expires, ok, err := d.sessions.addLink(ctx, id, actor, d.now())
	if err != nil {
		return Link{}, err
	}
	if !ok {
		return Link{}, &ecp.Error{Code: ecp.CodeThrottled, Op: op, RetryAfter: linkLifetime,
			Message: "there are many links already that nobody has used; they expire within a minute"}
	}
	origin, err := d.openOrigin(ctx, id, via)
	if err != nil {
		return Link{}, errors.Join(err, d.sessions.end(ctx, secret))
	}
	return Link{URL: origin.JoinPath(enterPath, secret).String(), ExpiresAt: expires, Via: via}, nil
}

// openOrigin checks the right of the actor, records that the dashboard is opened, and
// returns its origin.
func (d *Dashboards) openOrigin(ctx context.Context, id ecp.ID, via access.DashboardVia) (*url.URL, error) {
	if _, err := d.manager.Access.OpenDashboard(ctx, id, via); err != nil {
		return nil, err
	}
	if d.domain != nil {
		return d.domain.origin(id), nil
	}
	unused := func(other ecp.ID) bool { return !d.inUse(other, d.now()) }
	port, err := d.ports.assign(ctx, id, d.portHandler, unused)
	if err != nil {
		return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: "open dashboard", Cause: err,
			Message: "every port for dashboards is in use; " +
				"try again when others have closed theirs, or ask for more ports"}
	}
	return d.ports.origin(port), nil
}

// ServeHTTP serves the dashboards of a domain, each under its host name. Where
// dashboards have ports, each port has a handler of its own, with which [Ports].Open is
// called.
func (d *Dashboards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.domain != nil {
		if id, ok := d.domain.cluster(r.Host); ok {
			d.serve(w, r, id, d.domain.origin(id))
			return
		}
	}
	respondNoDashboard(w)
}

// portHandler serves the dashboard that a port belongs to at the time of a request.
func (d *Dashboards) portHandler(port int) http.Handler {
	origin := d.ports.origin(port)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := d.ports.cluster(port)
		if !ok || hostname(r.Host) != hostname(origin.Host) { // somebody else's name may have been made to lead here
			respondNoDashboard(w)
			return
		}
		d.serve(w, r, id, origin)
	})
}

func respondNoDashboard(w http.ResponseWriter) {
	respond(w, http.StatusMisdirectedRequest, "There is no dashboard at this address.")
}

// Shutdown refuses new requests, ends WebSockets at once, and waits until all other
// requests have ended, or until ctx ends.
func (d *Dashboards) Shutdown(ctx context.Context) error {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.closing)
		if d.running == 0 {
			close(d.ended)
		}
	}
	d.mu.Unlock()
	select {
	case <-d.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// beginRequest counts a request until endRequest. It returns false after Shutdown.
func (d *Dashboards) beginRequest() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.running++
	}
	return !d.closed
}

func (d *Dashboards) endRequest() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running--; d.closed && d.running == 0 {
		close(d.ended)
	}
}

// serve answers a request on the origin of one cluster.
func (d *Dashboards) serve(w http.ResponseWriter, r *http.Request, id ecp.ID, origin *url.URL) {
	if !d.beginRequest() {
		respond(w, http.StatusServiceUnavailable, "Dashboards are being shut down. Try again soon.")
		return
	}
	defer d.endRequest()
	q := dashboardRequest{
		Dashboards: d, id: id, origin: origin, cookies: cookiesOf(string(id), origin.Scheme == "https"),
	}
	path := r.URL.EscapedPath()
	switch {
	case !strings.HasPrefix(path, "/"):
		respond(w, http.StatusBadRequest, "This is no address of a page.")
	case strings.HasPrefix(path, enterPath):
		q.enter(w, r, path[len(enterPath):])
	case path == leavePath:
		q.leave(w, r)
	case strings.HasPrefix(path, ownPages):
		respond(w, http.StatusNotFound, "There is no such page.")
	default:
		q.show(w, r)
	}
}

// respond answers a person with a text, which must hold nothing of the request.
func respond(w http.ResponseWriter, status int, text string) {
	respondAs(w, status, "text/plain; charset=utf-8", []byte(text+"\n"))
}

func respondAs(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set(AnsweredBy, Ours)
	w.WriteHeader(status)
	_, _ = w.Write(body) // it fails only if the client has closed the connection
}
