package emqxv4_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	rules     = "/api/v4/rules"
	resources = "/api/v4/resources"
)

func TestIntegrationsAsRecorded(t *testing.T) {
	b := brokerOf[ecp.IntegrationSource](t, site{version: "4.4.19", paths: emqxtest.Paths{
		rules: recorded(t, "13-rules-with-resource"), resources: recorded(t, "13-resources"), resources +
			"/resource:w1": recorded(t, "13-resource"),
	}})
	got, err := b.Rules(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.Rule{
		{ID: "rule:r1", Name: "rule:r1", Description: "d", SQL: `select payload.x as x from "test/#"`,
			Topics: []string{"test/#"}, Actions: []string{"inspect"}, Created: time.UnixMilli(1795426291087).UTC()},
		{ID: "rule:r2", Name: "rule:r2", SQL: `select * from "test/#"`, Topics: []string{"test/#"},
			Actions: []string{"resource:w1"}, Created: time.UnixMilli(1795426294976).UTC()},
	}, got)
	all, err := b.Integrations(t.Context())
	require.NoError(t, err)
	require.Equal(t, []ecp.Integration{{
		Kind: ecp.ResourceIntegration, ID: "resource:w1", Name: "resource:w1", Type: "web_hook", Description: "w",
		Enabled: true, Status: ecp.IntegrationDisconnected,
		Nodes: []ecp.IntegrationNode{{Node: "emqx@127.0.0.4", Status: ecp.IntegrationDisconnected}},
		Rules: []string{"rule:r2"},
	}}, all)
}

// TestRulesArePaged: by hasnext, whatever the count says.
func TestRulesArePaged(t *testing.T) {
	var asked []string
	b := brokerOf[ecp.IntegrationSource](t, site{version: "4.4.24",
		paths: emqxtest.Paths{rules: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.RawQuery)
			page := r.URL.Query().Get("_page")
			emqxtest.Body(fmt.Sprintf(`{"code":0,"meta":{"count":-1,"hasnext":%[1]t},"data":[{"id":"r%[2]s",`+
				`"for":"t","enabled":"true","created_at":1795426291087000,"actions":[
			{"name":"a","params":{"$resource":"x"},"fallbacks":[{"name":"republish"},
			{"name":"a","params":{"$resource":"x"}}]}]},{"sql":"no id"},7,
			{"id":"odd%[2]s","rawsql":"a\n  b","actions":"none","for":[1]}]}`, page != "3", page)).ServeHTTP(w, r)
		})}})
	got, err := b.Rules(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"_limit=1000&_page=1", "_limit=1000&_page=2", "_limit=1000&_page=3"}, asked)
	require.Len(t, got, 6)
	require.Equal(t, ecp.Rule{ID: "odd1", Name: "odd1", SQL: "a\n  b", Topics: []string{"1"}}, got[0],
		"what makes sense of it")
	require.Equal(t, ecp.Rule{
		ID: "r1", Name: "r1", Topics: []string{"t"}, Actions: []string{"x", "republish"},
		Running: true, Created: time.UnixMilli(1795426291087).UTC(),
	}, got[3])
}

// TestIntegrations: each is asked for on its own, a few at a time; what does
// not come is left at what the list says.
func TestIntegrations(t *testing.T) {
	var abreast, most atomic.Int32
	node := func(a, b string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			most.Store(max(most.Load(), abreast.Add(1)))
			defer abreast.Add(-1)
			emqxtest.Body(`{"code":0,"data":{"id":"x","status":[{"node":"emqx@b","is_alive":`+b+
				`},{"node":"emqx@a","is_alive":`+a+`},{"is_alive":true}]}}`).ServeHTTP(w, r)
		})
	}
	list := []string{`{"id":"9/up","status":true}`, `{"id":"8down","status":false}`, `{"id":"7mixed","status":false}`,
		`{"id":"6hangs","status":true}`, `{"id":"5odd","status":"perhaps"}`, `{"type":"none"}`,
		`{"id":"4gone","status":[]}`}
	paths := emqxtest.Paths{
		resources:           emqxtest.Body(`{"code":0,"data":[` + strings.Join(list, ",") + `]}`),
		rules:               emqxtest.Status(500),
		resources + "/9/up": node("true", `"true"`), resources + "/8down": node("false", "false"), resources +
			"/7mixed": node("true", "false"),
		resources + "/6hangs": emqxtest.Hang{}, resources + "/5odd": node("null", "null"), resources +
			"/4gone": recorded(t,
			"12-rule-404"),
	}
	got := map[string]string{}
	synctest.Test(t, func(t *testing.T) {
		all, err := inside[ecp.IntegrationSource](t, site{version: "4.4.24", paths: paths}).Integrations(t.Context())
		require.NoError(t, err)
		for _, i := range all {
			got[i.ID] = string(i.Status) + fmt.Sprint(len(i.Nodes))
		}
	})
	require.Equal(t, map[string]string{
		"9/up": "connected2", "8down": "disconnected2", "7mixed": "inconsistent2",
		"6hangs": "connected0", "5odd": "unknown2", "4gone": "unknown0",
	}, got)
	require.LessOrEqual(t, most.Load(), int32(4))

	_, err := brokerOf[ecp.IntegrationSource](t, site{version: "4.4.24"}).Integrations(t.Context())
	refusedWith(t, err, ecp.CodeUnsupported, "emqx_ctl plugins load emqx_rule_engine")
}
