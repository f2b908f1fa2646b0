package emqxhttp

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Retries are few and quick: the caller tries again anyway and knows better when to wait
// long.
const (
	maxRetries   = 2
	firstPause   = 400 * time.Millisecond // the longest first pause; each later one may be twice as long
	maxPause     = 2 * time.Second        // also if Retry-After asks for more; then nothing is repeated
	maxRedirects = 3
)

// sharedTransport hides the CloseIdleConnections of a transport that others may use, too.
type sharedTransport struct{ http.RoundTripper }

// ownTransport has the settings of http.DefaultTransport, but closes idle connections
// earlier (EMQX before 4.4.24 drops them after 5 s) and accepts smaller headers.
func ownTransport() *http.Transport {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
	}
	if d, ok := http.DefaultTransport.(*http.Transport); ok {
		t = d.Clone()
	}
	t.IdleConnTimeout = 4 * time.Second
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// newRetryClient returns a client that repeats requests to a broker that is starting, or
// over a connection that the broker had closed.
func newRetryClient(c *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: c, RetryMax: maxRetries, RetryWaitMin: firstPause, RetryWaitMax: maxPause,
		CheckRetry: shouldRetry, Backoff: backoff, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// policy decides whether a request is repeated.
type policy struct {
	request Request
	booting func(status int, mediaType string) bool
}

type policyKey struct{}

func withPolicy(ctx context.Context, p policy) context.Context {
	return context.WithValue(ctx, policyKey{}, p)
}

// shouldRetry allows to repeat a request that was not carried out, or that may be carried
// out twice and met a temporary problem.
func shouldRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	p, _ := ctx.Value(policyKey{}).(policy)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED) || p.request.repeatable() && connectionClosed(err), nil
	}
	if slices.Contains(p.request.NoRetry, resp.StatusCode) {
		return false, nil
	}
	if p.booting != nil && p.booting(resp.StatusCode, mediaType(resp)) {
		return true, nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		asked, ok := retryAfter(resp)
		return p.request.repeatable() && (!ok || asked <= maxPause), nil
	}
	return false, nil
}

// connectionClosed reports whether the server closed the connection. EMQX 4 before 4.4.24
// closes those that were idle for five seconds.
func connectionClosed(err error) bool {
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// backoff returns what Retry-After asks for, or a random pause below a bound that doubles,
// so that clients of the same broker do not come back at the same moment.
func backoff(first, most time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if asked, ok := retryAfter(resp); ok && asked <= most {
			return asked
		}
	}
	return rand.N(min(most, first<<attempt)) + time.Millisecond
}

// retryAfter reads the header in seconds or as a date. It returns false if the header is
// missing or wrong, and the longest duration for a number that does not fit.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	text := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if n, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(n, math.MaxInt64/uint64(time.Second))) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0), true
	}
	return 0, false
}

// sameHostRedirect follows a redirect within the same host that keeps the method. It
// returns any other redirect as the answer, so that credentials go to no other host and no
// change becomes a GET.
func sameHostRedirect(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if len(via) > maxRedirects || req.Method != via[0].Method || req.URL.Scheme != from.Scheme ||
		req.URL.Host != from.Host {
		return http.ErrUseLastResponse
	}
	return nil
}
