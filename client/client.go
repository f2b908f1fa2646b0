package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Limits on what a server can make a client spend.
const (
	maxAnswer  = 64 << 20 // bytes of a successful answer
	maxRefusal = 64 << 10 // bytes of any other
)

// Waits between attempts, where the server does not say how long.
const (
	shortestWait = 200 * time.Millisecond
	longestWait  = 5 * time.Second
)

// defaultRetries is how often a call is repeated.
const defaultRetries = 3

// Config configures a client.
type Config struct {
	// Server is where the API is, such as https://ecp.example.com. A path behind it stands
	// before that of the API.
	Server string
	// Token returns the bearer token of a request, or an error that is returned to the caller.
	// It is called for every request, so that a token can be replaced. nil sends none.
	Token func(context.Context) (string, error)
	// HTTP sends the requests. nil means a client of its own, with the system's certificate
	// authorities. It must not have a timeout: streams are open for long.
	HTTP *http.Client
	// Retries is how often a call is repeated that may be. 0 means 3, less than 0 never.
	Retries int
	// UserAgent names the program to the server; empty means openecp-client.
	UserAgent string
}

// Token returns a function for [Config] whose token is always the same.
func Token(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// Client calls one server. It may be used from several goroutines.
type Client struct {
	base      *url.URL
	token     func(context.Context) (string, error)
	userAgent string
	plain     *http.Client          // sends streams, which are never repeated
	repeating *retryablehttp.Client // sends everything else
}

// New returns a client without any I/O.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.Server)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the server's address is not like https://HOST:PORT")
	}
	client := &Client{base: base, token: c.Token, userAgent: c.UserAgent, plain: c.HTTP}
	if client.userAgent == "" {
		client.userAgent = "openecp-client"
	}
	if client.plain == nil {
		client.plain = &http.Client{}
	}
	own := *client.plain
	own.CheckRedirect = noRedirect
	client.plain = &own

	r := retryablehttp.NewClient()
	r.HTTPClient, r.Logger = client.plain, nil
	r.RetryWaitMin, r.RetryWaitMax, r.RetryMax = shortestWait, longestWait, defaultRetries
	if c.Retries != 0 {
		r.RetryMax = max(c.Retries, 0)
	}
	r.CheckRetry, r.Backoff, r.ErrorHandler = mayRepeat, backoff, retryablehttp.PassthroughErrorHandler
	client.repeating = r
	return client, nil
}

// Server returns the address that the client calls, as it was given.
func (c *Client) Server() string { return c.base.String() }

// CloseIdle closes connections that no call uses.
func (c *Client) CloseIdle() { c.plain.CloseIdleConnections() }

// noRedirect keeps the token from going elsewhere. The API redirects nobody.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Request is one call of the API.
type Request struct {
	Method string // empty means GET
	Path   string // from the API's root, escaped, such as /api/v1/clusters; see [Path]
	Query  url.Values
	Body   any   // sent as JSON; nil sends none
	If     int64 // revision that the change was decided on; 0 means any
	IfPlan string
	// Key makes a change happen once however often it is sent; empty means a new one. It must
	// not be set for what only reads.
	Key string
	// Keyless is of a route that takes no idempotency key: the call is not repeated then,
	// unless it reads.
	Keyless bool
	Accept  string // media type that is wanted; empty means application/json
}

// Answer is what a server said to a request that succeeded.
type Answer struct {
	Status    int
	Body      []byte
	Location  string    // path of what was made
	Operation string    // id of the operation that was begun; empty if none was
	Revision  int64     // of what the answer shows; 0 if it does not say
	Date      time.Time // when it was sent, by the server's clock; zero if it does not say
}

