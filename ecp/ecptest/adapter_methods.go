package ecptest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

func testInterfaces(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	a := subject{s, e, open(t, s, e)}
	known := map[string]bool{}
	for _, c := range calls {
		known[c.name] = true
		if c.wanted(s) && !c.has(a) {
			t.Errorf("there is no %s: %s is missing, which is wanted", c.name, c.part)
		}
	}
	for _, name := range s.Unsupported {
		if !known[name] {
			t.Errorf("Unsupported names %q, which is no method", name)
		}
	}
}

// wantedOf returns what a method should return, if the suite says so.
func (s AdapterSuite) wantedOf(name string) any {
	switch {
	case name == "ConnectionLimit" && s.Limiter != nil:
		return s.Limiter.Limit
	case name == "Traffic" && s.Monitor != nil:
		return s.Monitor.Traffic
	case name == "ActiveAlarms" && s.Alarms != nil:
		return s.Alarms.Active
	case name == "AlarmHistory" && s.Alarms != nil:
		return s.Alarms.History
	case name == "Rules" && s.Integrations != nil:
		return s.Integrations.Rules
	case name == "Integrations" && s.Integrations != nil:
		return s.Integrations.Integrations
	case name == "Listeners" && s.Listeners != nil:
		return s.Listeners.Listeners
	case name == "License" && s.License != nil:
		return s.License.License
	case name == "LicenseSettings" && s.License != nil:
		return s.License.Settings
	case name == "Health" && s.Health != nil:
		return *s.Health
	}
	return nil
}

// testMethods calls each method on a healthy cluster, twice if it only reads.
func testMethods(t *testing.T, s AdapterSuite) {
	for _, c := range callsOf(t, s, func(c call) bool {
		return c.works(s) || !c.is(changes) && !s.lacks(c.name) &&
			c.name != "Detect"
	}) {
		t.Run(c.name, func(t *testing.T) {
			e := s.way(t, c)
			a := subject{s, e, open(t, s, e)}
			times := 2
			if c.is(changes) {
				times = 1
			}
			for range times {
				start := time.Now()
				v, err := c.do(t.Context(), a)
				checkBound(t, s, start)
				if err != nil {
					if c.works(s) {
						t.Fatalf("%v (cause: %v)", err, errors.Unwrap(err))
					}
					checkFailure(t, err, e.Credentials)
					return
				}
				c.checked(t, s, v)
			}
		})
	}
}

// checked checks a result and compares it with what is wanted.
func (c call) checked(t *testing.T, s AdapterSuite, v any) {
	t.Helper()
	if c.check == nil {
		return
	}
	c.check(t, s, v)
	if want := s.wantedOf(c.name); want != nil {
		checkWanted(t, c.name, v, want)
	}
	if list, ok := v.([]ecp.TrafficSample); ok && s.Monitor != nil && len(list) < s.Monitor.Samples {
		t.Errorf("the series has %d samples, want %d or more", len(list), s.Monitor.Samples)
	}
}

// testReading also checks that methods that only read send nothing but GET.
func testReading(t *testing.T, s AdapterSuite) {
	for _, c := range callsOf(t, s, func(c call) bool { return !c.is(changes) }) {
		t.Run(c.name, func(t *testing.T) {
			g := gateTo(t, s.Open(t), nil)
			_, _ = c.do(t.Context(), subjectAt(t, s, g))
			if made := g.changes(); len(made) > 0 {
				t.Errorf("it sent what may change something: %v", made)
			}
		})
	}
}

// sharers is how many goroutines share a broker.
const sharers = 16

func testConcurrently(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	a := subject{s, e, open(t, s, e)}
	reads := callsOf(t, s, func(c call) bool { return !c.is(changes) && c.works(s) })
	var all sync.WaitGroup
	for i := range sharers {
		all.Go(func() {
			for j := range reads {
				c := reads[(i+j)%len(reads)]
				v, err := c.do(t.Context(), a)
				if err != nil {
					t.Errorf("%s: %v (cause: %v)", c.name, err, errors.Unwrap(err))
					continue
				}
				c.checked(t, s, v)
			}
		})
	}
	all.Wait()
}

