package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// dashboardRequest is one request on the origin of one cluster.
type dashboardRequest struct {
	*Dashboards
	id      ecp.ID
	origin  *url.URL
	cookies cookieNames
	slot    *slot[ecp.ID] // nil until one was acquired
}

// withHint adds to a text how to get a new link.
func (d dashboardRequest) withHint(text string) string {
	if d.newLinkHint == nil {
		return text + " Ask for a new link to this dashboard."
	}
	return text + " " + d.newLinkHint(d.id)
}

// enter redeems a link and begins a session. It redirects at once, so that the secret
// of the link stays neither in the browser's history nor in the next page's Referer.
func (d dashboardRequest) enter(w http.ResponseWriter, r *http.Request, secret string) {
	now := d.now()
	if r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != "" { // a prefetch must not use up the link
		w.Header().Set("Allow", http.MethodGet)
		respond(w, http.StatusMethodNotAllowed, "A link must be opened in a browser, and only once.")
		return
	}
	t, ok, err := d.sessions.redeem(r.Context(), secret, d.id, now)
	if err != nil {
		d.respondError(r.Context(), w, err)
		return
	}
	if !ok {
		respond(w, http.StatusForbidden,
			d.withHint("The link was used already, is older than a minute, or belongs to another dashboard."))
		return
	}
	_, e, err := d.endpoint(r.Context(), "", t)
	if err != nil {
		d.respondError(r.Context(), w, err)
		return
	}
	t.node = e.Node
	session, ok, err := d.sessions.begin(r.Context(), t, d.cookies.secret(r), now)
	if err != nil {
		d.respondError(r.Context(), w, err)
		return
	}
	if !ok {
		respond(w, http.StatusServiceUnavailable, "Too many dashboards are open. Try again later.")
		return
	}
	http.SetCookie(w, d.cookies.set(session))
	if d.ports != nil { // the port may have been another cluster's, whose stored data this cluster's pages must not see
		w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	}
	w.Header().Set("Location", "/")
	respond(w, http.StatusSeeOther, "The dashboard is at /.")
}

// leave ends the session. The dashboard itself must forget the login to EMQX that it
// keeps in the browser.
func (d dashboardRequest) leave(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || d.isForeign(r) {
		w.Header().Set("Allow", http.MethodPost)
		respond(w, http.StatusMethodNotAllowed, "To end the session, send POST from the dashboard itself.")
		return
	}
	if err := d.sessions.end(r.Context(), d.cookies.secret(r)); err != nil {
		d.respondError(r.Context(), w, err)
		return
	}
	http.SetCookie(w, d.cookies.clear())
	respond(w, http.StatusOK, "The session has ended.")
}

// show forwards a request to the dashboard.
func (d dashboardRequest) show(w http.ResponseWriter, r *http.Request) {
	secret := d.cookies.secret(r)
	t, ok, err := d.sessions.find(r.Context(), secret, d.id, d.now())
	switch {
	case err != nil:
		d.respondError(r.Context(), w, err)
		return
	case !ok:
		respond(w, http.StatusForbidden, d.withHint("There is no session with this dashboard, or it has ended."))
		return
	case d.isForeign(r):
		respond(w, http.StatusForbidden, "The request comes from a page of another origin.")
		return
	}
	ctx, e, err := d.endpoint(r.Context(), secret, t)
	if err != nil {
		if isFinal(err) {
			err = errors.Join(err, d.sessions.end(r.Context(), secret))
		}
		d.respondError(r.Context(), w, err)
		return
	}
	upgrades, limit := r.Header.Get("Upgrade") != "", d.requests
	if upgrades {
		limit = d.webSockets
	}
	if d.slot = limit.acquire(ctx, d.id, t.actor.Identity()); d.slot == nil {
		w.Header().Set("Retry-After", "1")
		respond(w, http.StatusServiceUnavailable, "Too many requests to this dashboard are running. Try again soon.")
		return
	}
	defer d.slot.release()
	r = r.WithContext(ctx)
	if upgrades {
		d.upgrade(w, r, secret, e)
		return
	}
	d.exchange(w, r, e)
}

