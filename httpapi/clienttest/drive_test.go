//go:build generated

package clienttest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/httpapi"
)

const secret = "client-token-0123456789"

// serve runs the API over simulated clusters and gives its address.
func serve(t *testing.T) string {
	t.Helper()
	p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 20 * time.Millisecond})
	require.NoError(t, err)
	m, err := ecp.New(t.Context(), ecp.Config{Store: memstore.New(), Provisioners: map[string]ecp.Provisioner{"default": p}})
	require.NoError(t, err)
	_, err = m.Bootstrap(t.Context(), secret)
	require.NoError(t, err)
	handler, err := httpapi.New(httpapi.Config{Manager: m})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		server.Close()
		cancel()
		require.NoError(t, <-ended)
	})
	return server.URL
}

// TestDrive is built with the client that TestGeneratedClient makes.
func TestDrive(t *testing.T) {
	c, err := NewClientWithResponses(serve(t), WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+secret)
		return nil
	}))
	require.NoError(t, err)
	ctx := t.Context()

	var body CreateClusterJSONRequestBody
	project := "default/default"
	require.NoError(t, body.FromCreateBodyHostedSpec(CreateBodyHostedSpec{
		Mode: CreateBodyHostedSpecModeHosted, Project: &project, Name: "driven", Spec: HostedSpec{Nodes: 3, Connections: 1000},
	}))
	key := "drive-1"
	created, err := c.CreateClusterWithResponse(ctx, &CreateClusterParams{IdempotencyKey: &key}, body)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, created.StatusCode(), "%s", created.Body)
	id := created.JSON202.Id

	wait := "30s"
	operation, err := c.GetOperationWithResponse(ctx, created.JSON202.Status.Operation, &GetOperationParams{Wait: &wait})
	require.NoError(t, err)
	require.Equal(t, "succeeded", operation.JSON200.Phase)

	got, err := c.GetClusterWithResponse(ctx, id)
	require.NoError(t, err)
	require.Equal(t, Running, got.JSON200.Status.State)
	require.Len(t, got.JSON200.Status.Nodes, 3)

	same, err := c.CreateClusterWithResponse(ctx, &CreateClusterParams{IdempotencyKey: &key}, body)
	require.NoError(t, err)
	require.Equal(t, id, same.JSON202.Id)
	again, err := c.CreateClusterWithResponse(ctx, nil, body)
	require.NoError(t, err)
	require.Equal(t, "exists", again.ApplicationproblemJSON409.Code)

	deleted, err := c.DeleteClusterWithResponse(ctx, id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, deleted.StatusCode(), "%s", deleted.Body)
	operation, err = c.GetOperationWithResponse(ctx, deleted.JSON202.Id, &GetOperationParams{Wait: &wait})
	require.NoError(t, err)
	require.Equal(t, "succeeded", operation.JSON200.Phase)
	got, err = c.GetClusterWithResponse(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "not_found", got.ApplicationproblemJSON404.Code)
}
