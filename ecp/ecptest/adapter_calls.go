package ecptest

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// subject is a broker under test and the way to it.
type subject struct {
	AdapterSuite
	endpoint ecp.Endpoint
	broker   ecp.Broker
}

// call is a method of a broker or an adapter, with arguments from the suite.
type call struct {
	name   string
	part   string                    // the interface it belongs to
	wanted func(s AdapterSuite) bool // the suite says what it should return
	has    func(a subject) bool
	do     func(ctx context.Context, a subject) (any, error)
	check  func(t *testing.T, s AdapterSuite, v any) // nil if it returns only an error
	traits traits
}

// traits are further properties of a method.
type traits uint

const (
	changes  traits = 1 << iota // it changes the cluster
	once                        // its POST must not be carried out twice
	unsigned                    // it sends no credentials
	public                      // some brokers need no credentials for it
	byID                        // it may find nothing with the id
)

func (c call) is(x traits) bool { return c.traits&x != 0 }

// part is an interface and the suite's field for it.
type part[I any] struct {
	name   string
	wanted func(s AdapterSuite) bool
}

func (p part[I]) of(a subject) (i I, ok bool) {
	if i, ok = a.broker.(I); ok {
		return i, true
	}
	i, ok = a.Adapter.(I)
	return i, ok
}

func (p part[I]) call(name string, is traits, do func(context.Context, subject, I) (any, error)) call {
	return call{
		name: name, part: p.name, wanted: p.wanted, traits: is,
		has: func(a subject) bool { _, ok := p.of(a); return ok },
		do: func(ctx context.Context, a subject) (any, error) {
			i, _ := p.of(a)
			return do(ctx, a, i)
		},
	}
}

// query returns a method with a result.
func query[I, T any](p part[I], name string, is traits, do func(context.Context, subject, I) (T, error),
	check func(*testing.T, AdapterSuite, T)) call {
	c := p.call(name, is, func(ctx context.Context, a subject, i I) (any, error) { return do(ctx, a, i) })
	c.check = func(t *testing.T, s AdapterSuite, v any) { check(t, s, v.(T)) }
	return c
}

// command returns a method with only an error.
func command[I any](p part[I], name string, is traits, do func(context.Context, subject, I) error) call {
	return p.call(name, is|changes, func(ctx context.Context, a subject, i I) (any, error) {
		return nil, do(ctx, a, i)
	})
}

var (
	asBroker   = part[ecp.Broker]{"Broker", func(AdapterSuite) bool { return true }}
	asDetector = part[ecp.Detector]{"Detector", func(s AdapterSuite) bool { return s.Detector != nil }}
	asLimiter  = part[ecp.ConnectionLimiter]{"ConnectionLimiter",
		func(s AdapterSuite) bool { return s.Limiter != nil }}
	asMonitor      = part[ecp.Monitor]{"Monitor", func(s AdapterSuite) bool { return s.Monitor != nil }}
	asAlarms       = part[ecp.AlarmSource]{"AlarmSource", func(s AdapterSuite) bool { return s.Alarms != nil }}
	asIntegrations = part[ecp.IntegrationSource]{"IntegrationSource",
		func(s AdapterSuite) bool { return s.Integrations != nil }}
	asEvacuator = part[ecp.Evacuator]{"Evacuator", func(s AdapterSuite) bool { return s.Evacuator != nil }}
	asMembers   = part[ecp.MemberManager]{"MemberManager", func(s AdapterSuite) bool { return s.Members != nil }}
	asListeners = part[ecp.ListenerManager]{"ListenerManager", func(s AdapterSuite) bool { return s.Listeners != nil }}
	asLicense   = part[ecp.LicenseManager]{"LicenseManager", func(s AdapterSuite) bool { return s.License != nil }}
	asMetrics   = part[ecp.Metrics]{"Metrics", func(s AdapterSuite) bool { return s.Metrics != nil }}
	asSettings  = part[ecp.SettingsSource]{"SettingsSource", func(s AdapterSuite) bool { return s.Settings != nil }}
	asChanger   = part[ecp.SettingsChanger]{"SettingsChanger",
		func(s AdapterSuite) bool { return s.Settings != nil && s.Settings.Change != nil }}
	asHealth = part[ecp.HealthSource]{"HealthSource", func(s AdapterSuite) bool { return s.Health != nil }}
)

