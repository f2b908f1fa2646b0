package ecptest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// The following holds for every result, whatever the cluster. Wanted results are compared
// elsewhere.

func checkDescribed(t *testing.T, _ AdapterSuite, d ecp.Description) {
	t.Helper()
	names := make([]string, 0, len(d.Nodes))
	for _, n := range d.Nodes {
		names = append(names, n.Name)
		checkKnown(t, "a node's status", n.Status, ecp.NodeRunning, ecp.NodeStopped, ecp.NodeUnknown)
		checkKnown(t, "a node's role", n.Role, "core", "replicant", "")
		checkCounts(t, n)
		if (n.Status == ecp.NodeUnknown) != (n.Error != "") {
			t.Errorf("%+v: a reason goes with a status that is unknown, and with no other", n)
		}
	}
	checkNames(t, "nodes", names)
	checkKnown(t, "the edition", d.Edition, ecp.EditionEnterprise, ecp.EditionOpenSource, "")
	checkCounts(t, d)
}

func checkDetection(t *testing.T, s AdapterSuite, d ecp.Detection) {
	t.Helper()
	if d.Major != s.Adapter.Major() {
		t.Errorf("Detect gives major %d without an error; the adapter's is %d", d.Major, s.Adapter.Major())
	}
	checkKnown(t, "the edition", d.Edition, ecp.EditionEnterprise, ecp.EditionOpenSource, "")
}

func checkLimit(t *testing.T, _ AdapterSuite, l ecp.ConnectionLimit) {
	t.Helper()
	checkCounts(t, l)
	if l.Settable == (l.Why != "") {
		t.Errorf("%+v: a reason goes with a limit that cannot be set, and with no other", l)
	}
	if !l.Settable && l.Set != 0 {
		t.Errorf("%+v: a limit is set that cannot be set", l)
	}
}

func checkTraffic(t *testing.T, s AdapterSuite, v ecp.Traffic) {
	t.Helper()
	checkCounts(t, v)
	names := make([]string, 0, len(v.Nodes))
	for _, n := range v.Nodes {
		names = append(names, n.Node)
		checkCounts(t, n)
	}
	checkNames(t, "nodes", names)
	checkMembers(t, s, names)
}

func checkSeries(t *testing.T, _ AdapterSuite, list []ecp.TrafficSample) {
	t.Helper()
	for i, v := range list {
		checkCounts(t, v)
		checkUTC(t, "a sample", v.At, true)
		if i > 0 && !list[i-1].At.Before(v.At) {
			t.Errorf("sample %d of %s is not later than the one before, of %s", i, v.At, list[i-1].At)
		}
	}
	if n := len(list); n > 0 && list[n-1].At.Sub(list[0].At) > seriesOf+time.Minute {
		t.Errorf("the samples are of %s; asked for was the last %s", list[n-1].At.Sub(list[0].At), seriesOf)
	}
}

func checkActive(t *testing.T, s AdapterSuite, list []ecp.Alarm) {
	t.Helper()
	checkAlarms(t, s, list, true)
	type cause struct{ name, message, details string }
	seen := map[cause]bool{}
	for _, a := range list {
		c := cause{a.Name, a.Message, string(a.Details)}
		if seen[c] {
			t.Errorf("%s is there twice for one cause: what several nodes raise is one alarm", a.Name)
		}
		seen[c] = true
	}
	since := func(a, b ecp.Alarm) int { return b.Since.Compare(a.Since) }
	if !slices.IsSortedFunc(list, since) {
		t.Errorf("the active alarms do not begin with the newest: %+v", list)
	}
}

func checkHistory(t *testing.T, s AdapterSuite, list []ecp.Alarm) {
	t.Helper()
	checkAlarms(t, s, list, false)
	since := func(a, b ecp.Alarm) int { return b.Since.Compare(a.Since) }
	until := func(a, b ecp.Alarm) int { return b.Until.Compare(a.Until) }
	if !slices.IsSortedFunc(list, since) && !slices.IsSortedFunc(list, until) {
		t.Errorf("the history does not begin with the newest: %+v", list)
	}
	if len(list) > ecp.MaxAlarms {
		t.Errorf("the history has %d alarms, more than %d", len(list), ecp.MaxAlarms)
	}
}

