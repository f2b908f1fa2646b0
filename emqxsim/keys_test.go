package emqxsim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/stretchr/testify/require"
)

// TestNodesKeepTheKeysTheyStartedWith: they refuse others, and with another cookie a node sees
// only itself.
func TestNodesKeepTheKeysTheyStartedWith(t *testing.T) {
	for _, version := range []string{"5.8.9", "4.4.24"} {
		t.Run(version, func(t *testing.T) {
			h, id := newHouse(t), ecptest.NewID()
			d := wanted(id, version, 3)
			h.apply(d)
			h.advance(time.Minute)
			nodes := h.observe(id).Nodes
			path := map[string]string{"5.8.9": "/api/v5/nodes", "4.4.24": "/api/v4/nodes"}[version]
			ask := func(i int) int {
				e, err := h.Endpoint(t.Context(), id, nodes[i].Name)
				require.NoError(t, err)
				status, _ := get(t, e, path)
				return status
			}
			require.Equal(t, http.StatusOK, ask(0))

			require.NoError(t, h.DeleteAuth(id))
			d.Create = true
			h.apply(d)
			require.NoError(t, h.DeletePod(id, 2))
			h.advance(time.Minute)
			require.Equal(t, []int{401, 401, 200}, []int{ask(0), ask(1), ask(2)})
			e, err := h.Endpoint(t.Context(), id, nodes[2].Name)
			require.NoError(t, err)
			_, body := get(t, e, path)
			require.NotContains(t, body, nodes[0].Name)

			require.NoError(t, h.DeletePod(id, 0))
			require.NoError(t, h.DeletePod(id, 1))
			h.advance(time.Minute)
			require.Equal(t, []int{200, 200, 200}, []int{ask(0), ask(1), ask(2)})
			_, body = get(t, e, path)
			for _, n := range nodes {
				require.Contains(t, body, n.Name)
			}
		})
	}
}
