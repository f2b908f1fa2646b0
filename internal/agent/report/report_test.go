package report_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent/broker"
	"github.com/openecp/openecp/internal/agent/report"
)

// rig is a simulated cluster, the first of whose nodes is beside the agent.
type rig struct {
	cluster   *emqxsim.Cluster
	dashboard *httptest.Server
	api       *httptest.Server
	reporter  *report.Reporter
}

func start(t *testing.T, c emqxsim.ClusterConfig, s broker.Settings, nodes ...string) *rig {
	t.Helper()
	r := &rig{cluster: emqxsim.NewCluster(c)}
	var first *emqxsim.Node
	for _, name := range nodes {
		if n := r.cluster.Join(name); first == nil {
			first = n
		}
	}
	r.dashboard, r.api = httptest.NewServer(first.Dashboard()), httptest.NewServer(first.Handler())
	t.Cleanup(r.dashboard.Close)
	t.Cleanup(r.api.Close)
	s.DashboardURL, s.APIURL = r.dashboard.URL, r.api.URL
	if !s.HasCredentials() {
		s.Username, s.Password = "admin", "public"
	}
	a, err := broker.New(broker.Config{Settings: s})
	require.NoError(t, err)
	r.reporter = report.New(a, nil, nil)
	t.Cleanup(func() {
		r.reporter.Close()
		a.Close(context.WithoutCancel(t.Context()))
	})
	return r
}

// TestReports: what a healthy cluster's report says, of both majors.
func TestReports(t *testing.T) {
	for _, c := range []struct {
		version string
		call    bool
		license int
	}{{"5.8.9", false, 10}, {"4.4.24", true, 10}, {"6.0.2", false, 11}} {
		t.Run(c.version, func(t *testing.T) {
			t.Parallel()
			nodes := []string{"emqx@10.0.0.1", "emqx@10.0.0.2", "emqx@10.0.0.3"}
			if c.version == "6.0.2" {
				nodes = nodes[:1] // its built-in license is for one
			}
			r := start(t, emqxsim.ClusterConfig{Version: c.version}, broker.Settings{}, nodes...)
			r.cluster.SetDynamicLicense(http.MethodPut, "n")
			got := r.reporter.Collect(t.Context())
			require.Empty(t, got.Errors)
			require.True(t, got.Complete())
			require.Equal(t, "emqx@10.0.0.1", got.Node)
			require.Equal(t, c.version, got.Version)
			require.Equal(t, ecp.EditionEnterprise, got.Edition)
			require.Len(t, got.Members, len(nodes))
			require.Equal(t, agentproto.MemberRunning, got.Members[0].Status)
			require.Positive(t, got.Limit)
			require.Equal(t, c.call, got.LimitCall)
			require.Equal(t, c.license, got.LicenseType)
			require.True(t, got.Dashboard)
			require.Empty(t, got.Logs)
		})
	}
}

