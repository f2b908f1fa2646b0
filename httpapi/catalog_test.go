package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (f *fixture) admin(method, path, body string, header ...string) reply {
	f.t.Helper()
	h := map[string]string{}
	for i := 0; i+1 < len(header); i += 2 {
		h[header[i]] = header[i+1]
	}
	return f.serve(asSystem, method, path, body, h)
}

// A patch changes what it names, takes back what is null, and leaves the rest.
func TestMergePatchOfACatalogue(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	var z ecp.Size
	made := f.admin(http.MethodPost, "/api/v1/sizes",
		`{"name":"S","cpu":{"request":"1","limit":"2"},"memory":{"request":"1Gi","limit":"2Gi"},`+
			`"storage":{"class":"fast","size":"10Gi"}}`).
		want(http.StatusCreated)
	require.Equal(t, "/api/v1/sizes/S", made.header.Get("Location"))
	require.Equal(t, `"1"`, made.header.Get("ETag"))
	got := f.admin(http.MethodPatch, "/api/v1/sizes/S", `{"storage":{"class":null},"cpu":{"limit":"4"}}`).
		want(http.StatusOK)
	got.into(&z)
	require.Equal(t, ecp.Size{Name: "S", CPU: ecp.Resource{Request: "1", Limit: "4"},
		Memory: ecp.Resource{Request: "1Gi", Limit: "2Gi"}, Storage: ecp.Storage{Size: "10Gi"}, Revision: 2}, z)
	require.Equal(t, `"2"`, got.header.Get("ETag"))

	p := f.admin(http.MethodPatch, "/api/v1/sizes/S", `{"name":"T"}`).want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, "/name", p.Errors[0].Pointer)
	f.admin(http.MethodPatch, "/api/v1/sizes/S", `{"name":"S"}`).want(http.StatusOK)
	p = f.admin(http.MethodPatch, "/api/v1/sizes/S", `{"cpu":{"request":null}}`).want(http.StatusUnprocessableEntity).
		problem()
	require.Equal(t, "/cpu/request", p.Errors[0].Pointer)
	f.admin(http.MethodPatch, "/api/v1/sizes/none", `{}`).want(http.StatusNotFound)
}

// A change that was decided on another revision is refused, and so is a
// removal.
func TestIfMatch(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	places := f.seed()
	for list, change := range map[string]string{
		"/api/v1/orgs": `{"description":"x"}`, "/api/v1/projects": `{"description":"x"}`,
		"/api/v1/users": `{"displayName":"x"}`,
		"/api/v1/sizes": `{"storage":{"size":"1Ti"}}`, "/api/v1/images": `{"reference":"a/b:1"}`,
		"/api/v1/registries":    `{"user":"x"}`,
		"/api/v1/emqx-licenses": `{"content":"default"}`, "/api/v1/lb-profiles": `{"minConnections":7}`,
		"/api/v1/kubernetes-targets": `{"description":"x"}`,
		"/api/v1/certificates":       exampleRenewal(),
		clustersPath:                 `{"description":"x"}`,
	} {
		path := places[list]
		tag := f.admin(http.MethodGet, path, "").want(http.StatusOK).header.Get("ETag")
		require.NotEmpty(t, tag, path)
		before := f.stored()
		for _, method := range []string{http.MethodPatch, http.MethodDelete} {
			body := ""
			if method == http.MethodPatch {
				body = change
			}
			p := f.admin(method, path, body, headerIfMatch, `"99"`).want(http.StatusPreconditionFailed).problem()
			require.Equal(t, ecp.CodePrecondition, p.Code)
			f.unchanged(before, path)
		}
		changed := f.admin(http.MethodPatch, path, change, headerIfMatch, tag).want(http.StatusOK)
		require.NotEqual(t, tag, changed.header.Get("ETag"), path)
		f.admin(http.MethodPatch, path, change, headerIfMatch, tag).want(http.StatusPreconditionFailed)
		f.admin(http.MethodPatch, path, change, headerIfMatch, "*").want(http.StatusOK)
	}
	// Who cannot mind it says so.
	p := f.admin(http.MethodDelete, places["/api/v1/tokens"], "", headerIfMatch, `"1"`).
		want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, "/header/If-Match", p.Errors[0].Pointer)
}

// exampleRenewal replaces a certificate by itself: that its key was sent makes it a change.
func exampleRenewal() string {
	return fmt.Sprintf(`{"chain":%q,"key":%q}`, exampleChain, exampleKey)
}

// Patches at once lose nothing of each other.
func TestPatchesAtOnce(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.seed()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			got := f.admin(http.MethodPatch, "/api/v1/lb-profiles/large",
				fmt.Sprintf(`{"annotations":{"example.com/n%d":"x"}}`, i))
			assert.Equal(t, http.StatusOK, got.status, "%s", got.body)
		})
	}
	group.Wait()
	var l ecp.LBProfile
	f.admin(http.MethodGet, "/api/v1/lb-profiles/large", "").want(http.StatusOK).into(&l)
	require.Len(t, l.Annotations, 5)
	require.Equal(t, int64(5), l.Revision)
}

