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
)

// Below this path of a dashboard's origin are our own pages; EMQX has nothing
// there.
const (
	ownPages  = "/_ecp/"
	enterPath = ownPages + "enter/" // and the secret of a link
	leavePath = ownPages + "leave"
)

// DashboardsConfig is what Dashboards are made of: a Manager, and one of Domain
// and Ports. With neither nothing is shown here, and people are led to dashboards
// that have addresses of their own only.
type DashboardsConfig struct {
	Manager *ecp.Manager
	Domain  *Domain
	Ports   *Ports
	// Nowhere says, where there is neither Domain nor Ports, what has to be set for
	// dashboards to be shown; empty = a few words in general.
	Nowhere string
	// Logger gets what brokers did wrong; nil = nothing is logged.
	Logger *slog.Logger
	// Now is the clock of links and sessions; nil = time.Now.
	Now func() time.Time
	// Bounds of one request; zero fields = 256 MiB, 4 GiB, 60 s, 15 min. A
	// WebSocket has none but its session's.
	Bounds Bounds
	// Recheck is how often it is asked again whether somebody with an open
	// WebSocket may have it; 0 = 15 s.
	Recheck time.Duration
}

// Link leads one person to one dashboard.
type Link struct {
	// URL is to be opened in a browser. It holds a secret and is good once, unless
	// ExpiresAt is zero: then it is the dashboard's own address, with nothing of
	// ours in it.
	URL       string
	ExpiresAt time.Time
	// Via is the way that the link leads.
	Via ecp.DashboardVia
}

// Dashboards shows the dashboards of clusters, each on an origin of its own. All
// methods may be called at once.
type Dashboards struct {
	manager *ecp.Manager
	domain  *Domain // nil = ports
	ports   *quay   // nil = a domain; with neither nothing is shown
	nowhere string
	log     *slog.Logger
	now     func() time.Time
	bounds  Bounds
	recheck time.Duration
	book    *book
	places  *places[ecp.ID]
	sockets *places[ecp.ID] // WebSockets

	closing chan struct{} // closed by Shutdown
	ended   chan struct{} // closed when no request runs any more after that
	mu      sync.Mutex
	closed  bool // guarded by mu
	running int  // requests; guarded by mu
}

// How many requests run at once. What one cluster can have together is less than its
// agent takes at once (dashboardAtOnce in internal/agent/broker).
var (
	quickVisits = limits{all: 512, each: 96, own: 48}
	longVisits  = limits{all: 96, each: 24, own: 8}
	openSockets = limits{all: 1024, each: 128, own: 32}
)

// usualVisit are the bounds of one request to a dashboard: people download backups
// and trace files there, and upload backups.
var usualVisit = Bounds{Body: 256 << 20, Answer: 4 << 30, Idle: time.Minute, Total: 15 * time.Minute}

