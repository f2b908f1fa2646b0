package ecptest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// scene opens a broker of a healthy cluster. ok is false if the broker lacks the interface
// or the suite has nothing for it.
func scene[I any](t *testing.T, s AdapterSuite, p part[I], e func(*testing.T) ecp.Endpoint, needs ...string) (i I,
	g *gate, ok bool) {
	t.Helper()
	if !p.wanted(s) || slices.ContainsFunc(needs, s.lacks) {
		return i, nil, false
	}
	g = gateTo(t, e(t), nil)
	i, ok = p.of(subjectAt(t, s, g))
	return i, g, ok
}

// must fails the test at an error.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v (cause: %v)", what, err, errors.Unwrap(err))
	}
}

func testLimit(t *testing.T, s AdapterSuite) {
	b, g, ok := scene(t, s, asLimiter, s.Open, "ConnectionLimit", "SetConnectionLimit")
	if !ok {
		return
	}
	want := s.Limiter
	before, err := b.ConnectionLimit(t.Context())
	must(t, "ConnectionLimit", err)
	checkWanted(t, "ConnectionLimit", before, want.Limit)
	if before.Settable != want.Limit.Settable {
		t.Errorf("that the limit can be set is %t (%s), want %t", before.Settable, before.Why, want.Limit.Settable)
	}
	if want.Dropped || !want.Limit.Settable {
		_, err := b.SetConnectionLimit(t.Context(), s.limit())
		checkCode(t, err, g.secrets(s), ecp.CodeUnsupported)
		if got := errors.Is(err, ecp.ErrLicenseNotBusinessCritical); got != want.Dropped {
			t.Errorf("%v: that the license drops the limit is in the chain: %t, want %t", err, got, want.Dropped)
		}
		after, err := b.ConnectionLimit(t.Context())
		must(t, "ConnectionLimit", err)
		if after != before {
			t.Errorf("the limit is %+v after it was refused, %+v before", after, before)
		}
		return
	}
	setLimit(t, s, b, s.limit(), s.limit())
	if want.Max > 0 && !s.Recorded {
		setLimit(t, s, b, want.Max+1, want.Max)
	}
	// Setting the previous limit again releases a cluster.
	if before.Set > 0 {
		setLimit(t, s, b, before.Set, before.Set)
	}
}

// setLimit sets a limit and checks the limit that is in force then.
func setLimit(t *testing.T, s AdapterSuite, b ecp.ConnectionLimiter, n, inForce int) {
	t.Helper()
	got, err := b.SetConnectionLimit(t.Context(), n)
	must(t, "SetConnectionLimit", err)
	checkLimit(t, s, got)
	if got.InForce != inForce {
		t.Errorf("SetConnectionLimit(%d) gives %+v; want %d in force", n, got, inForce)
	}
	if s.Recorded {
		return
	}
	if n == inForce && got.Set != n {
		t.Errorf("SetConnectionLimit(%d) gives %+v; it is set and within the license", n, got)
	}
	read, err := b.ConnectionLimit(t.Context())
	must(t, "ConnectionLimit", err)
	if read != got {
		t.Errorf("ConnectionLimit gives %+v after SetConnectionLimit(%d) gave %+v", read, n, got)
	}
}