func testUnsupported(t *testing.T, s AdapterSuite) {
	for _, c := range callsOf(t, s, func(c call) bool { return s.lacks(c.name) }) {
		t.Run(c.name, func(t *testing.T) {
			g := gateTo(t, s.way(t, c), nil)
			_, err := c.do(t.Context(), subjectAt(t, s, g))
			if err == nil && c.check == nil {
				return // nothing was left to do
			}
			checkCode(t, err, g.secrets(s), ecp.CodeUnsupported)
		})
	}
}

// badArgument is a call that must not reach a broker, unless mayReach is set.
type badArgument struct {
	what     string
	mayReach bool // the broker itself may refuse it
	call     call
}

func badArguments() []badArgument {
	bad := func(what string, c call) badArgument { return badArgument{what, false, c} }
	evacuate := func(node string, o ecp.EvacuationOrder) call {
		return command(asEvacuator, "StartEvacuation", 0,
			func(ctx context.Context, _ subject, b ecp.Evacuator) error {
				return b.StartEvacuation(ctx, node, o)
			})
	}
	license := func(key string) call {
		return query(asLicense, "SetLicense", changes,
			func(ctx context.Context, _ subject, b ecp.LicenseManager) (ecp.BrokerLicense, error) {
				return b.SetLicense(ctx, ecp.LicenseChange{Key: key, Replace: true})
			}, checkLicense)
	}
	settings := func(high, low float64) call {
		return query(asLicense, "SetLicenseSettings", changes,
			func(ctx context.Context, _ subject, b ecp.LicenseManager) (ecp.LicenseSettings, error) {
				return b.SetLicenseSettings(ctx, ecp.LicenseSettings{HighWatermark: high, LowWatermark: low})
			}, checkSettings)
	}
	return []badArgument{
		bad("SetConnectionLimit below zero", query(asLimiter, "SetConnectionLimit", changes,
			func(ctx context.Context, _ subject, b ecp.ConnectionLimiter) (ecp.ConnectionLimit, error) {
				return b.SetConnectionLimit(ctx, -1)
			}, checkLimit)),
		bad("StartEvacuation of no node", evacuate("", ecp.EvacuationOrder{})),
		bad("StartEvacuation at a rate below zero", evacuate("emqx@10.0.0.1", ecp.EvacuationOrder{ConnectionRate: -1})),
		bad("StartEvacuation moving less than nothing",
			evacuate("emqx@10.0.0.1", ecp.EvacuationOrder{SessionRate: -1})),
		bad("StartEvacuation after less than no time",
			evacuate("emqx@10.0.0.1", ecp.EvacuationOrder{WaitHealth: -time.Second})),
		bad("StartEvacuation moving after less than no time",
			evacuate("emqx@10.0.0.1", ecp.EvacuationOrder{WaitTakeover: -time.Second})),
		bad("StopEvacuation of no node", command(asEvacuator, "StopEvacuation", 0,
			func(ctx context.Context, _ subject, b ecp.Evacuator) error {
				return b.StopEvacuation(ctx, "")
			})),
		bad("EvacuationProgress of no node", query(asEvacuator, "EvacuationProgress", 0,
			func(ctx context.Context, _ subject, b ecp.Evacuator) (ecp.EvacuationProgress, error) {
				return b.EvacuationProgress(ctx, "")
			}, checkProgress)),
		bad("InviteMember without a name", command(asMembers, "InviteMember", 0,
			func(ctx context.Context, _ subject, b ecp.MemberManager) error {
				return b.InviteMember(ctx, "")
			})),
		bad("RemoveMember without a name", command(asMembers, "RemoveMember", 0,
			func(ctx context.Context, _ subject, b ecp.MemberManager) error {
				return b.RemoveMember(ctx, "")
			})),
		bad("SetListenerLimit below zero", command(asListeners, "SetListenerLimit", 0,
			func(ctx context.Context, a subject, b ecp.ListenerManager) error {
				return b.SetListenerLimit(ctx, a.listener(), -1)
			})),
		bad("SetListenerLimit of no listener", command(asListeners, "SetListenerLimit", 0,
			func(ctx context.Context, _ subject, b ecp.ListenerManager) error {
				return b.SetListenerLimit(ctx, "", 1)
			})),
		bad("StartListener without an id", command(asListeners, "StartListener", 0,
			func(ctx context.Context, _ subject, b ecp.ListenerManager) error {
				return b.StartListener(ctx, "")
			})),
		bad("StopListener without an id", command(asListeners, "StopListener", 0,
			func(ctx context.Context, _ subject, b ecp.ListenerManager) error {
				return b.StopListener(ctx, "")
			})),
		bad("SetLicense without a key", license("")),
		{"SetLicense of white space", true, license(" \n")},
		bad("SetLicenseSettings above one", settings(1.5, 0)),
		bad("SetLicenseSettings below zero", settings(0, -0.5)),
		{"SetLicenseSettings the wrong way round", true, settings(0.5, 0.8)},
	}
}

