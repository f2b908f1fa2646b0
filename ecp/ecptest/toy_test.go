package ecptest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// toy is a small broker that keeps every promise: it says what package ecp
// knows in that package's own words.
type toy struct {
	mu         sync.Mutex
	described  ecp.Description // guarded by mu, as all below
	limit      ecp.ConnectionLimit
	most       int  // that the license allows
	drops      bool // it takes a limit and forgets it
	evacuating map[string]ecp.EvacuationProgress
	stranger   string
	listeners  []ecp.BrokerListener
	lagging    string // takes no change of a listener; "" = none
	license    ecp.BrokerLicense
	settings   ecp.LicenseSettings
}

var (
	toyLogin = ecp.Credentials{Username: "toy-key-6a1b", Password: "toy-secret-93fe"}
	toyTime  = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
)

const (
	goodKey = "good-license-7d20"
	badKey  = "bad-license-19c4"
)

func newToy() *toy {
	node := func(name string, status ecp.NodeStatus) ecp.BrokerNode {
		return ecp.BrokerNode{Name: name, Status: status, Role: "core", Version: "7.1.0"}
	}
	return &toy{
		described: ecp.Description{Version: "7.1.0", Edition: ecp.EditionEnterprise, Connections: 3, Limit: 100,
			Nodes: []ecp.BrokerNode{
				node("toy@a", ecp.NodeRunning), node("toy@b", ecp.NodeRunning), node("toy@c", ecp.NodeStopped),
			}},
		limit: ecp.ConnectionLimit{Settable: true, Set: 50, InForce: 50}, most: 100,
		evacuating: map[string]ecp.EvacuationProgress{}, stranger: "toy@d",
		listeners: []ecp.BrokerListener{
			{
				ID:          "tcp:default",
				Protocol:    ecp.MQTT,
				Bind:        "0.0.0.0:1883",
				Enabled:     true,
				Running:     ecp.True,
				Connections: 3,
				Limit:       7,
				Nodes: []ecp.ListenerNode{
					{Node: "toy@a", Running: true, Connections: 1, Limit: 7},
					{Node: "toy@b", Running: true, Connections: 2, Limit: 7},
				},
			},
		},
		license:  ecp.BrokerLicense{Customer: "toys", Type: "trial", CustomerType: 10, Limit: 100, BuiltIn: true},
		settings: ecp.LicenseSettings{HighWatermark: 0.8, LowWatermark: 0.75},
	}
}

// endpoint starts a server that ends with the test.
func (b *toy) endpoint(t *testing.T) ecp.Endpoint {
	s := httptest.NewServer(b.handler())
	t.Cleanup(s.Close)
	return ecp.Endpoint{BaseURL: s.URL, Credentials: toyLogin}
}

const toyMetrics = "# TYPE toy_connections gauge\ntoy_connections{node=\"toy@a\"} 3\n"

var (
	toyTraffic = ecp.Traffic{
		Connections: 3,
		Sessions:    4,
		Topics:      2,
		Rates:       &ecp.Rates{Received: 1.5},
		Totals:      ecp.MessageTotals{Received: 9},
		Nodes: []ecp.NodeTraffic{{
			Node:        "toy@a",
			Connections: 1,
		}, {Node: "toy@b", Connections: 2}, {Node: "toy@c", Error: "it is stopped"}},
	}
	toyActive = []ecp.Alarm{
		{
			Name:    "conn_congestion",
			Message: "slow",
			Details: json.RawMessage(`{"n":1}`),
			Nodes:   []string{"toy@a", "toy@b"},
			Since:   toyTime,
		},
		{Name: "license_quota", Message: "80%", Nodes: []string{"toy@a"}, Since: toyTime.Add(-time.Hour)},
	}
	toyHistory = []ecp.Alarm{
		{Name: "high_cpu", Nodes: []string{"toy@gone"}, Since: toyTime.Add(-2 * time.Hour), Until: toyTime},
	}
	toyRules = []ecp.Rule{
		{ID: "r1", SQL: "SELECT * FROM \"t\"", Topics: []string{"t"}, Running: true, Created: toyTime}, {ID: "r2"},
	}
	toyLeading = []ecp.Integration{
		{
			Kind:      ecp.ActionIntegration,
			ID:        "http:a",
			Type:      "http",
			Name:      "a",
			Enabled:   true,
			Status:    ecp.IntegrationDisconnected,
			Reason:    "refused",
			Connector: "http:c",
		},
		{Kind: ecp.ConnectorIntegration, ID: "http:c", Status: ecp.IntegrationInconsistent,
			Nodes: []ecp.IntegrationNode{
				{Node: "toy@a", Status: ecp.IntegrationConnected},
				{Node: "toy@b", Status: ecp.IntegrationConnecting, Reason: "soon"}}},
	}
	toyHealth = ecp.Health{Node: "toy@a", Version: "7.1.0", Running: true, Available: ecp.True}
)