func testEvacuation(t *testing.T, s AdapterSuite) {
	b, _, ok := scene(t, s, asEvacuator, s.Open, "StartEvacuation", "StopEvacuation", "EvacuationProgress")
	if !ok {
		return
	}
	node, order := s.node(), ecp.EvacuationOrder{ConnectionRate: 1, SessionRate: 1}
	phase := func(when string, under bool) {
		t.Helper()
		p, err := b.EvacuationProgress(t.Context(), node)
		must(t, "EvacuationProgress "+when, err)
		checkProgress(t, s, p)
		if got := p.Phase != ecp.EvacuationNone; got != under && !s.Recorded {
			t.Errorf("%s the phase is %s", when, p.Phase)
		}
	}
	must(t, "StopEvacuation where none is under way", b.StopEvacuation(t.Context(), node))
	phase("before it is started", false)
	must(t, "StartEvacuation", b.StartEvacuation(t.Context(), node, order))
	phase("after it is started", true)
	must(t, "StartEvacuation again", b.StartEvacuation(t.Context(), node, order))
	order.ConnectionRate = 2
	must(t, "StartEvacuation again, otherwise", b.StartEvacuation(t.Context(), node, order))
	phase("after it is started again", true)
	must(t, "StopEvacuation", b.StopEvacuation(t.Context(), node))
	phase("after it is stopped", false)
	must(t, "StopEvacuation again", b.StopEvacuation(t.Context(), node))

	var all sync.WaitGroup
	for range sharers {
		all.Go(func() {
			if err := b.StartEvacuation(t.Context(), node, order); err != nil {
				t.Errorf("StartEvacuation, %d at once: %v (cause: %v)", sharers, err, errors.Unwrap(err))
			}
		})
	}
	all.Wait()
	phase("after many have started it", true)
	must(t, "StopEvacuation", b.StopEvacuation(t.Context(), node))
}

// testEvacuationOfStopped: an unknown phase is not "none".
func testEvacuationOfStopped(t *testing.T, s AdapterSuite) {
	if s.Members == nil || s.Members.Stopped == "" || s.Members.Open == nil {
		return
	}
	b, g, ok := scene(t, s, asEvacuator, s.Members.Open, "EvacuationProgress")
	if !ok {
		return
	}
	_, err := b.EvacuationProgress(t.Context(), s.Members.Stopped)
	checkCode(t, err, g.secrets(s), ecp.CodeUnavailable)
}

// testHangingEvacuation: the node itself reports whether it is evacuated, as far as it
// knows, and how many clients it has.
func testHangingEvacuation(t *testing.T, s AdapterSuite) {
	if s.Evacuator == nil || s.Evacuator.OpenHanging == nil {
		return
	}
	b, _, ok := scene(t, s, asEvacuator, s.Evacuator.OpenHanging, "StartEvacuation", "StopEvacuation",
		"EvacuationProgress")
	if !ok {
		return
	}
	for _, under := range []bool{false, true} {
		if under {
			must(t, "StartEvacuation", b.StartEvacuation(t.Context(), s.node(), ecp.EvacuationOrder{
				ConnectionRate: 1, SessionRate: 1,
			}))
		}
		start := time.Now()
		p, err := b.EvacuationProgress(t.Context(), s.node())
		must(t, "EvacuationProgress while another member hangs", err)
		checkBound(t, s, start)
		checkProgress(t, s, p)
		if got := p.Phase != ecp.EvacuationNone; got != under || p.Done() {
			t.Errorf("the phase is %s; that an evacuation is under way is %t", p.Phase, under)
		}
	}
	must(t, "StopEvacuation", b.StopEvacuation(t.Context(), s.node()))
}

func testMembers(t *testing.T, s AdapterSuite) {
	if s.Members == nil {
		return
	}
	way := s.Members.Open
	if way == nil {
		way = s.Open
	}
	t.Run("RemoveMember of a node that is stopped", func(t *testing.T) { testRemove(t, s, way) })
	t.Run("RemoveMember of a node that runs", func(t *testing.T) { testRemoveRunning(t, s, way) })
	t.Run("RemoveMember of the node that answers", func(t *testing.T) { testRemoveSelf(t, s, way) })
	t.Run("InviteMember", func(t *testing.T) { testInvite(t, s, way) })
}

// member reports whether a node is in the result of Describe.
func member(t *testing.T, b any, node string) bool {
	t.Helper()
	d, err := b.(ecp.Broker).Describe(t.Context())
	must(t, "Describe", err)
	return slices.ContainsFunc(d.Nodes, func(n ecp.BrokerNode) bool { return n.Name == node })
}

