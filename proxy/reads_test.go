package proxy

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// gets are all paths that EMQX 4.4 and 5.6 to 5.8 answer GET on, from the lists
// that running brokers and EMQX' own OpenAPI documents give.
func gets(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/gets.txt")
	require.NoError(t, err)
	return strings.Fields(string(b))
}

// Every path that brokers have was looked at: it may be read by readers, or it is
// kept from them, and why is said; not both, and no row is about nothing.
func TestEveryGetIsListed(t *testing.T) {
	all := gets(t)
	require.Greater(t, len(all), 200)
	for _, path := range all {
		segments := strings.Split(path[1:], "/")
		readable := slices.ContainsFunc(reads, func(r read) bool { return r.path == path })
		kept := slices.ContainsFunc(withheld, func(r read) bool { return r.covers(segments) })
		require.True(t, readable || kept || within(segments, loginPaths), "%s was not checked", path)
	}
	later := []string{ // neither in the lists: not there in the versions they are of, or no call of the API
		"/status", "/api/v4", "/api/v4/slow_subscriptions", "/api/v4/load_rebalance/availability_check",
		"/api/v4/load_rebalance/global_status", "/api/v4/load_rebalance/status",
		"/api/v5/audit", "/api/v4/nodes/{}/modules",
	}
	for _, r := range slices.Concat(reads, withheld) {
		require.NotEmpty(t, r.why, r.path)
		about := slices.ContainsFunc(all, func(path string) bool { return r.covers(strings.Split(path[1:], "/")) })
		require.True(t, about || slices.Contains(later, r.path), "%s is about nothing", r.path)
	}
	for _, r := range withheld {
		require.False(t, slices.ContainsFunc(reads, func(o read) bool { return o.path == r.path }), "%s is in both",
			r.path)
	}
}

// What readers may read, and what may not be read although it is near.
func TestRightOfPaths(t *testing.T) {
	for path, want := range map[string]ecp.Right{
		"/status": ecp.RightRead, "/api/v5/nodes": ecp.RightRead, "/api/v4/nodes/": ecp.RightRead,
		"/api/v5/rules/rule%3A1": ecp.RightRead,
		"/api/v5/topics/t%2F1":   ecp.RightRead, "/api/v5/clients/x": ecp.RightRead,
		"/api/v5/topics/login": ecp.RightRead,
		"/api/v5/n%6Fdes":      ecp.RightWrite, "/api/v5/nodes%2Fx": ecp.RightWrite,
		"/api/v5/clients/x/mqueue_messages": ecp.RightWrite, "/api/v5/clients/x%2Fmqueue_messages": ecp.RightRead,
		"/api/v5/listeners/tcp:default": ecp.RightWrite, "/api/v5/connectors": ecp.RightWrite,
		"/api/v5/configs": ecp.RightWrite, "/api/v5/users": ecp.RightWrite, "/api/v5/new_in_7": ecp.RightWrite,
		"/api/v5": ecp.RightWrite, "/api/v5/Nodes": ecp.RightWrite, "/api/v4/rules": ecp.RightWrite,
		"/api/v4/resources": ecp.RightWrite,
	} {
		got, refusal := parseTarget(path)
		require.Nil(t, refusal, path)
		require.Equal(t, want, rightFor(http.MethodGet, got), path)
		require.Equal(t, want, rightFor(http.MethodHead, got), path)
		require.Equal(t, ecp.RightWrite, rightFor(http.MethodPost, got), path)
		require.NotEmpty(t, whyWithheld(got))
	}
}
