package emqxhttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/openecp/openecp/ecp"
)

// Bounds of what a far side can make us spend.
const (
	defaultTimeout = 10 * time.Second
	mostAnswer     = 16 << 20 // bytes of an answer that is used
	mostRefusal    = 64 << 10 // bytes read of one that is not
)

var (
	errTooLong  = errors.New("the answer is longer than it may be")
	errPatience = errors.New("the time for the call is over")
)

// Config says whom a client speaks to and how long it waits.
type Config struct {
	Name    string        // for messages, e.g. "EMQX 5"
	Timeout time.Duration // of one call with all its requests and repetitions; 0 or less = 10 s
	Most    int           // bytes of one answer that are used; 0 or less = 16 MiB
	Logger  *slog.Logger  // nil = silent
	// Auth makes what authenticates requests with these credentials; nil =
	// [Basic].
	Auth func(ecp.Credentials) Auth
	// Booting says that an answer with this status and type is that of a broker
	// on its way up, which has done nothing yet; nil = none is.
	Booting func(status int, mediaType string) bool
}

// Auth authenticates requests. It may be used from several goroutines.
type Auth interface {
	// Header gives what the header Authorization holds now; "" = nothing is
	// sent. It may ask the broker for it, with requests that are Open.
	Header(ctx context.Context, c *Client) (string, error)
	// Refused takes note of the answer 401 to what was sent, and says whether
	// to try again with what Header gives then.
	Refused(a Answer, sent string) bool
}

// Client sends requests to one endpoint. It may be used from several
// goroutines.
type Client struct {
	name    string
	base    string // scheme and host, fit for messages
	timeout time.Duration
	most    int
	auth    Auth
	booting func(status int, mediaType string) bool
	hide    *secrets
	logger  *slog.Logger
	http    *retryablehttp.Client
	own     *http.Transport // nil = the endpoint's is used
	nodes   []string        // that the cluster should have, as far as the caller knows
}

// Nodes are those that the cluster should have, as far as the caller knows.
func (c *Client) Nodes() []string { return slices.Clone(c.nodes) }

// Open prepares a client for e without any I/O. The error is invalid and never
// repeats what was given, since that may hold credentials.
func Open(e ecp.Endpoint, c Config) (*Client, error) {
	base, err := baseOf(e)
	if err != nil {
		return nil, err
	}
	client := &Client{name: c.Name, base: base, timeout: c.Timeout, most: c.Most, auth: Basic(e.Credentials), booting: c.Booting, hide: secretsOf(e.Credentials), logger: c.Logger, nodes: slices.Clone(e.Nodes)}
	if c.Auth != nil && e.Credentials != (ecp.Credentials{}) {
		client.auth = c.Auth(e.Credentials)
	}
	if client.timeout <= 0 {
		client.timeout = defaultTimeout
	}
	if client.most <= 0 {
		client.most = mostAnswer
	}
	if client.logger == nil {
		client.logger = slog.New(slog.DiscardHandler)
	}
	transport := http.RoundTripper(borrowed{e.Transport})
	if e.Transport == nil {
		client.own = ownTransport()
		transport = client.own
	}
	client.http = retrying(&http.Client{Transport: transport, CheckRedirect: stayOnHost})
	return client, nil
}

// farewell bounds what is said to a broker when a client is closed.
const farewell = 2 * time.Second

// Close ends what the credentials have begun at the broker, such as a login, as
// far as that takes no longer than a moment, and gives back the idle connections
// of a transport of our own; one that came with the endpoint belongs to who made
// it. It may be called again.
func (c *Client) Close() {
	if a, ok := c.auth.(interface{ End(c *Client) }); ok {
		a.End(c)
	}
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Bound gives the context within which one call of the broker must end.
func (c *Client) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.BoundBy(ctx, 1)
}

// BoundBy is Bound for a call that is known to last: it has so many times the
// patience.
func (c *Client) BoundBy(ctx context.Context, times int) (context.Context, context.CancelFunc) {
	if c.timeout > defaultTimeout {
		ctx = context.WithValue(ctx, patienceKey{}, c.timeout)
	}
	return context.WithTimeoutCause(ctx, time.Duration(times)*c.timeout, errPatience)
}

// Optional asks a question without whose answer the call succeeds all the
// same. It takes half of the time that is left at most; a failure is logged.
func (c *Client) Optional(ctx context.Context, what string, ask func(context.Context) error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Until(end)/2, errPatience)
		defer cancel()
	}
	if err := ask(ctx); err != nil {
		c.logger.DebugContext(ctx, "broker does not say", "what", what, "broker", c.base, ecp.ErrorAttr(err))
	}
}

// Ended gives the error for a call whose caller gave up while what is
// optional was asked; nil if there is still somebody to answer to.
func (c *Client) Ended(ctx context.Context) error {
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), errPatience) {
		return nil
	}
	return c.unreached(ctx, nil)
}

var errNoJSON = errors.New("it is not JSON")

// Ask makes a request and decodes its answer in two steps: payload is what the
// major does with every answer, its error says what a refusal means; decode is
// the path's own, its error makes the answer unreadable, as does a success of a
// type that is not JSON's.
func Ask[T any](ctx context.Context, c *Client, r Request, payload func(context.Context, Answer) ([]byte, error), decode func([]byte) (T, error)) (T, error) {
	var none T
	a, err := c.Do(ctx, r)
	if err != nil {
		return none, err
	}
	if a.OK() && !a.JSON() {
		return none, c.Unreadable(a, errNoJSON)
	}
	body, err := payload(ctx, a)
	if err != nil {
		return none, err
	}
	v, err := decode(body)
	if err != nil {
		return none, c.Unreadable(a, err)
	}
	return v, nil
}

// realms are what EMQX asks credentials for, 4 and 5.
var realms = map[string]bool{"minirest-server": true, "emqx-dashboard": true}

// Speaks says whether an EMQX answers at path that would answer more to who has
// credentials. It sends none.
func (c *Client) Speaks(ctx context.Context, path string) bool {
	a, err := c.Do(ctx, Request{Path: path, Open: true})
	return err == nil && (a.OK() && a.Type != "" && a.JSON() || realms[a.Realm])
}