func testRemove(t *testing.T, s AdapterSuite, way func(*testing.T) ecp.Endpoint) {
	b, _, ok := scene(t, s, asMembers, way, "RemoveMember")
	if !ok {
		return
	}
	must(t, "RemoveMember of a node that is no member", b.RemoveMember(t.Context(), "nobody@10.9.9.9"))
	if s.Members.Stopped == "" {
		return
	}
	must(t, "RemoveMember", b.RemoveMember(t.Context(), s.Members.Stopped))
	if !s.Recorded && member(t, b, s.Members.Stopped) {
		t.Errorf("%s is a member after it was removed", s.Members.Stopped)
	}
	must(t, "RemoveMember again", b.RemoveMember(t.Context(), s.Members.Stopped))
}

// testRemoveRunning: a running node would lose its clients and its data.
func testRemoveRunning(t *testing.T, s AdapterSuite, way func(*testing.T) ecp.Endpoint) {
	b, g, ok := scene(t, s, asMembers, way, "RemoveMember")
	if !ok || s.Members.Self == "" {
		return
	}
	d, err := b.(ecp.Broker).Describe(t.Context())
	must(t, "Describe", err)
	for _, n := range d.Nodes {
		if n.Status != ecp.NodeRunning || n.Name == s.Members.Self {
			continue
		}
		checkCode(t, b.RemoveMember(t.Context(), n.Name), g.secrets(s), ecp.CodeConflict)
		if made := g.changes(); len(made) > 0 {
			t.Errorf("%s runs, and was to be removed all the same: %v", n.Name, made)
		}
		return
	}
}

func testRemoveSelf(t *testing.T, s AdapterSuite, way func(*testing.T) ecp.Endpoint) {
	b, g, ok := scene(t, s, asMembers, way, "RemoveMember")
	if !ok || s.Members.Self == "" {
		return
	}
	checkCode(t, b.RemoveMember(t.Context(), s.Members.Self), g.secrets(s), ecp.CodeInvalid)
	if !member(t, b, s.Members.Self) {
		t.Errorf("%s is no member any more; it answers, and cannot be removed", s.Members.Self)
	}
}

func testInvite(t *testing.T, s AdapterSuite, way func(*testing.T) ecp.Endpoint) {
	b, _, ok := scene(t, s, asMembers, way, "InviteMember")
	if !ok {
		return
	}
	if s.Members.Self != "" && !s.Recorded {
		must(t, "InviteMember of a member", b.InviteMember(t.Context(), s.Members.Self))
	}
	if s.Members.Stranger == "" {
		return
	}
	must(t, "InviteMember", b.InviteMember(t.Context(), s.Members.Stranger))
	if !s.Recorded && !member(t, b, s.Members.Stranger) {
		t.Errorf("%s is no member after it was invited", s.Members.Stranger)
	}
	must(t, "InviteMember again", b.InviteMember(t.Context(), s.Members.Stranger))
}

func testListener(t *testing.T, s AdapterSuite) {
	b, _, ok := scene(t, s, asListeners, s.Open, "Listeners")
	if !ok || s.Listeners.ID == "" {
		return
	}
	id := s.Listeners.ID
	found := func(when string, fits func(ecp.BrokerListener) bool) {
		t.Helper()
		list, err := b.Listeners(t.Context())
		must(t, "Listeners "+when, err)
		checkListeners(t, s, list)
		i := slices.IndexFunc(list, func(l ecp.BrokerListener) bool { return l.ID == id })
		if i < 0 {
			t.Fatalf("%s there is no listener %s: %+v", when, id, list)
		}
		if !fits(list[i]) && !s.Recorded {
			t.Errorf("%s the listener is %+v", when, list[i])
		}
	}
	running := func(want ecp.ConditionStatus) func(ecp.BrokerListener) bool {
		return func(l ecp.BrokerListener) bool { return l.Running == want }
	}
	found("as it was given", running(ecp.True))
	if !s.lacks("StartListener") && !s.lacks("StopListener") {
		must(t, "StartListener of one that runs", b.StartListener(t.Context(), id))
		found("after that", running(ecp.True))
		must(t, "StopListener", b.StopListener(t.Context(), id))
		found("after it was stopped", running(ecp.False))
		must(t, "StopListener again", b.StopListener(t.Context(), id))
		must(t, "StartListener", b.StartListener(t.Context(), id))
		found("after it was started", running(ecp.True))
	}
	if s.lacks("SetListenerLimit") {
		return
	}
	for _, limit := range []int{1234, 0} {
		must(t, "SetListenerLimit", b.SetListenerLimit(t.Context(), id, limit))
		found("after its limit was set", func(l ecp.BrokerListener) bool {
			return l.Limit == limit &&
				l.Running == ecp.True
		})
	}
}