// testArguments: a wrong argument is refused without a request. A version without the
// method may say that instead.
func testArguments(t *testing.T, s AdapterSuite) {
	for _, bad := range badArguments() {
		t.Run(bad.what, func(t *testing.T) {
			g := gateTo(t, s.Open(t), nil)
			a := subjectAt(t, s, g)
			if !bad.call.has(a) || bad.mayReach && (s.Recorded || !bad.call.wanted(s)) {
				return
			}
			_, err := bad.call.do(t.Context(), a)
			if s.lacks(bad.call.name) {
				checkCode(t, err, g.secrets(s), ecp.CodeInvalid, ecp.CodeUnsupported)
				return
			}
			checkCode(t, err, g.secrets(s), ecp.CodeInvalid)
			if n := g.asked.Load(); n > 0 && !bad.mayReach {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

// strangeIDs are names that no node or listener has. Unescaped, some of them would lead to
// other paths.
var strangeIDs = []string{
	"nobody@10.9.9.9", "tcp:nobody", "a/b", "..", "../../nodes", "a?b=c", "a#b", "a%2fb", "a b", "Zürich@10.9.9.9",
}

func strangers(id string) []call {
	return []call{
		command(asEvacuator, "StartEvacuation", 0, func(ctx context.Context, _ subject, b ecp.Evacuator) error {
			return b.StartEvacuation(ctx, id, ecp.EvacuationOrder{})
		}),
		query(asEvacuator, "EvacuationProgress", 0,
			func(ctx context.Context, _ subject, b ecp.Evacuator) (ecp.EvacuationProgress, error) {
				return b.EvacuationProgress(ctx, id)
			}, checkProgress),
		command(asListeners, "SetListenerLimit", 0, func(ctx context.Context, _ subject, b ecp.ListenerManager) error {
			return b.SetListenerLimit(ctx, id, 1)
		}),
		command(asListeners, "StartListener", 0,
			func(ctx context.Context, _ subject, b ecp.ListenerManager) error {
				return b.StartListener(ctx, id)
			}),
		command(asListeners, "StopListener", 0,
			func(ctx context.Context, _ subject, b ecp.ListenerManager) error {
				return b.StopListener(ctx, id)
			}),
	}
}

// testStrangers: only an impossible name may be invalid instead.
func testStrangers(t *testing.T, s AdapterSuite) {
	for _, id := range strangeIDs {
		for _, c := range strangers(id) {
			t.Run(c.name+" "+strings.ReplaceAll(id, "/", "_"), func(t *testing.T) {
				g := gateTo(t, s.Open(t), nil)
				a := subjectAt(t, s, g)
				if !c.has(a) || !c.wanted(s) || s.lacks(c.name) {
					return
				}
				codes := []ecp.Code{ecp.CodeNotFound}
				if !strings.HasPrefix(id, "nobody@") && !strings.HasPrefix(id, "tcp:") {
					codes = append(codes, ecp.CodeInvalid)
				} else if strings.Contains(id, "@") != (c.part == asEvacuator.name) {
					return
				}
				_, err := c.do(t.Context(), a)
				checkCode(t, err, g.secrets(s), codes...)
			})
		}
	}
}
