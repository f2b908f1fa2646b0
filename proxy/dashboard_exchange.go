package proxy

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// exchange sends one request to the dashboard and its response to the browser.
func (d dashboardRequest) exchange(w http.ResponseWriter, r *http.Request, e ecp.Endpoint) {
	base, err := dashboardURL(e)
	if err != nil {
		d.log.ErrorContext(r.Context(), "the address of a dashboard is no URL", "cluster", d.id, "error", err)
		respond(w, http.StatusInternalServerError, internalError)
		return
	}
	ctx, guard, stop := watch(r.Context(), d.boundsOf(r))
	defer stop()
	out := newResponse(w, d.bounds.Idle)
	in := r.WithContext(ctx)
	defer out.finish()
	body := boundBody(w, in, d.bounds, guard)
	defer body.finish()
	d.slot.onOverload(func() { endOverload(guard, body, out) })
	proxy := &httputil.ReverseProxy{
		Transport:     transportOf(e),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
		Rewrite:       func(q *httputil.ProxyRequest) { d.rewrite(q, base) },
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode == http.StatusSwitchingProtocols {
				guard.timer.Stop() // a WebSocket may be idle for as long as it likes
			}
			guard.progress()
			if isFromPage(r) {
				res.Header.Del("Www-Authenticate")
			}
			return d.filterResponse(res, base, guard)
		},
		ErrorHandler: func(_ http.ResponseWriter, q *http.Request, err error) {
			refusal := refusalOf(q.Context(), err, body, d.bounds)
			if r.Context().Err() == nil { // else the browser has closed the connection
				d.log.InfoContext(ctx, "the response of a dashboard was not passed on", "cluster", d.id, "error", err)
			}
			respondRefusal(w, r, refusal)
		},
	}
	proxy.ServeHTTP(out, in)
}

// refusalStatus is the status of a refusal that has none of its own.
var refusalStatus = map[ecp.Code]int{
	ecp.CodeDenied:    http.StatusForbidden,
	ecp.CodeInvalid:   http.StatusBadRequest,
	ecp.CodeThrottled: http.StatusTooManyRequests,
}

// respondRefusal answers a request that did not reach the dashboard. A call to EMQX's
// API gets the form of EMQX's own errors, so that the dashboard's page shows the text.
func respondRefusal(w http.ResponseWriter, r *http.Request, f *Refusal) {
	status := cmp.Or(f.Status, refusalStatus[f.Err.Code], http.StatusBadGateway)
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		respond(w, status, "The dashboard cannot be shown now: "+f.Err.Message+".")
		return
	}
	body, err := json.Marshal(map[string]string{
		"code":    strings.ToUpper(string(f.Err.Code)),
		"message": "OpenECP: " + f.Err.Message,
	})
	if err != nil {
		body = nil // strings can always be encoded
	}
	respondAs(w, status, "application/json", body)
}

// boundsOf returns the bounds of a request. A WebSocket ends with its session.
func (d dashboardRequest) boundsOf(r *http.Request) Bounds {
	b := d.bounds
	if r.Header.Get("Upgrade") != "" {
		b.Total = sessionLifetime
	}
	return b
}

// isFromPage reports whether a page made a request, and not a person who opened an
// address. EMQX's page has a login form of its own. A browser's login box would cover
// it, and what is typed there would be sent with every request to the origin.
func isFromPage(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate"
}

func dashboardURL(e ecp.Endpoint) (*url.URL, error) {
	if e.DashboardURL != "" {
		return url.Parse(e.DashboardURL)
	}
	return url.Parse(e.BaseURL)
}

// rewrite makes the request to the dashboard. It is what the browser sent, but without
// the headers about its way here and without this program's own secrets. Nothing is
// added: a person logs in to EMQX with what the browser sends.
func (d dashboardRequest) rewrite(q *httputil.ProxyRequest, base *url.URL) {
	in := q.In.URL
	q.Out.URL = &url.URL{
		Scheme: base.Scheme, Host: base.Host, Path: in.Path, RawPath: in.RawPath, RawQuery: in.RawQuery,
	}
	q.Out.Host, q.Out.Trailer = "", nil
	h := q.Out.Header
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded") || name == "X-Real-Ip" || name == "Via" || name == "Referer" {
			delete(h, name)
		}
	}
	scheme, secret, _ := strings.Cut(h.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && ecp.IsBearerSecret(strings.TrimSpace(secret)) {
		h.Del("Authorization")
	}
	if h.Get("Origin") != "" {
		h.Set("Origin", base.Scheme+"://"+base.Host)
	}
	if _, asked := h["Accept-Encoding"]; !asked { // else the transport would add it, and decompress
		h.Set("Accept-Encoding", "identity")
	}
	d.cookies.toBroker(q.In, q.Out)
}

// removedHeaders are prefixes of a dashboard's headers that reach beyond its own
// origin, tell a proxy in front of this one what to do, or say what it is made with.
var removedHeaders = []string{
	"Access-Control-", "Alt-Svc", "Clear-Site-Data", "Expect-Ct", "Nel", "Public-Key-Pins", "Refresh", "Report-To",
	"Reporting-Endpoints", "Server", "Service-Worker-Allowed", "Strict-Transport-Security", "Via", "X-Accel-",
	"X-Powered-By", "X-Sendfile",
}

// filterResponse makes the response to the browser. The body stays as it is,
// compressed or not: EMQX's dashboards use relative addresses only.
func (d dashboardRequest) filterResponse(res *http.Response, base *url.URL, guard *watchdog) error {
	if res.ContentLength > d.bounds.Answer {
		return errTooLarge
	}
	h := res.Header
	for name := range h {
		for _, prefix := range removedHeaders {
			if strings.HasPrefix(name, prefix) {
				delete(h, name)
			}
		}
	}
	d.cookies.fromBroker(res)
	if to := h.Get("Location"); to != "" {
		if local, ok := localLocation(to, base); ok {
			h.Set("Location", local)
		}
	}
	h.Set("Cache-Control", privateOnly(h.Get("Cache-Control")))
	if d.ports != nil && !honorsClearSiteData(d.origin) {
		h.Set("Cache-Control", "no-store") // the port may become another cluster's, whose page would find it
	}
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Add("Content-Security-Policy", "frame-ancestors 'none'")
	h.Set(AnsweredBy, Broker)
	res.Trailer = nil
	if res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &responseBody{res.Body, guard, d.bounds.Answer}
	}
	return nil
}

// honorsClearSiteData reports whether browsers honor Clear-Site-Data for an origin:
// they do over HTTPS and on loopback only.
func honorsClearSiteData(origin *url.URL) bool {
	host := origin.Hostname()
	return origin.Scheme == "https" || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// privateOnly changes a Cache-Control so that only the browser may store the response.
func privateOnly(cache string) string {
	out := []string{"private"}
	for word := range strings.SplitSeq(cache, ",") {
		word = strings.TrimSpace(word)
		name, _, _ := strings.Cut(strings.ToLower(word), "=")
		if word != "" && name != "public" && name != "s-maxage" && name != "private" {
			out = append(out, word)
		}
	}
	return strings.Join(out, ", ")
}
