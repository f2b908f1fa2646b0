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

// exchange sends one request to the dashboard and its answer back.
func (v visit) exchange(w http.ResponseWriter, r *http.Request, e ecp.Endpoint) {
	base, err := dashboardURL(e)
	if err != nil {
		v.d.log.ErrorContext(r.Context(), "the way to a dashboard is no URL", "cluster", v.id, "error", err)
		say(w, http.StatusInternalServerError, "Internal error; the server's log has the cause.")
		return
	}
	ctx, dog, stop := watch(r.Context(), v.bounds(r))
	defer stop()
	out := newAnswer(w, v.d.bounds.Idle)
	in := r.WithContext(ctx)
	defer out.done()
	body := bound(w, in, v.d.bounds, dog)
	defer body.done()
	v.place.watch(func() { crowdOut(dog, body, out) })
	proxy := &httputil.ReverseProxy{
		Transport:     transportOf(e),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(v.d.log.Handler(), slog.LevelDebug),
		Rewrite:       func(q *httputil.ProxyRequest) { v.rewrite(q, base) },
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode == http.StatusSwitchingProtocols {
				dog.timer.Stop() // from here on it may be still for as long as it likes
			}
			dog.moved()
			if byPage(r) {
				res.Header.Del("Www-Authenticate")
			}
			return v.vet(res, base, dog)
		},
		ErrorHandler: func(_ http.ResponseWriter, q *http.Request, err error) {
			refusal := refusalOf(q.Context(), err, body, v.d.bounds)
			if r.Context().Err() == nil { // else the person has gone
				v.d.log.InfoContext(ctx, "a dashboard's answer was not passed on", "cluster", v.id, "error", err)
			}
			turnBack(w, r, refusal)
		},
	}
	proxy.ServeHTTP(out, in)
}

// turnedBack are statuses of what ends an exchange, where it has none of its own.
var turnedBack = map[ecp.Code]int{
	ecp.CodeDenied: http.StatusForbidden, ecp.CodeInvalid: http.StatusBadRequest, ecp.CodeThrottled: http.StatusTooManyRequests,
}

// turnBack answers a request that did not get through. What a dashboard's page asks
// of the API is answered as EMQX would, so that the page shows the words.
func turnBack(w http.ResponseWriter, r *http.Request, f *Refusal) {
	status := cmp.Or(f.Status, turnedBack[f.Err.Code], http.StatusBadGateway)
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		say(w, status, "The dashboard cannot be shown now: "+f.Err.Message+".")
		return
	}
	words, err := json.Marshal(map[string]string{"code": strings.ToUpper(string(f.Err.Code)), "message": "OpenECP: " + f.Err.Message})
	if err != nil {
		words = nil // of strings only
	}
	answerAs(w, status, "application/json", words)
}

// bounds of a request; a WebSocket ends with its session.
func (v visit) bounds(r *http.Request) Bounds {
	b := v.d.bounds
	if r.Header.Get("Upgrade") != "" {
		b.Total = sessionLife
	}
	return b
}

// byPage reports whether a dashboard's page made a request, and nobody opened it. The
// page logs in with a form of its own: a browser's box would come over it, and what
// is typed there be sent with every request of the origin.
func byPage(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate"
}

func dashboardURL(e ecp.Endpoint) (*url.URL, error) {
	if e.DashboardURL != "" {
		return url.Parse(e.DashboardURL)
	}
	return url.Parse(e.BaseURL)
}

// ours begin the tokens of this program, which are no business of a broker's.
var ours = []string{"bearer ecpt_", "bearer ecps_"}

// rewrite makes of a request what the dashboard gets: as the browser sent it, but
// for what is said of its way here, and what is ours. Who logs in to EMQX does so
// with what the browser sends; nothing is added.
func (v visit) rewrite(q *httputil.ProxyRequest, base *url.URL) {
	in := q.In.URL
	q.Out.URL = &url.URL{Scheme: base.Scheme, Host: base.Host, Path: in.Path, RawPath: in.RawPath, RawQuery: in.RawQuery}
	q.Out.Host, q.Out.Trailer = "", nil
	h := q.Out.Header
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded") || name == "X-Real-Ip" || name == "Via" || name == "Referer" {
			delete(h, name)
		}
	}
	for _, prefix := range ours {
		if strings.HasPrefix(strings.ToLower(h.Get("Authorization")), prefix) {
			h.Del("Authorization")
		}
	}
	if h.Get("Origin") != "" {
		h.Set("Origin", base.Scheme+"://"+base.Host)
	}
	if _, asked := h["Accept-Encoding"]; !asked { // else the transport would ask, and unpack
		h.Set("Accept-Encoding", "identity")
	}
	v.cookies.toBroker(q.In, q.Out)
}

// hidden are headers of a dashboard that reach beyond its own origin, tell a proxy
// in front of us what to do, or say what it is made with.
var hidden = []string{
	"Access-Control-", "Alt-Svc", "Clear-Site-Data", "Expect-Ct", "Nel", "Public-Key-Pins", "Refresh", "Report-To", "Reporting-Endpoints",
	"Server", "Service-Worker-Allowed", "Strict-Transport-Security", "Via", "X-Accel-", "X-Powered-By", "X-Sendfile",
}

// vet makes of an answer what the browser gets. The body is left alone, packed or
// not: EMQX' dashboards name everything relative to where they are.
func (v visit) vet(res *http.Response, base *url.URL, dog *watchdog) error {
	if res.ContentLength > v.d.bounds.Answer {
		return errTooLarge
	}
	h := res.Header
	for name := range h {
		for _, prefix := range hidden {
			if strings.HasPrefix(name, prefix) {
				delete(h, name)
			}
		}
	}
	v.cookies.fromBroker(res)
	if to := h.Get("Location"); to != "" {
		if here, ok := own(to, base); ok {
			h.Set("Location", here)
		}
	}
	h.Set("Cache-Control", forOne(h.Get("Cache-Control")))
	if v.d.ports != nil && !forgets(v.origin) { // the port may become another cluster's, whose page would find it
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Add("Content-Security-Policy", "frame-ancestors 'none'")
	h.Set(AnsweredBy, Broker)
	res.Trailer = nil
	if res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &bodyOut{res.Body, dog, v.d.bounds.Answer}
	}
	return nil
}

// forgets reports whether browsers can be told to forget what they keep for an
// origin: they mind Clear-Site-Data over HTTPS and on loopback only.
func forgets(origin *url.URL) bool {
	host := origin.Hostname()
	return origin.Scheme == "https" || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// forOne lets nobody keep an answer but the browser it is for.
func forOne(cache string) string {
	var out []string
	for word := range strings.SplitSeq(cache, ",") {
		word = strings.TrimSpace(word)
		name, _, _ := strings.Cut(strings.ToLower(word), "=")
		if word != "" && name != "public" && name != "s-maxage" && name != "private" {
			out = append(out, word)
		}
	}
	return strings.Join(append([]string{"private"}, out...), ", ")
}
