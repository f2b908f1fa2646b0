package ecpmetrics_test

import (
	"context"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// countingLink leads nowhere, and has counted.
type countingLink struct {
	ecp.Link
	stats agents.Stats
}

func (l countingLink) Stats() agents.Stats { return l.stats }

func (l countingLink) Watch(ctx context.Context, _ func(ecp.ID)) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAgents(t *testing.T) {
	m, err := fleet.New(t.Context(), fleet.Config{Store: memstore.New(), Link: countingLink{stats: agents.Stats{
		Connected: map[string]int{"direct": 7, "websocket": 2}, Away: 1, Registrations: 11,
		Refusals: map[string]uint64{"token_expired": 3}, Connections: 20, Reconnections: 9, Reports: 1000,
	}}})
	require.NoError(t, err)
	reg, _ := register(t, m)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP openecp_agents Agents of adopted clusters that are connected, by how, and those that were connected since the program was started and are away.
# TYPE openecp_agents gauge
openecp_agents{carrier="",state="away"} 1
openecp_agents{carrier="direct",state="connected"} 7
openecp_agents{carrier="websocket",state="connected"} 2
# HELP openecp_agent_refusals_total Registrations and connections of agents that were refused or ended by us, by why.
# TYPE openecp_agent_refusals_total counter
openecp_agent_refusals_total{code="token_expired"} 3
# HELP openecp_agent_registrations_total Registration tokens that agents have redeemed.
# TYPE openecp_agent_registrations_total counter
openecp_agent_registrations_total 11
# HELP openecp_agent_reports_total Reports that agents have sent.
# TYPE openecp_agent_reports_total counter
openecp_agent_reports_total 1000
`), "openecp_agents", "openecp_agent_refusals_total",
		"openecp_agent_registrations_total", "openecp_agent_reports_total"))
	require.Equal(t, 20.0, value(t, reg, "openecp_agent_connections_total"))
	require.Equal(t, 9.0, value(t, reg, "openecp_agent_reconnections_total"))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// TestNoAgents: a Manager that no agent can reach shows nothing of them.
func TestNoAgents(t *testing.T) {
	reg, _ := register(t, newManager(t, memstore.New()))
	n, err := testutil.GatherAndCount(reg, "openecp_agents", "openecp_agent_reports_total")
	require.NoError(t, err)
	require.Zero(t, n)
}
