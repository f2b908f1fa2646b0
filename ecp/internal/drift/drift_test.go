package drift

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// driftOf is a drift in one line for each setting: key, kind, source, wanted, and what each node has.
func driftOf(list []ecp.SettingDrift) (out []string) {
	word := func(v *string) string {
		if v == nil {
			return "-"
		}
		return *v
	}
	for _, d := range list {
		line := []string{d.Key, string(d.Kind), d.Source, word(d.Wanted)}
		for _, n := range d.Nodes {
			line = append(line, n.Node+map[bool]string{true: "!", false: "="}[n.Differs]+word(n.Value))
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

// nodeWith is what a node has, as JSON, with EMQX's own values of some settings.
func nodeWith(t *testing.T, text string) ecp.BrokerSettings {
	t.Helper()
	var tree map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&tree))
	return ecp.BrokerSettings{InForce: tree, Defaults: map[string]string{
		"mqtt.max_inflight": "32", "mqtt.max_packet_size": "1MB", "listeners.tcp.default.acceptors": "16"}}
}

// Each setting that differs is told once, by its whole key, with what is asked for and what each node has; what may be
// a secret is told without any value.
func TestFind(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Settings
		a, b string
		want []string
	}{
		{"the same", Settings{Spec: map[string]string{"mqtt.max_packet_size": "2MB"}},
			`{"mqtt":{"max_packet_size":"2MB","max_inflight":32}}`, `{"mqtt":{"max_packet_size":"2048KB"}}`, nil},
		{"another on one node", Settings{Spec: map[string]string{"mqtt.max_packet_size": "2MB"}},
			`{"mqtt":{"max_packet_size":"2MB"}}`, `{"mqtt":{"max_packet_size":"3MB"}}`,
			[]string{"mqtt.max_packet_size differs mqtt.max_packet_size 2MB a=2MB b!3MB"}},
		{"part of an object", Settings{Spec: map[string]string{"sysmon.os": `{"cpu_high_watermark":"80%"}`}},
			`{"sysmon":{"os":{"cpu_high_watermark":"90%"}}}`, `{"sysmon":{"os":{"cpu_high_watermark":0.9}}}`,
			[]string{"sysmon.os.cpu_high_watermark differs sysmon.os 80% a!90% b!0.9"}},
		{"of OpenECP", Settings{Rendered: map[string]string{"listeners.tcp.default.enable": "true"}},
			`{"listeners":{"tcp":{"default":{"enable":false}}}}`, `{}`,
			[]string{"listeners.tcp.default.enable differs openecp true a!false b=-"}},
		{"secret by its name", Settings{Spec: map[string]string{"exhook.passphrase": "hush"}},
			`{"exhook":{"passphrase":"hush-too"}}`, `{"exhook":{"passphrase":"******"}}`,
			[]string{"exhook.passphrase differs exhook.passphrase - a!- b=-"}},
		{"secret by what one node has", Settings{Spec: map[string]string{"mqtt.response_information": "x"}},
			`{"mqtt":{"response_information":"amqps://user:hush@host"}}`, `{"mqtt":{"response_information":"y"}}`,
			[]string{"mqtt.response_information differs mqtt.response_information - a!- b!-"}},
		{"objects in a list", Settings{Spec: map[string]string{"mqtt.client_attrs_init": "[]"}},
			`{"mqtt":{"client_attrs_init":[{"expression":"hush"}]}}`, `{"mqtt":{"client_attrs_init":[]}}`,
			[]string{"mqtt.client_attrs_init differs mqtt.client_attrs_init - a!- b=-"}},
		{"not asked for any more", Settings{Former: map[string]string{"mqtt.max_packet_size": "2MB"}},
			`{"mqtt":{"max_packet_size":"2MB"}}`, `{"mqtt":{"max_packet_size":"1MB"}}`,
			[]string{"mqtt.max_packet_size lingers  - a!2MB b=1MB"}},
		{"perhaps its own", Settings{Former: map[string]string{"mqtt.retry_interval": "30s"}},
			`{"mqtt":{"retry_interval":"30s"}}`, `{"mqtt":{"retry_interval":"30s"}}`,
			[]string{"mqtt.retry_interval mayLinger  - a!30s b!30s"}},
		{"nobody asks for it", Settings{},
			`{"mqtt":{"max_inflight":12,"retry_interval":"9s"},"listeners":{"tcp":{"default":{"acceptors":3}}}}`, `{}`,
			[]string{"mqtt.max_inflight unasked  - a!12 b=-"}},
		{"asked for in an object", Settings{Spec: map[string]string{"mqtt": `{"max_inflight":12}`}},
			`{"mqtt":{"max_inflight":12}}`, `{"mqtt":{"max_inflight":12}}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes := map[string]ecp.BrokerSettings{"a": nodeWith(t, c.a), "b": nodeWith(t, c.b)}
			got := Find(c.c, nodes)
			require.Equal(t, c.want, driftOf(got))
			text, err := json.Marshal(got)
			require.NoError(t, err)
			require.NotContains(t, string(text), "hush")
		})
	}
}

// What ends a drift, in both ways, and what is refused with which words.
func TestEnd(t *testing.T) {
	c := Settings{
		Spec: map[string]string{"mqtt.max_packet_size": "2MB", "sysmon.os": `{"cpu_high_watermark":"80%"}`,
			"exhook.passphrase": "hush", "authorization.no_match": "deny", "mqtt.max_topic_levels": "10",
			"mqtt.response_information": "a", "force_gc": `{"count":1}`,
			"listeners.tcp.default.max_connections": "10"},
		Rendered: map[string]string{"listeners.tcp.default.bind": "1883"},
		Former:   map[string]string{"mqtt.retry_interval": "30s"},
	}
	const both = `"mqtt":{"max_packet_size":"3MB","retry_interval":"30s","max_inflight":12,` +
		`"response_information":"{\"a\":1}"`
	nodes := map[string]ecp.BrokerSettings{
		"a": nodeWith(t, `{`+both+`,"max_topic_levels":11},"sysmon":{"os":{"cpu_high_watermark":"90%"}},
			"exhook":{"passphrase":"hush-too"},"authorization":{"no_match":"allow"},"force_gc":{"count":2},
			"listeners":{"tcp":{"default":{"bind":"9999","max_connections":20}}}}`),
		"b": nodeWith(t, `{`+both+`,"max_topic_levels":12},"authorization":{"no_match":"deny"}}`),
	}
	drift := ecp.SettingsDrift{Settings: Find(c, nodes)}
	for _, row := range []struct {
		keys         []string
		takeOver     bool
		patch, wrong string
		tell         []string
	}{
		{keys: []string{"mqtt.max_packet_size"}, tell: []string{"mqtt.max_packet_size"}},
		{keys: []string{"mqtt.max_packet_size"}, takeOver: true, patch: `{"mqtt.max_packet_size":"3MB"}`},
		{keys: []string{"sysmon.os.cpu_high_watermark"}, tell: []string{"sysmon.os"}},
		{keys: []string{"sysmon.os"}, takeOver: true, patch: `{"sysmon.os.cpu_high_watermark":"90%"}`},
		{keys: []string{"mqtt.retry_interval", "mqtt.max_inflight"},
			tell: []string{"mqtt.max_inflight", "mqtt.retry_interval"}},
		{keys: []string{"mqtt.retry_interval", "mqtt.max_inflight"}, takeOver: true,
			patch: `{"mqtt.max_inflight":"12","mqtt.retry_interval":"30s"}`},
		{keys: []string{"mqtt.response_information"}, takeOver: true,
			patch: `{"mqtt.response_information":"\"{\\\"a\\\":1}\""}`},
		{keys: []string{"mqtt.max_topic_levels"}, tell: []string{"mqtt.max_topic_levels"}},
		{keys: []string{"mqtt.max_topic_levels"}, takeOver: true, wrong: "keys[0] the nodes have different values"},
		{keys: []string{"nonesuch", "exhook.passphrase"}, takeOver: true, wrong: "keys[1] may be a secret"},
		{keys: []string{"exhook.passphrase"}, wrong: "keys[0] a restart of the cluster replaces the nodes"},
		{keys: []string{"listeners.tcp.default.bind"}, takeOver: true, wrong: "keys[0] OpenECP writes it by itself"},
		{keys: []string{"listeners.tcp.default.bind"}, wrong: "keys[0] a restart"},
		{keys: []string{"listeners.tcp.default.max_connections"}, takeOver: true, wrong: "keys[0] spec.connections"},
		{keys: []string{"force_gc.count"}, wrong: "keys[0] which nodes get as a whole when they start: a restart"},
		{keys: []string{"authorization.no_match"}, takeOver: true, patch: `{"authorization.no_match":"allow"}`},
		{tell: []string{"mqtt.max_inflight", "mqtt.max_packet_size", "mqtt.max_topic_levels",
			"mqtt.response_information",
			"mqtt.retry_interval", "sysmon.os"}},
		{keys: []string{"nonesuch"}},
	} {
		got, err := End(drift, ecp.EndDrift{Keys: row.keys, TakeOver: row.takeOver})
		if row.wrong != "" {
			require.Equal(t, ecp.CodeUnsupported, ecp.CodeOf(err), "%v", row)
			var e *ecp.Error
			require.ErrorAs(t, err, &e)
			field, words, _ := strings.Cut(row.wrong, " ")
			require.Equal(t, field, e.Fields[0].Field)
			require.Contains(t, e.Fields[0].Message, words)
			continue
		}
		require.NoError(t, err, "%v", row)
		require.Equal(t, row.tell, got.Tell, "%v", row)
		patch := ""
		if row.patch != "" {
			patch = `{"config":` + row.patch + `}`
		}
		require.Equal(t, patch, string(got.Patch))
	}

	all, err := End(drift, ecp.EndDrift{TakeOver: true})
	require.NoError(t, err)
	require.NotContains(t, string(all.Patch), "hush")
	require.Contains(t, strings.Join(all.Notes, "\n"), "stays as it is: mqtt.max_topic_levels: the nodes have")
	none, err := End(drift, ecp.EndDrift{Keys: []string{"nonesuch"}})
	require.NoError(t, err)
	require.Equal(t, []string{"nonesuch does not differ"}, none.Notes)
	drift.Unanswered = []string{"c"}
	_, err = End(drift, ecp.EndDrift{TakeOver: true})
	require.Equal(t, ecp.CodeUnavailable, ecp.CodeOf(err))
	_, err = End(drift, ecp.EndDrift{})
	require.NoError(t, err)
}
