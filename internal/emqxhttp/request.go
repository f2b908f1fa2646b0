package emqxhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/openecp/openecp/ecp"
)

// Request is one request to a broker.
type Request struct {
	Method string // empty means GET
	Path   string // from the root, escaped; see [Segment]
	Query  url.Values
	Body   any    // sent as JSON, if it is not nil
	Text   string // sent as plain text instead, if it is not empty
	Accept string // empty means application/json
	// NoAuth sends the request without credentials.
	NoAuth bool
	// Idempotent allows to repeat a POST that may have been carried out, since a second one
	// has no further effect. Other methods may always be repeated.
	Idempotent bool
	// MaxAnswer is how many bytes a success may have, if that is less than the client's
	// limit. 0 means the client's limit.
	MaxAnswer int
	// NoRetry lists statuses that are a final answer to this request.
	NoRetry []int
}

// Segment escapes an id as one segment of a path.
func Segment(id string) string {
	if id == "." || id == ".." { // a path would drop them
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}

// method returns the method, which is GET by default.
func (r Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// String returns the request for messages, e.g. "GET /api/v5/nodes".
func (r Request) String() string { return r.method() + " " + r.Path }

// repeatable reports whether the request may be carried out twice.
func (r Request) repeatable() bool { return r.Idempotent || r.method() != http.MethodPost }

// Answer is the answer to one request. The body of a refusal may be truncated.
type Answer struct {
	Request Request
	Status  int
	Type    string // media type in lower case, without parameters
	Realm   string // of a 401
	Body    []byte
}

// OK reports whether the status is a success.
func (a Answer) OK() bool { return a.Status/100 == 2 }

// JSON reports whether the body has the content type of JSON. EMQX 5.6.1 spells it
// "applicatin/json" in one place, and some proxies drop the type.
func (a Answer) JSON() bool { return a.Type == "" || strings.HasSuffix(a.Type, "json") }

// Get sends a GET request for a path.
func (c *Client) Get(ctx context.Context, path string) (Answer, error) {
	return c.Do(ctx, Request{Path: path})
}

// Do sends a request, and repeats it if that is harmless and may help, or if the
// credentials had to be renewed. Any complete answer is returned. The error is an
// [ecp.Error] and says why there is no answer.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	return c.authorised(ctx, r, func(header string) (Answer, error) {
		var a Answer
		take := func(resp *http.Response) (err error) {
			a = answerOf(r, resp)
			if a.Body, err = read(resp, min(cmp.Or(r.MaxAnswer, c.maxAnswer), c.maxAnswer)); !a.OK() {
				return nil // a truncated refusal is good enough
			}
			return err
		}
		resp, err := c.send(ctx, r, header, take)
		if err != nil {
			return Answer{}, err
		}
		defer func() { _ = resp.Body.Close() }()
		if a.Status == 0 { // worth repeating, but often enough repeated
			_ = take(resp)
		}
		if !a.OK() && ctx.Err() != nil { // its end may be missing
			return Answer{}, c.transportError(ctx, nil)
		}
		return a, nil
	})
}

// authorised sends a request with the header of the credentials, and again if they had to
// be renewed.
func (c *Client) authorised(ctx context.Context, r Request, send func(header string) (Answer, error)) (Answer, error) {
	if r.NoAuth {
		return send("")
	}
	for sent := 1; ; sent++ {
		header, err := c.auth.Header(ctx, c)
		if err != nil {
			return Answer{}, err
		}
		a, err := send(header)
		if err != nil || a.Status != http.StatusUnauthorized || sent == maxLogins || !c.auth.Refused(a, header) {
			return a, err
		}
	}
}

// maxLogins is how often a request is sent with different credentials: with a key, with a
// token that has expired, and with a new one.
const maxLogins = 3

func answerOf(r Request, resp *http.Response) Answer {
	a := Answer{Request: r, Status: resp.StatusCode, Type: mediaType(resp)}
	if a.Status == http.StatusUnauthorized {
		a.Realm = realm(resp.Header.Get("WWW-Authenticate"))
	}
	return a
}