// What is in use is not removed, and who uses it is named.
func TestInUse(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.admin(http.MethodPost, clustersPath, hostedBody).want(http.StatusAccepted)
	f.admin(http.MethodPost, "/api/v1/users", `{"name":"ann","grants":[{"role":"user","project":"default/default"}]}`).
		want(http.StatusCreated)
	for path, by := range map[string]string{
		"/api/v1/sizes/1C1G": "one", "/api/v1/images/emqx-ee-5.8.9": "one", "/api/v1/projects/default/default": "ann",
		"/api/v1/orgs/default": "default/default",
	} {
		p := f.admin(http.MethodDelete, path, "").want(http.StatusConflict).problem()
		require.Equal(t, ecp.CodeConflict, p.Code)
		require.Contains(t, p.Detail, by, path)
	}
	p := f.admin(http.MethodPatch, "/api/v1/pool", `{"connections":10}`).want(http.StatusConflict).problem()
	require.Equal(t, "/connections", p.Errors[0].Pointer)
}

// Secrets go in and never come out: not in answers, lists, events, the audit,
// or the log.
func TestSecretsNeverComeBack(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	f.seed()
	f.admin(http.MethodPatch, "/api/v1/registries/harbor", `{"password":"second-secret"}`).want(http.StatusOK)
	f.admin(http.MethodPatch, "/api/v1/emqx-licenses/main", `{"content":"dGhpcmQK.third-secret"}`).want(http.StatusOK)
	f.admin(http.MethodPatch, "/api/v1/kubernetes-targets/plant", `{"kubeconfig":"fourth-secret"}`).want(http.StatusOK)
	f.admin(http.MethodPatch, "/api/v1/users/ann", `{"password":"fifth-secret-word"}`).want(http.StatusOK)
	secrets := []string{"a secret", "second-secret", "third-secret", "fourth-secret", "fifth-secret-word",
		"a long password", exampleLicense, "kind: Config", strings.Split(exampleKey, "\n")[1]}
	for pattern, op := range f.api.routes {
		if op.Method != http.MethodGet || strings.Contains(op.Path,
			"{") || op.OperationID == "watchEvents" || len(op.Security) == 0 {
			continue
		}
		body := string(f.admin(http.MethodGet, op.Path, "").want(http.StatusOK).body)
		for _, s := range secrets {
			require.NotContains(t, body, s, pattern)
		}
	}
	ctx := ecp.WithActor(t.Context(), ecp.System)
	last, err := f.manager.Position(ctx)
	require.NoError(t, err)
	f.admin(http.MethodPatch, "/api/v1/lb-profiles/large", `{"minConnections":1}`).
		want(http.StatusOK) // the last that is watched
	for c, err := range f.manager.Watch(ctx, 0) {
		require.NoError(t, err)
		v, shown := viewEvent(c)
		require.True(t, shown, "%s is watched and not shown", c.Kind)
		for _, s := range secrets {
			require.NotContains(t, string(mustJSON(t, v)), s)
		}
		if c.Seq > last {
			break
		}
	}
	for _, s := range secrets {
		require.NotContains(t, f.log.String(), s)
	}
}

