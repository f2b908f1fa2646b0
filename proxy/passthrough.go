package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/ecp/fleet"
)

// AnsweredBy is the header of every response that tells who made it: [Broker] or
// [Ours].
const AnsweredBy = "Ecp-Answered-By"

// The values of AnsweredBy.
const (
	Broker = "broker"
	Ours   = "ecp" // this program, which did not reach the broker or did not ask it
)

// usualCallBounds are the bounds of one call.
var usualCallBounds = Bounds{Body: 16 << 20, Answer: 256 << 20, Idle: 30 * time.Second, Total: 10 * time.Minute}

// How many calls run at once. One cluster can have fewer than its agent accepts at once
// (apiAtOnce in internal/agent/broker), and that is less than the 512 connections that a
// broker accepts on its API.
var (
	quickCalls = limits{all: 256, perCluster: 64, perActor: 32}
	longCalls  = limits{all: 64, perCluster: 24, perActor: 8}
)

// PassthroughConfig is the configuration of a [Passthrough].
type PassthroughConfig struct {
	Manager *fleet.Manager
	// Refuse answers a request that did not reach the broker; err is an [*ecp.Error]
	// or a [*Refusal] around one. Nothing has been written when it is called.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	// Logger receives what went wrong with brokers. If it is nil, nothing is logged.
	Logger *slog.Logger
	// Bounds of one call. Zero fields mean 16 MiB, 256 MiB, 30 s and 10 min.
	Bounds Bounds
}

// Passthrough passes calls on to the management APIs of brokers.
type Passthrough struct {
	manager *fleet.Manager
	refuse  func(http.ResponseWriter, *http.Request, error)
	log     *slog.Logger
	bounds  Bounds
	calls   *limiter[ecp.ID]
}

// NewPassthrough checks the configuration. It starts nothing.
func NewPassthrough(c PassthroughConfig) (*Passthrough, error) {
	if c.Manager == nil || c.Refuse == nil {
		return nil, errors.New("proxy: PassthroughConfig wants a Manager and a Refuse")
	}
	return &Passthrough{
		manager: c.Manager, refuse: c.Refuse, log: loggerOr(c.Logger), bounds: c.Bounds.or(usualCallBounds),
		calls: newLimiter[ecp.ID](quickCalls, longCalls),
	}, nil
}

