package catalog_test

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/catalog"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/stretchr/testify/require"
)

func TestCheckSettings(t *testing.T) {
	for _, c := range []struct {
		version, key string
		says         string // empty means that it is allowed
	}{
		{"5.8.9", "sysmon.top.num_items", ""},
		{"5.10.4", "durable_storage.messages.n_sites", ""},
		{"5.10.4", "bridges.http.a.url", ""},
		{"6.0.3", "sysmon.top.num_items", ""},
		{"6.0.3", "durable_storage.n_sites", ""},
		{"6.0.3", "durable_storage.messages.n_shards", ""},
		{"6.2.2", "sysmon.os.cpu_check_interval", ""},
		{"6.2.2", "sysmon.topics", ""}, // not below it
		{"6.2.2", "durable_sessions.heartbeat_interval", ""},
		{"4.4.24", "sysmon.top", ""},
		{"", "sysmon.top", ""},
		{"6.0.1", "durable_storage.messages.n_sites",
			"any version from 6.0 on: it is called durable_storage.n_sites now"},
		{"6.0.1", "bridges.http.a.url", "set connectors, actions and sources"},
		{"6.1.0", "sysmon.top.db_hostname", "is not known to EMQX 6.1.0, nor to any version from 6.1 on: leave it out"},
		{"6.2.2", "sysmon.top", "leave it out"},
		{"6.2.2", "durable_storage.messages.layout.epoch_bits", "leave it out"},
	} {
		rec := ecp.ClusterRecord{
			Spec:     ecp.Spec{Hosted: &ecp.HostedSpec{Config: map[string]string{c.key: "1", "mqtt.enable": "1"}}},
			Resolved: ecp.Resolved{Image: ecp.Image{Version: c.version}},
		}
		var wrong fault.Fields
		catalog.CheckSettings(&wrong, rec)
		if c.says == "" {
			require.Empty(t, wrong, "%s on %s", c.key, c.version)
			continue
		}
		require.Len(t, wrong, 1, "%s on %s", c.key, c.version)
		require.Equal(t, "spec.config["+c.key+"]", wrong[0].Field)
		require.Contains(t, wrong[0].Message, c.says)
	}
}
