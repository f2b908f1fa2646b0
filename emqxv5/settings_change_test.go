package emqxv5_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

// TestChangeSettings: all members have what was set, nothing else of its root has changed, and what is reset has
// EMQX's own value again.
func TestChangeSettings(t *testing.T) {
	for _, version := range []string{"5.6.1", "5.8.9", "5.10.4", "6.2.1"} {
		s := simulated(emqxsim.ClusterConfig{Version: version, License: &criticalLicense})
		open := func(node string) ecp.SettingsChanger {
			b, err := emqxv5.New(emqxv5.Config{}).Open(s.Node(node).Endpoint())
			require.NoError(t, err)
			t.Cleanup(b.Close)
			return b.(ecp.SettingsChanger)
		}
		b := open("emqx@a")
		set := func(settings map[string]string, reset ...string) error {
			return b.ChangeSettings(t.Context(), settings, reset)
		}
		inForce := func(node string) map[string]any {
			got, err := open(node).Settings(t.Context(), []string{"mqtt", "sysmon", "log"})
			require.NoError(t, err)
			mqtt, sysmon := got.InForce["mqtt"].(map[string]any), got.InForce["sysmon"].(map[string]any)
			return map[string]any{
				"size": mqtt["max_packet_size"], "inflight": mqtt["max_inflight"], "idle": mqtt["idle_timeout"],
				"cpu": sysmon["os"].(map[string]any)["cpu_high_watermark"],
			}
		}
		require.NoError(t, set(map[string]string{"mqtt.max_packet_size": "2MB", "mqtt.max_inflight": "64"}))
		require.NoError(t, set(map[string]string{
			"mqtt.idle_timeout": "30s", "sysmon.os": `{"cpu_high_watermark":"90%"}`,
		}))
		for _, node := range []string{"emqx@a", "emqx@b", "emqx@c"} {
			require.Equal(t, map[string]any{
				"size": "2MB", "inflight": json.Number("64"), "idle": "30s", "cpu": "90%",
			}, inForce(node), "%s %s", version, node)
		}
		require.NoError(t, set(nil, "mqtt.max_inflight", "mqtt.nonesuch"))
		want := map[string]any{"size": "2MB", "inflight": json.Number("32"), "idle": "30s", "cpu": "90%"}
		require.Equal(t, want, inForce("emqx@b"))

		for key, words := range map[string]string{
			"mqtt.nonesuch":        "unknown_fields",
			"mqtt.max_packet_size": "mqtt.max_packet_size",
			"node.cookie":          "read-only",
		} {
			err := set(map[string]string{key: "huge", "sysmon.os.cpu_high_watermark": "70%"})
			require.Equal(t, ecp.CodeInvalid, ecp.CodeOf(err), "%s: %v", key, err)
			require.ErrorContains(t, err, words)
			require.Equal(t, want, inForce("emqx@a"), "nothing of it is in force")
		}
		require.Equal(t, ecp.CodeInvalid, ecp.CodeOf(set(map[string]string{"mqtt": "{}"})))
		require.NoError(t, set(nil))
	}
}

// TestSettingRefusals: EMQX's own words, and no more, are in the error.
func TestSettingRefusals(t *testing.T) {
	const crash = `throw, {emqx_enterprise_schema,[#{kind => validation_error,path => \"mqtt\",` +
		`reason => unknown_fields,unknown => \"nonesuch\"}]}, [{hocon_tconf,assert,2,[{file,\"/opt/emqx\"}]}]`
	for _, c := range []struct {
		status     int
		body, want string
		code       ecp.Code
	}{
		{500, `{"code":"INTERNAL_ERROR","message":"` + crash + `"}`, `unknown => "nonesuch"}]})`, ecp.CodeInvalid},
		{500, `{"code":"INTERNAL_ERROR","message":"error, badarg, [{a,b}]"}`, "", ecp.CodeUnavailable},
		{400, `{"errors":{"mqtt":{"path":"mqtt.max_packet_size"}}}`, `"path":"mqtt.max_packet_size"`, ecp.CodeInvalid},
		{400, `{"errors":"The effective configurations:\nhunter2\nReason: not good\n"}`, "(not good)", ecp.CodeInvalid},
		{503, `{"code":"SERVICE_UNAVAILABLE","message":"later"}`, "later", ecp.CodeUnavailable},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			if r.Method == http.MethodGet {
				_, _ = w.Write([]byte("mqtt { password = hunter2 }\n"))
				return
			}
			if c.status != 400 {
				w.Header().Set("Content-Type", "application/json")
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		b, err := emqxv5.New(emqxv5.Config{}).Open(emqxtest.Serve(t, h,
			ecp.Credentials{Username: "key-77", Password: "s-0123456789"}))
		require.NoError(t, err)
		err = b.(ecp.SettingsChanger).ChangeSettings(context.Background(), map[string]string{"mqtt.a": "1"}, nil)
		b.Close()
		require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "hocon_tconf")
	}
}