func loggerOr(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// Serve passes a request on to the broker of a cluster, for the actor in the request's
// context. path is the path at the broker, which begins with a slash and is escaped as
// the caller sent it. The query is that of the request.
func (p *Passthrough) Serve(w http.ResponseWriter, r *http.Request, id ecp.ID, path string) {
	w.Header().Set(AnsweredBy, Ours)
	t, refusal := parseTarget(path)
	if refusal == nil {
		refusal = checkRequest(r, p.bounds)
	}
	if refusal != nil {
		p.refuse(w, r, refusal)
		return
	}
	actor, _ := ecp.ActorFrom(r.Context())
	slot := p.calls.acquire(r.Context(), id, actor.Identity()) // before the audit records the call
	if slot == nil {
		p.refuse(w, r, &ecp.Error{Code: ecp.CodeThrottled, Op: passOn, RetryAfter: time.Second,
			Message: "too many calls to the broker are running already, in all or of yours; " +
				"send fewer at once, or try again soon"})
		return
	}
	defer slot.release()
	e, err := p.endpoint(r.Context(), r.Method, id, t)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.exchange(w, r, slot, t, e)
}

// endpoint returns the way to the broker for a call that its actor may make.
func (p *Passthrough) endpoint(ctx context.Context, method string, id ecp.ID, t target) (ecp.Endpoint, error) {
	if rightFor(method, t) == ecp.RightRead {
		return p.manager.Access.Endpoint(ctx, ecp.RightRead, id, "")
	}
	e, err := p.manager.Access.EndpointForCall(ctx, id, access.BrokerCall{Method: method, Path: t.raw})
	var denied *ecp.Error
	if errors.As(err, &denied) && denied.Code == ecp.CodeDenied && isRead(method) {
		told := *denied
		told.Message = "only an administrator of the project may read this of the broker: " + whyWithheld(t)
		return e, &told
	}
	return e, err
}

// checkRequest returns why a request is not passed on, whatever its path.
func checkRequest(r *http.Request, b Bounds) *Refusal {
	switch {
	case r.Header.Get("Upgrade") != "":
		return refuse(http.StatusBadRequest, ecp.CodeInvalid,
			"the protocol cannot be changed here; leave out the header Upgrade")
	case r.Header.Get("Expect") != "":
		return refuse(http.StatusExpectationFailed, ecp.CodeInvalid,
			"the header Expect is not supported here; leave it out")
	case r.ContentLength > b.Body:
		return refuse(http.StatusRequestEntityTooLarge, ecp.CodeInvalid,
			"the body is too large; "+inMiB(b.Body)+" are allowed")
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return refuse(http.StatusBadRequest, ecp.CodeInvalid, "the query is not well-formed")
	}
	return nil
}

// exchange makes one call.
func (p *Passthrough) exchange(w http.ResponseWriter, r *http.Request, slot *slot[ecp.ID], t target, e ecp.Endpoint) {
	base, err := url.Parse(e.BaseURL)
	if err != nil {
		p.refuse(w, r, &ecp.Error{
			Code: ecp.CodeInternal, Op: passOn, Message: "the address of the broker is no URL", Cause: err,
		})
		return
	}
	ctx, guard, stop := watch(r.Context(), p.bounds)
	defer stop()
	out := newResponse(w, p.bounds.Idle)
	in := r.WithContext(ctx)
	defer out.finish()
	body := boundBody(w, in, p.bounds, guard)
	defer body.finish()
	slot.onOverload(func() { endOverload(guard, body, out) })
	proxy := &httputil.ReverseProxy{
		Transport:     transportOf(e),
		FlushInterval: -1, // what arrives slowly is sent at once
		ErrorLog:      slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		Rewrite: func(q *httputil.ProxyRequest) {
			q.Out.URL = &url.URL{
				Scheme: base.Scheme, Host: base.Host, Path: t.plain, RawPath: t.raw, RawQuery: q.In.URL.RawQuery,
			}
			q.Out.Host = ""
			q.Out.Header, q.Out.Trailer = brokerHeader(q.In.Header), nil
			if c := e.Credentials; c != (ecp.Credentials{}) {
				q.Out.SetBasicAuth(c.Username, c.Password)
			}
		},
		ModifyResponse: func(res *http.Response) error {
			guard.progress()
			return p.filterResponse(res, guard)
		},
		ErrorHandler: func(_ http.ResponseWriter, q *http.Request, err error) {
			if r.Context().Err() == nil { // else the caller has closed the connection
				p.log.InfoContext(ctx, "the response of a broker was not passed on", "cluster", slot.key, "error", err)
			}
			p.refuse(w, r, refusalOf(q.Context(), err, body, p.bounds))
		},
	}
	proxy.ServeHTTP(out, in)
}

// filterResponse reduces a response to what the caller may see.
func (p *Passthrough) filterResponse(res *http.Response, guard *watchdog) error {
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400 && res.StatusCode != http.StatusNotModified:
		return errRedirect
	case res.ContentLength > p.bounds.Answer:
		return errTooLarge
	}
	res.Header, res.Trailer = callerHeader(res.Header), nil
	res.Body = &responseBody{res.Body, guard, p.bounds.Answer}
	return nil
}

// defaultTransport is for endpoints that have no transport of their own.
var defaultTransport = http.DefaultTransport

func transportOf(e ecp.Endpoint) http.RoundTripper {
	if e.Transport != nil {
		return e.Transport
	}
	return defaultTransport
}

// requestHeaders are the headers of a caller that a broker receives.
var requestHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Content-Encoding", "Content-Type", "If-Modified-Since",
	"If-None-Match", "Range",
}

// answerHeaders are the headers of a broker that a caller receives. A Location, a
// cookie or a WWW-Authenticate is not among them.
var answerHeaders = []string{
	"Accept-Ranges", "Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
	"Content-Range", "Content-Type", "Etag", "Last-Modified", "Retry-After", "Vary",
}

// AnswerHeaders lists the headers of a broker's response that a caller receives.
func AnswerHeaders() []string { return slices.Clone(answerHeaders) }

func brokerHeader(h http.Header) http.Header {
	out := only(h, requestHeaders)
	if _, asked := out["Accept-Encoding"]; !asked { // else the transport would add it, and decompress
		out.Set("Accept-Encoding", "identity")
	}
	out.Set("User-Agent", "openecp")
	return out
}

// callerHeader keeps a response, whatever it is, from acting as a page of the origin
// that it is served from.
func callerHeader(h http.Header) http.Header {
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
			out[name] = slices.Clone(v)
		}
	}
	return out
}
