package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// The routes that ask a broker, below a cluster's path.
var brokerPaths = []string{"/stats", "/stats?window=1h", "/metrics", "/alarms", "/alarms?active=false", "/rules",
	"/connectors"}

// asking runs a test on a running cluster of three nodes that is asked without
// a network: time is the bubble's, and waiting costs none.
func asking(t *testing.T, image string, test func(f *fixture, path string, sim *emqxsim.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, setup{bare: true, talks: true, run: true})
		body := fmt.Sprintf(`{"mode":"hosted","name":"one","spec":{"nodes":3,"connections":1000,"image":%q}}`, image)
		id := f.serve(asAdmin, http.MethodPost, clustersPath, body, nil).want(http.StatusAccepted).cluster().ID
		f.eventually("it runs", func() (bool, any) {
			c := f.read(clustersPath + "/" + id).cluster()
			return c.Status.State == "running", c.Status
		})
		test(f, clustersPath+"/"+id, f.sim.Cluster(ecp.ID(id)))
	})
}

// read asks as somebody who may read and nothing else.
func (f *fixture) read(path string) reply {
	f.t.Helper()
	return f.serve(asUser, http.MethodGet, path, "", nil)
}

// nodesOf are the EMQX names of a cluster's nodes.
func (f *fixture) nodesOf(path string) (names []string) {
	f.t.Helper()
	var p page[nodeView]
	f.read(path + "/nodes").want(http.StatusOK).into(&p)
	for _, n := range p.Items {
		names = append(names, n.Name)
	}
	return names
}

func TestBrokerAnswers(t *testing.T) {
	asking(t, "emqx-ee-5.8.9", func(f *fixture, path string, sim *emqxsim.Cluster) {
		nodes := f.nodesOf(path)
		sim.AddClients(emqxsim.Clients{Name: "meter", Count: 9, Topic: "from/%c", Rate: 1})
		sim.AddConnector("http", "shop", nil)
		sim.AddAction("http", "order", "shop")
		sim.AddRule("orders", `SELECT * FROM "from/#"`, "http:order")
		sim.SetConnectorFault("http:shop", nodes[1], "the shop is closed")
		<-time.After(2 * time.Minute)

		var stats statsView
		got := f.read(path + "/stats").want(http.StatusOK)
		got.into(&stats)
		require.WithinDuration(t, time.Now(), stats.At, time.Second)
		require.Equal(t, []int{9, 3, 3, 3},
			[]int{stats.Connections, stats.Nodes[0].Connections, stats.Nodes[1].Connections, len(stats.Nodes)})
		require.InDelta(t, 9, stats.Rates.Received, 0.1)
		require.Greater(t, stats.Totals.Received, int64(900))
		require.NotContains(t, string(got.body), `"series"`)

		f.read(path + "/stats?window=90s").want(http.StatusOK).into(&stats)
		require.NotEmpty(t, stats.Series)
		require.False(t, stats.Series[0].At.Before(time.Now().Add(-2*time.Minute)))
		last := stats.Series[len(stats.Series)-1]
		require.Equal(t, 9, last.Connections)

		var rules page[ruleView]
		f.read(path + "/rules").want(http.StatusOK).into(&rules)
		require.Len(t, rules.Items, 1)
		require.Equal(t, []string{"http:order"}, rules.Items[0].Actions)
		require.Equal(t, []string{"from/#"}, rules.Items[0].Topics)
		require.True(t, rules.Items[0].Running)

		var connectors page[connectorView]
		f.read(path + "/connectors").want(http.StatusOK).into(&connectors)
		require.Equal(t, []string{"action http:order", "connector http:shop"},
			[]string{connectors.Items[0].key(), connectors.Items[1].key()})
		require.Equal(t, ecp.IntegrationInconsistent, connectors.Items[1].Status)
		require.Equal(t, connectorNodeView{nodes[1], ecp.IntegrationDisconnected, "the shop is closed"},
			connectors.Items[1].Nodes[1])
		f.read(path + "/connectors?q=SHOP").want(http.StatusOK).into(&connectors)
		require.Len(t, connectors.Items, 1)

		var alarms page[alarmView]
		f.read(path + "/alarms").want(http.StatusOK).into(&alarms)
		require.NotEmpty(t, alarms.Items)
		require.True(t, alarms.Items[0].Active)
		require.Equal(t, []string{nodes[1]}, alarms.Items[0].Nodes)
		sim.SetConnectorFault("http:shop", "", "")
		f.read(path + "/alarms?active=true").want(http.StatusOK).into(&alarms)
		require.Empty(t, alarms.Items)
		f.read(path + "/alarms?active=false").want(http.StatusOK).into(&alarms)
		require.NotEmpty(t, alarms.Items)
		require.False(t, alarms.Items[0].Active)
		require.False(t, alarms.Items[0].Until.IsZero())

		got = f.read(path + "/metrics").want(http.StatusOK)
		require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", got.header.Get("Content-Type"))
		require.Contains(t, string(got.body), "\nemqx_live_connections_count 3\n")
		got = f.read(path + "/metrics?scope=nodes").want(http.StatusOK)
		require.Equal(t, 3, bytes.Count(got.body, []byte("\nemqx_live_connections_count{")))
	})
}

