package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The callers of the table, in its order. All requests are about default/default
// and what is in it.
var callers = []struct{ name, token string }{
	{"system", asSystem},
	{"org admin", asHead},
	{"project admin", asAdmin},
	{"user", asUser},
	{"admin of another project", asNext},
	{"org admin of another org", asOrg},
	{"project admin of another org", asForeign},
	{"nobody", nobody},
	{"expired token", asExpired},
	{"disabled user", "disabled"},
}

// Outcomes: y = it is done, or refused for another reason than who asks;
// d = denied (403); h = hidden: there is no such thing (404). The last three
// callers are always asked for a token (401).
//
//	system, org admin, project admin, user, other project, other org, other org's project
var rightsTable = map[string]string{
	"listClusters": "yyyyyyy", "listProjects": "yyyyyyy", "listOrgs": "yyyyyyy", "listUsers": "yyyyyyy",
	"listTokens": "yyyyyyy", "watchEvents": "yyyyyyy",
	"getCluster": "yyyyhhh", "explainCluster": "yyyyhhh", "listNodes": "yyyyhhh", "listOperations": "yyyyhhh",
	"getOperation": "yyyyhhh",
	"getStats":     "yyyyhhh", "getMetrics": "yyyyhhh", "listAlarms": "yyyyhhh", "listRules": "yyyyhhh",
	"listConnectors": "yyyyhhh", "readLogs": "yyyyhhh",
	"createCluster": "yyydhhh", "updateCluster": "yyydhhh", "deleteCluster": "yyydhhh",
	"startCluster": "yyydhhh", "stopCluster": "yyydhhh", "restartCluster": "yyydhhh", "repairCluster": "yyydhhh",
	"takeOverCluster": "yyydhhh", "putBackCluster": "yyydhhh", "transferCluster": "yyydhhh",
	"settingsPutBackCluster": "yyydhhh", "settingsTakeOverCluster": "yyydhhh", "getSettingsDrift": "yyyyhhh",
	"scaleCluster": "yyydhhh", "resizeCluster": "yyydhhh", "connectionsCluster": "yyydhhh", "imageCluster": "yyydhhh",
	"networkCluster": "yyydhhh", "cancelOperation": "yyydhhh",

	"setupCluster": "yyydhhh", "listRegistrations": "yyydhhh", "deleteRegistration": "yyydhhh", "listAgents": "yyyyhhh",
	"listHistory": "yyyyhhh", "removeAgent": "yyydhhh",
	"getBroker": "yyyyhhh", "headBroker": "yyyyhhh", "postBroker": "yyydhhh", "putBroker": "yyydhhh",
	"patchBroker": "yyydhhh", "deleteBroker": "yyydhhh",
	"openDashboard": "yyyyhhh",

	"listUnrecorded": "ydddddd", "takeOverUnrecorded": "hdddddd", "removeUnrecorded": "hdddddd",
	"listDaemons": "ydddddd",
	"getPool":     "yyyyyyy", "updatePool": "ydddddd",
	"listImages": "yyyyyyy", "getImage": "yyyyyyy", "createImage": "ydddddd", "updateImage": "ydddddd",
	"deleteImage": "ydddddd",
	"listSizes":   "yyyyyyy", "getSize": "yyyyyyy", "createSize": "ydddddd", "updateSize": "ydddddd",
	"deleteSize":     "ydddddd",
	"listLBProfiles": "yyyyyyy", "getLBProfile": "yyyyyyy", "createLBProfile": "ydddddd", "updateLBProfile": "ydddddd",
	"deleteLBProfile": "ydddddd",
	"listTargets":     "yyyyyyy", "getTarget": "yyyyyyy", "createTarget": "ydddddd", "updateTarget": "ydddddd",
	"deleteTarget": "ydddddd", "acceptPlatform": "ydddddd",
	"listRegistries": "ydddddd", "getRegistry": "ydddddd", "createRegistry": "ydddddd", "updateRegistry": "ydddddd",
	"deleteRegistry": "ydddddd",
	"listLicenses":   "ydddddd", "getLicense": "ydddddd", "createLicense": "ydddddd", "updateLicense": "ydddddd",
	"deleteLicense": "ydddddd", "listCertificates": "ydddddd", "getCertificate": "ydddddd",
	"createCertificate": "ydddddd", "updateCertificate": "ydddddd", "deleteCertificate": "ydddddd",

	"getOrg": "yyyyyhh", "createOrg": "ydddddd", "updateOrg": "yydddhh", "deleteOrg": "yddddhh",
	"getOrgQuota": "yydddhh", "updateOrgQuota": "yddddhh", "getProjectQuota": "yyyyhhh",
	"updateProjectQuota": "yyddhhh",
	"getProject":         "yyyyhhh", "createProject": "yydddhh", "updateProject": "yyddhhh", "deleteProject": "yyddhhh",
	"getUser": "yyyhhhh", "createUser": "yyydddd", "updateUser": "yyyhhhh", "deleteUser": "yyyhhhh",
	"unlockUser": "yyyhhhh",
	"getToken":   "yyyhhhh", "createToken": "yyydddd", "deleteToken": "yyyhhhh",

	"logout": "yyyyyyy", "getMe": "yyyyyyy", "changePassword": "yyyyyyy", "listRoles": "yyyyyyy",
	"listAudit": "yyydyyy", "exportAudit": "yyydyyy",
	"listPrometheusTargets": "yyyyyyy", "getOverview": "yyyyyyy", "getProjectOverview": "yyyyhhh",
}