// toySeries is one sample a minute.
func toySeries(last time.Duration) (out []ecp.TrafficSample) {
	for at := toyTime.Add(-last); at.Before(toyTime); at = at.Add(time.Minute) {
		out = append(out, ecp.TrafficSample{At: at, Connections: 3})
	}
	return out
}

func (b *toy) handler() http.Handler {
	mux := http.NewServeMux()
	give := func(what string, get func(r *http.Request) any) {
		mux.HandleFunc(what,
			b.authorised(func(w http.ResponseWriter, r *http.Request) { say(w, http.StatusOK, get(r)) }))
	}
	fixed := func(v any) func(*http.Request) any { return func(*http.Request) any { return v } }
	give("GET /nodes", func(*http.Request) any { return b.described })
	give("GET /limit", func(*http.Request) any { return b.limit })
	give("PUT /limit", b.setLimit)
	give("GET /traffic", fixed(toyTraffic))
	give("GET /series", func(r *http.Request) any {
		last, _ := time.ParseDuration(r.URL.Query().Get("last"))
		return toySeries(last)
	})
	give("GET /alarms", fixed(toyActive))
	give("GET /history", fixed(toyHistory))
	give("GET /rules", fixed(toyRules))
	give("GET /integrations", fixed(toyLeading))
	give("GET /listeners", func(*http.Request) any { return b.listeners })
	give("GET /license", func(*http.Request) any { return b.license })
	give("GET /settings", func(*http.Request) any { return b.settings })
	give("PUT /settings", func(r *http.Request) any {
		b.settings = ecp.LicenseSettings{}
		_ = json.NewDecoder(r.Body).Decode(&b.settings)
		return b.settings
	})
	mux.HandleFunc("POST /license", b.authorised(b.load))
	mux.HandleFunc("GET /metrics", b.authorised(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, toyMetrics)
	}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, toyHealth) })
	mux.HandleFunc("GET /evacuation/{node}", b.authorised(b.evacuation))
	mux.HandleFunc("POST /evacuation/{node}", b.authorised(b.evacuation))
	mux.HandleFunc("DELETE /evacuation/{node}", b.authorised(b.evacuation))
	mux.HandleFunc("POST /members/{node}", b.authorised(b.member))
	mux.HandleFunc("DELETE /members/{node}", b.authorised(b.member))
	mux.HandleFunc("PUT /listeners/{id}/{what}", b.authorised(b.listener))
	return mux
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// authorised holds the lock while next runs.
func (b *toy) authorised(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != toyLogin.Username || password != toyLogin.Password {
			w.Header().Set("WWW-Authenticate", `Basic realm="toy"`)
			say(w, http.StatusUnauthorized, "who are you?")
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		next(w, r)
	}
}

