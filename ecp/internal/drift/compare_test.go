package drift

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/setting"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSameSetting: what may mean the same is no drift.
func TestSameSetting(t *testing.T) {
	for _, c := range []struct {
		want        string
		have        string // as JSON, empty means nothing
		same, known bool
	}{
		{"1MB", `"1MB"`, true, true},
		{"1MB", `1048576`, true, true},
		{"1mb", `"1024KB"`, true, true},
		{"1MB", `"2MB"`, false, true},
		{"1h", `"60m"`, true, true},
		{"1h30m", `"90m"`, true, true},
		{"30s", `30000`, true, true},
		{"30", `"30s"`, true, true},
		{"30s", `"31s"`, false, true},
		{"80%", `0.8`, true, true},
		{"80%", `"80.0%"`, true, true},
		{"1.50", `1.5`, true, true},
		{"1000", `"1000"`, true, true},
		{"true", `true`, true, true},
		{"true", `false`, false, true},
		{"round_robin", `"random"`, false, true},
		{"infinity", `1000`, false, true},
		{"0.0.0.0:1883", `1883`, true, true},
		{":1883", `"0.0.0.0:1883"`, true, true},
		{"127.0.0.1:1883", `1883`, false, true},
		{"a, b", `["a","b"]`, true, true},
		{`["a","b"]`, `"a,b"`, true, true},
		{`["a"]`, `["a","b"]`, false, true},
		{`[{"type":"file"}]`, `[{"type":"file","enable":true}]`, true, true},
		{`[{"type":"file"}]`, `[{"type":"http","enable":true}]`, false, true},
		{`{"a":1}`, `{"a":1,"b":2}`, true, true},
		{"hunter2", `"******"`, false, false},
		{"anything", ``, false, false},
		{"1", `{"a":1}`, false, false},
		{"1e400000000", `"1e1"`, false, true},
	} {
		var have any
		if c.have != "" {
			require.NoError(t, setting.DecodeNumbers([]byte(c.have), &have))
		}
		same, known := sameSetting(settingTree(c.want), have)
		require.Equal(t, c.known, known, "%s, %s", c.want, c.have)
		if known {
			require.Equal(t, c.same, same, "%s, %s", c.want, c.have)
		}
	}
}

// TestEverySettingIsTheSameAsItself whatever it is.
func TestEverySettingIsTheSameAsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9]{1,4}(ms|s|m|h|MB|KB|%)?`),
			rapid.StringMatching(`[\[{"]{0,2}[a-z:,0-9]{0,4}["}\]]{0,2}`)).Draw(t, "value")
		inForce := map[string]any{"x": map[string]any{"y": settingTree(value)}}
		nodes := map[string]ecp.BrokerSettings{"a": {InForce: inForce}}
		seen := Compare(map[string]string{"x.y": value}, nil, nodes)
		if seen.Differ != nil {
			t.Fatalf("%q differs from itself", value)
		}
	})
}

// TestCompare: what differs is told by key and node, never by value; what
// is not told is not drift.
func TestCompare(t *testing.T) {
	node := func(mqtt string) ecp.BrokerSettings {
		var tree any
		require.NoError(t, setting.DecodeNumbers([]byte(mqtt), &tree))
		return ecp.BrokerSettings{InForce: map[string]any{"mqtt": tree},
			Defaults: map[string]string{"mqtt.max_inflight": "32", "mqtt.max_packet_size": "1MB"}}
	}
	two := func(a, b string) map[string]ecp.BrokerSettings {
		return map[string]ecp.BrokerSettings{"node-0": node(a), "node-1": node(b)}
	}
	for name, c := range map[string]struct {
		wanted, former map[string]string
		nodes          map[string]ecp.BrokerSettings
		want           Diff
	}{
		"as asked for": {map[string]string{"mqtt.max_inflight": "64"}, nil,
			two(`{"max_inflight":64}`, `{"max_inflight":"64"}`), Diff{}},
		"one node differs": {map[string]string{"mqtt.max_inflight": "64"}, nil,
			two(`{"max_inflight":64}`, `{"max_inflight":32}`),
			Diff{Differ: []Setting{{"mqtt.max_inflight", []string{"node-1"}}}}},
		"all differ": {map[string]string{"mqtt": `{"max_inflight":64}`}, nil,
			two(`{"max_inflight":32}`, `{"max_inflight":33}`),
			Diff{Differ: []Setting{{"mqtt.max_inflight", []string{}}}}},
		"a longer key wins": {map[string]string{"mqtt": `{"max_inflight":64}`, "mqtt.max_inflight": "65"}, nil,
			two(`{"max_inflight":65}`, `{"max_inflight":65}`), Diff{}},
		"nothing is told": {map[string]string{"zones.a.mqtt.max_inflight": "64", "mqtt.old_name": "1"},
			map[string]string{"other.x": "1"}, two(`{}`, `{}`), Diff{}},
		"former, ended": {nil, map[string]string{"mqtt.max_inflight": "64"},
			two(`{"max_inflight":32}`, `{"max_inflight":32}`), Diff{Ended: []string{"mqtt.max_inflight"}}},
		"former, was the same": {nil, map[string]string{"mqtt.max_inflight": "32"},
			two(`{"max_inflight":32}`, `{"max_inflight":32}`), Diff{Ended: []string{"mqtt.max_inflight"}}},
		"former, lives on": {nil, map[string]string{"mqtt.max_packet_size": "2048KB"},
			two(`{"max_packet_size":"2MB"}`, `{"max_packet_size":"1MB"}`),
			Diff{Linger: []Setting{{"mqtt.max_packet_size", []string{"node-0"}}}}},
		"former, nobody knows EMQX' own": {nil, map[string]string{"mqtt.retry_interval": "30s"},
			two(`{"retry_interval":"30s"}`, `{"retry_interval":"30s"}`),
			Diff{MayLinger: []Setting{{"mqtt.retry_interval", []string{}}}}},
		"former, asked for again in another way": {map[string]string{"mqtt": `{"max_inflight":64}`},
			map[string]string{"mqtt.max_inflight": "64"},
			two(`{"max_inflight":64}`, `{"max_inflight":64}`), Diff{Ended: []string{"mqtt.max_inflight"}}},
		"former, masked": {nil, map[string]string{"mqtt.max_inflight": "64"},
			two(`{"max_inflight":"******"}`, `{"max_inflight":"******"}`), Diff{}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Compare(c.wanted, c.former, c.nodes)) })
	}
}
