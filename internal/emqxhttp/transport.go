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

// Repetitions are few and quick: who calls asks again anyway, and has better
// reasons to wait long.
const (
	mostRepeats   = 2
	firstPause    = 400 * time.Millisecond // the longest first one; each may be twice as long as the one before
	mostPause     = 2 * time.Second        // also if Retry-After asks for it; beyond it nothing is repeated
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

// retrying repeats what met a broker on its way up, or a connection that it
// had closed.
func retrying(c *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: c, RetryMax: mostRepeats, RetryWaitMin: firstPause, RetryWaitMax: mostPause,
		CheckRetry: worthRepeating, Backoff: pause, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// policy is what decides whether a request is repeated.
type policy struct {
	request Request
	booting func(status int, mediaType string) bool
}

type policyKey struct{}

func withPolicy(ctx context.Context, p policy) context.Context {
	return context.WithValue(ctx, policyKey{}, p)
}

// worthRepeating lets a request be repeated where it was not carried out, or
// may be carried out twice and met something that passes.
func worthRepeating(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	p, _ := ctx.Value(policyKey{}).(policy)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED) || p.request.repeatable() && cutOff(err), nil
	}
	if slices.Contains(p.request.Answers, resp.StatusCode) {
		return false, nil
	}
	if p.booting != nil && p.booting(resp.StatusCode, mediaType(resp)) {
		return true, nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		asked, ok := retryAfter(resp)
		return p.request.repeatable() && (!ok || asked <= mostPause), nil
	}
	return false, nil
}

// cutOff says that the far side ended the connection. EMQX 4 before 4.4.24 ends
// those that idled for five seconds, which whoever pools them meets.
func cutOff(err error) bool {
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// pause is what Retry-After asks for, else random below a bound that doubles:
// who waited for the same broker does not come back at the same moment.
func pause(first, most time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if asked, ok := retryAfter(resp); ok && asked <= most {
			return asked
		}
	}
	return rand.N(min(most, first<<attempt)) + time.Millisecond
}

// retryAfter reads the header, in seconds or as a date; false where it is not
// there or makes no sense. What does not fit is as long as can be.
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

// stayOnHost follows a redirect within the host it came from that keeps the
// method, and gives any other back as the answer: credentials go nowhere else,
// and no change is turned into a question.
func stayOnHost(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if len(via) > mostRedirects || req.Method != via[0].Method || req.URL.Scheme != from.Scheme || req.URL.Host != from.Host {
		return http.ErrUseLastResponse
	}
	return nil
}