// TestFaults: each fault with its stage, code and words, recovered from without help,
// within seconds.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name     string
		config   emqxsim.ClusterConfig
		settings broker.Settings
		fault    *emqxsim.Fault
		more     []string // paths that fail, too
		harm     func(*rig)
		stage    agentproto.Stage
		code     agentproto.ErrorCode
		says     string
		partial  bool // the report is complete all the same
	}{
		{name: "wrong password", settings: broker.Settings{Username: "admin", Password: "canary"},
			stage: agentproto.StageNodeConnect, code: agentproto.CodeAuthFailed, says: "emqxee-agent register"},
		{name: "wrong password of 4", config: emqxsim.ClusterConfig{Version: "4.4.24"},
			settings: broker.Settings{Username: "admin",
				Password: "canary"}, stage: agentproto.StageNodeConnect, code: agentproto.CodeAuthFailed,
			says: "emqxee-agent register"},
		{name: "open source", config: emqxsim.ClusterConfig{Edition: emqxsim.OpenSource},
			stage: agentproto.StageNodeConnect,
			code:  agentproto.CodeOpenSource, says: "needed"},
		{name: "open source of 4", config: emqxsim.ClusterConfig{Version: "4.4.19", Edition: emqxsim.OpenSource},
			stage: agentproto.StageNodeConnect, code: agentproto.CodeOpenSource, says: "needed"},
		{name: "too old", config: emqxsim.ClusterConfig{Version: "5.5.1"}, stage: agentproto.StageNodeConnect,
			code: agentproto.CodeUnsupportedVersion, says: "5.6.0"},
		{name: "stopped", harm: func(r *rig) { r.dashboard.Close(); r.api.Close() }, stage: agentproto.StageNodeConnect,
			code: agentproto.CodeUnreachable, says: "refused"},
		{name: "hangs", fault: &emqxsim.Fault{Hang: true}, stage: agentproto.StageNodeConnect,
			code: agentproto.CodeTimeout,
			says: "no answer in time"},
		{name: "the cluster hangs", fault: &emqxsim.Fault{Path: "/api/v5/nodes**", Hang: true},
			stage: agentproto.StageClusterFetch, code: agentproto.CodeTimeout, says: "no answer in time"},
		{name: "garbage", fault: &emqxsim.Fault{Path: "/api/v5/nodes", Status: 200, Body: "<html>",
			ContentType: "application/json"}, stage: agentproto.StageClusterFetch, code: agentproto.CodeMalformed},
		{name: "no metrics", fault: &emqxsim.Fault{Path: "/api/v5/monitor_current**", Status: 500},
			more:  []string{"/api/v5/stats**", "/api/v5/metrics**", "/api/v5/nodes/**"},
			stage: agentproto.StageMetricsFetch, code: agentproto.CodeUnreachable, partial: true},
		{name: "no dashboard", fault: &emqxsim.Fault{Path: "/", Status: 503}, stage: agentproto.StageTunnel,
			code: agentproto.CodeUnreachable, partial: true},
		{name: "no logs", settings: broker.Settings{LogCollection: true, LogDir: "/gone/emqx"},
			stage: agentproto.StageLogsFetch, code: agentproto.CodeUnreachable, says: "/gone/emqx", partial: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, c.config, c.settings, "emqx@10.0.0.1", "emqx@10.0.0.2")
			if c.fault != nil { // found before it goes wrong
				require.Empty(t, r.reporter.Collect(t.Context()).Errors)
				remove := r.cluster.AddFault(*c.fault)
				removes := []func(){remove}
				for _, path := range c.more {
					removes = append(removes, r.cluster.AddFault(emqxsim.Fault{Path: path, Status: 500}))
				}
				defer func() {
					for _, remove := range removes {
						remove()
					}
					require.Empty(t, r.reporter.Collect(t.Context()).Errors, "it recovers")
				}()
			}
			if c.harm != nil {
				c.harm(r)
			}
			began := time.Now()
			got := r.reporter.Collect(t.Context())
			require.Less(t, time.Since(began), 20*time.Second)
			require.NotEmpty(t, got.Errors)
			require.Equal(t, c.stage, got.Errors[0].Stage, "%+v", got.Errors)
			require.Equal(t, c.code, got.Errors[0].Code, "%+v", got.Errors)
			require.Contains(t, got.Errors[0].Message, c.says)
			require.Equal(t, c.partial, got.Complete())
			for _, e := range got.Errors {
				require.NotContains(t, e.Message, "canary")
			}
		})
	}
}

// TestNodeDown: a member that is down is told, and the report is complete.
func TestNodeDown(t *testing.T) {
	r := start(t, emqxsim.ClusterConfig{}, broker.Settings{}, "emqx@10.0.0.1", "emqx@10.0.0.2", "emqx@10.0.0.3")
	r.cluster.Node("emqx@10.0.0.2").Kill()
	got := r.reporter.Collect(t.Context())
	require.True(t, got.Complete())
	require.Equal(t, agentproto.MemberStopped, got.Members[1].Status)
}

// TestFailed: where nothing was found a report says so.
func TestFailed(t *testing.T) {
	got := report.Failed(&ecp.Error{Code: ecp.CodeDenied, Message: "no"}, broker.Settings{}, time.Now())
	require.Equal(t, agentproto.CodeAuthFailed, got.Errors[0].Code)
	require.False(t, got.Complete())
	require.Equal(t, agentproto.CodeInternal, report.Failed(errors.New("canary"), broker.Settings{},
		time.Now()).Errors[0].Code)
	require.NotContains(t, report.Failed(errors.New("canary"), broker.Settings{}, time.Now()).Errors[0].Message,
		"canary")
}

// TestStartedAnew: an EMQX of another edition that takes the place of one of the same
// version is found out with the report after the first.
func TestStartedAnew(t *testing.T) {
	now := time.Now()
	cluster := func(edition emqxsim.Edition) *emqxsim.Node {
		return emqxsim.NewCluster(emqxsim.ClusterConfig{Edition: edition,
			Now: func() time.Time { return now }}).Join("emqx@10.0.0.1")
	}
	there := cluster(emqxsim.Enterprise)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there.Dashboard().ServeHTTP(w, r)
	}))
	defer s.Close()
	a, err := broker.New(broker.Config{Settings: broker.Settings{DashboardURL: s.URL, Username: "admin",
		Password: "public"}})
	require.NoError(t, err)
	defer a.Close(t.Context())
	reporter := report.New(a, nil, nil)
	defer reporter.Close()
	now = now.Add(time.Hour)
	require.Empty(t, reporter.Collect(t.Context()).Errors)

	there = cluster(emqxsim.OpenSource)
	now = now.Add(time.Minute)
	reporter.Collect(t.Context())
	got := reporter.Collect(t.Context())
	require.Len(t, got.Errors, 1)
	require.Equal(t, agentproto.CodeOpenSource, got.Errors[0].Code)
}
