package main_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
)

// serverLeaves: the server of the database goes away from under two daemons. Both live, none is
// ready, and both go on when it is back, as the same two.
func serverLeaves(t *testing.T, server *pgtest.Server) {
	g, way := newTogether(t, server), newBalancer(t)
	u, err := url.Parse(g.url)
	require.NoError(t, err)
	there := &daemon{url: "http://" + u.Host}
	way.leadTo(there)
	u.Host = way.Addr().String()
	g.url = u.String() + "&connect_timeout=1"
	first, second := g.begin(t), g.begin(t)
	a, b := g.ready(t, first), g.ready(t, second)
	before := a.shares(t, 2, 20*time.Second)
	var made cluster
	a.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"before","spec":{}}`, &made, 201, 202)

	way.cut()
	for _, d := range []*daemon{a, b} {
		processtest.Eventually(t, 20*time.Second, func() (bool, string) {
			r, err := d.try("GET", "/readyz", "")
			return err == nil && r.status == 503, fmt.Sprint(err, r.status, string(r.body))
		})
		d.call(t, "GET", "/healthz", "", nil, 200)
		d.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"meanwhile","spec":{}}`, nil, 500, 503)
	}

	way.leadTo(there)
	a.works(t)
	b.works(t)
	after := b.shares(t, 2, 20*time.Second)
	for i := range before {
		require.Equal(t, before[i].ID, after[i].ID)
	}
	for _, d := range []*daemon{a, b} {
		require.Equal(t, "before", d.cluster(t, made.ID).Name)
	}
}
