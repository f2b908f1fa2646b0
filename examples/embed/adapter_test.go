package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/stretchr/testify/require"
)

func TestLogged(t *testing.T) {
	node := emqxsim.NewCluster(emqxsim.ClusterConfig{Version: "5.8.9"}).Join("emqx@10.0.0.1")
	var log bytes.Buffer
	adapter := logged{emqxv5.New(emqxv5.Config{}), slog.New(slog.NewTextHandler(&log, nil))}
	broker, err := adapter.Open(node.Endpoint())
	require.NoError(t, err)
	defer broker.Close()
	found, err := broker.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "5.8.9", found.Version)
	require.Implements(t, (*ecp.Evacuator)(nil), broker)
	require.Contains(t, log.String(), "method=GET path=/api/v5/nodes")
}
