package emqxhttp

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// Adapter is the [ecp.Adapter] and [ecp.Detector] of a major whose brokers are
// made of clients.
type Adapter struct {
	Of     int // the major
	Config Config
	// Broker speaks the major's way through a client, which it closes.
	Broker func(*Client) ecp.Broker
	// Find says what answers a client, within the time of a call. login says
	// that there are credentials, or a transport that logs in by itself.
	Find func(ctx context.Context, c *Client, login bool) (ecp.Detection, error)
}

// Major is the major it was made of.
func (a Adapter) Major() int { return a.Of }

// Open checks the endpoint and gives the broker behind it; see [Open].
func (a Adapter) Open(e ecp.Endpoint) (ecp.Broker, error) {
	c, err := Open(e, a.Config)
	if err != nil {
		return nil, err
	}
	return a.Broker(c), nil
}

// Detect says what answers at an endpoint.
func (a Adapter) Detect(ctx context.Context, e ecp.Endpoint) (ecp.Detection, error) {
	c, err := Open(e, a.Config)
	if err != nil {
		return ecp.Detection{}, err
	}
	defer c.Close()
	ctx, cancel := c.Bound(ctx)
	defer cancel()
	return a.Find(ctx, c, e.Authenticated || e.Credentials != (ecp.Credentials{}))
}
