package emqxv5

import (
	"context"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
)

// Config configures an adapter. The zero value is ready to use.
type Config struct {
	// Timeout limits one call with all its requests and retries; 0 means 10 s. Calls that
	// take the broker itself long have twice (InviteMember) or three times (WriteMetrics)
	// the time.
	Timeout time.Duration
	// MaxAnswer is how many bytes of one answer are read. A longer answer is an error. 0
	// means 16 MiB. Metrics, which are copied as they arrive, have a limit of their own.
	MaxAnswer int
	// Logger gets an entry at debug level for what a call succeeded without. nil discards
	// all entries.
	Logger *slog.Logger
}

// New returns the adapter for EMQX 5 and 6, which is an [ecp.Detector], too. It starts
// nothing, and one adapter serves any number of endpoints at once.
func New(c Config) ecp.Adapter {
	return emqxhttp.Adapter{
		MajorVersion: 5,
		Config: emqxhttp.Config{
			Name: "EMQX 5", Timeout: c.Timeout, MaxAnswer: c.MaxAnswer, Logger: c.Logger, Auth: authOf,
			Booting: booting,
		},
		NewBroker:    func(c *emqxhttp.Client) ecp.Broker { return &broker{client: c} },
		DetectBroker: detect,
	}
}

// broker implements all interfaces that ecp knows. The files are named after them.
type broker struct {
	client *emqxhttp.Client
	known  emqxhttp.Identity
}

// The interfaces of a broker.
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
	ecp.SettingsChanger
	ecp.HealthSource
} = (*broker)(nil)

// Close closes idle connections of a transport of our own.
func (b *broker) Close() { b.client.Close() }

// Describe queries the members and, as far as they are needed and the credentials allow it,
// the license and the answering node's name.
func (b *broker) Describe(ctx context.Context) (ecp.Description, error) {
	ctx, cancel := b.client.Bound(ctx)
	defer cancel()
	d, err := b.members(ctx)
	if err != nil {
		return ecp.Description{}, err
	}
	b.known.Store(d)
	b.client.Optional(ctx, "its license", func(ctx context.Context) (err error) {
		d.Limit, err = query(ctx, b, emqxhttp.Request{Path: licensePath}, decodeLimit)
		return err
	})
	return b.client.Complete(ctx, d, b.self)
}

// self returns the name of the node that answers.
func (b *broker) self(ctx context.Context) (string, error) {
	return query(ctx, b, emqxhttp.Request{Path: clusterPath}, decodeSelf)
}
