package fleet_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/access"
	"github.com/openecp/openecp/ecp/change"
	"github.com/stretchr/testify/require"
)

// TestEndpoint: the way to the broker is given to who holds the right over the
// cluster's project, and it leads there.
func TestEndpoint(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		as := func(role ecp.Role, project string) ecp.Actor {
			return ecp.Actor{Name: "somebody", Grants: []ecp.Grant{{Role: role, Project: "default/" + project}}}
		}
		for name, c := range map[string]struct {
			who   ecp.Actor // zero = none
			right ecp.Right
			id    ecp.ID
			node  string
			code  ecp.Code
		}{
			"no actor":               {ecp.Actor{}, ecp.RightRead, c.ID(), "", ecp.CodeDenied},
			"reader for reads":       {as(ecp.RoleUser, "default"), ecp.RightRead, c.ID(), "", ""},
			"reader for everything":  {as(ecp.RoleUser, "default"), ecp.RightWrite, c.ID(), "", ecp.CodeDenied},
			"admin for everything":   {as(ecp.RoleProjectAdmin, "default"), ecp.RightWrite, c.ID(), "", ""},
			"admin of another":       {as(ecp.RoleProjectAdmin, "other"), ecp.RightWrite, c.ID(), "", ecp.CodeNotFound},
			"no such cluster":        {ecp.System, ecp.RightWrite, "emqx-00000000", "", ecp.CodeNotFound},
			"no node of that name":   {ecp.System, ecp.RightWrite, c.ID(), "emqx@elsewhere", ecp.CodeNotFound},
			"system, whatever right": {ecp.System, ecp.RightWrite, c.ID(), "", ""},
		} {
			e, err := r.m.Access.Endpoint(ctxOf(c.who), c.right, c.id, c.node)
			require.Equal(t, c.code, ecp.CodeOf(err), "%s: %v", name, err)
			if err != nil {
				continue
			}
			resp, err := (&http.Client{Transport: e.Transport}).Get(e.BaseURL + "/status")
			require.NoError(t, err, name)
			body, _ := io.ReadAll(resp.Body)
			require.NoError(t, resp.Body.Close())
			require.Contains(t, string(body), "emqx is running", name)
		}
	})
}

// ctxOf gives a context of an actor's; the zero actor is none.
func ctxOf(a ecp.Actor) context.Context {
	if a.Name == "" {
		return context.Background()
	}
	return ecp.WithActor(context.Background(), a)
}

// TestReachAudited: a call that may change something, and a dashboard that is
// opened, are in the audit before the way is given; so is who was refused, and
// who found nobody there, since the two must not be told apart.
func TestReachAudited(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		as := func(role ecp.Role, project string) ecp.Actor {
			return ecp.Actor{
				Name:   string(role) + " of " + project,
				Grants: []ecp.Grant{{Role: role, Project: "default/" + project}},
			}
		}
		call := access.BrokerCall{Method: "POST", Path: "/api/v5/publish"}
		dashboard := access.BrokerCall{}
		for _, row := range []struct {
			name string
			who  ecp.Actor // zero = none
			id   ecp.ID
			call access.BrokerCall
			code ecp.Code
		}{
			{"no actor", ecp.Actor{}, c.ID(), call, ecp.CodeDenied},
			{"reader calls", as(ecp.RoleUser, "default"), c.ID(), call, ecp.CodeDenied},
			{"admin calls", as(ecp.RoleProjectAdmin, "default"), c.ID(), call, ""},
			{"admin of another calls", as(ecp.RoleProjectAdmin, "other"), c.ID(), call, ecp.CodeNotFound},
			{"no such cluster", as(ecp.RoleProjectAdmin, "default"), "emqx-00000000", call, ecp.CodeNotFound},
			{"reader opens", as(ecp.RoleUser, "default"), c.ID(), dashboard, ""},
			{"reader of another opens", as(ecp.RoleUser, "other"), c.ID(), dashboard, ecp.CodeNotFound},
		} {
			var e ecp.Endpoint
			var err error
			if row.call == dashboard {
				_, err = r.m.Access.OpenDashboard(ctxOf(row.who), row.id, "")
				e.BaseURL = map[bool]string{true: "opened"}[err == nil]
			} else {
				e, err = r.m.Access.EndpointForCall(ctxOf(row.who), row.id, row.call)
			}
			require.Equal(t, row.code, ecp.CodeOf(err), "%s: %v", row.name, err)
			require.Equal(t, err == nil, e.BaseURL != "", row.name)
		}
		said := func() (out []string) {
			page, err := r.m.Changes.Audit(asSystem(), change.AuditOptions{Kind: ecp.KindCluster, Limit: 100})
			require.NoError(t, err)
			for _, e := range page.Items {
				if e.Action == "call broker" || e.Action == "open dashboard" {
					line := e.Actor + " " + e.Action + " " + string(e.Outcome)
					for _, change := range e.Changes {
						line += " " + change.Path + change.After
					}
					if e.Key == string(c.ID()) {
						require.Equal(t, "default/default", e.Scope)
					} else {
						line += " of " + e.Key + e.Scope
					}
					out = append(out, line)
				}
			}
			return out
		}
		want := []string{
			"user of default call broker denied", `project-admin of default call broker done /method"POST" /path"/api/v5/publish"`,
			"project-admin of default call broker denied of emqx-00000000", "project-admin of other call broker denied",
			`user of default open dashboard done /via"target"`, "user of other open dashboard denied",
		}
		require.ElementsMatch(t, want, said())

		require.NoError(t, r.sim.KillAll(c.ID()))
		_, err := r.m.Access.EndpointForCall(asSystem(), c.ID(), call)
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		_, err = r.m.Access.OpenDashboard(asSystem(), c.ID(), "")
		require.ErrorIs(t, err, ecp.ErrUnavailable)
		require.ElementsMatch(t, want, said(), "where there was no way, nobody was let through")
	})
}
