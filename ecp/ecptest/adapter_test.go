package ecptest_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/stretchr/testify/require"
)

const toyImpatience = 300 * time.Millisecond

// toyBound returns how long a call of a toy may take: as long as a loaded machine needs, but
// less than the patience of a toy that breaks its promise to end.
func toyBound(breaks string) time.Duration {
	if breaks == "" {
		return time.Minute
	}
	return 5 * time.Second
}

// toySuite is the suite for toys, with everything that can be wanted.
func toySuite(breaks string) ecptest.AdapterSuite {
	members := newToy()
	return ecptest.AdapterSuite{
		Adapter: toyAdapter{breaks: breaks}, Impatient: toyAdapter{breaks: breaks, patience: toyImpatience},
		Bound: toyBound(breaks), Want: members.described,
		Open: func(t *testing.T) ecp.Endpoint { return newToy().endpoint(t) },
		Detector: &ecptest.WantDetector{Detection: ecp.Detection{
			Major: 7, Version: "7.1.0", Edition: ecp.EditionEnterprise, Authenticated: true,
		}},
		Limiter: &ecptest.WantLimiter{
			Limit: ecp.ConnectionLimit{Settable: true, Set: 50, InForce: 50}, Set: 70, Max: 100,
		},
		Monitor:      &ecptest.WantMonitor{Traffic: toyTraffic, Samples: 60},
		Alarms:       &ecptest.WantAlarms{Active: toyActive, History: toyHistory},
		Integrations: &ecptest.WantIntegrations{Rules: toyRules, Integrations: toyLeading},
		Evacuator:    &ecptest.WantEvacuator{Node: "toy@b"},
		Members:      &ecptest.WantMembers{Self: "toy@a", Stopped: "toy@c", Stranger: "toy@d"},
		Listeners: &ecptest.WantListeners{Listeners: members.listeners, ID: "tcp:default", Lagging: "toy@b",
			OpenLagging: func(t *testing.T) ecp.Endpoint {
				b := newToy()
				b.lagging = "toy@b"
				return b.endpoint(t)
			}},
		License: &ecptest.WantLicense{
			License: members.license, Key: goodKey, Refused: badKey, Settings: members.settings,
		},
		Metrics: &ecptest.WantMetrics{Series: []string{"toy_connections{"}},
		Health:  &toyHealth,
		Faults: []ecptest.AdapterFault{
			{Name: "its license is lost", Codes: []ecp.Code{ecp.CodeUnavailable}, Fails: []string{"License"},
				Open: func(t *testing.T) ecp.Endpoint {
					b := newToy()
					b.license = ecp.BrokerLicense{}
					return b.endpoint(t)
				}},
		},
	}
}

// TestAdapterSuite: an adapter that keeps its promises passes, also where
// nobody says what is wanted, and where a limit cannot be set.
func TestAdapterSuite(t *testing.T) {
	t.Run("all is wanted", func(t *testing.T) { ecptest.TestAdapter(t, toySuite("")) })
	t.Run("nothing is wanted", func(t *testing.T) {
		ecptest.TestAdapter(t, ecptest.AdapterSuite{
			Adapter: toyAdapter{}, Impatient: toyAdapter{patience: toyImpatience}, Want: newToy().described,
			Bound: toyBound(""),
			Open:  func(t *testing.T) ecp.Endpoint { return newToy().endpoint(t) },
		})
	})
	for name, s := range limitSuites("") {
		t.Run(name, func(t *testing.T) { ecptest.TestAdapter(t, s) })
	}
}

func onlyLimiter(b *toyBroker) ecp.Broker {
	return struct {
		ecp.Broker
		ecp.ConnectionLimiter
	}{b, b}
}