// testLaggingListener: a change that failed on one node is not a success, neither the first
// time nor the second.
func testLaggingListener(t *testing.T, s AdapterSuite) {
	if s.Listeners == nil || s.Listeners.ID == "" || s.Listeners.Lagging == "" {
		return
	}
	b, g, ok := scene(t, s, asListeners, s.Listeners.OpenLagging, "Listeners", "SetListenerLimit")
	if !ok {
		return
	}
	for _, when := range []string{"", " again"} {
		err := b.SetListenerLimit(t.Context(), s.Listeners.ID, 1234)
		checkCode(t, err, g.secrets(s), ecp.CodeUnavailable)
		if !strings.Contains(ecp.MessageOf(err), s.Listeners.Lagging) {
			t.Errorf("SetListenerLimit%s gives %v; it should name %s, where the change failed", when, err,
				s.Listeners.Lagging)
		}
	}
	if s.lacks("StopListener") {
		return
	}
	for _, when := range []string{"", " again"} {
		err := b.StopListener(t.Context(), s.Listeners.ID)
		checkCode(t, err, g.secrets(s), ecp.CodeUnavailable)
		if !strings.Contains(ecp.MessageOf(err), s.Listeners.Lagging) {
			t.Errorf("StopListener%s gives %v; it should name %s, where it failed", when, err, s.Listeners.Lagging)
		}
	}
}

func testLicense(t *testing.T, s AdapterSuite) {
	b, g, ok := scene(t, s, asLicense, s.Open, "License", "SetLicense")
	if !ok {
		return
	}
	before, err := b.License(t.Context())
	must(t, "License", err)
	if s.License.Key != "" {
		loadLicense(t, s, b, before.BuiltIn)
		if !before.BuiltIn || !s.Recorded {
			keepLoaded(t, s, b, g)
		}
	}
	if s.License.Refused != "" {
		before, err := b.License(t.Context())
		must(t, "License", err)
		_, err = b.SetLicense(t.Context(), ecp.LicenseChange{Key: s.License.Refused, Replace: true})
		checkCode(t, err, append(g.secrets(s), s.License.Refused), ecp.CodeInvalid)
		after, err := b.License(t.Context())
		must(t, "License", err)
		if after != before {
			t.Errorf("the license is %+v after a key was refused, %+v before", after, before)
		}
	}
	if !s.lacks("SetLicenseSettings") && !s.lacks("LicenseSettings") {
		changeSettings(t, s, b)
	}
}

// loadLicense loads the key. Without Replace, only the license that EMQX comes with may be
// replaced.
func loadLicense(t *testing.T, s AdapterSuite, b ecp.LicenseManager, builtIn bool) {
	t.Helper()
	got, err := b.SetLicense(t.Context(), ecp.LicenseChange{Key: s.License.Key, Replace: !builtIn})
	must(t, "SetLicense", err)
	checkLicense(t, s, got)
	if s.Recorded {
		return
	}
	if got.BuiltIn {
		t.Errorf("SetLicense gives %+v, which is not the one that was loaded", got)
	}
	read, err := b.License(t.Context())
	must(t, "License", err)
	if read != got {
		t.Errorf("License gives %+v after SetLicense gave %+v", read, got)
	}
}

// keepLoaded tries to replace a license that somebody has loaded.
func keepLoaded(t *testing.T, s AdapterSuite, b ecp.LicenseManager, g *gate) {
	t.Helper()
	before := len(g.changes())
	sum := 0
	for _, n := range g.changes() {
		sum += n
	}
	_, err := b.SetLicense(t.Context(), ecp.LicenseChange{Key: s.License.Key})
	checkCode(t, err, g.secrets(s), ecp.CodeConflict)
	for _, n := range g.changes() {
		sum -= n
	}
	if sum != 0 || len(g.changes()) != before {
		t.Error("a license was sent although somebody's is loaded and it was not to be replaced")
	}
}

