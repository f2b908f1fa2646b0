package httpapi

import (
	"cmp"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A patch that leaves everything as it was moves no revision and tells nobody of a
// change.
func TestPatchOfNothing(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	places := f.seed()
	for list, change := range map[string]string{
		"/api/v1/orgs": `{"description":"x"}`, "/api/v1/projects": `{"description":"x"}`,
		"/api/v1/users": `{"displayName":"x","disabled":false}`,
		"/api/v1/sizes": `{"storage":{"size":"1Ti"}}`, "/api/v1/images": `{"default":true}`,
		"/api/v1/registries":    `{"user":"x"}`,
		"/api/v1/emqx-licenses": `{"default":true}`, "/api/v1/lb-profiles": `{"minConnections":7}`,
		"/api/v1/kubernetes-targets": `{"description":"x"}`,
		"/api/v1/pool":               `{"clusters":77}`, "/api/v1/orgs/default/quota": `{"connections":5000}`,
		clustersPath: `{"description":"x"}`,
	} {
		path := cmp.Or(places[list], list)
		tag := f.admin(http.MethodPatch, path, change).want(http.StatusOK).header.Get("ETag")
		before := f.stored()
		for _, same := range []string{change, `{}`} {
			require.Equal(t, tag, f.admin(http.MethodPatch, path, same).want(http.StatusOK).header.Get("ETag"),
				"%s %s", path,
				same)
			f.unchanged(before, path)
		}
	}
}