// endpoint asks again, for every request, what the actor of a ticket may do now, and
// how the dashboard is reached. A session stays with its node. If that serves no
// longer, the session moves to another node, which knows the same logins, and stays
// there.
func (d dashboardRequest) endpoint(
	ctx context.Context, secret string, t ticket,
) (context.Context, ecp.Endpoint, error) {
	actor, err := d.manager.Accounts.Reauthenticate(ctx, t.actor)
	if err != nil {
		return ctx, ecp.Endpoint{}, err
	}
	ctx = ecp.WithActor(ctx, actor)
	e, err := d.manager.Access.DashboardEndpoint(ctx, d.id, t.node)
	if err == nil {
		err = mayBeShown(e)
	}
	if err == nil && e.Node != t.node {
		err = d.sessions.setNode(ctx, secret, e.Node)
	}
	return ctx, e, err
}

// mayBeShown refuses an endpoint that logs in by itself, or could: everybody who sees
// the dashboard would be the broker's administrator. The Manager returns no such
// endpoint; this is a second check.
func mayBeShown(e ecp.Endpoint) error {
	if !e.Authenticated && e.Credentials == (ecp.Credentials{}) {
		return nil
	}
	return &ecp.Error{Code: ecp.CodeUnsupported, Op: "open dashboard",
		Message: "the way to this cluster's broker logs in by itself, so the dashboard is shown to nobody"}
}

// isFinal reports whether a session that met the error can never be valid again.
func isFinal(err error) bool { return errors.Is(err, ecp.ErrDenied) || errors.Is(err, ecp.ErrNotFound) }

func (d dashboardRequest) respondError(ctx context.Context, w http.ResponseWriter, err error) {
	switch ecp.CodeOf(err) {
	case ecp.CodeDenied:
		respond(w, http.StatusForbidden, d.withHint("Your login has ended, or you may not see this cluster any more."))
	case ecp.CodeNotFound:
		respond(w, http.StatusNotFound, "There is no such cluster, or you may not see it.")
	case ecp.CodeUnavailable, ecp.CodeUnsupported:
		w.Header().Set("Retry-After", "5")
		respond(w, http.StatusServiceUnavailable, "The dashboard cannot be reached now: "+ecp.MessageOf(err)+".")
	default:
		d.log.ErrorContext(ctx, "a dashboard could not be shown", "cluster", d.id, "error", err)
		respond(w, http.StatusInternalServerError, internalError)
	}
}

// isForeign reports whether a page of another origin made the request. Opening a page
// from elsewhere, as a link does, is harmless; loading it into a frame, or sending
// something, is not. No page can change what a browser writes into Sec-Fetch-Site.
func (d dashboardRequest) isForeign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if site == "same-origin" {
		return false
	}
	if from := r.Header.Values("Origin"); len(from) > 0 && (len(from) > 1 || from[0] != d.origin.String()) {
		return true
	}
	if site == "" || site == "none" {
		return false
	}
	opens := (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !opens
}

// upgrade forwards a WebSocket. It ends with its session, and when the actor loses the
// right to it.
func (d dashboardRequest) upgrade(w http.ResponseWriter, r *http.Request, secret string, e ecp.Endpoint) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || r.Method != http.MethodGet {
		respond(w, http.StatusBadRequest, "The only protocol that a request can change to is WebSocket.")
		return
	}
	if r.Header.Get("Origin") != d.origin.String() {
		respond(w, http.StatusForbidden, "The WebSocket was not opened by this dashboard.")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		d.waitForEnd(ctx, secret)
	}()
	defer func() { <-ended }()
	defer cancel()
	d.exchange(w, r.WithContext(ctx), e)
}

// waitForEnd returns when the session must not go on, or when ctx ends.
func (d dashboardRequest) waitForEnd(ctx context.Context, secret string) {
	tick := time.NewTicker(d.recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.closing:
			return
		case <-tick.C:
		}
		t, ok, err := d.sessions.find(ctx, secret, d.id, d.now())
		if err != nil { // the store is away for a while
			continue
		}
		if !ok {
			return
		}
		if _, _, err := d.endpoint(ctx, secret, t); isFinal(err) {
			_ = d.sessions.end(ctx, secret) // the next request tries again
			return
		}
	}
}
