package fleet

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/observed"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var ann = ecp.Actor{Name: "ann", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "a/p"}}}

// TestWaysToDashboards: which way leads to the dashboard of which adopted cluster,
// and why none does.
func TestWaysToDashboards(t *testing.T) {
	const address = "https://emqx.example.com:18083"
	for _, c := range []struct {
		name    string
		version string // of the broker; empty = no agent has reported
		address bool
		away    bool // the agent is
		asked   access.DashboardVia
		want    access.DashboardVia
		code    ecp.Code
		says    string
	}{
		{name: "5 with an address", version: "5.8.9", address: true, want: access.ViaServiceAddress},
		{
			name:    "5 with an address, no agent",
			version: "5.8.9",
			address: true,
			away:    true,
			want:    access.ViaServiceAddress,
		},
		{
			name:    "5 with an address, asked for",
			version: "5.8.9",
			address: true,
			asked:   access.ViaServiceAddress,
			want:    access.ViaServiceAddress,
		},
		{
			name:    "5 with an address, through the agent",
			version: "5.8.9",
			address: true,
			asked:   access.ViaAgent,
			want:    access.ViaAgent,
		},
		{
			name:    "5 through an agent that is away",
			version: "5.8.9",
			address: true,
			away:    true,
			asked:   access.ViaAgent,
			code:    ecp.CodeUnavailable,
			says:    observed.NoAgentConnected,
		},
		{name: "6 with an address", version: "6.0.1", address: true, want: access.ViaServiceAddress},
		{name: "5 without an address", version: "5.8.9", want: access.ViaAgent},
		{
			name:    "5 without anything",
			version: "5.8.9",
			away:    true,
			code:    ecp.CodeUnavailable,
			says:    "needs a service address or a connected agent",
		},
		{
			name:    "5 without an address, asked for",
			version: "5.8.9",
			asked:   access.ViaServiceAddress,
			code:    ecp.CodeUnsupported,
			says:    "spec.serviceAddress",
		},
		{name: "4 with an address", version: "4.4.24", address: true, want: access.ViaAgent},
		{
			name:    "4 with an address, asked for",
			version: "4.4.24",
			address: true,
			asked:   access.ViaServiceAddress,
			code:    ecp.CodeUnsupported,
			says:    "EMQX 4",
		},
		{
			name:    "4 without an agent",
			version: "4.4.24",
			address: true,
			away:    true,
			code:    ecp.CodeUnavailable,
			says:    "needs a connected agent",
		},
		{name: "unknown with an address", address: true, want: access.ViaAgent},
		{
			name:    "unknown with an address, no agent",
			address: true,
			away:    true,
			code:    ecp.CodeUnavailable,
			says:    "not known yet: no agent has reported",
		},
		{
			name:    "unknown with an address, asked for",
			address: true,
			asked:   access.ViaServiceAddress,
			code:    ecp.CodeUnsupported,
			says:    "not known yet: no agent has reported",
		},
		{name: "by a target", version: "5.8.9", asked: access.ViaTarget, code: ecp.CodeUnsupported, says: "adopted"},
		{name: "by nothing that there is", version: "5.8.9", asked: "x", code: ecp.CodeInvalid, says: "via"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlant(t)
			p.link.Pages = func(string) (ecp.Endpoint, error) {
				if c.away {
					return ecp.Endpoint{}, ecp.NewError(ecp.CodeUnavailable, "", observed.NoAgentConnected)
				}
				return ecp.Endpoint{BaseURL: "http://dashboard"}, nil
			}
			if c.address {
				_, err := p.m.Cluster(p.id).Do(asSystem(), ecp.Update{Patch: []byte(`{"serviceAddress":"` + address + `"}`)})
				require.NoError(t, err)
			}
			agent := p.agent("x")
			p.show(agent, ecp.AgentReport{At: p.now, Node: "emqx@x", Description: ecp.Description{
				Version: c.version,
				Edition: "enterprise",
				Nodes:   []ecp.BrokerNode{{Name: "emqx@x", Status: ecp.NodeRunning, Version: c.version}},
			}})
			p.look(0)
			if c.away {
				p.away(agent, true)
				p.look(0)
			}
			way, err := p.m.Access.OpenDashboard(ecp.WithActor(t.Context(), ann), p.id, c.asked)
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
			require.Equal(t, c.want, way.Via)
			require.Equal(t, c.want == access.ViaServiceAddress, way.Address == address, "%q", way.Address)
			page, failed := p.m.Changes.Audit(asSystem(),
				change.AuditOptions{Kind: ecp.KindCluster, Key: string(p.id), Limit: 100})
			require.NoError(t, failed)
			opened := ""
			for _, e := range page.Items {
				if e.Action == "open dashboard" {
					opened += fmt.Sprintln(e.Actor, e.Changes)
				}
			}
			if err != nil {
				require.ErrorContains(t, err, c.says)
				require.Empty(t, opened, "nobody was led anywhere")
				return
			}
			require.Contains(t, opened, "ann ")
			require.Contains(t, opened, string(c.want))
		})
	}
}

