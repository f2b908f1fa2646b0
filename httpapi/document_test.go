package httpapi

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s is out of date; if the change is meant: go generate ./httpapi",
		file)
}

func TestDocumentIsCurrent(t *testing.T) {
	f := newFixture(t, setup{})
	golden(t, "openapi.json", f.api.document)
}

// These routes and no others need no token.
func TestOpenRoutes(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	open := []string{"POST /api/v1/login", "POST /api/v1/session", "DELETE /api/v1/session",
		"GET /api/v1/version", "GET /docs/api", "GET /docs/api/{file}",
		"GET /healthz", "GET /openapi.json", "GET /readyz"}
	for pattern, op := range f.api.routes {
		require.Equal(t, !slices.Contains(open, pattern), len(op.Security) > 0, pattern)
	}
}

// Merge patches take values back with null, but for numbers and booleans, and the
// document lets clients send it.
func TestPatchesTakeNull(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	seen := 0
	for name, s := range f.api.schemas().Map() {
		if !strings.HasSuffix(name, "Patch") {
			continue
		}
		for field, p := range s.Properties {
			if p.Type == huma.TypeArray { // an empty list is a list
				continue
			}
			if p.Type == huma.TypeInteger || p.Type == huma.TypeBoolean {
				require.False(t, p.Nullable, "%s.%s", name, field)
				continue
			}
			require.True(t, p.Ref != "" || p.Nullable, "%s.%s", name, field)
			if each, ok := p.AdditionalProperties.(*huma.Schema); ok {
				require.True(t, each.Nullable, "%s.%s: what a map holds", name, field)
			}
			seen++
		}
	}
	require.Greater(t, seen, 20)
}

// One answer in full, so that a change of its shape is seen in review.
func TestClusterAnswer(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	hosted := ecp.HostedSpec{
		Image: "emqx-ee-5.8.9", Nodes: 2, Size: "1C1G", Connections: 1000, Power: ecp.PowerOn, Target: "default",
		Network: ecp.Network{Type: ecp.NodePort, Listeners: []ecp.Listener{{Protocol: ecp.MQTT, Port: 1883}}},
		Config:  map[string]string{"mqtt.max_packet_size": "2MB"},
	}
	info := ecp.Info{
		ClusterRecord: ecp.ClusterRecord{
			ID: "emqx-0a1b2c3d", Name: "测试 one", Description: "for <golden> & others", Project: "default/default",
			Mode:    ecp.Hosted,
			Creator: "ann", CreatedAt: at, UpdatedAt: at.Add(time.Minute), Spec: ecp.Spec{Hosted: &hosted},
			Generation: 2,
			Revision:   3,
			Status: ecp.Status{
				State: ecp.Degraded, Reason: ecp.ReasonNodeDown, Message: "1 of 2 nodes are ready", Since: at,
				StaleFrom: at.Add(time.Hour),
				Operation: "op-0011223344556677",
				Conditions: []ecp.Condition{{Type: ecp.CondAvailable, Status: ecp.True, Reason: ecp.ReasonAsExpected,
					Generation: 2, Since: at}},
			},
		},
		Version: "5.8.9", ReadyNodes: 1, Current: ecp.ConnectionsInfo{Current: 12, Limit: 1000, EnforcedBy: "none"},
		Nodes: []ecp.NodeInfo{
			{NodeObservation: ecp.NodeObservation{Ordinal: 0, Name: "emqx@a", Pod: "a", PodUID: "u", Host: "h",
				IP:    "10.0.0.1",
				Ready: true, Image: "i", Volume: "data-a", Since: at}, Member: true, Version: "5.8.9",
				Uptime:      90 * time.Second,
				Connections: 12},
			{NodeObservation: ecp.NodeObservation{Ordinal: 1, Name: "emqx@b", Pod: "b", Broken: true,
				Reason: "ImagePullBackOff", Message: "no such image", Restarts: 3}},
		},
		Volumes: []ecp.VolumeInfo{{Ordinal: 0, Name: "data-a", Capacity: "10Gi", Wanted: "20Gi",
			Pending: "it has 10Gi of 20Gi: it is being made larger"}},
		Endpoints: ecp.Endpoints{
			Internal: ecp.InternalEndpoint{Host: "x.svc", Ports: []ecp.EndpointPort{{Protocol: ecp.MQTT, Port: 1883}}},
			External: []ecp.ExternalEndpoint{{Protocol: ecp.MQTT, Port: 31883}},
		},
		Features: ecp.Features(ecp.Hosted, "5.8.9", ecp.Capabilities{})[:2],
	}
	b, err := indented(viewCluster(info))
	require.NoError(t, err)
	golden(t, "testdata/cluster.json", b)
}

// Lists that are empty are lists.
func TestEmptyListsAreNotNull(t *testing.T) {
	adopted := ecp.ClusterRecord{Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}}
	b, err := json.Marshal([]any{
		viewCluster(ecp.Info{ClusterRecord: adopted}), viewRecord(adopted), viewOperation(ecp.Operation{}),
		newProblem(ecp.CodeInvalid, "x"),
	})
	require.NoError(t, err)
	require.NotContains(t, string(b), "null")
}

// What begins an operation is answered alike, wherever it is: 202, and one header
// that leads to the operation. What makes a thing says where that is in another.
func TestOperationsAreAnsweredAlike(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	begin := 0
	for pattern, op := range f.api.routes {
		for status, r := range op.Responses {
			_, operation := r.Headers["Operation-Location"]
			require.Equal(t, status == "202", operation, "%s %s", pattern, status)
			if status == "202" {
				begin++
			}
			if _, made := r.Headers["Location"]; made && status != "201" {
				require.Contains(t, []string{"createCluster", "takeOverUnrecorded"}, op.OperationID,
					"%s %s makes nothing",
					pattern, status)
			}
		}
	}
	require.Greater(t, begin, 12)
}

// One field has one name: who made a user calls it by the same word at login, and
// a bearer token is called that wherever one is given.
func TestOneNameForOneField(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	schemas := f.api.schemas().Map()
	for schema, want := range map[string][]string{
		"UserBody": {"displayName", "grants", "name", "password"}, "LoginBody": {"name", "password"},
		"PasswordBody": {"currentPassword", "password"},
		"Session":      {"expiresAt", "id", "name", "token"}, "Me": {"credential", "grants", "name"},
	} {
		require.NotNil(t, schemas[schema], schema)
		require.Equal(t, want, slices.Sorted(maps.Keys(schemas[schema].Properties)), schema)
	}
	require.Contains(t, schemas["Token"].Properties, "token")
}
