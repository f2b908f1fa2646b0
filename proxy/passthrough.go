package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/openecp/openecp/ecp"
)

// AnsweredBy is the header of every answer that says whose it is: [Broker]'s, or
// ours, with a problem of ours.
const AnsweredBy = "Ecp-Answered-By"

// What AnsweredBy says.
const (
	Broker = "broker"
	Ours   = "ecp"
)

// usualBounds are those of one call.
var usualBounds = Bounds{Body: 16 << 20, Answer: 256 << 20, Idle: 30 * time.Second, Total: 10 * time.Minute}

// How many calls run at once. What one cluster can have together is less than its
// agent takes at once (apiAtOnce in internal/agent/broker), and that less than the
// 512 connections that a broker takes on its API.
var (
	quickCalls = limits{all: 256, each: 64, own: 32}
	longCalls  = limits{all: 64, each: 24, own: 8}
)

// PassthroughConfig is what a Passthrough is made of.
type PassthroughConfig struct {
	Manager *ecp.Manager
	// Refuse answers a request that did not get through; err is an [*ecp.Error]
	// or a [*Refusal] around one. Nothing has been written then.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	// Logger gets what brokers did wrong; nil = nothing is logged.
	Logger *slog.Logger
	// Bounds of one call; zero fields = 16 MiB, 256 MiB, 30 s, 10 min.
	Bounds Bounds
}

// Passthrough sends calls to brokers' management APIs.
type Passthrough struct {
	manager *ecp.Manager
	refuse  func(http.ResponseWriter, *http.Request, error)
	log     *slog.Logger
	bounds  Bounds
	places  *places[ecp.ID]
}

// NewPassthrough checks the configuration. It starts nothing.
func NewPassthrough(c PassthroughConfig) (*Passthrough, error) {
	if c.Manager == nil || c.Refuse == nil {
		return nil, errors.New("proxy: PassthroughConfig wants a Manager and a Refuse")
	}
	return &Passthrough{
		manager: c.Manager, refuse: c.Refuse, log: loggerOr(c.Logger), bounds: c.Bounds.or(usualBounds),
		places: newPlaces[ecp.ID](quickCalls, longCalls),
	}, nil
}

