package httpapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

// A setting that was changed in the dashboard: it is told with its values, put back, and taken over, each after a plan
// that the request can be made to depend on. What cannot be done is refused at the key.
func TestSettingsDriftOverHTTP(t *testing.T) {
	asking(t, "emqx-ee-5.8.9", func(f *fixture, path string, sim *emqxsim.Cluster) {
		drift := path + "/settings/drift"
		ends := func(got reply) {
			t.Helper()
			<-time.After(10 * time.Minute) // nodes may be replaced
			at := got.want(http.StatusAccepted).header.Get("Operation-Location")
			f.eventually("it ends", func() (bool, any) {
				var o ecp.Operation
				f.read(at).want(http.StatusOK).into(&o)
				return o.Phase == ecp.PhaseSucceeded, o
			})
		}
		changed := func(body string) {
			t.Helper()
			e := sim.Node(f.nodesOf(path)[0]).Endpoint()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, e.BaseURL+"/api/v5/configs/global_zone",
				strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			req.SetBasicAuth(e.Credentials.Username, e.Credentials.Password)
			res, err := e.Transport.RoundTrip(req)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.NoError(t, res.Body.Close())
		}
		require.JSONEq(t, `{"settings":[],"unanswered":[],"changing":false}`, string(f.read(drift).want(200).body))
		ends(f.serve(asAdmin, http.MethodPatch, path,
			`{"spec":{"config":{"mqtt.max_packet_size":"2MB","force_gc":"{\"count\":9}"}}}`, nil))
		changed(`{"mqtt":{"max_packet_size":"3MB"},"force_gc":{"count":99}}`)
		var found ecp.SettingsDrift
		f.read(drift).want(http.StatusOK).into(&found)
		require.Len(t, found.Settings, 2)
		require.Equal(t, "2MB", *found.Settings[1].Wanted)
		require.Equal(t, "3MB", *found.Settings[1].Nodes[0].Value)
		require.Len(t, found.Settings[1].Nodes, 3)

		put, take := path+"/settings/put-back", path+"/settings/take-over"
		got := f.serve(asAdmin, http.MethodPost, put, `{"keys":["mqtt.max_packet_size","force_gc.count"]}`, nil)
		require.Contains(t, string(got.want(http.StatusUnprocessableEntity).body), "/keys/1")
		require.Contains(t, string(got.body), "a restart of the cluster replaces the nodes")
		f.serve(asUser, http.MethodPost, put, `{}`, nil).want(http.StatusForbidden)

		var plan ecp.Plan
		f.serve(asAdmin, http.MethodPost, put+"?dryRun=true", `{}`, nil).want(http.StatusOK).into(&plan)
		require.Contains(t, strings.Join(plan.Notes, "\n"), "stays as it is: force_gc.count")
		f.serve(asAdmin, http.MethodPost, take, `{"keys":["mqtt.max_packet_size"]}`,
			map[string]string{"If-Plan": plan.Hash}).want(http.StatusPreconditionFailed)
		ends(f.serve(asAdmin, http.MethodPost, put, `{}`, map[string]string{"If-Plan": plan.Hash}))
		f.read(drift).want(http.StatusOK).into(&found)
		require.Len(t, found.Settings, 1)

		changed(`{"mqtt":{"max_packet_size":"4MB"}}`)
		const both = `{"keys":["mqtt.max_packet_size","force_gc.count"]}`
		f.serve(asAdmin, http.MethodPost, take+"?dryRun=true", both, nil).want(http.StatusOK).into(&plan)
		require.Empty(t, plan.Nodes.Replaced)
		changed(`{"mqtt":{"max_packet_size":"5MB"}}`)
		f.serve(asAdmin, http.MethodPost, take, both, map[string]string{"If-Plan": plan.Hash}).
			want(http.StatusPreconditionFailed)
		f.serve(asAdmin, http.MethodPost, take, both, map[string]string{"If-Match": `"1"`}).
			want(http.StatusPreconditionFailed)
		ends(f.serve(asAdmin, http.MethodPost, take, both, nil))
		require.JSONEq(t, `{"settings":[],"unanswered":[],"changing":false}`, string(f.read(drift).want(200).body))
		require.Contains(t, string(f.read(path).body), `"mqtt.max_packet_size":"5MB"`)
		f.serve(asAdmin, http.MethodPost, take, both, nil).want(http.StatusOK)
	})
}
