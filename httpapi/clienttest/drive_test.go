//go:build generated

package clienttest

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/httpapi"
)

const (
	secret    = "client-token-0123456789"
	agentsURL = "https://ecp.example.com:8443"
)

// serve runs the API over simulated clusters and returns its address.
func serve(t *testing.T) (string, *fleet.Manager) {
	t.Helper()
	p, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 20 * time.Millisecond})
	require.NoError(t, err)
	m, err := fleet.New(t.Context(), fleet.Config{Store: memstore.New(),
		Provisioners: map[string]ecp.Provisioner{"default": p}, AgentAddress: agentsURL})
	require.NoError(t, err)
	_, err = m.Accounts.Bootstrap(t.Context(), secret)
	require.NoError(t, err)
	handler, err := httpapi.New(httpapi.Config{Manager: m,
		Agents: httpapi.AgentSetup{URL: agentsURL, Checksums: func() map[string]string {
			return map[string]string{"amd64": strings.Repeat("1", 64)}
		}}})
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
	return server.URL, m
}

// TestDrive is built with the client that TestGeneratedClient makes.
func TestDrive(t *testing.T) {
	address, manager := serve(t)
	c, err := NewClientWithResponses(address, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+secret)
		return nil
	}))
	require.NoError(t, err)
	ctx := t.Context()

	var body CreateClusterJSONRequestBody
	project := "default/default"
	require.NoError(t, body.FromCreateBodyHostedSpec(CreateBodyHostedSpec{
		Mode: CreateBodyHostedSpecModeHosted, Project: &project, Name: "driven",
		Spec: HostedSpec{Nodes: 3, Connections: 1000},
	}))
	key := "drive-1"
	created, err := c.CreateClusterWithResponse(ctx, &CreateClusterParams{IdempotencyKey: &key}, body)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, created.StatusCode(), "%s", created.Body)
	id := created.JSON202.Id

	wait := "30s"
	operation, err := c.GetOperationWithResponse(ctx, created.JSON202.Status.Operation,
		&GetOperationParams{Wait: &wait})
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

	driveAdopted(t, c, manager)
}

// driveAdopted takes an adopted cluster from its creation over an agent, which
// registers with the token of the guide, to its end.
func driveAdopted(t *testing.T, c *ClientWithResponses, manager *fleet.Manager) {
	ctx := t.Context()
	var body CreateClusterJSONRequestBody
	require.NoError(t, body.FromCreateBodyAdoptedSpec(CreateBodyAdoptedSpec{Mode: CreateBodyAdoptedSpecModeAdopted,
		Name: "plant", Spec: &AdoptedSpec{}}))
	created, err := c.CreateClusterWithResponse(ctx, nil, body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	id := created.JSON201.Id

	guide, err := c.SetupClusterWithResponse(ctx, id, nil, SetupClusterJSONRequestBody{})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, guide.StatusCode(), "%s", guide.Body)
	require.Len(t, guide.JSON201.Steps, 3)
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	agent, err := manager.Agents.Register(ctx,
		ecp.AgentRegistration{Token: ecp.Secret(*guide.JSON201.Token), PublicKey: public, Hostname: "broker-1"})
	require.NoError(t, err)

	agents, err := c.ListAgentsWithResponse(ctx, id)
	require.NoError(t, err)
	require.Len(t, agents.JSON200.Items, 1)
	require.Equal(t, string(agent.ID), agents.JSON200.Items[0].Id)
	require.False(t, agents.JSON200.Items[0].Connected)
	tokens, err := c.ListRegistrationsWithResponse(ctx, id)
	require.NoError(t, err)
	require.EqualValues(t, 1, tokens.JSON200.Items[0].Uses)
	revoked, err := c.DeleteRegistrationWithResponse(ctx, id, guide.JSON201.TokenId, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, revoked.StatusCode(), "%s", revoked.Body)
	removed, err := c.RemoveAgentWithResponse(ctx, id, string(agent.ID), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, removed.StatusCode(), "%s", removed.Body)

	deleted, err := c.DeleteClusterWithResponse(ctx, id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, deleted.StatusCode(), "%s", deleted.Body)
	wait := "30s"
	operation, err := c.GetOperationWithResponse(ctx, deleted.JSON202.Id, &GetOperationParams{Wait: &wait})
	require.NoError(t, err)
	require.Equal(t, "succeeded", operation.JSON200.Phase)
}
