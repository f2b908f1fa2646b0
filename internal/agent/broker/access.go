package broker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv4"
	"github.com/openecp/openecp/emqxv5"
)

const (
	// lockout is how long credentials that were refused are not tried again. From
	// 5.9 on EMQX locks a user for ten minutes after five refusals within five.
	lockout = 5 * time.Minute
	// loginTime bounds one login, findTime the search for what answers, and
	// farewell what is said when an Access is closed.
	loginTime = 5 * time.Second
	findTime  = 5 * time.Second
	farewell  = 2 * time.Second
	// notFound is how long a search that found nothing stands for everybody.
	notFound = time.Second
	// mostTries is how often a request is sent: with each way to log in, and with a
	// new token.
	mostTries = 5
)

// Config configures an [Access].
type Config struct {
	Settings Settings
	Logger   *slog.Logger     // nil means silent
	Now      func() time.Time // nil means time.Now
}

// Found is the broker that answers.
type Found struct {
	Major   int
	Version string   // empty means not told without credentials
	Edition string   // as [ecp.Detection.Edition]
	Base    *url.URL // of its API, as far as requests with the credentials go
}

// Access sends requests to the broker with the agent's credentials. As a RoundTripper it
// sends a request to the broker, whatever the host in its URL, and authenticates it. It is
// safe for use by several goroutines.
type Access struct {
	settings  Settings
	dashboard *url.URL
	api4      *url.URL
	base5     *url.URL // where a 5.x was found; set before found is
	transport *http.Transport
	log       *slog.Logger
	now       func() time.Time
	turn      chan struct{} // is full while somebody detects or logs in

	mu       sync.Mutex
	found    *Found       // guarded by mu; nil means not yet
	missing  error        // guarded by mu: why not
	missedAt time.Time    // guarded by mu
	ways     []credential // guarded by mu: of what was found
	way      int          // guarded by mu: the one in use
	token    string       // guarded by mu: of the way in use
	tried    int          // guarded by mu: logins and searches that have ended
	failed   error        // guarded by mu: what the last login ended with, short of a refusal
	firstNo  *refusal     // guarded by mu: of the ways tried so far, the first one's
	no       *refusal     // guarded by mu: of all ways, while it stands
	refused  time.Time    // guarded by mu: since when all ways are refused; zero means they are not
}

// New checks the settings. It sends nothing.
func New(c Config) (*Access, error) {
	if err := c.Settings.Check(); err != nil {
		return nil, err
	}
	a := &Access{settings: c.Settings, log: c.Logger, now: c.Now, turn: make(chan struct{}, 1)}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	var err error
	if a.dashboard, err = parseBase(c.Settings.dashboard()); err == nil {
		a.api4, err = parseBase(c.Settings.api4())
	}
	if err == nil {
		a.transport, err = newTransport(c.Settings)
	}
	return a, err
}

// Close logs out and closes the connections.
func (a *Access) Close(ctx context.Context) {
	a.mu.Lock()
	token, ways, way := a.token, a.ways, a.way
	a.token = ""
	a.mu.Unlock()
	if token != "" && way < len(ways) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		a.logout(ctx, ways[way], token)
		cancel()
	}
	a.transport.CloseIdleConnections()
}

// Settings returns the settings of the Access.
func (a *Access) Settings() Settings { return a.settings }

// DashboardURL returns the URL of the dashboard.
func (a *Access) DashboardURL() string { return a.dashboard.String() }

// Forget makes the next request detect the broker again.
func (a *Access) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.found = nil
}

// Refused returns the time since which the broker refuses the credentials. It is zero if no
// refusal is known.
func (a *Access) Refused() (since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

// TryAgainAt returns when refused credentials are tried again. It is zero if they may be
// tried now.
func (a *Access) TryAgainAt() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.no == nil {
		return time.Time{}
	}
	return a.no.until
}

// Using describes the credentials in use, without secrets. It is empty if none are.
func (a *Access) Using() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.found == nil || a.no != nil || a.way >= len(a.ways) {
		return ""
	}
	w := a.ways[a.way]
	if w.kind == kindUser {
		return w.kind + " " + strconv.Quote(w.name) + " at " + w.base.String()
	}
	return w.kind + " at " + w.base.String() // the name of a key is half of it
}

// adapters returns the adapters of both majors, with a time-out for each call.
func (a *Access) adapters(timeout time.Duration) []ecp.Adapter {
	return []ecp.Adapter{
		emqxv5.New(emqxv5.Config{Timeout: timeout, MaxAnswer: mostAnswer, Logger: a.log}),
		// That a broker lists a call which sets its limit is worth knowing, whatever
		// the call takes; nothing is set from here.
		emqxv4.New(emqxv4.Config{Timeout: timeout, MaxAnswer: mostAnswer, Logger: a.log,
			LimitField: "max_connections"}),
	}
}

const mostAnswer = 4 << 20 // bytes of an answer that is read into memory

