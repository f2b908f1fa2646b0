package httpapi

import (
	"encoding/json"
	"flag"
	"hash/crc32"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
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
	f.Add(`{"mode":"adopted","name":"é̶","spec":{"serviceAddress":"https://[::1]:18083/x"}}`)
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
			fx.unchanged(was, body)
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

// before returns what is stored, for the test that runs now.
func before(f *fixture, t testing.TB) stored {
	f.t = t
	return f.stored()
}

// onlyRoute keeps FuzzBodies to one operation:
//
//	go test -fuzz FuzzBodies -route createCluster ./httpapi
var onlyRoute = flag.String("route", "", "operation id: fuzz only the bodies of this one")

// Whatever the body of any operation holds: it is no fault of ours, the answer
// is one the document describes, and what is refused has changed nothing.
func FuzzBodies(f *testing.F) {
	fx := newFixture(f, setup{bare: true})
	var routes []*route
	for _, pattern := range slices.Sorted(maps.Keys(fx.api.routes)) {
		op := fx.api.routes[pattern]
		if op.body != nil && (*onlyRoute == "" || op.OperationID == *onlyRoute) {
			routes = append(routes, op)
		}
	}
	require.NotEmpty(f, routes, "no operation %q takes a body", *onlyRoute)
	for _, op := range routes {
		for _, s := range requestExamples[op.OperationID] {
			b, err := json.Marshal(s.body)
			require.NoError(f, err)
			f.Add(op.OperationID, string(b))
		}
	}
	var places map[string]string
	f.Fuzz(func(t *testing.T, route, body string) {
		fx.t = t
		if places == nil || fx.stored().position > 2000 { // room for the next, and quick to look through
			fx = newFixture(t, setup{bare: true})
			places = fx.seed()
		}
		op := chosen(routes, route)
		before := fx.stored()
		got := fx.serve(asSystem, op.Method, pathOf(op, places), body, nil)
		require.Less(t, got.status, http.StatusInternalServerError, "%s", got.body)
		if got.status >= http.StatusBadRequest {
			got.problem()
			fx.unchanged(before, body)
		}
	})
}

// chosen is the operation of an id; an id that is none stands for some one.
func chosen(routes []*route, id string) *route {
	if i := slices.IndexFunc(routes, func(op *route) bool { return op.OperationID == id }); i >= 0 {
		return routes[i]
	}
	return routes[int(crc32.ChecksumIEEE([]byte(id)))%len(routes)]
}
