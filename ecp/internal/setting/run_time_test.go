package setting

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunTime(t *testing.T) {
	for key, want := range map[string]bool{
		"mqtt.max_packet_size": true, "mqtt.mqueue_priorities.a": true, "sysmon.os.cpu_high_watermark": true,
		"log.console.level": true, "log.file.default.level": true, "retainer.max_payload_size": true,
		"force_shutdown.max_heap_size": true, "delayed.enable": true, "alarm.actions": true,
		// read at boot only
		"node.cookie": false, "cluster.name": false, "rpc.mode": false, "durable_storage.messages": false,
		"dashboard.listeners.http.bind": false, "durable_sessions.enable": false, "retainer.backend.type": false,
		"log.audit.enable": false,
		// those that may cut clients, and those that nobody knows
		"listeners.tcp.default.max_conn_rate": false, "zones.a.mqtt.max_inflight": false, "nonesuch.a": false,
		// a whole root may have anything below it
		"mqtt": false, "sysmon": false, "log": false, "": false,
	} {
		require.Equal(t, want, RunTime(key), key)
	}
}

// TestRunTimePage: the page names every setting that is changed at run time.
func TestRunTimePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/settings.md")
	require.NoError(t, err)
	for _, key := range runTimeSettings {
		require.Contains(t, string(page), "`"+key+"`")
	}
}