// calls are all methods that an adapter or its brokers may have.
var calls = []call{
	query(asBroker, "Describe", 0,
		func(ctx context.Context, _ subject, b ecp.Broker) (ecp.Description, error) {
			return b.Describe(ctx)
		}, checkDescribed),
	query(asDetector, "Detect", 0, func(ctx context.Context, a subject, d ecp.Detector) (ecp.Detection, error) {
		return d.Detect(ctx, a.endpoint)
	}, checkDetection),

	query(asLimiter, "ConnectionLimit", 0,
		func(ctx context.Context, _ subject, b ecp.ConnectionLimiter) (ecp.ConnectionLimit, error) {
			return b.ConnectionLimit(ctx)
		}, checkLimit),
	query(asLimiter, "SetConnectionLimit", changes,
		func(ctx context.Context, a subject, b ecp.ConnectionLimiter) (ecp.ConnectionLimit, error) {
			return b.SetConnectionLimit(ctx, a.limit())
		}, checkLimit),

	query(asMonitor, "Traffic", 0,
		func(ctx context.Context, _ subject, b ecp.Monitor) (ecp.Traffic, error) {
			return b.Traffic(ctx)
		}, checkTraffic),
	query(asMonitor, "TrafficSeries", 0,
		func(ctx context.Context, _ subject, b ecp.Monitor) ([]ecp.TrafficSample, error) {
			return b.TrafficSeries(ctx, seriesOf)
		}, checkSeries),

	query(asAlarms, "ActiveAlarms", 0, func(ctx context.Context, _ subject, b ecp.AlarmSource) ([]ecp.Alarm, error) {
		return b.ActiveAlarms(ctx)
	}, checkActive),
	query(asAlarms, "AlarmHistory", 0, func(ctx context.Context, _ subject, b ecp.AlarmSource) ([]ecp.Alarm, error) {
		return b.AlarmHistory(ctx)
	}, checkHistory),

	query(asIntegrations, "Rules", 0,
		func(ctx context.Context, _ subject, b ecp.IntegrationSource) ([]ecp.Rule, error) {
			return b.Rules(ctx)
		}, checkRules),
	query(asIntegrations, "Integrations", 0,
		func(ctx context.Context, _ subject, b ecp.IntegrationSource) ([]ecp.Integration, error) {
			return b.Integrations(ctx)
		}, checkIntegrations),

	command(asEvacuator, "StartEvacuation", byID, func(ctx context.Context, a subject, b ecp.Evacuator) error {
		return b.StartEvacuation(ctx, a.node(), ecp.EvacuationOrder{ConnectionRate: 1, SessionRate: 1})
	}),
	query(asEvacuator, "EvacuationProgress", byID,
		func(ctx context.Context, a subject, b ecp.Evacuator) (ecp.EvacuationProgress, error) {
			return b.EvacuationProgress(ctx, a.node())
		}, checkProgress),
	command(asEvacuator, "StopEvacuation", byID, func(ctx context.Context, a subject, b ecp.Evacuator) error {
		return b.StopEvacuation(ctx, a.node())
	}),

	command(asMembers, "InviteMember", once|byID, func(ctx context.Context, a subject, b ecp.MemberManager) error {
		return b.InviteMember(ctx, a.stranger())
	}),
	command(asMembers, "RemoveMember", byID, func(ctx context.Context, a subject, b ecp.MemberManager) error {
		return b.RemoveMember(ctx, a.stopped())
	}),

	query(asListeners, "Listeners", 0,
		func(ctx context.Context, _ subject, b ecp.ListenerManager) ([]ecp.BrokerListener, error) {
			return b.Listeners(ctx)
		}, checkListeners),
	command(asListeners, "SetListenerLimit", byID, func(ctx context.Context, a subject, b ecp.ListenerManager) error {
		return b.SetListenerLimit(ctx, a.listener(), 1000)
	}),
	command(asListeners, "StartListener", byID, func(ctx context.Context, a subject, b ecp.ListenerManager) error {
		return b.StartListener(ctx, a.listener())
	}),
	command(asListeners, "StopListener", byID, func(ctx context.Context, a subject, b ecp.ListenerManager) error {
		return b.StopListener(ctx, a.listener())
	}),

	query(asLicense, "License", 0,
		func(ctx context.Context, _ subject, b ecp.LicenseManager) (ecp.BrokerLicense, error) {
			return b.License(ctx)
		}, checkLicense),
	query(asLicense, "SetLicense", changes,
		func(ctx context.Context, a subject, b ecp.LicenseManager) (ecp.BrokerLicense, error) {
			return b.SetLicense(ctx, ecp.LicenseChange{Key: a.key(), Replace: true})
		}, checkLicense),
	query(asLicense, "LicenseSettings", 0,
		func(ctx context.Context, _ subject, b ecp.LicenseManager) (ecp.LicenseSettings, error) {
			return b.LicenseSettings(ctx)
		}, checkSettings),
	query(asLicense, "SetLicenseSettings", changes,
		func(ctx context.Context, _ subject, b ecp.LicenseManager) (ecp.LicenseSettings, error) {
			return b.SetLicenseSettings(ctx, ecp.LicenseSettings{HighWatermark: 0.9, LowWatermark: 0.7})
		}, checkSettings),

	query(asMetrics, "WriteMetrics", public, func(ctx context.Context, _ subject, b ecp.Metrics) (exposition, error) {
		return writeMetrics(ctx, b, ecp.MetricsOfNode)
	}, checkExposition),
	query(asMetrics, "WriteMetrics of nodes", public,
		func(ctx context.Context, _ subject, b ecp.Metrics) (exposition, error) {
			return writeMetrics(ctx, b, ecp.MetricsOfNodes)
		}, checkExposition),

	query(asSettings, "Settings", 0,
		func(ctx context.Context, a subject, b ecp.SettingsSource) (ecp.BrokerSettings, error) {
			return b.Settings(ctx, a.words())
		}, checkInForce),
	command(asChanger, "ChangeSettings", 0, func(ctx context.Context, a subject, b ecp.SettingsChanger) error {
		return b.ChangeSettings(ctx, a.settings(), nil)
	}),

	query(asHealth, "Health", unsigned,
		func(ctx context.Context, _ subject, b ecp.HealthSource) (ecp.Health, error) {
			return b.Health(ctx)
		}, checkHealth),
}