func loggerOr(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// Serve passes a request on to the broker of a cluster, for the actor in the
// request's context. path is the escaped one at the broker, as the caller sent
// it, beginning with a slash; the query is the request's own.
func (p *Passthrough) Serve(w http.ResponseWriter, r *http.Request, id ecp.ID, path string) {
	w.Header().Set(AnsweredBy, Ours)
	t, refusal := parseTarget(path)
	if refusal == nil {
		refusal = wrongRequest(r, p.bounds)
	}
	if refusal != nil {
		p.refuse(w, r, refusal)
		return
	}
	actor, _ := ecp.ActorFrom(r.Context())
	place := p.places.enter(r.Context(), id, whoIs(actor)) // before the audit says that it was let through
	if place == nil {
		p.refuse(w, r, &ecp.Error{Code: ecp.CodeThrottled, Op: "pass the request on", Message: "too many calls to the broker run already, in all or of yours; send fewer at once, or try again soon", RetryAfter: time.Second})
		return
	}
	defer place.leave()
	e, err := p.endpoint(r.Context(), r.Method, id, t)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.exchange(w, r, place, t, e)
}

// endpoint gives the way for a call that its actor may make.
func (p *Passthrough) endpoint(ctx context.Context, method string, id ecp.ID, t target) (ecp.Endpoint, error) {
	if right(method, t) == ecp.RightRead {
		return p.manager.Endpoint(ctx, ecp.RightRead, id, "")
	}
	e, err := p.manager.EndpointForCall(ctx, id, ecp.BrokerCall{Method: method, Path: t.raw})
	var denied *ecp.Error
	if errors.As(err, &denied) && denied.Code == ecp.CodeDenied && (method == http.MethodGet || method == http.MethodHead) {
		told := *denied
		told.Message = "only an administrator of the project may read this of the broker: " + whyWithheld(t)
		return e, &told
	}
	return e, err
}

// wrongRequest says why a request is not passed on, whatever its path.
func wrongRequest(r *http.Request, b Bounds) *Refusal {
	switch {
	case r.Header.Get("Upgrade") != "":
		return refuse(badPath, ecp.CodeInvalid, "the protocol cannot be changed here; leave the header Upgrade out")
	case r.Header.Get("Expect") != "":
		return refuse(http.StatusExpectationFailed, ecp.CodeInvalid, "the header Expect is not minded here; leave it out")
	case r.ContentLength > b.Body:
		return refuse(http.StatusRequestEntityTooLarge, ecp.CodeInvalid, "the body is too large; "+inMiB(b.Body)+" are allowed")
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return refuse(badPath, ecp.CodeInvalid, "the query is not well-formed")
	}
	return nil
}

// exchange is one call and its answer.
func (p *Passthrough) exchange(w http.ResponseWriter, r *http.Request, place *place[ecp.ID], t target, e ecp.Endpoint) {
	base, err := url.Parse(e.BaseURL)
	if err != nil {
		p.refuse(w, r, &ecp.Error{Code: ecp.CodeInternal, Op: "pass the request on", Message: "the way to the broker is no URL", Cause: err})
		return
	}
	ctx, dog, stop := watch(r.Context(), p.bounds)
	defer stop()
	out := newAnswer(w, p.bounds.Idle)
	in := r.WithContext(ctx)
	defer out.done()
	body := bound(w, in, p.bounds, dog)
	defer body.done()
	place.watch(func() { crowdOut(dog, body, out) })
	proxy := &httputil.ReverseProxy{
		Transport:     transportOf(e),
		FlushInterval: -1, // what comes slowly is sent as it comes
		ErrorLog:      slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		Rewrite: func(q *httputil.ProxyRequest) {
			q.Out.URL = &url.URL{Scheme: base.Scheme, Host: base.Host, Path: t.plain, RawPath: t.raw, RawQuery: q.In.URL.RawQuery}
			q.Out.Host = ""
			q.Out.Header, q.Out.Trailer = onlyRequest(q.In.Header), nil
			if c := e.Credentials; c != (ecp.Credentials{}) {
				q.Out.SetBasicAuth(c.Username, c.Password)
			}
		},
		ModifyResponse: func(res *http.Response) error {
			dog.moved()
			return p.vet(res, dog)
		},
		ErrorHandler: func(_ http.ResponseWriter, q *http.Request, err error) {
			if r.Context().Err() == nil { // else the caller has gone
				p.log.InfoContext(ctx, "a broker's answer was not passed on", "cluster", place.key, "error", err)
			}
			p.refuse(w, r, refusalOf(q.Context(), err, body, p.bounds))
		},
	}
	proxy.ServeHTTP(out, in)
}

// vet lets of an answer through what may come out.
func (p *Passthrough) vet(res *http.Response, dog *watchdog) error {
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400 && res.StatusCode != http.StatusNotModified:
		return errRedirect
	case res.ContentLength > p.bounds.Answer:
		return errTooLarge
	}
	res.Header, res.Trailer = onlyAnswer(res.Header), nil
	res.Body = &bodyOut{res.Body, dog, p.bounds.Answer}
	return nil
}

// fallback carries endpoints that name no transport.
var fallback = http.DefaultTransport

func transportOf(e ecp.Endpoint) http.RoundTripper {
	if e.Transport != nil {
		return e.Transport
	}
	return fallback
}

// requestHeaders are all that a broker learns of a caller's headers.
var requestHeaders = []string{"Accept", "Accept-Encoding", "Accept-Language", "Content-Encoding", "Content-Type", "If-Modified-Since", "If-None-Match", "Range"}

// answerHeaders are all that a caller learns of a broker's. A Location, a cookie,
// or whom to log in to, are not among them.
var answerHeaders = []string{"Accept-Ranges", "Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Range", "Content-Type", "Etag", "Last-Modified", "Retry-After", "Vary"}

// AnswerHeaders lists the headers of a broker's answer that come out.
func AnswerHeaders() []string { return append([]string(nil), answerHeaders...) }

func onlyRequest(h http.Header) http.Header {
	out := only(h, requestHeaders)
	if _, asked := out["Accept-Encoding"]; !asked { // else the transport would ask, and unpack
		out.Set("Accept-Encoding", "identity")
	}
	out.Set("User-Agent", "openecp")
	return out
}

// onlyAnswer keeps the answer, whatever it is, from acting as a page of the API's
// own origin.
func onlyAnswer(h http.Header) http.Header {
	out := only(h, answerHeaders)
	out.Set(AnsweredBy, Broker)
	out.Set("Cache-Control", "no-store")
	out.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	out.Set("X-Content-Type-Options", "nosniff")
	return out
}

func only(h http.Header, names []string) http.Header {
	out := http.Header{}
	for _, name := range names {
		if v := h.Values(name); len(v) > 0 {
			out[name] = append([]string(nil), v...)
		}
	}
	return out
}
