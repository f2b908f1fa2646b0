package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/proxy"
)

// MaxBody is the size of the largest request body that is read, in bytes. What is
// passed on to brokers is not read, and has a bound of its own.
const MaxBody = 1 << 20

// Config is what the API is made of. Manager is required; everything else has
// a usable zero value.
type Config struct {
	Manager *fleet.Manager
	// Logger gets internal errors and, at debug level, one line for each request. If it
	// is nil, nothing is logged.
	Logger *slog.Logger
	// Version is what GET /api/v1/version answers.
	Version BuildInfo
	// Ready returns why requests should not be sent here now, for GET /readyz; nil means
	// always ready. It must return soon. The message of a conflict, e.g. which other
	// daemon does the work, is shown; the cause of every other error is only logged.
	Ready func(ctx context.Context) error
	// Notes returns what GET /readyz adds for people who run the server. It may be nil.
	Notes func() []string
	// Unheard returns why daemons that share the database are not reached over the network,
	// by their ids, for GET /api/v1/daemons. It may be nil.
	Unheard func() map[string]string
	// Dev marks an installation for trying things out; GET /api/v1/version shows it.
	Dev bool
	// Done is closed when the process begins to shut down: event streams and waiting
	// requests then end by themselves, which http.Server.Shutdown waits for. If it is
	// nil, they end with their client, or with the server's base context.
	Done <-chan struct{}
	// TrustedProxies are the addresses of proxies whose X-Forwarded-For is believed when
	// the audit notes where a request came from. By default none is.
	TrustedProxies []netip.Prefix
	// Streams limits the event streams and followed logs that are open at the same
	// time; the zero value has defaults.
	Streams Streams
	// Dashboards makes the links of POST /api/v1/clusters/{id}/dashboard. The caller
	// serves it. If it is nil, only dashboards that have addresses of their own can be
	// opened.
	Dashboards *proxy.Dashboards
	// Agents is what agents of adopted clusters need for their setup. With the zero value
	// no agent can be set up. The caller serves the agents.
	Agents AgentSetup
	// PublicURL is where programs reach the API, scheme and host[:port] only, for the
	// targets that Prometheus scrapes; it is never taken from a request. If it is empty,
	// that route answers that the address is not known.
	PublicURL string
	// Observe is called with every request after it was answered, on the goroutine of the
	// request, for metrics. It must return at once. It may be nil.
	Observe func(Observation)
	// ObserveStream is called when a stream of events begins, with the context of its
	// request; the function that it returns is called when the stream has ended. Both
	// must return at once. It may be nil.
	ObserveStream func(context.Context) (ended func(StreamEnd))
}

// BuildInfo names the build that answers.
type BuildInfo struct {
	Version string `json:"version" doc:"version of the build, e.g. 0.1.0"`
	Commit  string `json:"commit" doc:"commit it was built from"`
	Go      string `json:"go" doc:"Go version it was built with"`
}

// api is the handler. New sets everything in it, and nothing changes afterwards.
type api struct {
	manager *fleet.Manager
	log     *slog.Logger
	version BuildInfo
	ready   func(context.Context) error
	notes   func() []string
	unheard func() map[string]string
	dev     bool
	done    <-chan struct{}
	proxies []netip.Prefix

	observer       func(Observation)
	streamObserver func(context.Context) func(StreamEnd)

	passthrough *proxy.Passthrough
	dashboards  *proxy.Dashboards
	agents      AgentSetup
	public      string // URL of the API; empty if it is not known

	mux      *http.ServeMux
	routes   map[string]*route // by the mux's pattern
	openapi  *huma.OpenAPI
	document []byte // the same as JSON

	streams *streamCount
	events  *eventCache

	heartbeat    time.Duration // between heartbeats on an event stream
	grace        time.Duration // for the store to refuse a position before a stream begins
	writeTimeout time.Duration // for a client to take an event
}

// New makes the handler. It serves every path below /api/v1, /healthz, /readyz,
// /openapi.json and its page /docs, and answers all others with not_found. The error
// names what is missing in the configuration.
func New(c Config) (http.Handler, error) {
	a, err := newAPI(c)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func newAPI(c Config) (*api, error) {
	if c.Manager == nil {
		return nil, errors.New("httpapi: Config.Manager is missing; fleet.New makes one")
	}
	a := &api{
		manager: c.Manager, log: c.Logger, version: c.Version, ready: c.Ready, notes: c.Notes, dev: c.Dev, done: c.Done,
		unheard: c.Unheard,
		proxies: c.TrustedProxies, observer: c.Observe, streamObserver: c.ObserveStream,
		dashboards: c.Dashboards, agents: c.Agents, public: c.PublicURL,
		streams: newStreamCount(c.Streams), events: newEventCache(),
		mux: http.NewServeMux(), routes: map[string]*route{}, openapi: newDocument(),
		heartbeat: 15 * time.Second, grace: 500 * time.Millisecond, writeTimeout: 15 * time.Second,
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if err := a.addRoutes(); err != nil {
		return nil, err
	}
	var err error
	a.document, err = a.describe()
	return a, err
}

// addRoutes adds every route of the API.
func (a *api) addRoutes() error {
	a.clusterRoutes()
	a.commandRoutes()
	a.explainRoutes()
	a.brokerRoutes()
	a.agentRoutes()
	a.historyRoutes()
	a.unrecordedRoutes()
	a.operationRoutes()
	a.catalogRoutes()
	a.platformRoutes()
	a.tenancyRoutes()
	a.sessionRoutes()
	a.browserRoutes()
	a.auditRoutes()
	a.eventRoutes()
	a.logRoutes()
	a.prometheusRoutes()
	a.overviewRoutes()
	a.daemonRoutes()
	a.processRoutes()
	a.pageRoutes()
	return a.passthroughRoutes()
}