// limitSuites are those of clusters whose limit cannot be set.
func limitSuites(breaks string) map[string]ecptest.AdapterSuite {
	out := map[string]ecptest.AdapterSuite{}
	for name, change := range map[string]func(*toy){
		"limit dropped":      func(b *toy) { b.drops = true },
		"limit not settable": func(b *toy) { b.limit = ecp.ConnectionLimit{Why: "too old", InForce: 100} },
	} {
		b := newToy()
		change(b)
		out[name] = ecptest.AdapterSuite{
			Adapter:   toyAdapter{breaks: breaks, only: onlyLimiter},
			Impatient: toyAdapter{breaks: breaks, patience: toyImpatience, only: onlyLimiter},
			Want:      b.described, Bound: toyBound(breaks),
			Limiter: &ecptest.WantLimiter{Limit: b.limit, Set: 70, Dropped: b.drops},
			Open: func(t *testing.T) ecp.Endpoint {
				b := newToy()
				change(b)
				return b.endpoint(t)
			},
		}
	}
	return out
}

// breaking names an environment variable: the promise that the adapter of
// TestBrokenAdapter breaks.
const breaking = "ECPTEST_BREAKS"

// TestBrokenAdapter fails, but only when TestAdapterSuiteFinds runs it.
func TestBrokenAdapter(t *testing.T) {
	breaks, ok := os.LookupEnv(breaking)
	if !ok {
		t.Skip("it is run, and fails, in processes of its own")
	}
	if s, ok := limitSuites(breaks)["limit dropped"]; ok && breaks == "dropped is not told" {
		ecptest.TestAdapter(t, s)
		return
	}
	ecptest.TestAdapter(t, toySuite(breaks))
}

// finds says which case, by a part of its name, finds which break. Others may,
// too; that one has to.
var finds = map[string]string{
	"major": "Major is", "interface": "the interfaces", "close": "Close may", "detect keeps connections": "Close may",
	"foreign error": "nobody listens", "internal": "nobody listens", "tells credentials": "are denied",
	"tells credentials in the cause": "are denied", "tells what it is told": "a far side/echoes",
	"tells the key":          "a license",
	"result beside an error": "nobody listens", "asks by PUT": "only read", "ignores its context": "ended ends",
	"redirect": "a far side/to another host: Listeners", "reads for ever": "a far side/body without end: Listeners",
	"patience": "a far side/says nothing: Listeners", "takes pages": "a far side/with a page",
	"takes garbage": "a far side/of other types",
	"repeats":       "not made twice", "takes any argument": "are invalid", "already is an error": "members",
	"removes who runs": "members", "unknown is unsupported": "ids that",
	"does not escape": "ids that", "limit as asked": "connection limit", "dropped is not told": "connection limit",
	"limit of no listener": "ids that", "limit of one node": "on every node", "turn of one node": "on every node",
	"replaces a license": "a license", "sets what is zero": "a license",
	"detect anything": "Detect tells", "detect wrong key": "Detect tells",
	"health with credentials": "health", "health of anything": "a far side/fails.*Health",
	"metrics of any type": "metrics stop", "metrics held": "metrics are", "metrics without end": "metrics stop",
	"metrics read to the end": "metrics stop", "metrics cut": "metrics stop", "metrics counted wrong": "metrics are",
	"phase always none": "an evacuation", "nodes unsorted": "Describe says",
}

// TestAdapterSuiteFinds: for each promise there is an adapter that breaks it,
// and a case that fails for it.
func TestAdapterSuiteFinds(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs a process for each promise that can be broken")
	}
	breaks := map[string]string{}
	for name := range spoils {
		breaks[name] = "every method"
	}
	for name, found := range finds {
		breaks[name] = found
	}
	turns := make(chan struct{}, 4)
	for name, found := range breaks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			found := strings.ReplaceAll(found, " ", "_")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestBrokenAdapter$/"+found,
				"-test.timeout", "2m")
			cmd.Env = append(slices.Clone(os.Environ()), breaking+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "no case found it:\n%s", out)
			require.Regexp(t, `--- FAIL: TestBrokenAdapter/\S*`+strings.ReplaceAll(found, "/", `\S*/\S*`), string(out))
			require.NotContains(t, string(out), "panic:")
		})
	}
}
