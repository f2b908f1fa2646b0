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

// visit is one request on the origin of one cluster.
type visit struct {
	d       *Dashboards
	id      ecp.ID
	origin  *url.URL
	cookies cookieNames
	place   *place[ecp.ID] // nil = none was taken yet
}

const newLink = "Ask OpenECP for a new link to this dashboard (POST /api/v1/clusters/" + "ID/dashboard)."

func (v visit) words(s string) string {
	return s + " " + strings.Replace(newLink, "ID", string(v.id), 1)
}

// enter takes a link and gives a session for it. The redirect comes at once, so
// that the link stays neither in the history nor in what the next page is told.
func (v visit) enter(w http.ResponseWriter, r *http.Request, secret string) {
	now := v.d.now()
	if r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != "" { // a browser that fetches in advance uses no link up
		w.Header().Set("Allow", http.MethodGet)
		say(w, http.StatusMethodNotAllowed, "A link is opened, once.")
		return
	}
	p, ok := v.d.book.redeem(secret, v.id, now)
	if !ok {
		say(w, http.StatusForbidden, v.words("The link was used already, is older than a minute, or is not one for this dashboard."))
		return
	}
	_, e, err := v.endpoint(r.Context(), "", p)
	if err != nil {
		v.turnAway(r.Context(), w, err)
		return
	}
	p.node = e.Node
	session, ok := v.d.book.begin(p, v.cookies.secret(r), now)
	if !ok {
		say(w, http.StatusServiceUnavailable, "Too many dashboards are open. Come again later.")
		return
	}
	http.SetCookie(w, v.cookies.set(session))
	if v.d.ports != nil { // whose was the port before? what a browser kept of that is not for this cluster's pages
		w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	}
	w.Header().Set("Location", "/")
	say(w, http.StatusSeeOther, "Come in.")
}

// leave ends the session; what the browser keeps of the login to EMQX is the
// dashboard's to forget.
func (v visit) leave(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || v.foreign(r) {
		w.Header().Set("Allow", http.MethodPost)
		say(w, http.StatusMethodNotAllowed, "To leave, this page is posted to from the dashboard itself.")
		return
	}
	v.d.book.end(v.cookies.secret(r))
	http.SetCookie(w, v.cookies.clear())
	say(w, http.StatusOK, "Good-bye.")
}

// show lets a request through to the dashboard.
func (v visit) show(w http.ResponseWriter, r *http.Request) {
	secret := v.cookies.secret(r)
	p, ok := v.d.book.session(secret, v.id, v.d.now())
	switch {
	case !ok:
		say(w, http.StatusForbidden, v.words("You are not let in here, or not any more."))
		return
	case v.foreign(r):
		say(w, http.StatusForbidden, "The request comes from a page of another origin.")
		return
	}
	ctx, e, err := v.endpoint(r.Context(), secret, p)
	if err != nil {
		if over(err) {
			v.d.book.end(secret)
		}
		v.turnAway(r.Context(), w, err)
		return
	}
	upgrades, places := r.Header.Get("Upgrade") != "", v.d.places
	if upgrades {
		places = v.d.sockets
	}
	if v.place = places.enter(ctx, v.id, p.who()); v.place == nil {
		w.Header().Set("Retry-After", "1")
		say(w, http.StatusServiceUnavailable, "Too many requests to this dashboard run already. Come again soon.")
		return
	}
	defer v.place.leave()
	r = r.WithContext(ctx)
	if upgrades {
		v.upgrade(w, r, secret, e)
		return
	}
	v.exchange(w, r, e)
}

// endpoint asks anew, for every request, who somebody is now, what they may, and
// which way leads to the dashboard. A session stays with the node that it has; if
// that does not serve any more, it goes on with another, where EMQX knows its
// logins, too, and stays there.
func (v visit) endpoint(ctx context.Context, secret string, p pass) (context.Context, ecp.Endpoint, error) {
	actor, err := v.d.manager.Reauthenticate(ctx, p.actor)
	if err != nil {
		return ctx, ecp.Endpoint{}, err
	}
	ctx = ecp.WithActor(ctx, actor)
	e, err := v.d.manager.DashboardEndpoint(ctx, v.id, p.node)
	if err == nil {
		err = mayBeShown(e)
	}
	if err == nil && e.Node != p.node {
		v.d.book.stay(secret, e.Node)
	}
	return ctx, e, err
}

// mayBeShown refuses a way that logs in by itself, or could: whoever comes to the
// dashboard would be the broker's administrator. The Manager gives none such; what
// a browser sends goes on over nothing else all the same.
func mayBeShown(e ecp.Endpoint) error {
	if !e.Authenticated && e.Credentials == (ecp.Credentials{}) {
		return nil
	}
	return &ecp.Error{Code: ecp.CodeUnsupported, Op: "open dashboard", Message: "the way to this cluster's broker logs in by itself, so nobody is let through to the dashboard"}
}

// over says whether a session can never be good again.
func over(err error) bool { return errors.Is(err, ecp.ErrDenied) || errors.Is(err, ecp.ErrNotFound) }

func (v visit) turnAway(ctx context.Context, w http.ResponseWriter, err error) {
	switch ecp.CodeOf(err) {
	case ecp.CodeDenied:
		say(w, http.StatusForbidden, v.words("Your login has ended, or you may not see this cluster any more."))
	case ecp.CodeNotFound:
		say(w, http.StatusNotFound, "There is no such cluster, or none that you may see.")
	case ecp.CodeUnavailable, ecp.CodeUnsupported:
		w.Header().Set("Retry-After", "5")
		say(w, http.StatusServiceUnavailable, "The dashboard cannot be reached now: "+ecp.MessageOf(err)+".")
	default:
		v.d.log.ErrorContext(ctx, "a dashboard could not be shown", "cluster", v.id, "error", err)
		say(w, http.StatusInternalServerError, "Internal error; the server's log has the cause.")
	}
}

// foreign says whether a request was made by a page of another origin. To open a
// page from elsewhere, as a link does, is nobody's harm; to load it into a frame,
// or to send something, is. What browsers say in Sec-Fetch-Site no page can change.
func (v visit) foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if site == "same-origin" {
		return false
	}
	if from := r.Header.Values("Origin"); len(from) > 0 && (len(from) > 1 || from[0] != v.origin.String()) {
		return true
	}
	if site == "" || site == "none" {
		return false
	}
	opens := (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !opens
}

// upgrade lets a WebSocket through. It lives no longer than its session, and no
// longer than somebody may have it.
func (v visit) upgrade(w http.ResponseWriter, r *http.Request, secret string, e ecp.Endpoint) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || r.Method != http.MethodGet {
		say(w, http.StatusBadRequest, "The protocol can be changed to WebSocket only.")
		return
	}
	if r.Header.Get("Origin") != v.origin.String() {
		say(w, http.StatusForbidden, "The WebSocket was not asked for by this dashboard.")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		v.stay(ctx, secret)
	}()
	defer func() { <-ended }()
	defer cancel()
	v.exchange(w, r.WithContext(ctx), e)
}

// stay returns when somebody may not stay any longer.
func (v visit) stay(ctx context.Context, secret string) {
	tick := time.NewTicker(v.d.recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.d.closing:
			return
		case <-tick.C:
		}
		p, ok := v.d.book.session(secret, v.id, v.d.now())
		if !ok {
			return
		}
		if _, _, err := v.endpoint(ctx, secret, p); over(err) {
			v.d.book.end(secret)
			return
		}
	}
}
