package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// 25 creations and 25 increases at once, of one unit each, against a pool with
// room for 20: exactly 20 are given, whoever comes first, and the ledger is the
// sum of what there is.
func TestManyAtOnceGetWhatThereIs(t *testing.T) {
	const each, room = 25, 20
	f := newFixture(t, setup{pool: &ecp.Pool{Connections: each + room}})
	body := func(name string, i int) string {
		return fmt.Sprintf(`{"mode":"hosted","name":"%s %d","spec":{"nodes":1,"connections":1}}`, name, i)
	}
	ids := make([]string, each)
	for i := range ids {
		ids[i] = f.call(asAdmin, http.MethodPost, clustersPath, body("held", i)).want(http.StatusAccepted).cluster().ID
	}
	var given, refused atomic.Int32
	ask := func(path, body string) {
		status, answer, err := f.post(path, body)
		switch {
		case !assert.NoError(t, err):
		case status < http.StatusMultipleChoices:
			given.Add(1)
		default:
			assert.Equal(t, http.StatusUnprocessableEntity, status, answer)
			assert.Contains(t, answer, string(ecp.CodeQuotaExceeded))
			refused.Add(1)
		}
	}
	var group sync.WaitGroup
	start := make(chan struct{})
	for i, id := range ids {
		group.Go(func() {
			<-start
			ask(clustersPath, body("new", i))
		})
		group.Go(func() {
			<-start
			ask(clustersPath+"/"+id+"/connections", `{"connections":2}`)
		})
	}
	close(start)
	group.Wait()
	require.Equal(t, int32(room), given.Load())
	require.Equal(t, int32(2*each-room), refused.Load())
	now := f.stored()
	require.Equal(t, each+room, now.pool.UsedConnections)
	sum, count := 0, 0
	page, err := f.manager.Clusters(ecp.WithActor(t.Context(), ecp.System), ecp.ListOptions{Limit: ecp.MaxListLimit})
	require.NoError(t, err)
	for _, c := range page.Items {
		sum += c.Spec.Connections()
		count++
	}
	require.Equal(t, sum, now.pool.UsedConnections)
	require.Equal(t, count, now.pool.UsedClusters)
}

// post sends a request from any goroutine.
func (f *fixture) post(path, body string) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.server.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+asAdmin)
	r.Header.Set("Content-Type", "application/json")
	resp, err := f.server.Client().Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// The same request with one key is done once and answered alike; with another
// body it is refused, and another caller's key is another key.
func TestIdempotencyKey(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	key := map[string]string{headerKey: "order 66"}
	first := f.serve(asAdmin, http.MethodPost, clustersPath, hostedBody, key).want(http.StatusAccepted)
	again := f.serve(asAdmin, http.MethodPost, clustersPath, hostedBody, key).want(http.StatusAccepted)
	require.JSONEq(t, string(first.body), string(again.body))
	for _, h := range []string{"ETag", "Location", "Operation-Location", "Content-Type"} {
		require.Equal(t, first.header.Get(h), again.header.Get(h), h)
	}
	p := f.serve(asAdmin, http.MethodPost, clustersPath, strings.Replace(hostedBody, "1000", "1001", 1), key).
		want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, ecp.CodeKeyReused, p.Code)
	f.serve(asSystem, http.MethodPost, clustersPath, hostedBody, key).
		want(http.StatusConflict) // its own, and the name is taken

	path := first.header.Get("Location")
	stop := f.serve(asAdmin, http.MethodPost, path+"/stop", "", key).want(http.StatusAccepted)
	before := f.stored()
	require.Equal(t, stop.header.Get("Operation-Location"), f.serve(asAdmin, http.MethodPost, path+"/stop", "", key).
		want(http.StatusAccepted).header.Get("Operation-Location"))
	f.unchanged(before, "a repeated stop")

	// What was refused is not kept: the same request may be good later.
	full := newFixture(t, setup{bare: true, pool: &ecp.Pool{Connections: 10}})
	full.serve(asAdmin, http.MethodPost, clustersPath, hostedBody, key).want(http.StatusUnprocessableEntity)
	full.admin(http.MethodPatch, "/api/v1/pool", `{"connections":0}`).want(http.StatusOK)
	full.serve(asAdmin, http.MethodPost, clustersPath, hostedBody, key).want(http.StatusAccepted)
}

// A quota is read and set below what it is of, by merge patch and revision as the
// pool is, and refuses what the pool would hold.
func TestQuotasOverHTTP(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	const path = "/api/v1/projects/default/default/quota"
	first := conform[ecp.Quota](f.serve(asUser, http.MethodGet, path, "", nil).want(http.StatusOK), f.api)
	require.Equal(t, `"1"`, first.header.Get("ETag"))
	require.JSONEq(t, `{"of":"default/default","connections":0,"usedConnections":0,"revision":1}`, string(first.body))
	set := f.serve(asHead, http.MethodPatch, path, `{"connections":1500}`, map[string]string{headerIfMatch: `"1"`}).
		want(http.StatusOK)
	require.JSONEq(t, `{"of":"default/default","connections":1500,"usedConnections":0,"revision":2}`, string(set.body))
	for body, status := range map[string]int{`{"connections":null}`: 422, `{"connections":-1}`: 422,
		`{"usedConnections":1}`: 422, `{"connections":"many"}`: 422, `{}`: 200} {
		f.serve(asHead, http.MethodPatch, path, body, nil).want(status)
	}
	f.serve(asHead, http.MethodPatch, path, `{"connections":1}`, map[string]string{headerIfMatch: `"1"`}).
		want(http.StatusPreconditionFailed)

	id := f.serve(asAdmin, http.MethodPost, clustersPath, hostedBody, nil).want(http.StatusAccepted).cluster().
		ID // of 1,000 connections
	full := f.serve(asAdmin, http.MethodPost, clustersPath+"/"+id+"/connections", `{"connections":1501}`, nil).
		want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, ecp.CodeQuotaExceeded, full.Code)
	require.Contains(t, full.Detail, "the quota of the project default/default")
	require.Equal(t, "/connections", full.Errors[0].Pointer)
	f.serve(asHead, http.MethodPatch, path, `{"connections":999}`, nil).want(http.StatusConflict)
	f.serve(asAdmin, http.MethodPost, clustersPath+"/"+id+"/connections", `{"connections":1500}`, nil).
		want(http.StatusAccepted)

	f.serve(asHead, http.MethodPatch, "/api/v1/projects/default/second/quota", `{"connections":1}`, nil).
		want(http.StatusOK)
	moved := f.serve(asHead, http.MethodPost, clustersPath+"/"+id+"/transfer", `{"project":"default/second"}`, nil).
		want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, "/project", moved.Errors[0].Pointer)
	var events []ecp.Quota
	for c, err := range f.manager.Watch(ecp.WithActor(t.Context(),
		ecp.Actor{Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}}), 0) {
		require.NoError(t, err)
		if q, ok := c.Payload.(ecp.Quota); ok {
			require.Equal(t, "default/default", q.Of, "others' quotas are not for it to see")
			if events = append(events, q); q.UsedConnections == 1500 {
				break
			}
		}
	}
}
