package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// olderDatabase puts an older database back under clusters on a real API server:
// nothing is written to them, which their resource versions show, until a person takes
// over what is there or puts back what is recorded.
func olderDatabase(t *testing.T, k *killer, dir string, kubectl func(args ...string) string) {
	t.Helper()
	first, second := k.d.create(t, "first", 1), k.d.create(t, "second", 1)
	k.d.reaches(t, first, "running")
	k.d.reaches(t, second, "running")
	terminate := func() {
		code, _ := k.d.Terminate(t)
		require.Zero(t, code)
	}
	terminate()
	backup := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, os.CopyFS(backup, os.DirFS(dir)))
	k.d = k.start()
	for _, id := range []string{first, second} {
		k.d.operation(t, "PATCH", "/api/v1/clusters/"+id, `{"spec":{"nodes":2,"network":{"type":"NodePort"}}}`)
	}
	third := k.d.create(t, "third", 1)
	k.d.reaches(t, third, "running")
	terminate()
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.CopyFS(dir, os.DirFS(backup)))

	versions := func() string {
		var out []string
		for _, id := range []string{first, second, third} {
			out = append(out, kubectl("get",
				"statefulsets,services,configmaps,poddisruptionbudgets,networkpolicies,persistentvolumeclaims,pods",
				"-n", id,
				"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion}{"\n"}{end}`), kubectl("get", "namespace", id, "-o", "jsonpath={.metadata.resourceVersion}"))
		}
		return strings.Join(out, "\n")
	}
	before := versions()
	k.d = k.start()
	for _, id := range []string{first, second} {
		require.Equal(t, "RecordOlder", k.d.reaches(t, id, "abnormal").Status.Reason)
	}
	var list struct {
		Items []struct{ ID string }
	}
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		k.d.call(t, "GET", "/api/v1/unrecorded-clusters", "", &list, 200)
		return len(list.Items) == 1 && list.Items[0].ID == third, "the cluster without a record is not listed"
	})
	k.d.call(t, "PATCH", "/api/v1/clusters/"+first, `{"spec":{"connections":1500}}`, nil, 409)
	require.Equal(t, before, versions(), "nothing was written")

	var plan struct{ Notes []string }
	k.d.call(t, "POST", "/api/v1/clusters/"+second+"/put-back?dryRun=true", "", &plan, 200)
	require.Contains(t, strings.Join(plan.Notes, "\n"), "volumes are deleted with what they hold: data-"+second+
		"-emqx-1")
	k.d.operation(t, "POST", "/api/v1/clusters/"+first+"/take-over", "")
	k.d.operation(t, "POST", "/api/v1/clusters/"+second+"/put-back", "")
	for id, nodes := range map[string]int{first: 2, second: 1} {
		require.Len(t, k.d.reaches(t, id, "running").Status.Nodes, nodes)
		require.Len(t, strings.Fields(kubectl("get", "pods", "-n", id, "-o", "name")), nodes)
	}
	require.Equal(t, "ClusterIP", kubectl("get", "service", "-n", second, second+"-emqx", "-o",
		"jsonpath={.spec.type}"))
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		claims := kubectl("get", "pvc", "-n", second, "-o", "name")
		return len(strings.Fields(claims)) == 1, claims
	})
	k.d.call(t, "POST", "/api/v1/unrecorded-clusters/"+third+"/take-over", `{}`, nil, 202)
	k.d.reaches(t, third, "running")
	for _, id := range []string{first, second, third} {
		k.d.call(t, "DELETE", "/api/v1/clusters/"+id, "", nil, 202)
	}
}