// mediaType returns the media type of an answer, in lower case and without parameters.
func mediaType(resp *http.Response) string {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// realm reads the realm from a challenge such as `Basic Realm="emqx-dashboard"`.
func realm(challenge string) string {
	_, quoted, _ := strings.Cut(challenge, `ealm="`)
	name, _, ok := strings.Cut(quoted, `"`)
	if !ok {
		return ""
	}
	return name
}

// send sends the request. take reads the answer, also of every attempt that is repeated.
// The caller closes the body.
func (c *Client) send(ctx context.Context, r Request, header string,
	take func(*http.Response) error) (*http.Response, error) {
	req, err := c.request(withPolicy(ctx, policy{r, c.booting}), r)
	if err != nil {
		return nil, c.Fail(ecp.CodeInternal, "the request "+r.String()+" could not be made", err)
	}
	if header != "" {
		req.Header.Set("Authorization", header)
	}
	req.SetResponseHandler(take)
	resp, err := c.http.Do(req)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, c.transportError(ctx, err)
	}
	return resp, nil
}

func (c *Client) request(ctx context.Context, r Request) (*retryablehttp.Request, error) {
	target := c.base + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	var body any // an interface that holds a nil slice would be an empty body
	if r.Body != nil {
		b, err := json.Marshal(r.Body)
		if err != nil {
			return nil, err
		}
		body = b
	} else if r.Text != "" {
		body = []byte(r.Text)
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, r.method(), target, body)
	if err != nil {
		return nil, err
	}
	accept := r.Accept
	if accept == "" {
		accept = "application/json"
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "openecp")
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	} else if r.Text != "" {
		req.Header.Set("Content-Type", "text/plain")
	}
	return req, nil
}

// read reads the body up to a limit. The rest is dropped with the connection when the body
// is closed.
func read(resp *http.Response, most int) ([]byte, error) {
	if resp.StatusCode/100 != 2 {
		return io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	}
	if resp.ContentLength > int64(most) {
		return nil, errTooLong
	}
	var b bytes.Buffer
	if resp.ContentLength > 0 {
		b.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(resp.Body, int64(most)+1))
	if b.Len() > most {
		return nil, errTooLong
	}
	return b.Bytes(), err
}

// Stream copies the body of a success to w as it arrives, at most max bytes, and returns
// their number. begin checks each success before anything is copied; its error ends the
// call. Any other answer is returned without being copied.
func (c *Client) Stream(ctx context.Context, r Request, w io.Writer, most int64, begin func(Answer) error) (a Answer,
	n int64, err error) {
	a, err = c.authorised(ctx, r, func(header string) (a Answer, err error) {
		resp, err := c.send(ctx, r, header, func(*http.Response) error { return nil })
		if err != nil {
			return Answer{}, err
		}
		defer func() { _ = resp.Body.Close() }()
		a = answerOf(r, resp)
		if !a.OK() {
			a.Body, _ = read(resp, c.maxAnswer) // a truncated refusal is good enough
			return a, nil
		}
		if err := begin(a); err != nil {
			return a, err
		}
		n, err = c.copyBody(ctx, w, resp.Body, most)
		return a, err
	})
	return a, n, err
}

// copyBody copies a body. An error of the writer is returned as it is.
func (c *Client) copyBody(ctx context.Context, w io.Writer, body io.Reader, most int64) (int64, error) {
	from := &bodyReader{r: io.LimitReader(body, most+1)}
	n, err := io.Copy(w, from)
	switch {
	case from.err != nil:
		return n, c.transportError(ctx, from.err)
	case err != nil:
		return n, c.Fail(ecp.CodeUnavailable, "its answer could not be written", err)
	case n > most:
		return n, c.Fail(ecp.CodeUnavailable, "its answer does not end", errTooLong)
	}
	return n, nil
}

// bodyReader remembers whether reading failed, which is the broker's fault and not the
// writer's.
type bodyReader struct {
	r   io.Reader
	err error
}

// Read reads from the body.
func (s *bodyReader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
