package emqxv5

import (
	"context"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Config tunes an adapter. The zero value is good.
type Config struct {
	// Timeout bounds one call of a broker with all its requests and
	// repetitions; 0 = 10 s.
	Timeout time.Duration
	// Logger gets what a call succeeded without, at debug; nil = silent.
	Logger *slog.Logger
}

// New gives the adapter for EMQX 5. It starts nothing and may be used for any
// number of endpoints at once.
func New(c Config) ecp.Adapter {
	return emqxhttp.Adapter{
		Of: 5, Config: emqxhttp.Config{Name: "EMQX 5", Timeout: c.Timeout, Logger: c.Logger},
		Broker: func(c *emqxhttp.Client) ecp.Broker { return &broker{c} },
	}
}

type broker struct{ client *emqxhttp.Client }

// Close gives back idle connections of a transport of our own.
func (b *broker) Close() { b.client.Close() }

// Describe asks for the members, and for the licence and the answering node's
// name as far as they matter and the API key may read them.
func (b *broker) Describe(ctx context.Context) (ecp.Description, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	d, err := emqxhttp.Ask(ctx, b.client, emqxhttp.Request{Path: nodesPath}, b.payload, decodeNodes)
	if err != nil {
		return ecp.Description{}, err
	}
	b.client.Optional(ctx, "its licence", func(ctx context.Context) (err error) {
		d.Limit, err = emqxhttp.Ask(ctx, b.client, emqxhttp.Request{Path: licensePath}, b.payload, decodeLicense)
		return err
	})
	return b.client.Complete(ctx, d, b.self)
}

// self gives the name of the node that answers.
func (b *broker) self(ctx context.Context) (string, error) {
	return emqxhttp.Ask(ctx, b.client, emqxhttp.Request{Path: clusterPath}, b.payload, decodeSelf)
}