func checkAlarms(t *testing.T, s AdapterSuite, list []ecp.Alarm, active bool) {
	t.Helper()
	for _, a := range list {
		if a.Name == "" {
			t.Errorf("%+v has no name", a)
		}
		if a.Active() != active {
			t.Errorf("%s: Until is %s, in a list of alarms whose being active is %t", a.Name, a.Until, active)
		}
		checkUTC(t, a.Name, a.Since, true)
		checkUTC(t, a.Name, a.Until, !active)
		if !active && a.Until.Before(a.Since) {
			t.Errorf("%s ended at %s before it began at %s", a.Name, a.Until, a.Since)
		}
		checkNames(t, "nodes of "+a.Name, a.Nodes)
		if active { // past alarms may name nodes that are members no more
			checkMembers(t, s, a.Nodes)
		}
		if d := bytes.TrimSpace(a.Details); a.Details != nil && (!json.Valid(d) || d[0] != '{') {
			t.Errorf("%s has details that are no JSON object: %.200s", a.Name, d)
		}
	}
}

func checkRules(t *testing.T, _ AdapterSuite, list []ecp.Rule) {
	t.Helper()
	ids := make([]string, 0, len(list))
	for _, r := range list {
		ids = append(ids, r.ID)
		checkUTC(t, "rule "+r.ID, r.Created, false)
	}
	checkNames(t, "rules", ids)
}

func checkIntegrations(t *testing.T, _ AdapterSuite, list []ecp.Integration) {
	t.Helper()
	order := func(a, b ecp.Integration) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) }
	if !slices.IsSortedFunc(list, order) {
		t.Errorf("integrations are not sorted by kind and id: %+v", list)
	}
	for _, v := range list {
		checkKnown(t, "kind of "+v.ID, v.Kind, ecp.ConnectorIntegration, ecp.ActionIntegration, ecp.SourceIntegration,
			ecp.ResourceIntegration)
		checkIntegrationStatus(t, v.ID, v.Status, v.Reason)
		if v.ID == "" {
			t.Errorf("%+v has no id", v)
		}
		if v.Connector != "" && v.Kind != ecp.ActionIntegration && v.Kind != ecp.SourceIntegration {
			t.Errorf("%s %s has a connector; only actions and sources have", v.Kind, v.ID)
		}
		names := make([]string, 0, len(v.Nodes))
		for _, n := range v.Nodes {
			names = append(names, n.Node)
			checkIntegrationStatus(t, v.ID+" on "+n.Node, n.Status, n.Reason)
		}
		checkNames(t, "nodes of "+v.ID, names)
	}
}

func checkIntegrationStatus(t *testing.T, what string, s ecp.IntegrationStatus, reason string) {
	t.Helper()
	checkKnown(t, "status of "+what, s, ecp.IntegrationConnected, ecp.IntegrationConnecting,
		ecp.IntegrationDisconnected,
		ecp.IntegrationInconsistent, ecp.IntegrationStopped, ecp.IntegrationUnknown)
	if s == ecp.IntegrationConnected && reason != "" {
		t.Errorf("%s is connected, and says why it is not: %s", what, reason)
	}
}

func checkProgress(t *testing.T, _ AdapterSuite, p ecp.EvacuationProgress) {
	t.Helper()
	checkCounts(t, p)
	checkKnown(t, "the phase", p.Phase, ecp.EvacuationNone, ecp.EvacuationWaiting, ecp.EvacuationCutting,
		ecp.EvacuationTakeover, ecp.EvacuationMoving, ecp.EvacuationProhibited, ecp.EvacuationOther,
		ecp.EvacuationUntold)
}

func checkListeners(t *testing.T, s AdapterSuite, list []ecp.BrokerListener) {
	t.Helper()
	ids := make([]string, 0, len(list))
	for _, l := range list {
		ids = append(ids, l.ID)
		checkCounts(t, l)
		checkKnown(t, "whether "+l.ID+" runs", l.Running, ecp.True, ecp.False, ecp.Unknown)
		if l.Protocol == "" {
			t.Errorf("%s has no protocol", l.ID)
		}
		names, sum := make([]string, 0, len(l.Nodes)), 0
		for _, n := range l.Nodes {
			names, sum = append(names, n.Node), sum+n.Connections
			checkCounts(t, n)
			if runs := map[bool]ecp.ConditionStatus{
				true:  ecp.True,
				false: ecp.False,
			}[n.Running]; l.Running != ecp.Unknown &&
				l.Running != runs {
				t.Errorf("%s: running is %s on all nodes, and %s on %s", l.ID, l.Running, runs, n.Node)
			}
		}
		if len(l.Nodes) > 0 && l.Limit != l.LimitOfAll() {
			t.Errorf("%s has limit %d; the lowest of its nodes is %d: %+v", l.ID, l.Limit, l.LimitOfAll(), l.Nodes)
		}
		if len(l.Nodes) > 0 && sum != l.Connections {
			t.Errorf("%s has %d connections, its nodes %d", l.ID, l.Connections, sum)
		}
		checkNames(t, "nodes of "+l.ID, names)
		checkMembers(t, s, names)
	}
	checkNames(t, "listeners", ids)
}

