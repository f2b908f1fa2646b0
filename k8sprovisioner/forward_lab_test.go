package k8sprovisioner

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/stretchr/testify/require"
)

// TestPortForward reaches every node of a cluster through the API server, and
// says in words what is wrong where a node does not answer.
func TestPortForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t, PodIP)
	id := w.create(t, "emqx-ee-4.4.24", 2)
	info := w.await(t, id, ecp.Running)
	p := watched(t, Config{REST: w.config, Reach: PortForward}, nil)
	get := func(ctx context.Context, node string) (int, string, error) {
		e, err := p.Endpoint(ctx, id, node)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.BaseURL+"/api/v4/nodes", nil)
		require.NoError(t, err)
		r.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
		resp, err := e.Transport.RoundTrip(r)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	for _, n := range info.Nodes {
		status, body, err := get(t.Context(), n.Name)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, n.Name)
	}
	require.NoError(t, w.pods.Kill(string(id), info.Nodes[1].Pod))
	_, _, err := get(t.Context(), info.Nodes[1].Name)
	require.ErrorContains(t, err, "refused")
	t.Log(err)

	_, err = p.Endpoint(t.Context(), id, "emqx@elsewhere")
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	labtest.Eventually(t, settled, "any node is one that is ready", func(ctx context.Context) (bool, string) {
		status, body, err := get(ctx, "")
		return status == http.StatusOK, fmt.Sprint(status, body, err)
	})
}