func (b *toy) setLimit(r *http.Request) any {
	var n int
	_ = json.NewDecoder(r.Body).Decode(&n)
	if b.limit.Settable && !b.drops {
		b.limit.Set, b.limit.InForce = n, min(n, b.most)
	}
	return b.limit
}

func (b *toy) load(w http.ResponseWriter, r *http.Request) {
	var key string
	_ = json.NewDecoder(r.Body).Decode(&key)
	if key != goodKey {
		say(w, http.StatusBadRequest, "no license: "+key)
		return
	}
	b.license = ecp.BrokerLicense{Customer: "somebody", Type: "official", CustomerType: 3, Limit: 1000, Until: toyTime}
	say(w, http.StatusOK, b.license)
}

func (b *toy) find(name string) *ecp.BrokerNode {
	i := slices.IndexFunc(b.described.Nodes, func(n ecp.BrokerNode) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &b.described.Nodes[i]
}

func (b *toy) evacuation(w http.ResponseWriter, r *http.Request) {
	node := r.PathValue("node")
	p, under := b.evacuating[node]
	switch {
	case b.find(node) == nil:
		say(w, http.StatusNotFound, "unknown")
	case r.Method == http.MethodPost && under:
		say(w, http.StatusConflict, "already")
	case r.Method == http.MethodDelete && !under:
		say(w, http.StatusConflict, "not_started")
	case r.Method == http.MethodPost:
		b.evacuating[node] = ecp.EvacuationProgress{Phase: ecp.EvacuationCutting, InitialConnections: 3, Connections: 2}
		say(w, http.StatusOK, nil)
	case r.Method == http.MethodDelete:
		delete(b.evacuating, node)
		say(w, http.StatusOK, nil)
	case under:
		say(w, http.StatusOK, p)
	default:
		say(w, http.StatusOK, ecp.EvacuationProgress{Phase: ecp.EvacuationNone})
	}
}

func (b *toy) member(w http.ResponseWriter, r *http.Request) {
	node := r.PathValue("node")
	m := b.find(node)
	switch {
	case r.Method == http.MethodPost && m != nil:
		say(w, http.StatusConflict, "already")
	case r.Method == http.MethodPost && node != b.stranger:
		say(w, http.StatusNotFound, "unknown")
	case r.Method == http.MethodPost:
		b.described.Nodes = append(b.described.Nodes, ecp.BrokerNode{Name: node, Status: ecp.NodeRunning, Role: "core"})
		say(w, http.StatusOK, nil)
	case m == nil:
		say(w, http.StatusNotFound, "unknown")
	case node == "toy@a":
		say(w, http.StatusBadRequest, "that is me")
	default:
		b.described.Nodes = slices.DeleteFunc(b.described.Nodes, func(n ecp.BrokerNode) bool { return n.Name == node })
		say(w, http.StatusOK, nil)
	}
}

func (b *toy) listener(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(b.listeners, func(l ecp.BrokerListener) bool { return l.ID == r.PathValue("id") })
	if i < 0 {
		say(w, http.StatusNotFound, "unknown")
		return
	}
	l, what := &b.listeners[i], r.PathValue("what")
	switch {
	case what == "limit":
		var limit int
		_ = json.NewDecoder(r.Body).Decode(&limit)
		for j := range l.Nodes {
			if l.Nodes[j].Node != b.lagging {
				l.Nodes[j].Limit = limit
			}
		}
		l.Limit = l.LimitOfAll()
	case (what == "start") == (l.Running == ecp.True):
		say(w, http.StatusConflict, "already")
		return
	default:
		l.Running = map[string]ecp.ConditionStatus{"start": ecp.True, "stop": ecp.False}[what]
		l.Connections = 0
		for j := range l.Nodes {
			if l.Nodes[j].Node != b.lagging {
				l.Nodes[j] = ecp.ListenerNode{Node: l.Nodes[j].Node, Running: what == "start", Limit: l.Nodes[j].Limit}
			}
		}
	}
	say(w, http.StatusOK, strings.ToUpper(what))
}
