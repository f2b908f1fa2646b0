package emqxhttp

import (
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestDecodeEvacuations: states and counts in every spelling, and no node that
// counts as empty without saying so.
func TestDecodeEvacuations(t *testing.T) {
	all, err := DecodeEvacuations([]byte(`{"evacuations":[
		{"node":"a","state":"prohibiting","stats":{"initial_connected":7,"current_connected":"0","current_sessions":2}},
		{"node":"b","state":"wait_takeover"},{"node":"c","state":["strange"]}]}`))
	require.NoError(t, err)
	require.Equal(t, map[string]ecp.EvacuationProgress{
		"a": {Phase: ecp.EvacuationProhibited, InitialConnections: 7, Sessions: 2},
		"b": {Phase: ecp.EvacuationTakeover}, "c": {Phase: ecp.EvacuationOther},
	}, all)
	for _, bad := range []string{
		`[]`, `{}`, `{"evacuations":null}`, `{"evacuations":[{"state":"evicting_conns"}]}`,
		`{"evacuations":[{"node":"a","state":"prohibiting","stats":{"current_connected":0}}]}`,
		`{"evacuations":[{"node":"a","state":"prohibiting","stats":{"current_connected":-1,"current_sessions":0}}]}`,
	} {
		_, err := DecodeEvacuations([]byte(bad))
		require.Error(t, err, bad)
	}
}
