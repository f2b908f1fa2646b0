package emqxv4

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
	// repetitions; 0 = 10 s. Calls that are known to last have a multiple.
	Timeout time.Duration
	// MostAnswer is how many bytes of one answer are read; a longer one is
	// unavailable. 0 = 16 MiB. Metrics, which are passed on as they come, have
	// bounds of their own.
	MostAnswer int
	// Logger gets what a call succeeded without, at debug; nil = silent.
	Logger *slog.Logger
	// LimitField lets connection limits be set on brokers that list a call
	// below /dynamic_license. It is the name that the number has in the body of
	// that call, e.g. "max_connections". EMQX documents neither call nor body:
	// set it once you have seen on a broker of your version what it takes.
	// What was set is read back, and an error says where it is not in force.
	// "" = limits are not set.
	LimitField string
}

// New gives the adapter for EMQX 4.4. It starts nothing and may be used for any
// number of endpoints at once. It is an [ecp.Detector] too, and its brokers
// have all the further interfaces that [ecp.Adapter] names.
func New(c Config) ecp.Adapter { return adapter{c} }

type adapter struct{ config Config }

// Major is 4.
func (adapter) Major() int { return 4 }

// Open checks the endpoint and gives the broker behind it.
func (a adapter) Open(e ecp.Endpoint) (ecp.Broker, error) { return a.of(e).Open(e) }

// Detect says what answers at an endpoint.
func (a adapter) Detect(ctx context.Context, e ecp.Endpoint) (ecp.Detection, error) {
	return a.of(e).Detect(ctx, e)
}

// of is the adapter for one endpoint: its advice depends on the credentials.
func (a adapter) of(e ecp.Endpoint) emqxhttp.Adapter {
	open := func(c *emqxhttp.Client) *broker {
		return &broker{client: c, checks: checksOf(e.Credentials), limitField: a.config.LimitField}
	}
	return emqxhttp.Adapter{
		Of: 4, Config: emqxhttp.Config{Name: "EMQX 4", Timeout: a.config.Timeout, Most: a.config.MostAnswer, Logger: a.config.Logger},
		Broker: func(c *emqxhttp.Client) ecp.Broker { return open(c) },
		Find: func(ctx context.Context, c *emqxhttp.Client, login bool) (ecp.Detection, error) {
			return open(c).detect(ctx, login)
		},
	}
}

// broker is an EMQX 4.4 behind an endpoint.
type broker struct {
	client     *emqxhttp.Client
	checks     emqxhttp.Checks
	limitField string
	known      emqxhttp.Known
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

// Close gives back idle connections of a transport of our own.
func (b *broker) Close() { b.client.Close() }
