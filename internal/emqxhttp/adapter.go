package emqxhttp

import (
	"context"

	"github.com/openecp/openecp/ecp"
)

// Adapter is the [ecp.Adapter] and [ecp.Detector] of a major version.
type Adapter struct {
	MajorVersion int // the major version
	Config       Config
	// NewBroker returns a broker of the major that uses the client and closes it.
	NewBroker func(*Client) ecp.Broker
	// DetectBroker detects what answers a client, within the time of a call. login says
	// that there are credentials, or a transport that logs in by itself.
	DetectBroker func(ctx context.Context, c *Client, login bool) (ecp.Detection, error)
}

// Major returns the major version.
func (a Adapter) Major() int { return a.MajorVersion }

// Open checks the endpoint and returns the broker behind it. See [Open].
func (a Adapter) Open(e ecp.Endpoint) (ecp.Broker, error) {
	c, err := Open(e, a.Config)
	if err != nil {
		return nil, err
	}
	return a.NewBroker(c), nil
}

// Detect detects what answers at an endpoint.
func (a Adapter) Detect(ctx context.Context, e ecp.Endpoint) (ecp.Detection, error) {
	c, err := Open(e, a.Config)
	if err != nil {
		return ecp.Detection{}, err
	}
	defer c.Close()
	ctx, cancel := c.Bound(ctx)
	defer cancel()
	return a.DetectBroker(ctx, c, e.Authenticated || e.Credentials != (ecp.Credentials{}))
}
