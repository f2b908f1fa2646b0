package fleet

import (
	"testing"
	"time"

	"github.com/openecp/openecp/ecp/fleet/internal/brokers"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/stretchr/testify/require"
)

// TestChangedListener: limits leave the question what it is; whatever else may
// change who is answered does not.
func TestChangedListener(t *testing.T) {
	for key, changed := range map[string]bool{
		"listeners.tcp.default.max_connections":     false,
		"listeners.tcp.default.tcp_options.backlog": false,
		"listeners.ssl.default.enable":              false,
		"mqtt.max_inflight":                         false,
		"listeners.tcp.defaults":                    false,
		"listeners.tcp.default.enable":              true,
		"listeners.tcp.default.proxy_protocol":      true,
		"listeners.tcp.default":                     true,
		"listeners":                                 true,
		"listener.tcp.external":                     true,
		"listener.tcp.external.proxy_protocol":      true,
		"listener.tcp.external.max_connections":     false,
	} {
		require.Equal(t, changed, brokers.ChangedListener(map[string]string{key: "x"}) != "", key)
	}
}

// TestMuteNodesAreCounted once a second at most; one answer, or none to be had,
// clears it.
func TestMuteNodesAreCounted(t *testing.T) {
	var s derive.MQTTObservation
	for i, ms := range []int{0, 500, 1000, 2500} {
		s.Record(derive.MQTTResult{Unserved: "a does not answer"}, t0.Add(time.Duration(ms)*time.Millisecond))
		require.Equal(t, []int{1, 1, 2, 3}[i], s.Unserved)
	}
	s.Record(derive.MQTTResult{Unseen: "no way"}, t0)
	require.Equal(t, derive.MQTTObservation{NotAsked: "no way"}, s)
	s.Record(derive.MQTTResult{Serves: true}, t0)
	require.Equal(t, derive.MQTTObservation{}, s)
}