// seriesOf is the time for which a series is queried.
const seriesOf = time.Hour

// Arguments for a suite that has none: names that brokers may have.

// strangeKey is not a license, but must be hidden like one.
const strangeKey = "LICENSE-51c0-not-to-be-shown"

func (s AdapterSuite) node() string {
	if s.Evacuator != nil && s.Evacuator.Node != "" {
		return s.Evacuator.Node
	}
	if len(s.Want.Nodes) > 0 {
		return s.Want.Nodes[0].Name
	}
	return "emqx@10.0.0.1"
}

// words returns the roots of the settings that are queried.
func (s AdapterSuite) words() (words []string) {
	if s.Settings == nil {
		return []string{"mqtt"}
	}
	for word := range s.Settings.InForce {
		words = append(words, word)
	}
	return words
}

func (s AdapterSuite) settings() map[string]string {
	if s.Settings == nil || s.Settings.Change == nil {
		return map[string]string{"mqtt.max_inflight": "33"}
	}
	return s.Settings.Change
}

func (s AdapterSuite) stranger() string {
	if s.Members != nil && s.Members.Stranger != "" {
		return s.Members.Stranger
	}
	return "emqx@10.0.0.77"
}

func (s AdapterSuite) stopped() string {
	if s.Members != nil && s.Members.Stopped != "" {
		return s.Members.Stopped
	}
	return "emqx@10.0.0.78"
}

func (s AdapterSuite) listener() string {
	if s.Listeners != nil && s.Listeners.ID != "" {
		return s.Listeners.ID
	}
	return "tcp:default"
}

func (s AdapterSuite) key() string {
	if s.License != nil && s.License.Key != "" {
		return s.License.Key
	}
	return strangeKey
}

// secret returns the license's key, unless it is a well-known word such as "default".
func (s AdapterSuite) secret() string {
	if k := s.key(); len(k) >= shortestSecret {
		return k
	}
	return ""
}

// shortestSecret is the length of the shortest key that counts as a secret.
const shortestSecret = 12

func (s AdapterSuite) limit() int {
	if s.Limiter == nil {
		return 10
	}
	for _, n := range []int{s.Limiter.Set, s.Limiter.Limit.Set, s.Limiter.Limit.InForce} {
		if n > 0 {
			return n
		}
	}
	return 10
}

// way returns the way to a healthy cluster for a method.
func (s AdapterSuite) way(t *testing.T, c call) ecp.Endpoint {
	if c.part == asMembers.name && s.Members != nil && s.Members.Open != nil {
		return s.Members.Open(t)
	}
	return s.Open(t)
}

// lacks reports whether the cluster does not have a method, according to the suite.
func (s AdapterSuite) lacks(name string) bool { return slices.Contains(s.Unsupported, name) }

// works reports whether a method should succeed on the healthy cluster.
func (c call) works(s AdapterSuite) bool {
	if !c.wanted(s) || s.lacks(c.name) {
		return false
	}
	switch c.name {
	case "SetConnectionLimit":
		return s.Limiter.Limit.Settable && !s.Limiter.Dropped
	case "SetLicense":
		return s.License.Key != ""
	case "InviteMember":
		return s.Members.Stranger != ""
	case "RemoveMember":
		return s.Members.Stopped != ""
	case "Detect":
		return !s.Detector.Unmanageable
	}
	return true
}

// callsOf returns the methods of a broker for which fits is true.
func callsOf(t *testing.T, s AdapterSuite, fits func(call) bool) (out []call) {
	t.Helper()
	e := s.Open(t)
	a := subject{s, e, open(t, s, e)}
	for _, c := range calls {
		if c.has(a) && fits(c) {
			out = append(out, c)
		}
	}
	return out
}

// exposition is the output of WriteMetrics.
type exposition struct {
	n    int64
	text bytes.Buffer
}

func writeMetrics(ctx context.Context, b ecp.Metrics, scope ecp.MetricsScope) (exposition, error) {
	var x exposition
	var err error
	x.n, err = b.WriteMetrics(ctx, &x.text, scope)
	return x, err
}