// TestNoWayWithCredentials: whatever leads to clusters says of a dashboard's way,
// what is given on holds no credentials, and what logs in by itself is given to
// nobody.
func TestNoWayWithCredentials(t *testing.T) {
	p := newPlant(t)
	agent := p.agent("x")
	p.reports(agent, "emqx@x")
	p.look(0)
	way := rapid.Custom(func(t *rapid.T) ecp.Endpoint {
		e := ecp.Endpoint{
			BaseURL: "http://emqx",
			Node:    rapid.SampledFrom([]string{"", "emqx@x", "emqx@y"}).Draw(t, "node"),
		}
		e.Authenticated = rapid.Bool().Draw(t, "authenticated")
		if rapid.Bool().Draw(t, "credentials") {
			e.Credentials = ecp.Credentials{
				Username: "key",
				Password: rapid.StringN(0, 4, -1).Draw(t, "password"),
				Kind:     rapid.SampledFrom([]ecp.CredentialKind{"", ecp.CredentialKey}).Draw(t, "kind"),
			}
		}
		if rapid.Bool().Draw(t, "transport") {
			e.Transport = http.DefaultTransport
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		e := way.Draw(t, "endpoint")
		p.link.API = func(string) (ecp.Endpoint, error) {
			t.Fatal("a dashboard was looked for where calls go that are made as the broker's administrator")
			return ecp.Endpoint{}, nil
		}
		p.link.Pages = func(string) (ecp.Endpoint, error) { return e, nil }
		ctx := ecp.WithActor(context.Background(), ann)
		got, err := p.m.Access.DashboardEndpoint(ctx, p.id, rapid.SampledFrom([]string{"", "emqx@x"}).Draw(t, "prefer"))
		_, opened := p.m.Access.OpenDashboard(ctx, p.id, access.ViaAgent)
		if e.Authenticated {
			require.ErrorIs(t, err, ecp.ErrUnsupported)
			require.ErrorIs(t, opened, ecp.ErrUnsupported)
			require.Zero(t, got)
			return
		}
		require.NoError(t, err)
		require.NoError(t, opened)
		require.Zero(t, got.Credentials)
		require.Equal(t, e.Node, got.Node)
	})
}

// TestDashboardStaysWithItsNode: requests go to the node that is preferred for as
// long as its agent leads there, and else to any.
func TestDashboardStaysWithItsNode(t *testing.T) {
	p := newPlant(t)
	gone := ""
	p.link.Pages = func(node string) (ecp.Endpoint, error) {
		if node == gone && node != "" {
			return ecp.Endpoint{}, ecp.NewError(ecp.CodeNotFound, "", "no agent is beside "+node)
		}
		if node == "" {
			node = "emqx@any"
		}
		return ecp.Endpoint{BaseURL: "http://dashboard", Node: node}, nil
	}
	ask := func(prefer string) string {
		e, err := p.m.Access.DashboardEndpoint(ecp.WithActor(t.Context(), ann), p.id, prefer)
		require.NoError(t, err)
		return e.Node
	}
	require.Equal(t, "emqx@any", ask(""))
	require.Equal(t, "emqx@x", ask("emqx@x"))
	gone = "emqx@x"
	require.Equal(t, "emqx@any", ask("emqx@x"))
	_, err := p.m.Access.DashboardEndpoint(ecp.WithActor(t.Context(),
		ecp.Actor{Name: "bob", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "b/p"}}}), p.id, "")
	require.ErrorIs(t, err, ecp.ErrNotFound)
}
