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

// Request is one call of a broker.
type Request struct {
	Method string // "" = GET
	Path   string // from the root, escaped; see [Segment]
	Query  url.Values
	Body   any    // sent as JSON; nil = none
	Accept string // "" = application/json
	// Open needs no credentials: none are sent.
	Open bool
	// Again allows a POST to be repeated where it may have been carried out: it
	// does the same when it is made twice. Other methods always are.
	Again bool
	// Most is how many bytes a success may have, where that is less than any
	// may; 0 = as many as any.
	Most int
	// Answers are statuses that are an answer here and not worth repeating.
	Answers []int
}

// Segment makes one segment of a path of an id, whatever is in it.
func Segment(id string) string {
	if id == "." || id == ".." { // would be taken out on the way
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}

// method is the one that is sent.
func (r Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// String names the request in messages, e.g. "GET /api/v5/nodes".
func (r Request) String() string { return r.method() + " " + r.Path }

// repeatable says that the request may be carried out twice.
func (r Request) repeatable() bool { return r.Again || r.method() != http.MethodPost }

// Answer is what came back for one request, wholly read unless it is a
// refusal.
type Answer struct {
	Request Request
	Status  int
	Type    string // media type in lower case, without parameters; "" = none
	Realm   string // what a 401 asks credentials for; "" = not told
	Body    []byte
}

// OK says that the status is one of success.
func (a Answer) OK() bool { return a.Status/100 == 2 }

// JSON says that the body is what JSON is sent as. EMQX 5.6.1 spells it
// "applicatin/json" in one place, and some proxies drop the type.
func (a Answer) JSON() bool { return a.Type == "" || strings.HasSuffix(a.Type, "json") }

// Get asks for a path with nothing special about it.
func (c *Client) Get(ctx context.Context, path string) (Answer, error) {
	return c.Do(ctx, Request{Path: path})
}

// Do sends a request, again where that is safe and worth it, and once more
// where the credentials had to be renewed. Any answer that could be read is
// one; the error is an [ecp.Error] and says why there is none.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	return c.authorised(ctx, r, func(header string) (Answer, error) {
		var a Answer
		take := func(resp *http.Response) (err error) {
			a = answerOf(r, resp)
			if a.Body, err = read(resp, min(cmp.Or(r.Most, c.most), c.most)); !a.OK() {
				return nil // half a refusal is one
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
			return Answer{}, c.unreached(ctx, nil)
		}
		return a, nil
	})
}

// authorised sends with the credentials' header, and anew where they had to be
// renewed.
func (c *Client) authorised(ctx context.Context, r Request, send func(header string) (Answer, error)) (Answer, error) {
	if r.Open {
		return send("")
	}
	for sent := 1; ; sent++ {
		header, err := c.auth.Header(ctx, c)
		if err != nil {
			return Answer{}, err
		}
		a, err := send(header)
		if err != nil || a.Status != http.StatusUnauthorized || sent == mostLogins || !c.auth.Refused(a, header) {
			return a, err
		}
	}
}

// mostLogins is how often a request is sent with other credentials: with a
// key, with a token that has ended, with a new one.
const mostLogins = 3

func answerOf(r Request, resp *http.Response) Answer {
	a := Answer{Request: r, Status: resp.StatusCode, Type: mediaType(resp)}
	if a.Status == http.StatusUnauthorized {
		a.Realm = realm(resp.Header.Get("WWW-Authenticate"))
	}
	return a
}

// mediaType gives the type of an answer, in lower case and without parameters.
func mediaType(resp *http.Response) string {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// realm reads what both majors send as `Basic Realm="emqx-dashboard"`.
func realm(challenge string) string {
	_, quoted, _ := strings.Cut(challenge, `ealm="`)
	name, _, ok := strings.Cut(quoted, `"`)
	if !ok {
		return ""
	}
	return name
}

// send makes the request; take reads the answer, within what is repeated. The
// caller closes the body.
func (c *Client) send(ctx context.Context, r Request, header string, take func(*http.Response) error) (*http.Response, error) {
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
		return nil, c.unreached(ctx, err)
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
	}
	return req, nil
}

// read takes the body in, within bounds. What it leaves is dropped with the
// connection when the body is closed.
func read(resp *http.Response, most int) ([]byte, error) {
	if resp.StatusCode/100 != 2 {
		return io.ReadAll(io.LimitReader(resp.Body, mostRefusal))
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

// Stream copies the body of a success to w as it comes, no more than most
// bytes of it, and says how many. begin looks at each success before anything
// is copied, and its error is the end. Whatever else is answered comes back
// unstreamed.
func (c *Client) Stream(ctx context.Context, r Request, w io.Writer, most int64, begin func(Answer) error) (a Answer, n int64, err error) {
	a, err = c.authorised(ctx, r, func(header string) (a Answer, err error) {
		resp, err := c.send(ctx, r, header, func(*http.Response) error { return nil })
		if err != nil {
			return Answer{}, err
		}
		defer func() { _ = resp.Body.Close() }()
		a = answerOf(r, resp)
		if !a.OK() {
			a.Body, _ = read(resp, c.most) // half a refusal is one
			return a, nil
		}
		if err := begin(a); err != nil {
			return a, err
		}
		n, err = c.pour(ctx, w, resp.Body, most)
		return a, err
	})
	return a, n, err
}

// pour copies a body. An error of the writer is given as it is.
func (c *Client) pour(ctx context.Context, w io.Writer, body io.Reader, most int64) (int64, error) {
	from := &source{r: io.LimitReader(body, most+1)}
	n, err := io.Copy(w, from)
	switch {
	case from.err != nil:
		return n, c.unreached(ctx, from.err)
	case err != nil:
		return n, c.Fail(ecp.CodeUnavailable, "what it answers could not be passed on", err)
	case n > most:
		return n, c.Fail(ecp.CodeUnavailable, "its answer does not end", errTooLong)
	}
	return n, nil
}

// source remembers that reading failed, which is the broker's fault and not the
// writer's.
type source struct {
	r   io.Reader
	err error
}

// Read reads on.
func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
