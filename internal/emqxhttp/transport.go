package emqxhttp

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Repetitions are few and quick: who calls asks again anyway, and has better
// reasons to wait long.
const (
	mostRepeats   = 2
	shortestPause = 100 * time.Millisecond
	longestPause  = 300 * time.Millisecond
	mostPause     = 2 * time.Second // whatever Retry-After says
	mostRedirects = 3
)

// borrowed is a transport of somebody else's: it hides CloseIdleConnections,
// because others may use it too.
type borrowed struct{ http.RoundTripper }

// ownTransport has http.DefaultTransport's settings, less patience with idle
// connections (EMQX before 4.4.24 drops them after 5 s) and less room for
// headers.
func ownTransport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true}
	if d, ok := http.DefaultTransport.(*http.Transport); ok {
		t = d.Clone()
	}
	t.IdleConnTimeout = 4 * time.Second
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// retrying repeats a GET that met a broker on its way up.
func retrying(c *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: c, RetryMax: mostRepeats, RetryWaitMin: shortestPause, RetryWaitMax: longestPause,
		CheckRetry: worthRepeating, Backoff: pause, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

func worthRepeating(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED), nil
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, nil
	}
	return false, nil
}

// pause is random within growing bounds, or what Retry-After asks for, up to
// mostPause.
func pause(shortest, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	d := retryablehttp.RateLimitLinearJitterBackoff(shortest, longest, attempt, resp)
	if d < 0 || d > mostPause { // below zero: seconds beyond what a Duration holds
		return mostPause
	}
	return d
}

// stayOnHost follows a redirect within the host it came from and gives any
// other back as the answer, so that credentials go nowhere else.
func stayOnHost(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if len(via) > mostRedirects || req.URL.Scheme != from.Scheme || req.URL.Host != from.Host {
		return http.ErrUseLastResponse
	}
	return nil
}