func checkLicense(t *testing.T, s AdapterSuite, l ecp.BrokerLicense) {
	t.Helper()
	checkKnown(t, "the license's type", l.Type, "trial", "official", "community", "")
	checkUTC(t, "the license's beginning", l.From, false)
	checkUTC(t, "the license's end", l.Until, false)
	if l.CustomerType < -1 || l.Limit < 0 {
		t.Errorf("%+v has figures that mean nothing", l)
	}
	if !l.Until.IsZero() && l.Until.Before(l.From) {
		t.Errorf("the license ends at %s before it begins at %s", l.Until, l.From)
	}
	if text := fmt.Sprintf("%+v", l); s.secret() != "" && strings.Contains(text, s.secret()) {
		t.Error("what is told of the license holds its key")
	}
}

func checkSettings(t *testing.T, _ AdapterSuite, s ecp.LicenseSettings) {
	t.Helper()
	if s.LowWatermark < 0 || s.HighWatermark > 1 || s.HighWatermark != 0 && s.LowWatermark > s.HighWatermark {
		t.Errorf("%+v are no shares of a limit", s)
	}
}

func checkExposition(t *testing.T, s AdapterSuite, x exposition) {
	t.Helper()
	if x.n != int64(x.text.Len()) {
		t.Errorf("WriteMetrics says that it copied %d bytes; they are %d", x.n, x.text.Len())
	}
	if s.Metrics == nil {
		return
	}
	for _, name := range s.Metrics.Series {
		if !bytes.Contains(append([]byte("\n"), x.text.Bytes()...), []byte("\n"+name)) {
			t.Errorf("no line of the metrics begins with %q", name)
		}
	}
}

func checkHealth(t *testing.T, _ AdapterSuite, h ecp.Health) {
	t.Helper()
	checkKnown(t, "whether the node takes clients", h.Available, ecp.True, ecp.False, ecp.Unknown)
	checkKnown(t, "the edition", h.Edition, ecp.EditionEnterprise, ecp.EditionOpenSource, "")
	if (!h.Running || h.Available == ecp.False) && h.Why == "" {
		t.Errorf("%+v does not say why the node is not running or available", h)
	}
	if !h.Running && h.Available == ecp.True {
		t.Errorf("%+v takes clients without running", h)
	}
}

// checkNames checks that names are not empty, sorted, and unique.
func checkNames(t *testing.T, what string, names []string) {
	t.Helper()
	for i, n := range names {
		if n == "" {
			t.Errorf("%s: one has no name: %q", what, names)
		}
		if i > 0 && names[i-1] >= n {
			t.Errorf("%s are not sorted, or are there twice: %q", what, names)
		}
	}
}

// checkMembers checks that Describe has the nodes.
func checkMembers(t *testing.T, s AdapterSuite, nodes []string) {
	t.Helper()
	for _, n := range nodes {
		if !slices.ContainsFunc(s.Want.Nodes, func(m ecp.BrokerNode) bool { return m.Name == n }) {
			t.Errorf("%q is none of the members", n)
		}
	}
}

func checkUTC(t *testing.T, what string, at time.Time, must bool) {
	t.Helper()
	if must && at.IsZero() {
		t.Errorf("%s has no time", what)
	}
	if at.Location() != time.UTC {
		t.Errorf("%s: the time %s is not in UTC", what, at)
	}
}

func checkKnown[T comparable](t *testing.T, what string, v T, known ...T) {
	t.Helper()
	if !slices.Contains(known, v) {
		t.Errorf("%s is %v; it is one of %v", what, v, known)
	}
}

// checkCounts checks that no number in a struct is negative.
func checkCounts(t *testing.T, v any) {
	t.Helper()
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		f := s.Field(i)
		if f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		switch name := s.Type().Field(i).Name; {
		case f.CanInt() && f.Int() < 0, f.CanFloat() && !(f.Float() >= 0):
			t.Errorf("%s is below zero in %+v", name, v)
		case f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]():
			checkCounts(t, f.Interface())
		}
	}
}

// checkInForce checks that settings are trees of JSON values and contain the wanted ones.
func checkInForce(t *testing.T, s AdapterSuite, settings ecp.BrokerSettings) {
	t.Helper()
	if settings.InForce == nil {
		t.Error("there is no tree of settings")
	}
	if s.Settings != nil {
		checkTree(t, "", s.Settings.InForce, settings.InForce)
	}
}

func checkTree(t *testing.T, at string, want, got any) {
	t.Helper()
	object, is := want.(map[string]any)
	if !is {
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("the setting%s is %v, want %v", at, got, want)
		}
		return
	}
	has, _ := got.(map[string]any)
	for word, inner := range object {
		checkTree(t, at+" "+word, inner, has[word])
	}
}
