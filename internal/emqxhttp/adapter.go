package emqxhttp

import "github.com/openecp/openecp/ecp"

// Adapter is the [ecp.Adapter] of a major whose brokers are made of clients.
type Adapter struct {
	Of     int // the major
	Config Config
	// Broker speaks the major's way through a client, which it closes.
	Broker func(*Client) ecp.Broker
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
