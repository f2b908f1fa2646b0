package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

// Whatever a body holds: it is no fault of ours, and it is stored as a whole
// or not at all.
func FuzzCreate(f *testing.F) {
	f.Add(hostedBody)
	for _, r := range refusals {
		if len(r.body) < 4096 {
			f.Add(r.body)
		}
	}
	f.Add(`{"mode":"adopted","name":"é̶","spec":{"serviceAddress":"https://[::1]:18083/x","connections":1}}`)
	var fx *fixture
	f.Fuzz(func(t *testing.T, body string) {
		if fx == nil || before(fx, t).pool.UsedClusters > 50 { // room for the next, and quick to look through
			fx = newFixture(t, setup{bare: true})
		}
		was := before(fx, t)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, clustersPath, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+asSystem)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		fx.api.ServeHTTP(w, r)
		got := reply{t, w.Code, w.Header(), w.Body.Bytes()}
		require.Less(t, w.Code, http.StatusInternalServerError, "%s", w.Body)
		if w.Code >= http.StatusBadRequest {
			got.problem()
			require.Equal(t, was, fx.stored())
			return
		}
		path := "/" + got.cluster().ID
		require.Equal(t, clustersPath+path, got.header.Get("Location"))
		ctx := ecp.WithActor(t.Context(), ecp.System)
		info, err := fx.manager.Cluster(ecp.ID(got.cluster().ID)).Get(ctx)
		require.NoError(t, err)
		pool := fx.stored().pool
		require.Equal(t, was.pool.UsedClusters+1, pool.UsedClusters)
		require.Equal(t, was.pool.UsedConnections+info.Spec.Connections(), pool.UsedConnections)
	})
}

// before gives what is stored, for the test that runs now.
func before(f *fixture, t *testing.T) stored {
	f.t = t
	return f.stored()
}
