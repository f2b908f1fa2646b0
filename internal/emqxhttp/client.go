package emqxhttp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
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
	errTooLong  = errors.New("the answer is longer than 16 MiB")
	errPatience = errors.New("the time for the call is over")
)

// Config says whom a client speaks to and how long it waits.
type Config struct {
	Name    string        // for messages, e.g. "EMQX 5"
	Timeout time.Duration // of one call with all its requests and repetitions; 0 or less = 10 s
	Logger  *slog.Logger  // nil = silent
}

// Client sends GET requests to one endpoint. It may be used from several
// goroutines.
type Client struct {
	name    string
	base    string // scheme and host, fit for messages
	timeout time.Duration
	login   ecp.Credentials
	hide    secrets
	logger  *slog.Logger
	http    *retryablehttp.Client
	own     *http.Transport // nil = the endpoint's is used
}

// Open prepares a client for e without any I/O. The error is invalid and never
// repeats what was given, since that may hold credentials.
func Open(e ecp.Endpoint, c Config) (*Client, error) {
	base, err := baseOf(e)
	if err != nil {
		return nil, err
	}
	client := &Client{name: c.Name, base: base, timeout: c.Timeout, login: e.Credentials, hide: secretsOf(e.Credentials), logger: c.Logger}
	if client.timeout <= 0 {
		client.timeout = defaultTimeout
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

// Close gives back the idle connections of a transport of our own; one that
// came with the endpoint belongs to who made it. It may be called again.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Bound gives the context within which one call of the broker must end.
func (c *Client) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.timeout, errPatience)
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
		c.logger.DebugContext(ctx, "broker does not say", "what", what, "broker", c.base, "error", err, "cause", errors.Unwrap(err))
	}
}

// ended gives the error for a call whose caller gave up while what is
// optional was asked; nil if there is still somebody to answer to.
func (c *Client) ended(ctx context.Context) error {
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), errPatience) {
		return nil
	}
	return c.unreached(ctx, nil)
}

// Ask gets a path and decodes its answer in two steps: payload is what the
// major does with every answer, its error says what a refusal means; decode is
// the path's own, its error makes the answer unreadable.
func Ask[T any](ctx context.Context, c *Client, path string, payload func(context.Context, Answer) ([]byte, error), decode func([]byte) (T, error)) (T, error) {
	var none T
	a, err := c.Get(ctx, path)
	if err != nil {
		return none, err
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

// Answer is what came back for one request, wholly read unless it is a
// refusal.
type Answer struct {
	Path   string
	Status int
	Type   string // media type in lower case, without parameters; "" = none
	Body   []byte
}

// OK says that the status is the one a GET succeeds with.
func (a Answer) OK() bool { return a.Status == http.StatusOK }

// Get asks for a path below the endpoint. Any answer that could be read is
// one; the error is an [ecp.Error] and says why there is none.
func (c *Client) Get(ctx context.Context, path string) (Answer, error) {
	return c.get(ctx, path, c.login)
}

// Speaks says whether something answers at path that would answer more to who
// has credentials. It sends none.
func (c *Client) Speaks(ctx context.Context, path string) bool {
	a, err := c.get(ctx, path, ecp.Credentials{})
	return err == nil && (a.OK() || a.Status == http.StatusUnauthorized)
}

func (c *Client) get(ctx context.Context, path string, login ecp.Credentials) (Answer, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return Answer{}, c.Fail(ecp.CodeInternal, "the request for "+path+" could not be made", err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "openecp")
	if login != (ecp.Credentials{}) {
		req.SetBasicAuth(login.Username, login.Password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return Answer{}, c.unreached(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := Answer{Path: path, Status: resp.StatusCode}
	a.Type, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if a.Body, err = read(resp); err != nil && (a.OK() || ctx.Err() != nil) {
		return Answer{}, c.unreached(ctx, err)
	}
	return a, nil
}

// read takes the body in, within bounds. What it leaves is dropped with the
// connection when the body is closed.
func read(resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return io.ReadAll(io.LimitReader(resp.Body, mostRefusal))
	}
	if resp.ContentLength > mostAnswer {
		return nil, errTooLong
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	if len(b) > mostAnswer {
		return nil, errTooLong
	}
	return b, err
}
