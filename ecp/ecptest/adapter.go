package ecptest

import (
	"cmp"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// AdapterSuite is an Adapter under test, a cluster for it to speak to, and what
// is to be found there. Adapter, Open and Want are required.
//
// For each interface that brokers of the Adapter are to have, set the field of
// that name: a broker without it then fails, and each method is compared with
// what is wanted. Fields of it that are zero are not compared. An interface
// whose field is nil but which is there all the same is held to those promises
// that need no knowledge of the cluster; nothing is then changed in it.
type AdapterSuite struct {
	// Adapter is what is tested.
	Adapter ecp.Adapter
	// Impatient is the same with little patience, half a second say: each case
	// in which the far side never ends lasts as long as it has. nil = Adapter.
	Impatient ecp.Adapter
	// Frugal is the same that reads little of one answer, a MiB say: each case in
	// which the far side sends without end costs as much as it reads. nil = Adapter.
	Frugal ecp.Adapter
	// Open gives the way to a healthy cluster, with the credentials that it
	// takes. It is called once in each case that needs one, hundreds of times,
	// and from several goroutines. What one case changes MUST NOT show in
	// another: give a new cluster each time unless it is a recording.
	Open func(t *testing.T) ecp.Endpoint
	// Want is what Describe says of that cluster. A node's uptime and memory
	// are compared only where they are not zero here.
	Want ecp.Description
	// Bound is how long any call may take, whatever the far side does; 0 = 15 s.
	Bound time.Duration
	// Recorded says that the cluster answers as it once did: changes succeed,
	// but nothing is different afterwards.
	Recorded bool
	// Unsupported names the methods that a cluster of this version, edition or
	// licence does not have, e.g. "TrafficSeries".
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
	Health       *ecp.Health // what HealthSource says
	Settings     *WantSettings

	// Faults are ways in which the far side may be unwell beside those the
	// suite has; each is met by every method.
	Faults []AdapterFault
}

// WantDetector is what Detect says of the cluster, given its credentials.
type WantDetector struct {
	Detection ecp.Detection
	// Unmanageable says that the error is unsupported all the same, as for an
	// edition or a version that cannot be managed.
	Unmanageable bool
}

// WantLimiter is the limit of the cluster. Where none can be set, Settable is
// false, and SetConnectionLimit is unsupported.
type WantLimiter struct {
	Limit ecp.ConnectionLimit
	// Set is a limit that can be set; 0 = the one that is in force.
	Set int
	// Most is the licence's own limit: more than it gives it; 0 = not tried.
	Most int
	// Dropped says that the broker takes the number and drops it.
	Dropped bool
}

// WantMonitor is how busy the cluster is.
type WantMonitor struct {
	Traffic ecp.Traffic
	Samples int // at least so many in the last hour
}

// WantAlarms are the cluster's alarms, the newest first; empty = not compared.
type WantAlarms struct{ Active, History []ecp.Alarm }

// WantIntegrations are the cluster's rules and what they lead to; empty = not
// compared.
type WantIntegrations struct {
	Rules        []ecp.Rule
	Integrations []ecp.Integration
}

// WantEvacuator names nodes of the cluster.
type WantEvacuator struct {
	// Node may be evacuated; the suite does.
	Node string
	// OpenHanging leads to Node itself, which is healthy, in a cluster of which
	// another member hangs; nil = not tried.
	OpenHanging func(t *testing.T) ecp.Endpoint
}

// WantMembers names nodes of a cluster. A case whose node is "" is skipped.
type WantMembers struct {
	// Open gives the way to a cluster with such nodes; nil = that of the suite.
	Open func(t *testing.T) ecp.Endpoint
	// Self is the node that answers.
	Self string
	// Stopped is a member that is stopped.
	Stopped string
	// Stranger runs, but is no member.
	Stranger string
}

// WantListeners are the listeners of the cluster, by id; empty = not compared.
type WantListeners struct {
	Listeners []ecp.BrokerListener
	// ID is one that runs and may be changed; the suite stops and starts it.
	ID string
	// Lagging is a node on which every change of a listener fails, of the
	// cluster that OpenLagging leads to; "" = not tried.
	Lagging     string
	OpenLagging func(t *testing.T) ecp.Endpoint
}

// WantLicense is the licence of the cluster.
type WantLicense struct {
	License ecp.License
	// Key is one that the broker takes; "" = none is loaded. It is a secret
	// unless it is as short as "default".
	Key string
	// Refused is one that the broker refuses; "" = not tried.
	Refused string
	// Settings are those beside the licence.
	Settings ecp.LicenseSettings
}

// WantSettings are settings of the cluster.
type WantSettings struct {
	// InForce are some of them, by the words of their keys.
	InForce map[string]any
}

// WantMetrics is what the exposition has.
type WantMetrics struct {
	Series []string // names that lines begin with
}

// AdapterFault is a way in which a cluster may be unwell.
type AdapterFault struct {
	Name string
	// Open gives the way to a cluster that is unwell so.
	Open func(t *testing.T) ecp.Endpoint
	// Codes are those that an error may have; nil = any but internal.
	Codes []ecp.Code
	// Fails names methods that MUST fail; nil = all may succeed, with as much
	// as can be known.
	Fails []string
	// Much says that it sends a lot: few methods then meet it at once.
	Much bool
}

// impatient is the suite for a far side that may never end.
func (s AdapterSuite) impatient() AdapterSuite {
	s.Adapter = s.Impatient
	return s
}

// frugal is the suite for a far side that sends too much.
func (s AdapterSuite) frugal() AdapterSuite {
	s.Adapter = s.Frugal
	return s
}

// TestAdapter checks that an Adapter keeps what [ecp.Adapter], [ecp.Broker] and
// the further interfaces of its brokers promise: every method does what it says
// on a healthy cluster, and ends in bounded time and memory with an error of
// the right code, free of secrets, where the far side is anything else. What
// may not be done twice is not, whatever becomes of the answers.
//
// Goroutines that an adapter leaves behind are found by goleak.VerifyTestMain
// in the package that calls this.
func TestAdapter(t *testing.T, s AdapterSuite) {
	s.Bound = cmp.Or(s.Bound, 15*time.Second)
	if s.Impatient == nil {
		s.Impatient = s.Adapter
	}
	if s.Frugal == nil {
		s.Frugal = s.Adapter
	}
	for _, c := range adapterCases {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

var adapterCases = []struct {
	name string
	run  func(t *testing.T, s AdapterSuite)
}{
	{"Major is that of the cluster it describes", testMajor},
	{"Open refuses what is no endpoint and never repeats it", testOpenRefuses},
	{"Open does no I/O", testOpenDoesNoIO},
	{"Describe says who the members are", testDescribe},
	{"Describe may run several times at once", testDescribeConcurrently},
	{"credentials are sent, and none where the transport has them", testCredentials},

	{"the broker has the interfaces that are wanted", testInterfaces},
	{"every method keeps its word on a healthy cluster", testMethods},
	{"methods that ask only read", testReading},
	{"methods may run several times at once", testConcurrently},
	{"what a version lacks is unsupported", testUnsupported},
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
	{"a licence that was loaded is not replaced unasked", testLicense},
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
