package httpapi

import (
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

func TestCancel(t *testing.T) {
	f := newFixture(t, setup{}) // nothing runs: operations stay open
	path := clustersPath + "/" + f.create()
	operation := func(r reply) string { return r.want(http.StatusAccepted).header.Get("Operation-Location") }

	change := operation(f.call(asAdmin, http.MethodPost, path+"/connections", `{"connections":7}`))
	back := f.call(asAdmin, http.MethodPost, change+"/cancel", "").want(http.StatusAccepted)
	var o ecp.Operation
	conform[ecp.Operation](back, f.api).into(&o)
	require.Equal(t, ecp.OpUpdate, o.Kind)
	require.Equal(t, operationsPath+"/"+string(o.ID), back.header.Get("Operation-Location"))
	var was ecp.Operation
	f.call(asUser, http.MethodGet, change, "").want(http.StatusOK).into(&was)
	require.Equal(t, ecp.PhaseCancelled, was.Phase)
	require.Equal(t, o.ID, was.SupersededBy)
	require.False(t, was.EndedAt.IsZero())

	again := f.call(asAdmin, http.MethodPost, change+"/cancel", "").want(http.StatusOK)
	conform[ecp.Operation](again, f.api).into(&o)
	require.Equal(t, was, o)
	require.Empty(t, again.header.Get("Operation-Location"))

	// A repeated request gets its first answer.
	r := f.request(asAdmin, http.MethodPost, back.header.Get("Operation-Location")+"/cancel", nil)
	r.Header.Set("Idempotency-Key", "once")
	first := f.send(r).want(http.StatusAccepted)
	r = f.request(asAdmin, http.MethodPost, back.header.Get("Operation-Location")+"/cancel", nil)
	r.Header.Set("Idempotency-Key", "once")
	require.Equal(t, string(first.body), string(f.send(r).want(http.StatusAccepted).body))

	f.call(asAdmin, http.MethodPost, path+"/stop", "").want(http.StatusAccepted)
	before := f.stored()
	for name, c := range map[string]struct {
		path   string
		status int
		says   string
	}{
		"superseded": {first.header.Get("Operation-Location"), http.StatusConflict, "superseded"},
		"no such id": {operationsPath + "/op-0000000000000000", http.StatusNotFound, "there is no operation"},
		"not an id":  {operationsPath + "/emqx-00000000", http.StatusNotFound, "op- and 16"},
	} {
		p := f.call(asAdmin, http.MethodPost, c.path+"/cancel", "").want(c.status).problem()
		require.Contains(t, p.Detail, c.says, name)
	}
	f.unchanged(before, "refused cancels")
}
