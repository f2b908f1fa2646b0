package emqxv5

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxhttp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// fuzz feeds every recorded body and some odd ones to a decoder. What comes
// must be writable, and be nothing where it is refused.
func fuzz[T any](f *testing.F, decode func([]byte) (T, error), check func(*testing.T, T), odd ...string) {
	emqxtest.AddBodies(f)
	for _, body := range odd {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := decode(body)
		if err != nil {
			require.Empty(t, v)
			return
		}
		_, err = json.Marshal(v)
		require.NoError(t, err)
		check(t, v)
	})
}

// FuzzNodes: members have names and figures that count something.
func FuzzNodes(f *testing.F) {
	fuzz(f, decodeNodes, func(t *testing.T, d ecp.Description) {
		require.NotEmpty(t, d.Nodes)
		require.Contains(t, []string{"", "enterprise", "opensource"}, d.Edition)
		for _, n := range d.Nodes {
			emqxtest.CheckNode(t, n)
		}
	}, `[{"node":"a","node_status":"running","uptime":"9e300","connections":-1,"live_connections":null,`+
		`"memory_used":"1e300T","edition":"?"}]`)
}

// FuzzLicense: a limit is a number of connections or not said, and the limit
// alone is read as with the rest.
func FuzzLicense(f *testing.F) {
	fuzz(f, decodeLicense, func(t *testing.T, l ecp.BrokerLicense) {
		require.GreaterOrEqual(t, l.Limit, 0)
		require.GreaterOrEqual(t, l.CustomerType, -1)
		require.True(t, l.BuiltIn || !l.SingleNode)
	}, `{"max_connections":100}`, `{"max_connections":1,"max_sessions":"infinity"}`,
		`{"type":"COMMUNITY","expiry":"yes","start_at":"9999-12-31"}`)
}

// FuzzLimit: as FuzzLicense, of the limit alone.
func FuzzLimit(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		limit, err := decodeLimit(body)
		require.GreaterOrEqual(t, limit, 0)
		if l, no := decodeLicense(body); no == nil {
			require.NoError(t, err)
			require.Equal(t, l.Limit, limit)
		}
	})
}

// FuzzSettings: shares are shares, and a limit that is set counts something.
func FuzzSettings(f *testing.F) {
	fuzz(f, decodeSettings, func(t *testing.T, s settings) {
		for _, share := range []float64{s.HighWatermark, s.LowWatermark} {
			require.True(t, share >= 0 && share <= 1)
		}
		require.True(t, s.dynamic == nil || *s.dynamic >= 0)
	}, `{"connection_high_watermark":0.8,"connection_low_watermark":"-5%","dynamic_max_connections":"7"}`,
		`{"connection_high_watermark":"NaN%"}`)
}

// FuzzSelf: any body is read or refused.
func FuzzSelf(f *testing.F) {
	fuzz(f, decodeSelf, func(*testing.T, string) {})
}

// FuzzToken: a token can be sent in a header.
func FuzzToken(f *testing.F) {
	fuzz(f, decodeToken, func(t *testing.T, token string) {
		require.NotEmpty(t, token)
		require.False(t, strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }))
	}, `{"token":"a\nb"}`, `{"token":"é"}`)
}

