package adopt

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
)

func TestConvert(t *testing.T) {
	at := time.Unix(1000, 0)
	got := convert(agentproto.Report{
		Node: "emqx@a", Version: "5.8.9", Edition: "enterprise", Connections: 7, Limit: 25, LimitCall: true,
		LicenseType: 3,
		Dashboard:   true,
		Members: []agentproto.Member{
			{Name: "emqx@b", Status: agentproto.MemberStopped},
			{Name: "emqx@a", Status: agentproto.MemberRunning, Role: "core", Version: "5.8.9", UptimeMS: 1500,
				Connections: 7},
			{Name: "emqx@b", Status: agentproto.MemberRunning},
			{Name: "no name", Status: agentproto.MemberRunning},
			{Name: "emqx@c", Status: "quite fine"},
		},
		Errors: []agentproto.ReportError{{Stage: agentproto.StageMetricsFetch, Code: agentproto.CodeTimeout,
			Message: "no\nanswer\x1b[2J"}},
	}, at)
	require.Equal(t, ecp.AgentReport{
		At: at, Node: "emqx@a", LimitCall: true, LicenseType: 3, Dashboard: true,
		Description: ecp.Description{Version: "5.8.9", Edition: ecp.EditionEnterprise, Connections: 7, Limit: 25,
			Nodes: []ecp.BrokerNode{
				{Name: "emqx@a", Status: ecp.NodeRunning, Role: "core", Version: "5.8.9",
					Uptime:      1500 * time.Millisecond,
					Connections: 7},
				{Name: "emqx@b", Status: ecp.NodeStopped},
				{Name: "emqx@c", Status: ecp.NodeUnknown},
			}},
		Errors: []ecp.AgentError{{Stage: ecp.AgentStageMetrics, Code: ecp.AgentFaultTimeout, Message: "no answer[2J"}},
	}, got)
	require.True(t, got.Complete())
}

// TestStagesAndCodes: both sides write them the same.
func TestStagesAndCodes(t *testing.T) {
	require.Equal(t, []string{ecp.AgentStageNode, ecp.AgentStageCluster, ecp.AgentStageMetrics, ecp.AgentStageLogs,
		ecp.AgentStageTunnel},
		texts(agentproto.StageNodeConnect, agentproto.StageClusterFetch, agentproto.StageMetricsFetch,
			agentproto.StageLogsFetch, agentproto.StageTunnel))
	require.Equal(t, []string{ecp.AgentFaultUnreachable, ecp.AgentFaultAuth, ecp.AgentFaultOpenSource,
		ecp.AgentFaultVersion, ecp.AgentFaultTimeout, ecp.AgentFaultMalformed, ecp.AgentFaultInternal},
		texts(agentproto.CodeUnreachable, agentproto.CodeAuthFailed, agentproto.CodeOpenSource,
			agentproto.CodeUnsupportedVersion, agentproto.CodeTimeout, agentproto.CodeMalformed,
			agentproto.CodeInternal))
}

func texts[S ~string](all ...S) (out []string) {
	for _, s := range all {
		out = append(out, string(s))
	}
	return out
}

func TestNodeName(t *testing.T) {
	for name, ok := range map[string]bool{
		"emqx@127.0.0.1": true, "emqx-ee@emqx-0.emqx.ns.svc.cluster.local": true, "emqx@fd00::1": true,
		"": false, "emqx": false, "@host": false, "emqx@": false, "emqx @host": false, "emqx@ho\nst": false,
		"emqx@hößt":                        false,
		"emqx@" + strings.Repeat("a", 250): true, "emqx@" + strings.Repeat("a", 251): false,
	} {
		require.Equal(t, ok, nodeName(name) != "", "%q", name)
	}
}

// TestConvertBounds: nothing that an agent can write makes an observation large,
// negative or unprintable.
func TestConvertBounds(t *testing.T) {
	long := strings.Repeat("\x00é\u202e", 10_000)
	var r agentproto.Report
	r.Node, r.Version, r.Edition = long, long, long
	r.Connections, r.Limit, r.LicenseType = math.MaxInt, math.MinInt, math.MinInt
	for i := range 5000 {
		r.Members = append(r.Members, agentproto.Member{Name: fmt.Sprintf("n%d@h", i),
			Status: agentproto.MemberStatus(long),
			Role:   long, Version: long, UptimeMS: math.MaxInt64, Connections: math.MinInt})
		r.Errors = append(r.Errors, agentproto.ReportError{Stage: agentproto.Stage(long),
			Code:    agentproto.ErrorCode(long),
			Message: long})
	}
	got := convert(r, time.Now())
	require.Len(t, got.Description.Nodes, maxMembers)
	require.Len(t, got.Errors, maxErrors)
	require.Empty(t, got.Node)
	require.Empty(t, got.Description.Edition)
	require.Equal(t, maxConnections, got.Description.Connections)
	require.Zero(t, got.Description.Limit)
	n := got.Description.Nodes[0]
	require.Equal(t, maxUptime, n.Uptime)
	require.Zero(t, n.Connections)
	require.LessOrEqual(t, len(n.Role), maxWord)
	require.LessOrEqual(t, len(got.Errors[0].Message), maxMessage)
}

func TestTextIsPrintableAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, most := string(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")), rapid.IntRange(4, 60).Draw(t, "most")
		got := text(s, most)
		require.LessOrEqual(t, len(got), most)
		require.True(t, utf8.ValidString(got))
		require.False(t, strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }))
		require.Equal(t, got, text(got, most))
	})
}