// Pages of what the broker gives at once: together they are all of it, in
// order, whatever comes and goes meanwhile.
func TestBrokerPages(t *testing.T) {
	asking(t, "emqx-ee-5.8.9", func(f *fixture, path string, sim *emqxsim.Cluster) {
		node := sim.Node(f.nodesOf(path)[0])
		for i := range 7 {
			sim.AddRule(fmt.Sprintf("rule-%d", i), `SELECT * FROM "t"`)
			node.RaiseAlarm(fmt.Sprintf("alarm-%d", i), "it is so", nil)
			f.read(path + "/alarms?limit=1").want(http.StatusOK) // it rises when somebody looks
			<-time.After(time.Second)
		}
		walk := func(list string, seen func([]byte) []string) (all []string) {
			for cursor := ""; ; {
				var p page[any]
				got := f.read(path + list + "?limit=3&cursor=" + url.QueryEscape(cursor)).want(http.StatusOK)
				got.into(&p)
				require.LessOrEqual(t, len(p.Items), 3)
				all = append(all, seen(got.body)...)
				if len(all) == 3 && list == "/rules" {
					sim.AddRule("rule-00", `SELECT * FROM "t"`) // before the cursor
				}
				if cursor = p.Next; cursor == "" {
					return all
				}
			}
		}
		names := func(b []byte) (out []string) {
			var p page[struct{ Name string }]
			reply{t: t, body: b}.into(&p)
			for _, i := range p.Items {
				out = append(out, i.Name)
			}
			return out
		}
		require.Equal(t, strings.Fields("rule-0 rule-1 rule-2 rule-3 rule-4 rule-5 rule-6"), walk("/rules", names))
		all := walk("/alarms", names)
		slices.Reverse(all)
		require.Equal(t, strings.Fields("alarm-0 alarm-1 alarm-2 alarm-3 alarm-4 alarm-5 alarm-6"), all)

		var p page[any]
		f.read(path + "/rules?limit=3").into(&p)
		for _, list := range []string{"/alarms?cursor=", "/connectors?cursor=", "/alarms?active=false&cursor="} {
			require.Equal(t, "/query/cursor", f.read(path + list + url.QueryEscape(p.Next)).
				want(http.StatusUnprocessableEntity).problem().Errors[0].Pointer)
		}
		f.read(path + "/alarms?limit=3").into(&p)
		require.NotEmpty(t, p.Next)
		f.read(path + "/alarms?active=false&cursor=" + url.QueryEscape(p.Next)).want(http.StatusUnprocessableEntity)
	})
}

// What is wrong with a question is told before anybody is asked.
func TestBrokerParameters(t *testing.T) {
	asking(t, "emqx-ee-5.8.9", func(f *fixture, path string, sim *emqxsim.Cluster) {
		sim.AddFault(emqxsim.Fault{Status: http.StatusInternalServerError})
		for query, pointer := range map[string]string{
			"/stats?window=soon": "/query/window", "/stats?window=0s": "/query/window",
			"/stats?window=169h": "/query/window",
			"/stats?window=-1h":  "/query/window",
			"/stats?window=":     "/query/window", "/metrics?scope=all": "/query/scope",
			"/alarms?active=maybe": "/query/active",
			"/rules?limit=0":       "/query/limit",
			"/connectors?cursor=x": "/query/cursor", "/metrics?node=emqx@a&scope=nodes": "/query/node",
			"/metrics?node=": "/query/node", "/stats?from=2026-01-01T00:00:00Z": "/query/from",
		} {
			require.Equal(t, pointer, f.read(path + query).want(http.StatusUnprocessableEntity).problem().
				Errors[0].Pointer,
				query)
		}
	})
}

