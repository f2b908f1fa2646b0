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
	// repetitions; 0 = 10 s. Calls that the broker itself takes long for have
	// twice the time (InviteMember) or three times (WriteMetrics).
	Timeout time.Duration
	// MostAnswer is how many bytes of one answer are read; a longer one is
	// unavailable. 0 = 16 MiB. Metrics, which are passed on as they come, have
	// bounds of their own.
	MostAnswer int
	// Logger gets what a call succeeded without, at debug; nil = silent.
	Logger *slog.Logger
}

// New gives the adapter for EMQX 5 and 6, which is an [ecp.Detector] too. It
// starts nothing and may be used for any number of endpoints at once.
func New(c Config) ecp.Adapter {
	return emqxhttp.Adapter{
		Of:     5,
		Config: emqxhttp.Config{Name: "EMQX 5", Timeout: c.Timeout, Most: c.MostAnswer, Logger: c.Logger, Auth: authOf, Booting: booting},
		Broker: func(c *emqxhttp.Client) ecp.Broker { return &broker{client: c} },
		Find:   detect,
	}
}

// broker can do everything that ecp knows of. The files are named after it.
type broker struct {
	client *emqxhttp.Client
	known  emqxhttp.Known
}

// What a broker can do.
var _ interface {
	ecp.Broker
	ecp.ConnectionLimiter
	ecp.Monitor
	ecp.AlarmSource
	ecp.IntegrationSource
	ecp.Evacuator
	ecp.MemberManager
	ecp.ListenerManager
	ecp.LicenseManager
	ecp.Metrics
	ecp.SettingsSource
	ecp.HealthSource
} = (*broker)(nil)

// Close gives back idle connections of a transport of our own.
func (b *broker) Close() { b.client.Close() }

// Describe asks for the members, and for the licence and the answering node's
// name as far as they matter and the credentials allow.
func (b *broker) Describe(ctx context.Context) (ecp.Description, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	d, err := b.members(ctx)
	if err != nil {
		return ecp.Description{}, err
	}
	b.known.Learn(d)
	b.client.Optional(ctx, "its licence", func(ctx context.Context) (err error) {
		d.Limit, err = ask(ctx, b, emqxhttp.Request{Path: licensePath}, decodeLimit)
		return err
	})
	return b.client.Complete(ctx, d, b.self)
}

// self gives the name of the node that answers.
func (b *broker) self(ctx context.Context) (string, error) {
	return ask(ctx, b, emqxhttp.Request{Path: clusterPath}, decodeSelf)
}