// NewDashboards checks the configuration. It starts nothing.
func NewDashboards(c DashboardsConfig) (*Dashboards, error) {
	if c.Manager == nil || c.Domain != nil && c.Ports != nil {
		return nil, errors.New("proxy: DashboardsConfig wants a Manager, and one of Domain and Ports")
	}
	d := &Dashboards{
		manager: c.Manager, domain: c.Domain, nowhere: cmp.Or(c.Nowhere, "there is neither a domain nor ports for them"), log: loggerOr(c.Logger), now: c.Now, bounds: c.Bounds.or(usualVisit), recheck: c.Recheck,
		book: newBook(), places: newPlaces[ecp.ID](quickVisits, longVisits), sockets: newPlaces[ecp.ID](openSockets, limits{}), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	if c.Ports != nil {
		d.ports = newQuay(*c.Ports)
	}
	d.sockets.lasting = 0 // they all last, and have limits of their own
	if d.now == nil {
		d.now = time.Now
	}
	if d.recheck == 0 {
		d.recheck = 15 * time.Second
	}
	return d, nil
}

// Open makes a link to a cluster's dashboard for the actor in ctx, by the way via,
// or if that is empty, by the way that fits the cluster. It wants [ecp.RightRead]
// over the cluster's project, and the audit says who asked and which way they were
// led: EMQX has logins of its own, and nobody is logged in by a link.
//
// Unless the dashboard has an address of its own, the link is good for a minute,
// and once. Whoever has it is the actor to the dashboard's door, so it is shown to
// nobody else.
func (d *Dashboards) Open(ctx context.Context, id ecp.ID, via ecp.DashboardVia) (Link, error) {
	way, err := d.manager.DashboardWay(ctx, id, via)
	if errors.Is(err, ecp.ErrDenied) || errors.Is(err, ecp.ErrNotFound) {
		_, err = d.manager.OpenDashboard(ctx, id, via) // the audit has who was refused, too
	}
	if err != nil {
		return Link{}, err
	}
	if way.Via != ecp.ViaServiceAddress {
		return d.mint(ctx, id, way.Via)
	}
	if way, err = d.manager.OpenDashboard(ctx, id, way.Via); err != nil {
		return Link{}, err
	}
	return Link{URL: way.Address, Via: way.Via}, nil
}

// mint makes a link to an origin of ours. Who has too many is told before anything
// is written down.
func (d *Dashboards) mint(ctx context.Context, id ecp.ID, via ecp.DashboardVia) (Link, error) {
	const op = "open dashboard"
	if d.domain == nil && d.ports == nil {
		return Link{}, &ecp.Error{Code: ecp.CodeUnsupported, Op: op, Message: "dashboards are not shown here: " + d.nowhere}
	}
	actor, _ := ecp.ActorFrom(ctx)
	secret, expires, ok := d.book.mint(id, actor, d.now())
	if !ok {
		return Link{}, &ecp.Error{Code: ecp.CodeThrottled, Op: op, Message: "there are many links already that nobody has used; they are over in a minute", RetryAfter: linkLife}
	}
	origin, err := d.admit(ctx, id, via)
	if err != nil {
		d.book.forget(secret)
		return Link{}, err
	}
	return Link{URL: origin.JoinPath(enterPath, secret).String(), ExpiresAt: expires, Via: via}, nil
}

// admit asks whether an actor may come, writes down that it does, and gives the
// origin it comes to.
func (d *Dashboards) admit(ctx context.Context, id ecp.ID, via ecp.DashboardVia) (*url.URL, error) {
	if _, err := d.manager.OpenDashboard(ctx, id, via); err != nil {
		return nil, err
	}
	if d.domain != nil {
		return d.domain.origin(id), nil
	}
	port, err := d.ports.berth(ctx, id, d.atPort, func(other ecp.ID) bool { return !d.book.uses(other, d.now()) })
	if err != nil {
		return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: "open dashboard", Message: "every port for dashboards is in use; try again when others have left theirs, or ask for more ports", Cause: err}
	}
	return d.ports.origin(port), nil
}

// ServeHTTP serves the dashboards of a domain, each at its host name. Where they
// have ports, each port has a handler of its own, which [Ports].Open is given.
func (d *Dashboards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var id ecp.ID
	ok := false
	if d.domain != nil {
		id, ok = d.domain.cluster(r.Host)
	}
	if !ok {
		say(w, http.StatusMisdirectedRequest, "There is no dashboard at this address.")
		return
	}
	d.serve(w, r, id, d.domain.origin(id))
}

// atPort serves the dashboard whose port it is at present.
func (d *Dashboards) atPort(port int) http.Handler {
	origin := d.ports.origin(port)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := d.ports.cluster(port)
		if !ok || bareHost(r.Host) != bareHost(origin.Host) { // a name that somebody made lead here, perhaps
			say(w, http.StatusMisdirectedRequest, "There is no dashboard at this address.")
			return
		}
		d.serve(w, r, id, origin)
	})
}

// Shutdown lets nobody in any more, ends WebSockets at once, and waits until the
// other requests have come to their end, or ctx to its own.
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

// begin counts a request in; false = the end has come.
func (d *Dashboards) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.running++
	}
	return !d.closed
}

// done counts it out.
func (d *Dashboards) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running--; d.closed && d.running == 0 {
		close(d.ended)
	}
}

// serve answers on the origin of one cluster.
func (d *Dashboards) serve(w http.ResponseWriter, r *http.Request, id ecp.ID, origin *url.URL) {
	if !d.begin() {
		say(w, http.StatusServiceUnavailable, "The daemon is ending. Come again soon.")
		return
	}
	defer d.done()
	v := visit{d: d, id: id, origin: origin, cookies: cookiesOf(string(id), origin.Scheme == "https")}
	path := r.URL.EscapedPath()
	switch {
	case !strings.HasPrefix(path, "/"):
		say(w, http.StatusBadRequest, "This is no address of a page.")
	case strings.HasPrefix(path, enterPath):
		v.enter(w, r, path[len(enterPath):])
	case path == leavePath:
		v.leave(w, r)
	case strings.HasPrefix(path, ownPages):
		say(w, http.StatusNotFound, "There is no such page.")
	default:
		v.show(w, r)
	}
}

// say answers a person in a few words. Nothing of the request is in them.
func say(w http.ResponseWriter, status int, words string) {
	answerAs(w, status, "text/plain; charset=utf-8", []byte(words+"\n"))
}

func answerAs(w http.ResponseWriter, status int, kind string, words []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set(AnsweredBy, Ours)
	w.WriteHeader(status)
	_, _ = w.Write(words) // the person has gone: nothing to do about it
}