// brokerTrouble is what can be wrong, and what is told of it.
var brokerTrouble = []struct {
	name   string
	faults []emqxsim.Fault // those with a Node that is a number: of that node
	status int
	code   ecp.Code
	says   string
	within time.Duration
}{
	{"one of three is down", []emqxsim.Fault{{Node: "0", Refuse: true}}, http.StatusOK, "", "", 5 * time.Second},
	{"one of three hangs", []emqxsim.Fault{{Node: "0", Hang: true}}, http.StatusOK, "", "", 21 * time.Second},
	{"all are down", []emqxsim.Fault{{Refuse: true}}, http.StatusServiceUnavailable, ecp.CodeUnavailable,
		"connection refused", 21 * time.Second},
	{"all hang", []emqxsim.Fault{{Hang: true}}, http.StatusServiceUnavailable, ecp.CodeUnavailable, "no answer in time",
		21 * time.Second},
	{"another type of content", []emqxsim.Fault{{ContentType: "text/html"}}, http.StatusServiceUnavailable,
		ecp.CodeUnavailable, "text/html", 5 * time.Second},
	{"nothing but faults",
		[]emqxsim.Fault{{Status: 500, Body: `{"code":"INTERNAL_ERROR","message":"oops"}`,
			ContentType: "application/json"}},
		http.StatusServiceUnavailable, ecp.CodeUnavailable, "answered 500 (INTERNAL_ERROR", 5 * time.Second},
	{"refused credentials", []emqxsim.Fault{{Status: 401, Body: `{"code":"BAD_API_KEY_OR_SECRET","message":"Check it"}`,
		ContentType: "application/json"}},
		http.StatusForbidden, ecp.CodeDenied, "not yours", time.Second},
}

// Whatever is wrong with a broker, every route ends in time and says what it is,
// and no secret is in it.
func TestBrokerTrouble(t *testing.T) {
	for _, c := range brokerTrouble {
		t.Run(c.name, func(t *testing.T) {
			asking(t, "emqx-ee-5.8.9", func(f *fixture, path string, sim *emqxsim.Cluster) {
				key, err := f.manager.Access.Endpoint(ecp.WithActor(t.Context(), ecp.System), ecp.RightWrite,
					ecp.ID(strings.TrimPrefix(path, clustersPath+"/")), "")
				require.NoError(t, err)
				for _, fault := range c.faults {
					if fault.Node != "" {
						fault.Node = f.nodesOf(path)[0]
					}
					sim.AddFault(fault)
				}
				for _, route := range brokerPaths {
					began := time.Now()
					got := f.read(path + route).want(c.status)
					require.LessOrEqual(t, time.Since(began), c.within, route)
					if c.code == "" {
						continue
					}
					p := got.problem()
					require.Equal(t, c.code, p.Code, route)
					require.Contains(t, p.Detail, c.says, route)
					require.Equal(t, c.status == http.StatusServiceUnavailable, got.header.Get("Retry-After") != "")
					require.NotContains(t, string(got.body), key.Credentials.Password)
				}
				require.NotContains(t, f.log.String(), key.Credentials.Password)
			})
		})
	}
}

// What a cluster's features say and what its routes do is the same; what a
// version lacks it says with what to do.
func TestFeaturesHold(t *testing.T) {
	for _, image := range []string{"emqx-ee-5.8.9", "emqx-ee-4.4.24"} {
		asking(t, image, func(f *fixture, path string, _ *emqxsim.Cluster) {
			var c clusterView
			f.read(path).want(http.StatusOK).into(&c)
			of := map[ecp.Feature]string{ecp.FeatureMonitoring: "/stats?window=1h", ecp.FeatureAlarms: "/alarms",
				ecp.FeatureIntegrations: "/rules"}
			for _, feature := range c.Features {
				if route, ok := of[feature.Feature]; ok {
					require.True(t, feature.Available)
					f.read(path + route).want(http.StatusOK)
				}
			}
			f.read(path + "/connectors").want(http.StatusOK)
			if image == "emqx-ee-4.4.24" {
				a := f.read(path + "/metrics").want(http.StatusOK)
				require.Contains(t, string(a.body), "\nemqx_connections_count ")
			}
		})
	}
}

