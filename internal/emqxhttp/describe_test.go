package emqxhttp

import (
	"context"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestCompleteListsOnce: a node that stops or comes while the list is made can be
// in it twice, once as running and once as stopped.
func TestCompleteListsOnce(t *testing.T) {
	c := over(t, nil)
	d, err := c.Complete(t.Context(), ecp.Description{Nodes: []ecp.BrokerNode{
		{Name: "b", Status: ecp.NodeRunning, Version: "5.8.9", Connections: 2},
		{Name: "a", Status: ecp.NodeStopped},
		{Name: "a", Status: ecp.NodeRunning, Version: "5.8.9", Connections: 3},
		{Name: "b", Status: ecp.NodeRunning, Version: "5.8.9", Connections: 2},
	}}, func(context.Context) (string, error) { return "", nil })
	require.NoError(t, err)
	require.Equal(t, ecp.Description{Version: "5.8.9", Connections: 5, Nodes: []ecp.BrokerNode{
		{Name: "a", Status: ecp.NodeRunning, Version: "5.8.9", Connections: 3},
		{Name: "b", Status: ecp.NodeRunning, Version: "5.8.9", Connections: 2},
	}}, d)
}
