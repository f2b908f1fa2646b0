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
	return adapter{emqxhttp.Config{Name: "EMQX 5", Timeout: c.Timeout, Logger: c.Logger}}
}

type adapter struct{ config emqxhttp.Config }

// Major is 5.
func (adapter) Major() int { return 5 }

// Open checks the endpoint; the error names what is wrong with it and never
// repeats it.
func (a adapter) Open(e ecp.Endpoint) (ecp.Broker, error) {
	c, err := emqxhttp.Open(e, a.config)
	if err != nil {
		return nil, err
	}
	return &broker{c}, nil
}

type broker struct{ client *emqxhttp.Client }

// Close gives back idle connections of a transport of our own.
func (b *broker) Close() { b.client.Close() }

// Describe asks for the members, and for the licence and the answering node's
// name as far as they matter and the API key may read them.
func (b *broker) Describe(ctx context.Context) (ecp.Description, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	d, err := emqxhttp.Ask(ctx, b.client, nodesPath, b.payload, decodeNodes)
	if err != nil {
		return ecp.Description{}, err
	}
	b.client.Optional(ctx, "its licence", func(ctx context.Context) (err error) {
		d.Limit, err = emqxhttp.Ask(ctx, b.client, licensePath, b.payload, decodeLicense)
		return err
	})
	emqxhttp.Complete(&d, func() (self string) {
		b.client.Optional(ctx, "its own name", func(ctx context.Context) (err error) {
			self, err = emqxhttp.Ask(ctx, b.client, clusterPath, b.payload, decodeSelf)
			return err
		})
		return self
	})
	if err := b.client.Ended(ctx); err != nil {
		return ecp.Description{}, err
	}
	return d, nil
}