func outcome(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "a"
	case http.StatusForbidden:
		return "d"
	case http.StatusNotFound:
		return "h"
	}
	return "y"
}

// Every route as every role, inside and outside its reach: nobody sees or does
// what is not theirs, and what is foreign does not exist.
func TestRightsOfEveryRoute(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	requests := 0
	for _, pattern := range slices.Sorted(maps.Keys(f.api.routes)) {
		op := f.api.routes[pattern]
		_, named := needs[op.OperationID]
		require.Equal(t, len(op.Security) > 0, named, "%s: which right does it need? (rights.go)", pattern)
		if !named {
			continue
		}
		want := rightsTable[op.OperationID]
		require.Len(t, want, len(callers)-3, "%s has no row in the table of this test", pattern)
		t.Run(pattern, func(t *testing.T) { requests += rightsOfRoute(t, op, want+"aaa") })
	}
	for id := range rightsTable {
		require.Contains(t, needs, id, "there is no such route")
	}
	t.Logf("%d requests", requests)
}

// rightsOfRoute asks as every caller: first those who are refused, who must
// have changed nothing, then the others, each in a world of its own.
func rightsOfRoute(t *testing.T, op *route, want string) (requests int) {
	t.Helper()
	f := newFixture(t, setup{bare: true})
	places, disabled := f.seed(), f.disabledUser()
	before := f.stored()
	for i, c := range callers {
		if want[i] == 'y' {
			continue
		}
		requests++
		got := f.ask(op, places, strings.Replace(c.token, "disabled", disabled, 1))
		assert.Equal(t, string(want[i]), outcome(got.status), "%s: %d %s", c.name, got.status, got.body)
	}
	f.unchanged(before, op.OperationID)
	for i, c := range callers {
		if want[i] != 'y' {
			continue
		}
		requests++
		if op.Method != http.MethodGet {
			f = newFixture(t, setup{bare: true})
			places = f.seed()
		}
		got := f.ask(op, places, c.token)
		assert.Equal(t, "y", outcome(got.status), "%s: %d %s", c.name, got.status, got.body)
	}
	return requests
}

// ask sends a route its sample.
func (f *fixture) ask(op *route, places map[string]string, token string) reply {
	f.t.Helper()
	delete(places, "/api/v1/orgs") // the samples of paths: default, and default/default
	delete(places, "/api/v1/projects")
	body, path := "", pathOf(op, places)
	if samples := requestExamples[op.OperationID]; len(samples) > 0 {
		body = string(mustJSON(f.t, samples[0].body))
		if op.OperationID == "createCluster" || strings.HasPrefix(op.OperationID, "create") {
			body = another(body)
		}
	}
	if op.OperationID == "watchEvents" { // it would not end
		return f.serve(token, op.Method, path+"?since=999999", body, nil)
	}
	return f.serve(token, op.Method, path, body, nil)
}

// another changes what has to be new in a sample of something that is there.
func another(body string) string {
	return strings.NewReplacer(`"name":"orders"`, `"name":"others"`, `"acme"`, `"bcme"`, `/shops"`, `/shops2"`,
		`"name":"ann"`, `"name":"bea"`).Replace(body)
}

