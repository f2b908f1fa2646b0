package client

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// BrokerCall is a call of the management API of a cluster's EMQX.
type BrokerCall struct {
	Method string // empty means GET
	// Path is that of EMQX's API, escaped, with the query if there is one, such as
	// /api/v5/clients?limit=10.
	Path        string
	Body        io.Reader // sent as it is; nil sends none
	ContentType string    // of Body; empty means application/json
}

// BrokerAnswer is what EMQX said to a call, whatever its status.
type BrokerAnswer struct {
	Status int
	Header http.Header   // what ecpd passes on of it
	Body   io.ReadCloser // the caller closes it
}

// answeredBy names who made an answer to a call of a broker, and ecpd is what it holds
// where that was the daemon.
const (
	answeredBy = "Ecp-Answered-By"
	ecpd       = "ecp"
)

// Broker calls the management API of a cluster's EMQX through ecpd, as its administrator.
// The call is made once, and is not repeated. What EMQX answers is no error, with whatever
// status; an error is a [Problem] of ecpd, which did not let the call through or found no
// node that answers, an [UnreachableError], or the context's.
func (c *Client) Broker(ctx context.Context, id ecp.ID, call BrokerCall) (BrokerAnswer, error) {
	r := Request{
		Method: call.Method, Path: ClustersPath + Path(string(id), "emqx") + "/" + strings.TrimPrefix(call.Path, "/"),
		Keyless: true, Accept: "*/*",
	}
	req, err := c.request(ctx, r)
	if err != nil {
		return BrokerAnswer{}, err
	}
	if call.Body != nil {
		req.Request.Body, req.ContentLength = io.NopCloser(call.Body), -1
		if sized, ok := call.Body.(interface{ Len() int }); ok {
			req.ContentLength = int64(sized.Len())
		}
		req.Header.Set("Content-Type", call.ContentType)
		if call.ContentType == "" {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	resp, err := c.plain.Do(req.Request)
	if err != nil {
		return BrokerAnswer{}, c.unreachable(ctx, err)
	}
	// What stands between may answer, too, and is not EMQX.
	if by := resp.Header.Get(answeredBy); by == ecpd || by == "" {
		defer func() { _ = resp.Body.Close() }() // read as far as it is wanted
		return BrokerAnswer{}, problemOf(resp, r)
	}
	return BrokerAnswer{Status: resp.StatusCode, Header: resp.Header, Body: resp.Body}, nil
}

// SettingsDrift asks the nodes of a hosted cluster which settings they run with in another
// way than its spec asks for. What is to be done about it is a [Change] with the verb
// settings/put-back or settings/take-over.
func (c *Client) SettingsDrift(ctx context.Context, id ecp.ID) (ecp.SettingsDrift, error) {
	var out ecp.SettingsDrift
	_, err := c.Do(ctx, Request{Path: ClustersPath + Path(string(id), "settings", "drift")}, &out)
	return out, err
}

// EndDrift returns the change that ends the drift of settings: with take, the spec gets
// the values that EMQX runs with; else EMQX is told those of the spec. No keys mean all for
// which it can be done; the plan says which are left.
func EndDrift(take bool, keys ...string) Change {
	c := Change{Verb: "settings/put-back", Body: map[string][]string{}}
	if take {
		c.Verb = "settings/take-over"
	}
	if len(keys) > 0 {
		c.Body = map[string][]string{"keys": keys}
	}
	return c
}