func changeSettings(t *testing.T, s AdapterSuite, b ecp.LicenseManager) {
	t.Helper()
	before, err := b.LicenseSettings(t.Context())
	must(t, "LicenseSettings", err)
	checkSettings(t, s, before)
	high := 0.93
	got, err := b.SetLicenseSettings(t.Context(), ecp.LicenseSettings{HighWatermark: high})
	must(t, "SetLicenseSettings", err)
	if want := (ecp.LicenseSettings{HighWatermark: high, LowWatermark: before.LowWatermark}); got != want &&
		!s.Recorded {
		t.Errorf("SetLicenseSettings gives %+v, want %+v: what is zero stays", got, want)
	}
	read, err := b.LicenseSettings(t.Context())
	must(t, "LicenseSettings", err)
	if read != got && !s.Recorded {
		t.Errorf("LicenseSettings gives %+v after %+v was set", read, got)
	}
}

// testDetect detects with valid, with no and with wrong credentials, and at other servers.
func testDetect(t *testing.T, s AdapterSuite) {
	d, ok := s.Adapter.(ecp.Detector)
	if !ok || s.Detector == nil {
		return
	}
	want := s.Detector.Detection
	e := s.Open(t)
	got, err := d.Detect(t.Context(), e)
	if s.Detector.Unmanageable {
		checkCode(t, err, secretsOf(e.Credentials), ecp.CodeUnsupported)
	} else {
		must(t, "Detect", err)
	}
	if got != want {
		t.Errorf("Detect gives %+v, want %+v", got, want)
	}
	testDetectOpenly(t, s, d, want)

	e = s.Open(t)
	e.Credentials = ecp.Credentials{Username: "user-4c1f", Password: "word-93ab"}
	got, err = d.Detect(t.Context(), e)
	if got.Major != want.Major || got.Authenticated {
		t.Errorf("Detect with wrong credentials gives %+v; it should tell the major all the same", got)
	}
	if !s.Detector.Unmanageable { // which may be known before the login
		checkCode(t, err, secretsOf(e.Credentials), ecp.CodeDenied)
	}

	for _, h := range []http.HandlerFunc{
		status(http.StatusOK, "text/html", "<html><body>It works!</body></html>"),
		status(http.StatusOK, "application/json", `{"status":"ok"}`),
		status(http.StatusNotFound, "text/plain", "404 page not found"),
		status(http.StatusUnauthorized, "application/json", `{"error":"who are you?"}`),
	} {
		e := serve(t, h)
		got, err := d.Detect(t.Context(), e)
		checkCode(t, err, secretsOf(e.Credentials), ecp.CodeUnsupported)
		if got.Major != 0 || got.Authenticated {
			t.Errorf("Detect gives %+v where no EMQX answers", got)
		}
	}
	e = ecp.Endpoint{BaseURL: "http://" + deadAddress}
	got, err = d.Detect(t.Context(), e)
	checkCode(t, err, nil, ecp.CodeUnavailable)
	if got != (ecp.Detection{}) {
		t.Errorf("Detect gives %+v where nobody listens", got)
	}
}

// testDetectOpenly: without credentials none are sent, and the major is known.
func testDetectOpenly(t *testing.T, s AdapterSuite, d ecp.Detector, want ecp.Detection) {
	t.Helper()
	g := gateTo(t, s.Open(t), func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s was sent with credentials; there are none", r.URL.Path)
		}
		return false
	})
	got, err := d.Detect(t.Context(), ecp.Endpoint{BaseURL: g.BaseURL})
	if err != nil && !s.Detector.Unmanageable {
		t.Errorf("Detect without credentials: %v (cause: %v)", err, errors.Unwrap(err))
	}
	if got.Major != want.Major || got.Authenticated || got.Version != "" && got.Version != want.Version ||
		got.Edition != "" && got.Edition != want.Edition {
		t.Errorf("Detect without credentials gives %+v; want no more than %+v, and the major", got, want)
	}
}
