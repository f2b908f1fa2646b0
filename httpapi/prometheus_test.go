package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

const targetsPath = "/api/v1/prometheus/targets"

// targetGroup is what Prometheus reads of the document.
type targetGroup struct {
	Targets []string
	Labels  map[string]string
}

func (f *fixture) targets(token, query string) (out []targetGroup) {
	f.t.Helper()
	got := f.serve(token, http.MethodGet, targetsPath+query, "", nil).want(http.StatusOK)
	require.Equal(f.t, "application/json", got.header.Get("Content-Type"))
	got.into(&out)
	return out
}

// Prometheus gets every cluster that the token may read and that is meant to run,
// with where and how it is scraped; names and states are labels that it drops.
func TestPrometheusTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, setup{bare: true, talks: true, run: true})
		require.Equal(t, "[]",
			strings.TrimSpace(string(f.serve(asUser, http.MethodGet, targetsPath, "", nil).want(http.StatusOK).body)))
		ids := map[string]string{}
		for _, c := range []struct{ name, project, image string }{
			{"Five", "default/default", "emqx-ee-5.8.9"}, {"four", "default/default", "emqx-ee-4.4.24"},
			{"second", "default/second", "emqx-ee-5.8.9"}, {"off", "default/default", "emqx-ee-5.8.9"},
		} {
			body := fmt.Sprintf(`{"mode":"hosted","name":%q,"project":%q,`+
				`"spec":{"nodes":2,"connections":10,"image":%q}}`,
				c.name, c.project, c.image)
			ids[c.name] = f.serve(asSystem, http.MethodPost, clustersPath, body, nil).want(http.StatusAccepted).
				cluster().ID
		}
		require.Empty(t, f.targets(asSystem, ""), "they are being made")
		for name, id := range ids {
			f.eventually(name+" runs", func() (bool, any) {
				s := f.serve(asSystem, http.MethodGet, clustersPath+"/"+id, "", nil).cluster().Status.State
				return s == "running", s
			})
		}
		f.serve(asAdmin, http.MethodPost, clustersPath+"/"+ids["off"]+"/stop", "", nil).want(http.StatusAccepted)
		f.serve(asAdmin, http.MethodPost, clustersPath, `{"mode":"adopted","name":"plant"}`, nil).
			want(http.StatusCreated)

		all := f.targets(asUser, "")
		require.Len(t, all, 3, "%v", all)
		require.Equal(t, all, f.targets(asUser, ""))
		i := slices.IndexFunc(all, func(g targetGroup) bool { return g.Labels["cluster"] == ids["Five"] })
		require.Equal(t, targetGroup{[]string{"ecp.example.com:443"}, map[string]string{
			"instance": ids["Five"], "cluster": ids["Five"], "project": "default/default", "__scheme__": "https",
			"__metrics_path__": clustersPath + "/" + ids["Five"] + "/metrics",
			"__param_scope":    "nodes", "__meta_openecp_name": "Five", "__meta_openecp_org": "default",
			"__meta_openecp_mode": "hosted", "__meta_openecp_state": "running", "__meta_openecp_version": "5.8.9",
		}}, all[i])
		nodes := f.nodesOf(clustersPath + "/" + ids["four"])
		for _, g := range slices.Delete(slices.Clone(all), i, i+1) {
			node := g.Labels["node"]
			require.Contains(t, nodes, node)
			require.Equal(t, []string{ids["four"] + "/" + node, node, ""},
				[]string{g.Labels["instance"], g.Labels["__param_node"], g.Labels["__param_scope"]})
		}
		require.NotEqual(t, all[0].Labels["instance"], all[1].Labels["instance"])

		require.Len(t, f.targets(asSystem, ""), 4)
		require.Len(t, f.targets(asSystem, "?project=default/second"), 1)
		require.Empty(t, f.targets(asSystem, "?mode=adopted"))
		require.Empty(t, f.targets(asForeign, ""))
		require.Equal(t, "/query/mode", f.serve(asUser, http.MethodGet, targetsPath+"?mode=own", "", nil).
			want(http.StatusUnprocessableEntity).problem().Errors[0].Pointer)
		f.serve(nobody, http.MethodGet, targetsPath, "", nil).want(http.StatusUnauthorized)
	})
}

// The address is the configured one, whatever a request says.
func TestPrometheusAddress(t *testing.T) {
	for public, want := range map[string]string{"https://ecp.example.com": "ecp.example.com:443",
		"http://[::1]": "[::1]:80", "http://127.0.0.1:18180": "127.0.0.1:18180"} {
		f := newFixture(t, setup{bare: true, public: public})
		require.NoError(t, f.store.Write(t.Context(), func(tx ecp.Tx) error {
			return ecp.Put(tx,
				ecp.ClusterRecord{ID: "emqx-00000001", Name: "a", Project: "default/default", Mode: ecp.Adopted,
					Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}, Status: ecp.Status{State: ecp.Abnormal}}, 0)
		}))
		got := f.serve(asUser, http.MethodGet, "http://evil.example.com"+targetsPath, "",
			map[string]string{"X-Forwarded-Host": "evil.example.com"}).want(http.StatusOK)
		require.NotContains(t, string(got.body), "evil")
		var all []targetGroup
		require.NoError(t, json.Unmarshal(got.body, &all))
		require.Equal(t, []string{want}, all[0].Targets)
		require.Equal(t, "abnormal", all[0].Labels["__meta_openecp_state"], "a cluster that does not answer stays")
	}
	f := newFixture(t, setup{bare: true, public: "-"})
	p := f.serve(asUser, http.MethodGet, targetsPath, "", nil).want(http.StatusUnprocessableEntity).problem()
	require.Contains(t, p.Detail, "--public-url")
}