// FuzzSaid: a refusal's words are one line each and short, whatever is sent.
func FuzzSaid(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Add([]byte(`{"code":400,"message":{"a":[1]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		words := parseRefusal(body)
		for _, w := range []string{words.Code, words.Message} {
			require.False(t, strings.ContainsAny(w, "\n\r\t"))
			require.Less(t, len(w), 1100)
		}
	})
}

// FuzzStatus: a node that tells how it is has a name.
func FuzzStatus(f *testing.F) {
	fuzz(f, decodeStatus, func(t *testing.T, s status) {
		require.NotEmpty(t, s.Node)
		require.True(t, s.Edition == "" || s.Version != "")
	}, `{"node_name":"a","rel_vsn":"ve5.8.9-rc.1"}`, `{"node_name":"a","rel_vsn":5}`)
}

// FuzzTraffic: sums count something, nodes have names and are there once.
func FuzzTraffic(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Add([]byte(`[{"node":"a","connections.count":2147483647,"messages.sent":9e18},{"node":"a","reason":"x"},` +
		`{"node":"b","messages.sent":9e18}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		current, err := decodeCurrent(body)
		require.Equal(t, err == nil, current.Connections != nil || current.Live != nil)
		figures, err := decodeFigures(body)
		if err != nil {
			require.Nil(t, figures)
		}
		members, _ := decodeNodes(body)
		for _, told := range []currentFigures{{}, current} {
			traffic := trafficOf(told, figures, figures, members.Nodes)
			require.True(t, slices.IsSortedFunc(traffic.Nodes, func(a, b ecp.NodeTraffic) int {
				return strings.Compare(a.Node,
					b.Node)
			}))
			require.GreaterOrEqual(t, min(traffic.Connections, traffic.Sessions, traffic.Topics, traffic.Subscriptions,
				traffic.Retained), 0)
			require.GreaterOrEqual(t, min(traffic.Totals.Received, traffic.Totals.Sent, traffic.Totals.Dropped),
				int64(0))
			for i, n := range traffic.Nodes {
				require.NotEmpty(t, n.Node)
				require.True(t, i == 0 || traffic.Nodes[i-1].Node != n.Node)
			}
			_, err := json.Marshal(traffic)
			require.NoError(t, err)
		}
	})
}

// FuzzSeries: the oldest comes first, and each has a time and figures that
// count something.
func FuzzSeries(f *testing.F) {
	fuzz(f, decodeSeries, func(t *testing.T, all []ecp.TrafficSample) {
		for i, s := range all {
			require.False(t, s.At.IsZero())
			require.True(t, i == 0 || !s.At.Before(all[i-1].At))
			require.GreaterOrEqual(t, min(int64(s.Connections), int64(s.Sessions), int64(s.Topics), s.Received, s.Sent,
				s.Dropped), int64(0))
		}
	}, `[{"time_stamp":"1","sent":-1},{"time_stamp":1e300,"sent":1},{"time_stamp":253402300800000,"sent":1}]`)
}

// FuzzAlarms: what is over ended after it began, what is active has no end,
// details are an object, and grouped none is lost.
func FuzzAlarms(f *testing.F) {
	emqxtest.AddBodies(f)
	f.Add([]byte(`[{"name":"x","activate_at":"9999-12-31T23:59:59-12:00","duration":1e18},{"activate_at":1,` +
		`"deactivate_at":"0001-01-01T00:00:00+12:00"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, active := range []bool{true, false} {
			p, err := decodeAlarms(body, active)
			if err != nil {
				require.Empty(t, p.Items)
				return
			}
			for _, a := range p.Items {
				require.Equal(t, active, a.Until.IsZero())
				require.True(t, active || !a.Until.Before(a.Since))
				var object map[string]any
				require.True(t, a.Details == nil || json.Unmarshal(a.Details, &object) == nil)
			}
			groups := emqxhttp.GroupAlarms(p.Items)
			require.LessOrEqual(t, len(groups), len(p.Items))
			_, err = json.Marshal(groups)
			require.NoError(t, err)
		}
	})
}

// FuzzRules: rules have ids, and actions names.
func FuzzRules(f *testing.F) {
	fuzz(f, func(body []byte) ([]ecp.Rule, error) {
		p, err := decodeRules(body)
		return p.Items, err
	}, func(t *testing.T, all []ecp.Rule) {
		for _, r := range all {
			require.NotEmpty(t, r.ID)
			require.NotContains(t, r.Actions, "")
			require.True(t, r.Created.IsZero() || r.Created.Location() == time.UTC)
		}
	}, `{"data":[{"id":"a","actions":[{"function":""},{"type":"x"},[]],"enable":"false"}]}`)
}

// FuzzIntegrations: statuses are ours, ids have two parts, and who is
// connected needs no reason; connectors are found or named.
func FuzzIntegrations(f *testing.F) {
	fuzz(f, func(body []byte) ([]ecp.Integration, error) {
		return decodeIntegrations(body, ecp.ActionIntegration)
	}, func(t *testing.T, all []ecp.Integration) {
		named := make([]bool, len(all))
		for i := range all {
			require.Equal(t, all[i].ID, all[i].Type+":"+all[i].Name)
			require.True(t, all[i].Status != ecp.IntegrationConnected || all[i].Reason == "")
			require.NotEmpty(t, all[i].Status)
			if i%2 == 0 {
				all[i].Kind = ecp.ConnectorIntegration
			}
			named[i] = all[i].Connector != ""
		}
		linkConnectors(all)
		for i := range all {
			require.Equal(t, named[i], all[i].Connector != "")
		}
	}, `[{"type":"a","name":"b","status":"CONNECTED","status_reason":"x","connector":"b"},{"type":"c","name":"d",`+
		`"connector":"b","rules":["r"],"node_status":[null]}]`)
}

// FuzzEvacuations: phases are ours, and figures count something.
func FuzzEvacuations(f *testing.F) {
	fuzz(f, emqxhttp.DecodeEvacuations, func(t *testing.T, all map[string]ecp.EvacuationProgress) {
		require.NotContains(t, all, "")
		for _, p := range all {
			require.NotEmpty(t, p.Phase)
			require.GreaterOrEqual(t, min(p.InitialConnections, p.Connections, p.InitialSessions, p.Sessions), 0)
		}
	}, `{"evacuations":[{"node":"a","state":7,"stats":{"current_connected":"infinity"}},{"node":"a"}]}`)
}

// FuzzListeners: listeners have ids, and are sorted by them.
func FuzzListeners(f *testing.F) {
	fuzz(f, decodeListeners, func(t *testing.T, all []ecp.BrokerListener) {
		for i, l := range all {
			require.NotEmpty(t, l.ID)
			require.True(t, i == 0 || all[i-1].ID <= l.ID)
			require.Contains(t, []ecp.ConditionStatus{ecp.True, ecp.False, ecp.Unknown}, l.Running)
			require.GreaterOrEqual(t, min(l.Connections, l.Limit), 0)
		}
	}, `[{"id":"a","status":null,"node_status":[{"node":1,"status":{"running":"true","max_connections":"infinity"}}]}]`)
}

// FuzzListenerLimit: a limit is a number or none.
func FuzzListenerLimit(f *testing.F) {
	fuzz(f, decodeListenerLimit, func(t *testing.T, limit int) {
		require.GreaterOrEqual(t, limit, 0)
	}, `{"max_connections":"infinity"}`, `{"max_connections":-1}`)
}
