package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/proxy"
)

// MaxBody is the size of the largest request body that is read, in bytes. What is
// passed on to brokers is not read, and has a bound of its own.
const MaxBody = 1 << 20

// Config is what the API is made of. Manager is required; everything else has
// a usable zero value.
type Config struct {
	Manager *ecp.Manager
	// Logger gets faults of ours and, at debug level, one line for each
	// request; nil = nothing is logged.
	Logger *slog.Logger
	// Version is what GET /api/v1/version answers.
	Version BuildInfo
	// Ready says why requests should not be sent here now, for GET /readyz;
	// nil = always ready. It has to return soon. The words of a conflict, e.g.
	// which other daemon does the work, are shown; of every other error the log
	// has the cause.
	Ready func(ctx context.Context) error
	// Notes is what GET /readyz says beside it for people who run the server; nil
	// = nothing.
	Notes func() []string
	// Dev marks an installation for trying things out; GET /api/v1/version
	// says so.
	Dev bool
	// Done is closed when the process begins to shut down: event streams and
	// waiting requests then end by themselves, which http.Server.Shutdown waits
	// for. nil = they end with their client, or with the server's base context.
	Done <-chan struct{}
	// TrustedProxies are the addresses of proxies whose X-Forwarded-For is
	// believed where it says who asks, for the audit; nil = none is.
	TrustedProxies []netip.Prefix
	// Streams bounds the event streams and followed logs that are open at the same
	// time; the zero value has defaults.
	Streams Streams
	// Dashboards makes the links of POST /api/v1/clusters/{id}/dashboard. Whoever
	// made it serves it. nil = it leads people to dashboards that have addresses of
	// their own, and says of all others that they are not shown.
	Dashboards *proxy.Dashboards
	// Agents is what agents of adopted clusters are told when they are set up; the
	// zero value = none can be. Whoever made it serves them.
	Agents AgentSetup
	// PublicURL is where programs reach the API, scheme and host[:port] only, for
	// the targets that Prometheus is told to scrape; it is never taken from a
	// request. Empty = not known: that route then says so.
	PublicURL string
	// Observe is told of every request once it is answered, on its goroutine,
	// for metrics; it has to return at once. nil = nobody is told.
	Observe func(Observation)
}

// BuildInfo says which build answers.
type BuildInfo struct {
	Version string `json:"version" doc:"version of the build, e.g. 0.1.0"`
	Commit  string `json:"commit" doc:"commit it was built from"`
	Go      string `json:"go" doc:"Go version it was built with"`
}

// api is the handler. Everything in it is fixed by New.
type api struct {
	manager *ecp.Manager
	log     *slog.Logger
	version BuildInfo
	ready   func(context.Context) error
	notes   func() []string
	dev     bool
	done    <-chan struct{}
	proxies []netip.Prefix

	observer func(Observation)

	passthrough *proxy.Passthrough
	dashboards  *proxy.Dashboards // nil = none
	agents      AgentSetup
	public      string // URL of the API; "" = not known

	mux      *http.ServeMux
	huma     huma.API
	routes   map[string]*huma.Operation // by the mux's pattern
	document []byte                     // the OpenAPI document

	streams *streamCount
	texts   *eventTexts

	heartbeat time.Duration // between signs of life on an event stream
	grace     time.Duration // for the store to refuse a position before a stream begins
	stuck     time.Duration // for a client to take an event
}

// New makes the handler. It serves every path below /api/v1, /healthz, /readyz,
// /openapi.json and its page /docs, and answers all others with not_found. The error says
// what is missing in the configuration.
func New(c Config) (http.Handler, error) {
	a, err := newAPI(c)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func newAPI(c Config) (*api, error) {
	if c.Manager == nil {
		return nil, errors.New("httpapi: Config.Manager is missing; ecp.New makes one")
	}
	a := &api{
		manager: c.Manager, log: c.Logger, version: c.Version, ready: c.Ready, notes: c.Notes, dev: c.Dev, done: c.Done, proxies: c.TrustedProxies, observer: c.Observe, dashboards: c.Dashboards, agents: c.Agents, public: c.PublicURL,
		streams: newStreamCount(c.Streams), texts: newEventTexts(),
		mux: http.NewServeMux(), routes: map[string]*huma.Operation{},
		heartbeat: 15 * time.Second, grace: 500 * time.Millisecond, stuck: 15 * time.Second,
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.huma = a.typed()
	a.clusterRoutes()
	a.unrecordedRoutes()
	a.operationRoutes()
	a.catalogueRoutes()
	a.platformRoutes()
	a.tenancyRoutes()
	a.sessionRoutes()
	a.auditRoutes()
	a.eventRoutes()
	a.logRoutes()
	a.prometheusRoutes()
	a.overviewRoutes()
	if err := a.throughRoutes(); err != nil {
		return nil, err
	}
	a.processRoutes()
	a.pageRoutes()
	var err error
	a.document, err = a.describe()
	return a, err
}