// Open returns the broker, opened by the adapter of its major with the agent's credentials.
// The caller must close it.
func (a *Access) Open(ctx context.Context, timeout time.Duration) (ecp.Broker, Found, error) {
	f, err := a.Find(ctx)
	if err != nil {
		return nil, f, err
	}
	for _, adapter := range a.adapters(timeout) {
		if adapter.Major() == f.Major {
			b, err := adapter.Open(ecp.Endpoint{BaseURL: f.Base.String(), Transport: a, Authenticated: true})
			return b, f, err
		}
	}
	return nil, f, fail(ecp.CodeUnsupported, "open EMQX", "there is no adapter for its major version")
}

// Find returns the broker that answers. It is cached once it has answered. The error
// says what answers in its place, or that nothing does.
func (a *Access) Find(ctx context.Context) (Found, error) {
	f, tried, err, ok := a.have(-1)
	if ok {
		return f, err
	}
	if err := a.enter(ctx); err != nil {
		return Found{}, err
	}
	defer a.leave()
	if f, _, err, ok := a.have(tried); ok {
		return f, err
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	found, err := a.detect(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tried++
	if err != nil {
		a.missing, a.missedAt = err, a.now()
		return found, err
	}
	a.found, a.missing = &found, nil
	a.base5 = found.Base
	if ways := a.credentials(found.Major); !slices.EqualFunc(a.ways, ways, credential.sameWay) {
		a.ways, a.way, a.token, a.no = ways, 0, "", nil
	}
	return found, nil
}

// have returns what is known. seen is the number of searches and logins that had
// ended when the caller came; -1 = it has not waited.
func (a *Access) have(seen int) (f Found, tried int, err error, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.found != nil:
		return *a.found, a.tried, nil, true
	case a.missing != nil && (a.now().Sub(a.missedAt) < notFound || seen >= 0 && seen != a.tried):
		return Found{}, a.tried, a.missing, true
	}
	return Found{}, a.tried, nil, false
}

func (a *Access) enter(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: "ask EMQX at " + a.dashboard.String(),
			Message: "no answer in time to another call", Cause: ctx.Err()}
	}
}

func (a *Access) leave() { <-a.turn }

// detect finds out what answers: at the dashboard, which both majors have, and
// where nothing does at the API.
func (a *Access) detect(ctx context.Context) (Found, error) {
	var first error
	for _, base := range []*url.URL{a.dashboard, a.api4} {
		if first != nil && base.Host == a.dashboard.Host {
			break
		}
		tctx, cancel := context.WithTimeout(ctx, findTime/2)
		d, err := ecp.Detect(tctx, ecp.Endpoint{BaseURL: base.String(), Transport: a.transport},
			a.adapters(findTime/2)...)
		cancel()
		f := Found{Major: d.Major, Version: d.Version, Edition: d.Edition, Base: base}
		if d.Major != 0 {
			if errors.Is(err, ecp.ErrDenied) { // nothing was to be proved
				err = nil
			}
			return f, foundInstead(d, err)
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Found{}, first
}

// RoundTrip sends a request to the broker with the agent's credentials, which replace those
// of the request. While a refusal is cached, it returns that without sending anything.
func (a *Access) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := a.roundTrip(r)
	if t := traceOf(r.Context()); t != nil && err == nil {
		t.answered.Store(true)
	}
	return res, err
}

func (a *Access) roundTrip(r *http.Request) (*http.Response, error) {
	f, err := a.Find(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	if f.Major == 4 && r.URL.Path == statusPath { // the dashboard's port of 4.4 does not have it, and everybody may ask
		return a.send(r, a.api4, "")
	}
	for try := 1; ; try++ {
		way, header, no, err := a.header(r.Context())
		if err != nil {
			closeBody(r)
			return nil, err
		}
		if no != nil {
			closeBody(r)
			return no.response(r), nil
		}
		res, err := a.send(r, way.base, header)
		if err != nil {
			return nil, err
		}
		if res.StatusCode != http.StatusUnauthorized {
			a.accepted()
			return res, nil
		}
		if !a.refusedBy(f, way, header, res) || try == mostTries {
			return res, nil
		}
		if r, err = again(r); err != nil {
			return res, nil //nolint:nilerr // the body is gone: the refusal is the answer
		}
		_, _ = io.CopyN(io.Discard, res.Body, mostRefusal)
		res.Body.Close()
	}
}

// send sends a copy of the request.
func (a *Access) send(r *http.Request, base *url.URL, header string) (*http.Response, error) {
	out := r.Clone(r.Context())
	to(base, out)
	out.Header.Del("Authorization")
	out.Header.Del("Cookie")
	if header != "" {
		out.Header.Set("Authorization", header)
	}
	return a.transport.RoundTrip(out)
}

// again returns a copy of the request to send it again, or an error if its body cannot be
// read again.
func again(r *http.Request) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	if r.GetBody == nil {
		return nil, errors.New("the body was sent")
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = body
	return r, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}