// The same for an adopted cluster: who is refused, and who may read.
func TestRightsToAdoptedClusters(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	places, disabled := f.seed(), f.disabledUser()
	got := f.serve(asSystem, http.MethodPost, clustersPath,
		string(mustJSON(t, requestExamples["createCluster"][1].body)), nil)
	require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
	places[clustersPath] = got.header.Get("Location")
	before := f.stored()
	for pattern, op := range f.api.routes {
		if !strings.HasPrefix(op.Path, clustersPath+"/{id}") {
			continue
		}
		path, body, want := pathOf(op, places), "", rightsTable[op.OperationID]+"aaa"
		if samples := requestExamples[op.OperationID]; op.OperationID == "updateCluster" {
			body = `{"name":"other"}` // the sample is a hosted cluster's
		} else if len(samples) > 0 {
			body = string(mustJSON(t, samples[0].body))
		}
		for i, c := range callers {
			if want[i] == 'y' && op.Method != http.MethodGet {
				continue
			}
			got := f.serve(strings.Replace(c.token, "disabled", disabled, 1), op.Method, path, body, nil)
			assert.Equal(t, string(want[i]), outcome(got.status), "%s as %s: %d %s", pattern, c.name, got.status,
				got.body)
		}
	}
	f.unchanged(before, "what is refused, and read")
}

// disabledUser returns the session of a user who was disabled.
func (f *fixture) disabledUser() string {
	f.t.Helper()
	ctx := ecp.WithActor(f.t.Context(), ecp.System)
	const password = "correct horse battery"
	_, err := f.manager.Accounts.CreateUser(ctx, tenancy.UserRequest{Name: "dan", Password: password,
		Grants: []ecp.Grant{{Role: ecp.RoleProjectAdmin, Project: "default/default"}}})
	require.NoError(f.t, err)
	s, err := f.manager.Accounts.Login(f.t.Context(), "dan", password)
	require.NoError(f.t, err)
	require.Equal(f.t, http.StatusOK, f.serve(s.Secret, http.MethodGet, "/api/v1/me", "", nil).status)
	yes := true
	_, err = f.manager.Accounts.UpdateUser(ctx, "dan", tenancy.UserChange{Disabled: &yes})
	require.NoError(f.t, err)
	return s.Secret
}

// What lists, exports and streams show to strangers holds nothing foreign.
func TestListsShowNothingForeign(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.seed()
	f.serve(asUser, http.MethodPost, clustersPath, hostedBody, nil) // refused, for the audit
	own := f.serve(asOrg, http.MethodPost, clustersPath, `{"mode":"adopted","project":"other/one","name":"ours"}`, nil)
	require.Equal(t, http.StatusCreated, own.status, "%s", own.body)
	for pattern, op := range f.api.routes {
		if op.Method != http.MethodGet || strings.Contains(op.Path, "{") || len(op.Security) == 0 ||
			op.OperationID == "watchEvents" || needs[op.OperationID] == ecp.RightCatalog {
			continue
		}
		for _, token := range []string{asOrg, asForeign} {
			got := f.serve(token, http.MethodGet, op.Path, "", nil)
			if got.status != http.StatusOK {
				continue
			}
			for _, foreign := range []string{"default", "acme", `"ann"`, "orders", "deployer", "uma"} {
				require.NotContains(t, string(got.body), foreign, "%s as %s", pattern, tokens[token].Name)
			}
		}
	}
	require.Contains(t, string(f.serve(asOrg, http.MethodGet, "/api/v1/audit", "", nil).body), own.cluster().ID)
	require.Contains(t, string(f.serve(asForeign, http.MethodGet, clustersPath, "", nil).body), "ours")
}

