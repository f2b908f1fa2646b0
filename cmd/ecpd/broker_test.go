package main_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// A cluster of a fresh daemon tells how it does, by all routes that ask its
// broker, and Prometheus can read its metrics.
func TestAskABroker(t *testing.T) {
	t.Parallel()
	d := dev(t, filepath.Join(t.TempDir(), "data"))
	for i, image := range []string{"emqx-ee-5.8.9", "emqx-ee-4.4.24"} {
		var c cluster
		d.call(t, "POST", "/api/v1/clusters",
			fmt.Sprintf(`{"mode":"hosted","name":"c%d","spec":{"nodes":2,"connections":100,"image":%q}}`, i,
				image), &c, 202)
		path := "/api/v1/clusters/" + c.ID
		d.call(t, "GET", path+"/stats", "", nil, 409) // it is being made
		d.reaches(t, c.ID, "running")

		var stats struct {
			At          time.Time
			Connections int
			Totals      struct{ Sent int }
			Nodes       []struct{ Node, Error string }
			Series      []struct{ Connections int }
		}
		processtest.Eventually(t, 30*time.Second, func() (bool, string) {
			a := d.call(t, "GET", path+"/stats?window=1m", "", &stats, 200)
			return stats.Connections == 6 && stats.Totals.Sent > 0, string(a.body)
		})
		require.WithinDuration(t, time.Now(), stats.At, 10*time.Second)
		require.Len(t, stats.Nodes, 2)

		var list struct{ Items []struct{ ID, Status string } }
		d.call(t, "GET", path+"/rules", "", &list, 200)
		require.Len(t, list.Items, 1)
		require.Equal(t, "readings", list.Items[0].ID)
		d.call(t, "GET", path+"/connectors", "", &list, 200)
		require.NotEmpty(t, list.Items)
		for _, item := range list.Items {
			require.Equal(t, "connected", item.Status)
		}
		d.call(t, "GET", path+"/alarms", "", &list, 200)
		require.Empty(t, list.Items)

		if image == "emqx-ee-4.4.24" { // which has a plugin for it, that is loaded now
			a := d.call(t, "GET", path+"/metrics", "", nil, 200)
			require.Contains(t, string(a.body), "\nemqx_client_connected ")
			continue
		}
		a := d.call(t, "GET", path+"/metrics?scope=nodes", "", nil, 200)
		require.Contains(t, string(a.body), "\nemqx_connections_count{node=")
		_, err := promlint.New(bytes.NewReader(a.body)).Lint()
		require.NoError(t, err, "Prometheus reads it")
	}
}