// Path joins the segments of a path, and escapes each.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		if s == "." || s == ".." { // a path would drop them
			s = strings.ReplaceAll(s, ".", "%2E")
			b.WriteString("/" + s)
			continue
		}
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// Do sends a request and decodes the answer's JSON into out, unless out is nil or the
// answer is empty. An error is a [Problem], an [UnreachableError], or the context's.
func (c *Client) Do(ctx context.Context, r Request, out any) (Answer, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // what is left of it is of no use
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Answer{}, c.unreachable(ctx, err)
	case len(b) > maxAnswer:
		return Answer{}, fmt.Errorf("the answer to %s %s is longer than %d MiB", r.method(), r.Path, maxAnswer>>20)
	}
	a := Answer{
		Status: resp.StatusCode, Body: b, Location: resp.Header.Get("Location"),
		Operation: lastSegment(resp.Header.Get("Operation-Location")), Revision: revisionOf(resp.Header.Get("ETag")),
	}
	if sent, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.Date = sent
	}
	if out == nil || len(bytes.TrimSpace(b)) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return a, fmt.Errorf("the answer to %s %s is not the JSON that was expected; is %s an ecpd of a fitting "+
			"version?: %w", r.method(), r.Path, c.base.Host, err)
	}
	return a, nil
}

// Open sends a request once and returns the body of a success, which the caller closes. It
// is for what is too long to be held, such as exports.
func (c *Client) Open(ctx context.Context, r Request) (io.ReadCloser, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// send sends a request, again where that helps, and returns a success.
func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Accept == eventStream {
		return c.checked(ctx, r)(c.plain.Do(req.Request))
	}
	return c.checked(ctx, r)(c.repeating.Do(req))
}

// checked turns what a request came to into a success or an error.
func (c *Client) checked(ctx context.Context, r Request) func(*http.Response, error) (*http.Response, error) {
	return func(resp *http.Response, err error) (*http.Response, error) {
		if err != nil {
			if resp != nil {
				_ = resp.Body.Close() // the error says enough
			}
			return nil, c.unreachable(ctx, err)
		}
		if resp.StatusCode/100 == 2 {
			return resp, nil
		}
		defer func() { _ = resp.Body.Close() }() // read as far as it is wanted
		return nil, problemOf(resp, r)
	}
}

func (c *Client) request(ctx context.Context, r Request) (*retryablehttp.Request, error) {
	var body any // an interface that holds a nil slice would be an empty body
	if r.Body != nil {
		b, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("encode the body of %s %s: %w", r.method(), r.Path, err)
		}
		body = b
	}
	target := strings.TrimSuffix(c.base.String(), "/") + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, r.method(), target, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be asked for: %w", r.method(), r.Path, err)
	}
	accept := r.Accept
	if accept == "" {
		accept = "application/json"
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.If > 0 {
		req.Header.Set("If-Match", strconv.Quote(strconv.FormatInt(r.If, 10)))
	}
	if r.IfPlan != "" {
		req.Header.Set("If-Plan", r.IfPlan)
	}
	if key := r.key(); key != "" {
		req.Header.Set(headerKey, key)
	}
	if c.token == nil {
		return req, nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

const headerKey = "Idempotency-Key"

func (r Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// key returns the idempotency key of a request; empty if it has none.
func (r Request) key() string {
	if r.Keyless || reads(r.method()) {
		return ""
	}
	if r.Key != "" {
		return r.Key
	}
	return rand.Text()
}

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// mayRepeat reports whether a request is sent again after what it came to.
func mayRepeat(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		// A server that refuses the connection has not seen the request, so that a person need not
		// wait long to be told; retryablehttp knows what is final, such as a bad certificate.
		again, _ := retryablehttp.ErrorPropagatedRetryPolicy(ctx, nil, err)
		return again && !refusedConnection(err), nil
	}
	if !safe(resp.Request) {
		return false, nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return waitOf(resp) <= longestWait, nil
	}
	return false, nil
}

// safe reports whether a request may be made twice.
func safe(r *http.Request) bool {
	return r != nil && (reads(r.Method) || r.Header.Get(headerKey) != "")
}

// backoff is how long to wait before the next attempt.
func backoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	if wait := waitOf(resp); wait > 0 {
		return wait
	}
	return retryablehttp.LinearJitterBackoff(least, min(least*2, most), attempt, resp)
}

// waitOf returns how long an answer asks to wait; 0 if it does not.
func waitOf(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, int(time.Hour/time.Second))) * time.Second
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func revisionOf(etag string) int64 {
	text, err := strconv.Unquote(etag)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
