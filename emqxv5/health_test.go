package emqxv5_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// TestHealth: any answer is one, and none is waited for twice.
func TestHealth(t *testing.T) {
	up := emqxtest.Body(`{"node_name":"emqx@a","broker_status":"started","app_status":"running","rel_vsn":"e5.8.9"}`)
	page := func(status int, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Retry-After", "15")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		})
	}
	for _, c := range []struct {
		name  string
		paths emqxtest.Paths
		want  ecp.Health
	}{
		{"well", emqxtest.Paths{status: up, takes: answer(t, "33-evacuation-start")},
			ecp.Health{Node: "emqx@a", Version: "5.8.9", Edition: "enterprise", Running: true, Available: ecp.True}},
		{"evacuated", emqxtest.Paths{status: up, takes: answer(t, "33-rebalance-availability-evacuating")},
			ecp.Health{
				Node: "emqx@a", Version: "5.8.9", Edition: "enterprise", Running: true, Available: ecp.False,
				Why: "its clients are being moved to other nodes",
			}},
		{"no version, and it does not say",
			emqxtest.Paths{status: emqxtest.Body(`{"node_name":"emqx@a","broker_status":"started",` +
				`"app_status":"running"}`)},
			ecp.Health{Node: "emqx@a", Running: true, Available: ecp.Unknown, Why: "it does not say whether it " +
				"accepts clients"}},
		{"text", emqxtest.Paths{
			status: page(200, "Node emqx@a is started\nemqx is running"), takes: answer(t, "33-evacuation-start"),
		},
			ecp.Health{Node: "emqx@a", Running: true, Available: ecp.True}},
		{"the application is down", emqxtest.Paths{status: page(503, "Node emqx@a is started\nemqx is not_running")},
			ecp.Health{Node: "emqx@a", Available: ecp.False, Why: "EMQX is not running on the node"}},
		{"in JSON", emqxtest.Paths{status: emqxtest.Refusal(503,
			`{"node_name":"emqx@a","broker_status":"stopped","app_status":"not_running","rel_vsn":"e5.8.9"}`)},
			ecp.Health{
				Node: "emqx@a", Version: "5.8.9", Edition: "enterprise", Available: ecp.False,
				Why: "EMQX is not running on the node",
			}},
		{"503 without a word", emqxtest.Paths{status: page(503, "")}, ecp.Health{
			Available: ecp.Unknown, Why: "what answers there does not answer like EMQX",
		}},
		{"starting", emqxtest.Paths{status: answer(t, "03-404-unknown-path")}, ecp.Health{
			Available: ecp.False, Why: "EMQX is still starting",
		}},
		{"something else", emqxtest.Paths{status: emqxtest.Body("[]")}, ecp.Health{
			Available: ecp.Unknown, Why: "what answers there does not answer like EMQX",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests emqxtest.Requests
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					require.Empty(t, r.Header.Get("Authorization"))
					c.paths.Before(http.NotFoundHandler()).ServeHTTP(w, r)
				})
				b := inside[ecp.HealthSource](t, requests.Record(h))
				start := time.Now()
				got, err := b.Health(t.Context())
				require.NoError(t, err)
				require.Equal(t, c.want, got)
				require.LessOrEqual(t, len(requests.Sent()), 2)
				require.Less(t, time.Since(start), time.Second)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		_, err := inside[ecp.HealthSource](t, emqxtest.Hang{}).Health(t.Context())
		require.ErrorIs(t, err, ecp.ErrUnavailable)
	})
}

// TestHealthInPart: a node that does not say in time whether it takes clients
// is said to be up.
func TestHealthInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := inside[ecp.HealthSource](t, emqxtest.Paths{takes: emqxtest.Hang{}}.Before(replay(t,
			"one"))).Health(t.Context())
		require.NoError(t, err)
		require.True(t, h.Running)
		require.Equal(t, ecp.Unknown, h.Available)
		require.Contains(t, h.Why, "in time")
	})
}