// A cluster is changed by one patch, or by the verb for one field.
func TestChangeOfACluster(t *testing.T) {
	f := newFixture(t, setup{run: true})
	id := f.create()
	path := clustersPath + "/" + id
	f.awaitState(id, "running")
	got := f.call(asAdmin, http.MethodPatch, path,
		`{"name":"two","description":"d","spec":{"connections":2000,"evacuation":{"rate":7}}}`).
		want(http.StatusAccepted)
	require.Equal(t, ecp.PhaseSucceeded, f.waitFor(got.header.Get("Operation-Location")).Phase)
	c := f.call(asUser, http.MethodGet, path, "").want(http.StatusOK).cluster()
	require.Equal(t, "two", c.Name)

	f.awaitState(id, "running")
	renamed := f.call(asAdmin, http.MethodPatch, path, `{"name":"three","description":null}`).want(http.StatusOK)
	require.Equal(t, "three", renamed.cluster().Name)
	plan := f.call(asAdmin, http.MethodPost, path+"/connections?dryRun=true", `{"connections":3000}`).
		want(http.StatusOK)
	require.Contains(t, string(plan.body), `"command":"update"`)
	sugar := f.call(asAdmin, http.MethodPost, path+"/connections", `{"connections":3000}`).want(http.StatusAccepted)
	require.Equal(t, ecp.PhaseSucceeded, f.waitFor(sugar.header.Get("Operation-Location")).Phase)
	f.call(asAdmin, http.MethodPost, path+"/connections", `{"connections":3000}`).want(http.StatusOK)
	require.Equal(t, 3000, f.stored().pool.UsedConnections)

	for body, pointer := range map[string]string{
		`{"colour":1}`: "/colour", `{"spec":{"colour":1}}`: "/spec/colour",
		`{"spec":{"serviceAddress":"https://x"}}`: "/spec/serviceAddress", `{"spec":null}`: "/spec",
		`{"name":null}`: "/name", `{"spec":{"power":"off"}}`: "/spec/power",
		`{"spec":{"connections":null}}`: "/spec/connections", `{"name":""}`: "/name",
		`{"spec":{"network":null}}`: "/spec/network", `{"spec":{"network":{"type":null}}}`: "/spec/network/type",
		`{"spec":{"network":{"listeners":null}}}`: "/spec/network/listeners",
	} {
		p := f.call(asAdmin, http.MethodPatch, path, body).want(http.StatusUnprocessableEntity).problem()
		require.NotEmpty(t, p.Errors, body)
		require.Equal(t, pointer, p.Errors[0].Pointer, body)
	}
	p := f.call(asAdmin, http.MethodPost, path+"/connections", `{"connections":0}`).
		want(http.StatusUnprocessableEntity).
		problem()
	require.Equal(t, "/connections", p.Errors[0].Pointer)
}

// What the platform will never take is a wrong request, with the field.
func TestWhatThePlatformNeverTakes(t *testing.T) {
	f := newFixture(t, setup{run: true})
	id := f.create()
	path := clustersPath + "/" + id
	f.awaitState(id, "running")
	first := f.call(asAdmin, http.MethodPatch, path,
		`{"spec":{"network":{"type":"LoadBalancer","loadBalancerClass":"example.com/first"}}}`).
		want(http.StatusAccepted)
	require.Equal(t, ecp.PhaseSucceeded, f.waitFor(first.header.Get("Operation-Location")).Phase)
	for _, dryRun := range []string{"", "?dryRun=true"} {
		p := f.call(asAdmin, http.MethodPatch, path+dryRun,
			`{"spec":{"network":{"loadBalancerClass":"example.com/second"}}}`).want(http.StatusUnprocessableEntity).
			problem()
		require.Equal(t, "/spec/network/loadBalancerClass", p.Errors[0].Pointer)
		require.Contains(t, p.Errors[0].Detail, "may not change once set")
	}
	var c struct {
		Spec   ecp.HostedSpec
		Status struct{ Volumes []ecp.VolumeInfo }
	}
	f.call(asUser, http.MethodGet, path, "").want(http.StatusOK).into(&c)
	require.Equal(t, "example.com/first", c.Spec.Network.LoadBalancerClass)
	require.Equal(t, "10Gi", c.Status.Volumes[0].Capacity)
	require.Equal(t, "10Gi", c.Status.Volumes[0].Wanted)
}

// null takes away no limit and no user's lock; 0 and false do, on purpose.
func TestNullTakesNoNumberAway(t *testing.T) {
	f := newFixture(t, setup{bare: true})
	places := f.seed()
	user, profile := places["/api/v1/users"], places["/api/v1/lb-profiles"]
	f.admin(http.MethodPatch, user, `{"disabled":true}`).want(http.StatusOK)
	for path, fields := range map[string][]string{
		user: {"disabled"}, profile: {"minConnections", "maxConnections"},
		"/api/v1/orgs/default/quota": {"connections"},
		places["/api/v1/sizes"]:      {"default"}, places["/api/v1/images"]: {"default"},
	} {
		before := f.stored()
		for _, field := range fields {
			p := f.admin(http.MethodPatch, path, `{"`+field+`":null}`).want(http.StatusUnprocessableEntity).problem()
			require.Equal(t, "/"+field, p.Errors[0].Pointer, path)
		}
		f.unchanged(before, path)
	}
	f.admin(http.MethodPatch, user, `{"disabled":false,"displayName":null}`).want(http.StatusOK)
	f.admin(http.MethodPatch, profile, `{"maxConnections":0}`).want(http.StatusOK)
}

// null takes no limit of the pool away; 0 does, on purpose.
func TestPoolKeepsItsLimits(t *testing.T) {
	f := newFixture(t, setup{})
	for _, field := range []string{"connections", "largestCluster", "clusters"} {
		p := f.call(asSystem, http.MethodPatch, "/api/v1/pool", `{"`+field+`":null}`).
			want(http.StatusUnprocessableEntity).
			problem()
		require.Equal(t, "/"+field, p.Errors[0].Pointer)
	}
	f.call(asSystem, http.MethodPatch, "/api/v1/pool", `{"connections":0,"expiresAt":null}`).want(http.StatusOK)
}