// A transfer needs the right on both sides, takes its operations along, and is
// no news to who lost sight of it but that it left.
func TestTransferNeedsBothSides(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	id := f.serve(asAdmin, http.MethodPost, clustersPath, hostedBody, nil).cluster().ID
	path, to := clustersPath+"/"+id, `{"project":"default/second"}`
	for token, status := range map[string]int{asAdmin: http.StatusNotFound, asNext: http.StatusNotFound,
		asOrg: http.StatusNotFound, asUser: http.StatusForbidden} {
		require.Equal(t, status, f.serve(token, http.MethodPost, path+"/transfer", to, nil).status, tokens[token].Name)
	}
	got := f.serve(asHead, http.MethodPost, path+"/transfer", to, nil)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	require.Equal(t, "default/second", got.cluster().Project)
	for project, connections := range map[string]int{"default/default": 0,
		"default/second": 1000} { // the quota follows
		var p projectView
		f.admin(http.MethodGet, "/api/v1/projects/"+project, "").want(http.StatusOK).into(&p)
		require.Equal(t, fleet.Usage{Clusters: connections / 1000, Connections: connections}, p.Usage, project)
	}
	require.Equal(t, http.StatusNotFound, f.serve(asAdmin, http.MethodGet, path, "", nil).status)
	require.Equal(t, http.StatusNotFound, f.serve(asAdmin, http.MethodGet, path+"/operations", "", nil).status)
	require.Equal(t, http.StatusOK, f.serve(asNext, http.MethodGet, path+"/operations", "", nil).status)
}

// A token's reach ends with its expiry.
func TestTokensOverHTTP(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	body := fmt.Sprintf(`{"name":"ci","role":"user","project":"default/default","expiresAt":%q}`, time.Now().
		Add(time.Hour).Format(time.RFC3339))
	made := f.serve(asAdmin, http.MethodPost, "/api/v1/tokens", body, map[string]string{headerKey: "once"})
	require.Equal(t, http.StatusCreated, made.status, "%s", made.body)
	var token tokenView
	made.into(&token)
	require.NotEmpty(t, token.Token)
	require.Equal(t, http.StatusOK, f.serve(token.Token, http.MethodGet, clustersPath, "", nil).status)

	again := f.serve(asAdmin, http.MethodPost, "/api/v1/tokens", body, map[string]string{headerKey: "once"})
	require.Equal(t, http.StatusCreated, again.status)
	require.Equal(t, made.header.Get("Location"), again.header.Get("Location"))
	require.NotContains(t, string(again.body), token.Token, "it is shown once")
	require.NotContains(t, string(again.body), `"token":`)
	for _, path := range []string{"/api/v1/tokens", made.header.Get("Location"), "/api/v1/audit"} {
		shown := f.serve(asAdmin, http.MethodGet, path, "", nil)
		require.Equal(t, http.StatusOK, shown.status)
		require.NotContains(t, string(shown.body), token.Token)
		require.Contains(t, string(shown.body), token.ID)
	}
	require.Equal(t, http.StatusNoContent, f.serve(asAdmin, http.MethodDelete, made.header.Get("Location"), "", nil).
		status)
	require.Equal(t, http.StatusUnauthorized, f.serve(token.Token, http.MethodGet, clustersPath, "", nil).status)
}

// TestRoutesDocument makes docs/routes.md.
func TestRoutesDocument(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	var b strings.Builder
	b.WriteString(`# Routes and rights

This page is made from the API's own tables by a test: go generate ./httpapi. [roles.md](roles.md) says what the
rights mean and how far each role reaches; [the document](../httpapi/openapi.json), or ` + "`/docs/api`" + `
of a running daemon, says the rest.

| route | needs | held by |
|---|---|---|
`)
	for _, g := range groups {
		for _, pattern := range slices.Sorted(maps.Keys(f.api.routes)) {
			if op := f.api.routes[pattern]; group(op.Path) == g.Name {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", pattern, rightOf(op), holders(op))
			}
		}
	}
	for pattern, op := range f.api.routes {
		require.True(t, slices.ContainsFunc(groups, func(g *huma.Tag) bool { return g.Name == group(op.Path) }),
			pattern)
	}
	golden(t, "../docs/routes.md", []byte(b.String()))
}

// rightOf names in words what a route asks for.
func rightOf(rt *route) string {
	switch right := needs[rt.id]; {
	case rt.open:
		return "–"
	case right == anyToken:
		return "any token"
	default:
		return "`" + string(right) + "`"
	}
}

// holders names the roles that hold what a route asks for.
func holders(rt *route) string {
	if rt.open {
		return "everybody"
	}
	for _, row := range ecp.RoleTable() {
		if row.Right == needs[rt.id] {
			words := make([]string, len(row.Roles))
			for i, r := range row.Roles {
				words[i] = string(r)
			}
			return strings.Join(words, ", ")
		}
	}
	return "every role"
}
