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

// Limits on what a server can make us spend.
const (
	defaultTimeout   = 10 * time.Second
	defaultMaxAnswer = 16 << 20 // bytes of a successful answer
	maxRefusal       = 64 << 10 // bytes read of any other answer
)

var (
	errTooLong = errors.New("the answer is longer than it may be")
	errTimeout = errors.New("the time limit of the call has passed")
)

// Config configures a client.
type Config struct {
	Name      string        // used in messages, e.g. "EMQX 5"
	Timeout   time.Duration // for one call with all its requests and retries; 0 or less means 10 s
	MaxAnswer int           // bytes of a successful answer; 0 or less means 16 MiB
	Logger    *slog.Logger  // nil discards all entries
	// Auth returns what authenticates requests with these credentials; nil means [Basic].
	Auth func(ecp.Credentials) Auth
	// Booting reports whether an answer with this status and media type comes from a broker
	// that is starting and has done nothing yet. A nil Booting means that no answer does.
	Booting func(status int, mediaType string) bool
}

// Auth authenticates requests. It must be safe for concurrent use.
type Auth interface {
	// Header returns the present Authorization header; if it is empty, none is sent. Header
	// may send requests without authentication.
	Header(ctx context.Context, c *Client) (string, error)
	// Refused is called after a request with the header sent was answered 401. It reports
	// whether to try again with what Header returns then.
	Refused(a Answer, sent string) bool
}

// Client sends requests to one endpoint. It is safe for concurrent use.
type Client struct {
	name      string
	base      string // scheme and host, without secrets
	timeout   time.Duration
	maxAnswer int
	auth      Auth
	booting   func(status int, mediaType string) bool
	hide      *secrets
	logger    *slog.Logger
	http      *retryablehttp.Client
	own       *http.Transport // nil if the endpoint has a transport
	nodes     []string        // names that the caller expects in the cluster
}

// Nodes returns the names of the nodes that the caller expects in the cluster.
func (c *Client) Nodes() []string { return slices.Clone(c.nodes) }

// Open returns a client for e without any I/O. Its error never repeats the input, which may
// contain credentials.
func Open(e ecp.Endpoint, c Config) (*Client, error) {
	base, err := baseOf(e)
	if err != nil {
		return nil, err
	}
	client := &Client{
		name: c.Name, base: base, timeout: c.Timeout, maxAnswer: c.MaxAnswer, auth: Basic(e.Credentials),
		booting: c.Booting, hide: secretsOf(e.Credentials), logger: c.Logger, nodes: slices.Clone(e.Nodes),
	}
	if c.Auth != nil && e.Credentials != (ecp.Credentials{}) {
		client.auth = c.Auth(e.Credentials)
	}
	if client.timeout <= 0 {
		client.timeout = defaultTimeout
	}
	if client.maxAnswer <= 0 {
		client.maxAnswer = defaultMaxAnswer
	}
	if client.logger == nil {
		client.logger = slog.New(slog.DiscardHandler)
	}
	transport := http.RoundTripper(sharedTransport{e.Transport})
	if e.Transport == nil {
		client.own = ownTransport()
		transport = client.own
	}
	client.http = newRetryClient(&http.Client{Transport: transport, CheckRedirect: sameHostRedirect})
	return client, nil
}

// closeTimeout limits the requests that are sent when a client is closed.
const closeTimeout = 2 * time.Second

// Close ends what the credentials began at the broker, such as a login, for as long as
// closeTimeout. It closes the idle connections of a transport of our own; a transport that
// came with the endpoint belongs to the caller. Close may be called again.
func (c *Client) Close() {
	if a, ok := c.auth.(interface{ End(c *Client) }); ok {
		a.End(c)
	}
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Bound returns the context within which one call must end.
func (c *Client) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.BoundBy(ctx, 1)
}

// BoundBy is like Bound for a call that may last longer, by a factor.
func (c *Client) BoundBy(ctx context.Context, times int) (context.Context, context.CancelFunc) {
	if c.timeout > defaultTimeout {
		ctx = context.WithValue(ctx, timeoutKey{}, c.timeout)
	}
	return context.WithTimeoutCause(ctx, time.Duration(times)*c.timeout, errTimeout)
}

// Optional makes a query without which the call still succeeds. It takes at most half of
// the remaining time. A failure is logged.
func (c *Client) Optional(ctx context.Context, what string, ask func(context.Context) error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Until(end)/2, errTimeout)
		defer cancel()
	}
	if err := ask(ctx); err != nil {
		c.logger.DebugContext(ctx, "broker does not say", "what", what, "broker", c.base, ecp.ErrorAttr(err))
	}
}

// CallerGone returns an error if the caller gave up during an optional query, else nil.
func (c *Client) CallerGone(ctx context.Context) error {
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), errTimeout) {
		return nil
	}
	return c.transportError(ctx, nil)
}

var errNoJSON = errors.New("it is not JSON")

// Query sends a request and decodes its answer in two steps. payload is the same for all
// calls of a major; its error explains a refusal. decode belongs to the call; if it fails,
// or if the content type of a success is not JSON, the answer is unreadable.
func Query[T any](ctx context.Context, c *Client, r Request, payload func(context.Context, Answer) ([]byte, error),
	decode func([]byte) (T, error)) (T, error) {
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

// realms are the realms of EMQX 4 and 5.
var realms = map[string]bool{"minirest-server": true, "emqx-dashboard": true}

// AnswersLikeEMQX reports whether an EMQX answers at path, or would with credentials. It
// sends none.
func (c *Client) AnswersLikeEMQX(ctx context.Context, path string) bool {
	a, err := c.Do(ctx, Request{Path: path, NoAuth: true})
	return err == nil && (a.OK() && a.Type != "" && a.JSON() || realms[a.Realm])
}
