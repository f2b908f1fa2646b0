package k8sprovisioner

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
)

// TestLogs reads and follows the log of a node through the API server, with
// the rights that ship; what happens in the broker meanwhile arrives.
func TestLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, PodIP)
	id := w.create(t, "emqx-ee-5.8.9", 2)
	info := w.await(t, id, ecp.Running)
	p := watched(t, Config{REST: w.config}, nil)
	node := info.Nodes[0].Name

	body, err := p.Logs(t.Context(), id, node, ecp.LogOptions{})
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Contains(t, string(text), "EMQX 5.8.9 is running now!")

	ctx, cancel := context.WithTimeout(t.Context(), settled)
	defer cancel()
	body, err = p.Logs(ctx, id, node, ecp.LogOptions{Follow: true, Tail: 1})
	require.NoError(t, err)
	defer body.Close()
	lines := bufio.NewScanner(body)
	require.True(t, lines.Scan())
	w.pods.Cluster(string(id)).Node(node).RaiseAlarm("drill", "only a drill", nil)
	for !strings.Contains(lines.Text(), "only a drill") {
		require.True(t, lines.Scan(), "%v", lines.Err())
	}
	stamp, line, _ := strings.Cut(lines.Text(), " ")
	_, err = time.Parse(time.RFC3339Nano, stamp)
	require.NoError(t, err)
	require.Contains(t, line, "[warning] msg: alarm_is_activated")

	_, err = p.Logs(ctx, id, "emqx@elsewhere", ecp.LogOptions{})
	require.ErrorIs(t, err, ecp.ErrNotFound)
	require.NoError(t, w.pods.Kill(string(id), info.Nodes[1].Pod))
	labtest.Eventually(t, settled, "a machine that does not answer is told", func(ctx context.Context) (bool, string) {
		body, err := p.Logs(ctx, id, info.Nodes[1].Name, ecp.LogOptions{})
		if err == nil {
			_ = body.Close()
			return false, "it answers"
		}
		return ecp.CodeOf(err) == ecp.CodeUnavailable, err.Error()
	})
}
