package ecp_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

// TestEndpoint: the way to the broker is given to who holds the right over the
// cluster's project, and it leads there.
func TestEndpoint(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		as := func(role ecp.Role, project string) *ecp.Actor {
			return &ecp.Actor{Name: "somebody", Role: role, Project: "default/" + project}
		}
		for name, c := range map[string]struct {
			actor *ecp.Actor // nil = none
			right ecp.Right
			id    ecp.ID
			node  string
			code  ecp.Code
		}{
			"no actor":               {nil, ecp.RightRead, c.ID(), "", ecp.CodeDenied},
			"reader for reads":       {as(ecp.RoleUser, "default"), ecp.RightRead, c.ID(), "", ""},
			"reader for everything":  {as(ecp.RoleUser, "default"), ecp.RightWrite, c.ID(), "", ecp.CodeDenied},
			"admin for everything":   {as(ecp.RoleProjectAdmin, "default"), ecp.RightWrite, c.ID(), "", ""},
			"admin of another":       {as(ecp.RoleProjectAdmin, "other"), ecp.RightWrite, c.ID(), "", ecp.CodeNotFound},
			"no such cluster":        {&ecp.System, ecp.RightWrite, "emqx-00000000", "", ecp.CodeNotFound},
			"no node of that name":   {&ecp.System, ecp.RightWrite, c.ID(), "emqx@elsewhere", ecp.CodeNotFound},
			"system, whatever right": {&ecp.System, ecp.RightWrite, c.ID(), "", ""},
		} {
			ctx := context.Background()
			if c.actor != nil {
				ctx = ecp.WithActor(ctx, *c.actor)
			}
			e, err := r.m.Endpoint(ctx, c.right, c.id, c.node)
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
