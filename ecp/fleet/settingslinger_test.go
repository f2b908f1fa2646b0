package fleet_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// inDashboard makes a call as the dashboard of a cluster's first node does, and
// returns the answer's body.
func (r *rig) inDashboard(c ecp.Cluster, method, path, body string) string {
	r.t.Helper()
	n := r.sim.Cluster(c.ID()).Node(r.get(c).Nodes[0].Name)
	e := n.Endpoint()
	req := httptest.NewRequestWithContext(r.t.Context(), method, e.BaseURL+path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
	w := httptest.NewRecorder()
	n.Handler().ServeHTTP(w, req)
	require.Equal(r.t, http.StatusOK, w.Code, w.Body.String())
	return w.Body.String()
}

func (r *rig) configured(c ecp.Cluster, want ecp.ConditionStatus, reason ecp.Reason) ecp.Condition {
	r.t.Helper()
	var got ecp.Condition
	r.until("Configured "+string(want), func() bool {
		got = ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondConfigured)
		return got.Status == want && got.Reason == reason
	}, func() any { return got })
	return got
}

// TestSettingsLiveOn: a setting that is not asked for any more lives on in EMQX,
// once somebody has changed anything beside it in the dashboard. That is told, by
// its name only, until it has ended; so is a value that was changed on the broker.
func TestSettingsLiveOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		s := spec("emqx-ee-5.8.9", 3)
		s.Hosted.Config = map[string]string{"mqtt.max_packet_size": "2345KB", "mqtt.max_inflight": "64"}
		info, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		r.reaches(c, ecp.Running)
		r.configured(c, ecp.True, ecp.ReasonAsExpected)

		r.inDashboard(c, http.MethodPut, "/api/v5/configs/global_zone", `{"mqtt":{"max_qos_allowed":1}}`)
		// Nothing can be told to nodes that do not run.
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		r.ends(r.change(c, `{"config":{"mqtt.max_packet_size":null}}`), ecp.PhaseSucceeded)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		told := r.configured(c, ecp.False, ecp.ReasonSettingsLinger)
		require.Contains(t, told.Message, "mqtt.max_packet_size;")
		require.NotContains(t, told.Message, "2345")
		require.Equal(t, ecp.True, ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondHealthy).Status)

		r.inDashboard(c, http.MethodPut, "/api/v5/configs/global_zone", `{"mqtt":{"max_packet_size":"1MB"}}`)
		r.configured(c, ecp.True, ecp.ReasonAsExpected)
		require.Empty(t, r.get(c).Status.FormerSettings)

		r.inDashboard(c, http.MethodPut, "/api/v5/configs/global_zone", `{"mqtt":{"max_inflight":12}}`)
		told = r.configured(c, ecp.False, ecp.ReasonSettingsDiffer)
		require.Contains(t, told.Message, "mqtt.max_inflight")
		r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		r.configured(c, ecp.True, ecp.ReasonAsExpected)
	})
}

// TestAvailableIsWhatClientsSee: while one node hangs, the healthy ones turn
// clients away, although they are ready. That is told, and ends.
func TestAvailableIsWhatClientsSee(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		available := func(want ecp.ConditionStatus, reason ecp.Reason) ecp.Condition {
			t.Helper()
			var got ecp.Condition
			r.until("Available "+string(want), func() bool {
				got = ecp.ConditionOf(r.get(c).Status.Conditions, ecp.CondAvailable)
				return got.Status == want && got.Reason == reason
			}, func() any { return got })
			return got
		}
		available(ecp.True, ecp.ReasonAsExpected)
		hangs := r.sim.Cluster(c.ID()).Node(r.get(c).Nodes[1].Name)
		hangs.Suspend()
		start := time.Now()
		told := available(ecp.False, ecp.ReasonMQTTUnanswered)
		require.Contains(t, told.Message, "does not answer MQTT")
		require.Contains(t, told.Message, "CONNACK 0x88")
		require.Less(t, time.Since(start), 30*time.Second)
		available(ecp.True, ecp.ReasonAsExpected)
		require.Less(t, time.Since(start), 75*time.Second)
		hangs.Resume()
	})
}

// TestSettingsOf4AreNotCompared: it cannot be asked for them, and that is no drift.
func TestSettingsOf4AreNotCompared(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		s := spec("emqx-ee-4.4.24", 1)
		s.Hosted.Config = map[string]string{"broker.shared_subscription_strategy": "random"}
		info, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: s})
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		r.reaches(c, ecp.Running)
		told := r.configured(c, ecp.Unknown, ecp.ReasonNotAsked)
		require.Contains(t, told.Message, "EMQX 4 cannot be asked")
	})
}
