package emqxv4

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
	// are known to last longer have a multiple of it.
	Timeout time.Duration
	// MaxAnswer is how many bytes of one answer are read. A longer answer is an error. 0
	// means 16 MiB. Metrics, which are copied as they arrive, have a limit of their own.
	MaxAnswer int
	// Logger gets an entry at debug level for what a call succeeded without. nil discards
	// all entries.
	Logger *slog.Logger
	// LimitField allows to set connection limits on brokers that list a call below
	// /dynamic_license. It is the field of that call's body that holds the number, e.g.
	// "max_connections". EMQX documents neither the call nor its body, so set it only after
	// you have seen on a broker of your version what it accepts. The limit is read back
	// after a change, and an error says if it is not in force. If LimitField is empty,
	// limits cannot be set.
	LimitField string
}

// New returns the adapter for EMQX 4.4. It starts nothing, and one adapter serves any
// number of endpoints at once. The adapter is an [ecp.Detector], too, and its brokers
// implement all interfaces that [ecp.Adapter] lists.
func New(c Config) ecp.Adapter { return adapter{c} }

type adapter struct{ config Config }

// Major returns 4.
func (adapter) Major() int { return 4 }

// Open checks the endpoint and returns the broker behind it.
func (a adapter) Open(e ecp.Endpoint) (ecp.Broker, error) { return a.of(e).Open(e) }

// Detect detects what answers at an endpoint.
func (a adapter) Detect(ctx context.Context, e ecp.Endpoint) (ecp.Detection, error) {
	return a.of(e).Detect(ctx, e)
}

// of returns the adapter for one endpoint, since its advice depends on the credentials.
func (a adapter) of(e ecp.Endpoint) emqxhttp.Adapter {
	open := func(c *emqxhttp.Client) *broker {
		return &broker{client: c, checks: checksOf(e.Credentials), limitField: a.config.LimitField}
	}
	return emqxhttp.Adapter{
		MajorVersion: 4, Config: emqxhttp.Config{
			Name: "EMQX 4", Timeout: a.config.Timeout, MaxAnswer: a.config.MaxAnswer, Logger: a.config.Logger,
		},
		NewBroker: func(c *emqxhttp.Client) ecp.Broker { return open(c) },
		DetectBroker: func(ctx context.Context, c *emqxhttp.Client, login bool) (ecp.Detection, error) {
			return open(c).detect(ctx, login)
		},
	}
}

// broker is an EMQX 4.4 behind an endpoint.
type broker struct {
	client     *emqxhttp.Client
	checks     emqxhttp.Checks
	limitField string
	known      emqxhttp.Identity
}

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
	ecp.HealthSource
} = (*broker)(nil)

// Close closes idle connections of a transport of our own.
func (b *broker) Close() { b.client.Close() }
