package ecptest

import (
	"cmp"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// AdapterSuite describes an Adapter under test, a cluster that it can reach, and the
// results that it should return. Adapter, Open and Want are required.
//
// Set one field for each interface that the brokers of the Adapter should implement. A
// broker without that interface then fails, and each method's result is compared with what
// is wanted. Zero fields are not compared. If the field is nil but the broker implements
// the interface, the suite checks only promises that need no knowledge of the cluster, and
// changes nothing in it.
type AdapterSuite struct {
	// Adapter is the adapter under test.
	Adapter ecp.Adapter
	// Impatient is the same adapter with a short time limit, e.g. half a second. Each case
	// in which the server does not answer takes that long. nil means Adapter.
	Impatient ecp.Adapter
	// Frugal is the same adapter with a small limit on one answer, e.g. a MiB. Each case in
	// which the server sends without end costs that much. nil means Adapter.
	Frugal ecp.Adapter
	// Open returns a way to a healthy cluster, with credentials that it accepts. It is
	// called once in each case that needs a cluster, hundreds of times and from several
	// goroutines. Changes made by one case must not be visible to another: return a new
	// cluster each time unless it is a recording.
	Open func(t *testing.T) ecp.Endpoint
	// Want is the description of that cluster. The uptime and memory of a node are compared
	// only if they are not zero here.
	Want ecp.Description
	// Bound is how long any call may take, whatever the server does; 0 means 15 s.
	Bound time.Duration
	// Recorded says that the cluster gives recorded answers: changes succeed, but have no
	// effect.
	Recorded bool
	// Unsupported lists the methods that a cluster of this version, edition or license does
	// not have, e.g. "TrafficSeries".
	Unsupported []string

	Detector     *WantDetector
	Limiter      *WantLimiter
	Monitor      *WantMonitor
	Alarms       *WantAlarms
	Integrations *WantIntegrations
	Evacuator    *WantEvacuator
	Members      *WantMembers
	Listeners    *WantListeners
	License      *WantLicense
	Metrics      *WantMetrics
	Health       *ecp.Health // the result of HealthSource
	Settings     *WantSettings

	// Faults are further faults of the server beside those of the suite. Every method is
	// tested with each.
	Faults []AdapterFault
}

// WantDetector is the result of Detect with the cluster's credentials.
type WantDetector struct {
	Detection ecp.Detection
	// Unmanageable says that Detect also returns an unsupported error, e.g. for an edition
	// or a version that cannot be managed.
	Unmanageable bool
}

// WantLimiter is the limit of the cluster. If none can be set, Settable is false, and
// SetConnectionLimit must be unsupported.
type WantLimiter struct {
	Limit ecp.ConnectionLimit
	// Set is a limit that can be set; 0 means the one in force.
	Set int
	// Max is the license's own limit, which no higher limit can exceed; 0 skips that test.
	Max int
	// Dropped says that the broker accepts a limit and ignores it.
	Dropped bool
}

// WantMonitor is the traffic of the cluster.
type WantMonitor struct {
	Traffic ecp.Traffic
	Samples int // the least number of samples of the last hour
}

// WantAlarms are the cluster's alarms, the newest first. Empty lists are not compared.
type WantAlarms struct{ Active, History []ecp.Alarm }

// WantIntegrations are the cluster's rules and their targets. Empty lists are not compared.
type WantIntegrations struct {
	Rules        []ecp.Rule
	Integrations []ecp.Integration
}

// WantEvacuator names nodes of the cluster.
type WantEvacuator struct {
	// Node is a node that the suite evacuates.
	Node string
	// OpenHanging returns a way to Node itself, which is healthy, in a cluster with another
	// member that hangs. nil skips that test.
	OpenHanging func(t *testing.T) ecp.Endpoint
}

// WantMembers names nodes of a cluster. A test whose node is empty is skipped.
type WantMembers struct {
	// Open returns a way to a cluster with such nodes. nil means that of the suite.
	Open func(t *testing.T) ecp.Endpoint
	// Self is the node that answers.
	Self string
	// Stopped is a member that does not run.
	Stopped string
	// Stranger is a node that runs but is no member.
	Stranger string
}

// WantListeners are the listeners of the cluster, by id. An empty list is not compared.
type WantListeners struct {
	Listeners []ecp.BrokerListener
	// ID is a running listener, which the suite stops and starts.
	ID string
	// Lagging is a node of the cluster at OpenLagging on which every change of a listener
	// fails. If it is empty, that test is skipped.
	Lagging     string
	OpenLagging func(t *testing.T) ecp.Endpoint
}

// WantLicense is the license of the cluster.
type WantLicense struct {
	License ecp.BrokerLicense
	// Key is a key that the broker accepts; if it is empty, none is loaded. It is a secret
	// unless it is as short as "default".
	Key string
	// Refused is a key that the broker refuses; if it is empty, that test is skipped.
	Refused string
	// Settings are the settings beside the license.
	Settings ecp.LicenseSettings
}

// WantSettings are settings of the cluster.
type WantSettings struct {
	// InForce are some of the settings, as a tree.
	InForce map[string]any
	// Change are settings of InForce with other values than those, which nobody sets. If it is nil, brokers need not
	// implement [ecp.SettingsChanger].
	Change map[string]string
	// Refused are settings that the broker refuses.
	Refused map[string]string
	// OpenOther returns ways to two nodes of one cluster.
	OpenOther func(t *testing.T) (one, other ecp.Endpoint)
}

// WantMetrics are the metrics of the cluster.
type WantMetrics struct {
	Series []string // prefixes of lines that must be there
}

// AdapterFault is a fault of a cluster.
type AdapterFault struct {
	Name string
	// Open returns a way to a cluster with the fault.
	Open func(t *testing.T) ecp.Endpoint
	// Codes are the codes that an error may have. nil allows any except internal.
	Codes []ecp.Code
	// Fails lists methods that must fail. If it is nil, all may succeed, perhaps with
	// incomplete results.
	Fails []string
	// Large says that the cluster sends large answers. Then fewer methods are tested at
	// once.
	Large bool
}

// impatient returns the suite for a server that may not answer.
func (s AdapterSuite) impatient() AdapterSuite {
	s.Adapter = s.Impatient
	return s
}

// frugal returns the suite for a server that sends too much.
func (s AdapterSuite) frugal() AdapterSuite {
	s.Adapter = s.Frugal
	return s
}

// TestAdapter checks that an Adapter keeps the promises of [ecp.Adapter], [ecp.Broker] and
// the further interfaces of its brokers. Every method works on a healthy cluster. In all
// other cases it ends in limited time and memory, with an error of the right code that
// contains no secrets. Requests that must not be sent twice are not, whatever happens to
// their answers.
//
// To find goroutines that an adapter leaves behind, call goleak.VerifyTestMain in the
// package that calls TestAdapter.
func TestAdapter(t *testing.T, s AdapterSuite) {
	s.run(t, methodCases)
	s.run(t, adapterCases)
}

// TestAdapterMethods runs the part of [TestAdapter] that tests every method on a healthy
// cluster: each works, or is unsupported, as the suite says. It is for further versions of a
// broker, whose faults need not be tested again.
func TestAdapterMethods(t *testing.T, s AdapterSuite) { s.run(t, methodCases) }

func (s AdapterSuite) run(t *testing.T, cases []adapterCase) {
	s.Bound = cmp.Or(s.Bound, 15*time.Second)
	if s.Impatient == nil {
		s.Impatient = s.Adapter
	}
	if s.Frugal == nil {
		s.Frugal = s.Adapter
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

// adapterCase is a case of the suite.
type adapterCase struct {
	name string
	run  func(t *testing.T, s AdapterSuite)
}

// methodCases need a healthy cluster only.
var methodCases = []adapterCase{
	{"Describe says who the members are", testDescribe},
	{"the broker has the interfaces that are wanted", testInterfaces},
	{"every method keeps its word on a healthy cluster", testMethods},
	{"what a version lacks is unsupported", testUnsupported},
}

// adapterCases are the other cases.
var adapterCases = []adapterCase{
	{"Major is that of the cluster it describes", testMajor},
	{"Open refuses what is no endpoint and never repeats it", testOpenRefuses},
	{"Open does no I/O", testOpenDoesNoIO},
	{"Describe may run several times at once", testDescribeConcurrently},
	{"credentials are sent, and none where the transport has them", testCredentials},

	{"methods that ask only read", testReading},
	{"methods may run several times at once", testConcurrently},
	{"arguments that are wrong are invalid and nothing is sent", testArguments},
	{"ids that nobody has are not found and change nothing", testStrangers},

	{"Detect tells what answers", testDetect},
	{"a connection limit is set, capped or dropped", testLimit},
	{"an evacuation may be started and stopped twice", testEvacuation},
	{"an evacuation is told of a healthy node while another hangs", testHangingEvacuation},
	{"an evacuation of a node that is stopped is not none", testEvacuationOfStopped},
	{"members come and go, and the one that answers stays", testMembers},
	{"a listener may be stopped and started twice", testListener},
	{"a listener's change is in force on every node", testLaggingListener},
	{"settings are changed on every node, or none of them is", testSettings},
	{"a license that was loaded is not replaced unasked", testLicense},
	{"metrics are copied as they come", testMetricsStream},
	{"metrics stop where they have to", testMetricsEnds},
	{"health is told without credentials", testHealth},

	{"credentials that are wrong are denied", testWrongCredentials},
	{"a context that has ended ends the call", testContextEnded},
	{"a context that ends ends the call", testContextEnds},
	{"nobody listens", testNobodyListens},
	{"Close may be called again and gives idle connections back", testClose},
	{"a change whose answer is lost is not made twice", testLostAnswers},
	{"a far side that fails", testFaults},
}