// A broker that keeps no series still says how busy it is now, and a series is not
// made up.
func TestSeriesThatABrokerLacks(t *testing.T) {
	asking(t, "emqx-ee-4.4.24", func(f *fixture, path string, sim *emqxsim.Cluster) {
		sim.AddClients(emqxsim.Clients{Name: "meter", Count: 9})
		sim.AddFault(emqxsim.Fault{Path: "/api/v4/monitor/metrics/**", Status: http.StatusNotFound, Body: "Not found.",
			ContentType: "text/plain"})
		var stats statsView
		f.read(path + "/stats?window=1h").want(http.StatusOK).into(&stats)
		require.Equal(t, 9, stats.Connections)
		require.Empty(t, stats.Series)
		require.NotNil(t, stats.Series)
		require.Nil(t, stats.Gaps, "a hosted cluster has no agents that could tell")
		require.Contains(t, stats.SeriesError, "it has no figures over time", "%+v", stats)
	})
}

// Metrics of one node are its own; an answer without any is none.
func TestMetricsOfANode(t *testing.T) {
	asking(t, "emqx-ee-5.8.9", func(f *fixture, path string, sim *emqxsim.Cluster) {
		for i, node := range f.nodesOf(path) {
			remove := sim.AddFault(emqxsim.Fault{Node: node, Path: "/api/v5/prometheus/stats", Status: http.StatusOK,
				Body: fmt.Sprintf("emqx_x %d\n", i), ContentType: "text/plain"})
			require.Equal(t, fmt.Sprintf("emqx_x %d\n", i),
				string(f.read(path+"/metrics?node="+url.QueryEscape(node)).want(http.StatusOK).body))
			remove()
		}
		p := f.read(path + "/metrics?node=emqx@nowhere").want(http.StatusNotFound).problem()
		require.Contains(t, p.Detail, f.nodesOf(path)[0])
		sim.AddFault(emqxsim.Fault{Path: "/api/v5/prometheus/stats", Status: http.StatusOK, Body: "",
			ContentType: "text/plain"})
		p = f.read(path + "/metrics").want(http.StatusServiceUnavailable).problem()
		require.Contains(t, p.Detail, "not that of EMQX 5")
	})
}

// A cluster without nodes says that, and what to do.
func TestBrokerOfAStoppedCluster(t *testing.T) {
	asking(t, "emqx-ee-5.8.9", func(f *fixture, path string, _ *emqxsim.Cluster) {
		for state, says := range map[string]string{"stopping": "start it to ask it", "stopped": "start it first"} {
			f.serve(asAdmin, http.MethodPost, path+"/stop", "", nil)
			f.eventually("it is "+state,
				func() (bool, any) { s := f.read(path).cluster().Status.State; return s == state, s })
			for _, route := range brokerPaths {
				p := f.read(path + route).want(http.StatusConflict).problem()
				require.Contains(t, p.Detail, "the cluster is "+state)
				require.Contains(t, p.Detail, says)
			}
			f.serve(asAdmin, http.MethodPost, path+"/start", "", nil).want(http.StatusAccepted)
			f.eventually("it runs",
				func() (bool, any) { s := f.read(path).cluster().Status.State; return s == "running", s })
		}
	})
}

// An exposition that breaks off is cut off: a scraper notices.
func TestMetricsAreCutOff(t *testing.T) {
	f := newFixture(t, setup{talks: true, run: true})
	id := f.create()
	f.awaitState(id, "running")
	path := clustersPath + "/" + id + "/metrics"
	f.call(asUser, http.MethodGet, path, "").want(http.StatusOK)
	f.sim.Cluster(ecp.ID(id)).AddFault(emqxsim.Fault{Path: "/api/v5/prometheus/stats", Half: true})
	resp, err := f.server.Client().Do(f.request(asUser, http.MethodGet, path, nil))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotEmpty(t, text)
}
