package emqxv5_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const setting = "/api/v5/license/setting"

// critical is a broker with a business critical license for so many clients.
func critical(v string, cap int) http.Handler {
	set := 25
	put := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			N *int `json:"dynamic_max_connections"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		if body.N != nil {
			set = *body.N
		}
		emqxtest.Body(fmt.Sprintf(`{"connection_high_watermark":"80%%","connection_low_watermark":"75%%",`+
			`"dynamic_max_connections":%d}`, set)).ServeHTTP(w, r)
	})
	return emqxtest.Paths{
		nodes: version(v, "Enterprise"), setting: put,
		license: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			emqxtest.Body(fmt.Sprintf(`{"customer":"ACME","customer_type":3,"type":"official","max_connections":%d}`,
				min(set, cap))).ServeHTTP(w, r)
		}),
	}.Before(http.NotFoundHandler())
}

func TestConnectionLimit(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.Handler
		want ecp.ConnectionLimit
	}{
		{"the license EMQX comes with", replay(t, "one"), ecp.ConnectionLimit{
			InForce: 25, Sessions: true,
			Why: "only a business critical license takes a limit at run time, one of customer type 3, and this is " +
				"another one",
		}},
		{"business critical", critical("5.7.0", 1000), ecp.ConnectionLimit{Settable: true, Set: 25, InForce: 25}},
		{"business critical, and it does not say what is set",
			emqxtest.Paths{setting: emqxtest.Body(`{"connection_low_watermark":"75%"}`)}.Before(critical("5.8.4",
				1000)),
			ecp.ConnectionLimit{Settable: true, Set: 25, InForce: 25}},
		{"sessions count", critical("5.8.5", 10), ecp.ConnectionLimit{
			Settable: true, Set: 25, InForce: 10, Sessions: true,
		}},
		{"too old", critical("5.6.1", 1000), ecp.ConnectionLimit{InForce: 25, Why: "found EMQX Enterprise " +
			"5.6.1; needed " +
			"EMQX Enterprise 5.7.0 or later"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := open[ecp.ConnectionLimiter](t, c.h).ConnectionLimit(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestSetConnectionLimit: the number is what the broker has afterwards, capped
// by the license; nothing but the setting is sent.
func TestSetConnectionLimit(t *testing.T) {
	var requests emqxtest.Requests
	b := open[ecp.ConnectionLimiter](t, requests.Record(critical("5.8.9", 1000)))
	for n, inForce := range map[int]int{0: 0, 500: 500, 5000: 1000} {
		for range 2 {
			got, err := b.SetConnectionLimit(t.Context(), n)
			require.NoError(t, err)
			require.Equal(t, ecp.ConnectionLimit{Settable: true, Set: n, InForce: inForce, Sessions: true}, got)
		}
	}
	for _, sent := range requests.Changes() {
		require.Contains(t, sent, `PUT /api/v5/license/setting {"dynamic_max_connections":`)
	}
}

// TestLimitIsDropped: a broker that takes the number and drops it, or has
// another, is told apart from one that has it.
func TestLimitIsDropped(t *testing.T) {
	for _, put := range []http.Handler{
		answer(t, "30-license-setting-put"),
		emqxtest.Body(`{"connection_high_watermark":"80%","dynamic_max_connections":25}`),
	} {
		b := open[ecp.ConnectionLimiter](t, emqxtest.Calls{"PUT " + setting: put}.Before(replay(t, "one")))
		_, err := b.SetConnectionLimit(t.Context(), 100)
		require.ErrorIs(t, err, ecp.ErrLicenseNotBusinessCritical)
		refusedAs(t, err, ecp.CodeUnsupported, "LicenseNotBusinessCritical", "dropped it", "customer type 3")
	}
}

func TestLimitIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.Handler
		n    int
		code ecp.Code
		says string
	}{
		{"negative", critical("5.8.9", 10), -1, ecp.CodeInvalid, "must not be negative"},
		{"too old", critical("5.6.1", 10), 1, ecp.CodeUnsupported, "found EMQX Enterprise 5.6.1; needed EMQX " +
			"Enterprise " +
			"5.7.0 or later"},
		{"open source", version("5.8.9", "Opensource"), 1, ecp.CodeUnsupported, "found open-source EMQX " +
			"5.8.9; needed " +
			"EMQX Enterprise 5.7.0 or later"},
		{"a node is old yet", emqxtest.Paths{nodes: emqxtest.Body(`[{"node":"a","node_status":"running",` +
			`"version":"5.8.9"},{"node":"b","node_status":"running","version":"5.6.1"}]`)}.Before(critical("5.8.9",
			10)), 1, ecp.CodeUnsupported, "found EMQX 5.6.1"},
		{"a viewer", emqxtest.Calls{"PUT " + setting: answer(t, "35-apikey-viewer-post-403")}.Before(replay(t, "one")),
			1,
			ecp.CodeDenied, "role administrator"},
		{"the setting is refused", emqxtest.Calls{"PUT " +
			setting: answer(t, "30-license-setting-put-bad")}.Before(replay(t,
			"one")), 1, ecp.CodeInvalid, "Bad license setting"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			_, err := open[ecp.ConnectionLimiter](t, requests.Record(c.h)).SetConnectionLimit(t.Context(), c.n)
			refusedAs(t, err, c.code, "", c.says)
			require.LessOrEqual(t, len(requests.Changes()), 1)
			for _, sent := range requests.Changes() {
				require.NotContains(t, sent, "POST")
			}
		})
	}
}

// TestVersionIsLearnedOnce: and anew by Describe.
func TestVersionIsLearnedOnce(t *testing.T) {
	var requests emqxtest.Requests
	h := emqxtest.Paths{nodes: emqxtest.InTurn(version("5.6.1", "Enterprise"),
		version("5.8.9", "Enterprise"))}.Before(critical("", 10))
	b := open[ecp.ConnectionLimiter](t, requests.Record(h))
	for range 3 {
		_, err := b.SetConnectionLimit(t.Context(), 5)
		require.ErrorIs(t, err, ecp.ErrUnsupported)
	}
	require.Len(t, requests.Sent(), 1)
	_, err := b.(ecp.Broker).Describe(t.Context())
	require.NoError(t, err)
	_, err = b.SetConnectionLimit(t.Context(), 5)
	require.NoError(t, err)
}
