package httpapi

import (
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// What people have put into settings is shown to nobody, but for settings that are
// known to hold no secrets, and what was read can be applied again.
func TestSettingsHideSecrets(t *testing.T) {
	f := newFixture(t, setup{})
	body := func(value string) string {
		return `{"mode":"hosted","name":"one","spec":{"nodes":1,"connections":5,"config":{` +
			`"authentication.1.password":"` + value + `",` +
			`"exhook.passphrase":"hush","bridges.url":"http://user:hush@host","mqtt.max_packet_size":"2MB"}}}`
	}
	made := f.call(asAdmin, http.MethodPost, clustersPath, body("hush")).want(http.StatusAccepted)
	path := clustersPath + "/" + made.cluster().ID
	for _, r := range []reply{made, f.call(asUser, http.MethodGet, path, "").want(http.StatusOK),
		f.call(asUser, http.MethodGet, clustersPath, "").want(http.StatusOK)} {
		require.Contains(t, string(r.body), `"authentication.1.password":"[redacted]"`)
		require.Contains(t, string(r.body), `"mqtt.max_packet_size":"2MB"`)
		require.NotContains(t, string(r.body), "hush")
	}
	f.call(asAdmin, http.MethodPatch, path,
		`{"spec":{"config":{"authentication.1.password":"[redacted]","exhook.passphrase":"[redacted]",`+
			`"mqtt.max_packet_size":"2MB"}}}`).
		want(http.StatusOK)
	p := f.call(asAdmin, http.MethodPost, clustersPath, body("[redacted]")).want(http.StatusUnprocessableEntity).
		problem()
	require.Equal(t, "/spec/config/authentication.1.password", p.Errors[0].Pointer)
}

// Each verb changes what it says, as one operation, and a patch does the same.
func TestChanges(t *testing.T) {
	f := newFixture(t, setup{run: true})
	f.call(asSystem, http.MethodPost, "/api/v1/images",
		`{"id":"older","reference":"emqx/emqx-enterprise:5.8.5","version":"5.8.5"}`).want(http.StatusCreated)
	created := f.call(asAdmin, http.MethodPost, clustersPath, hostedBody).want(http.StatusAccepted)
	f.waitFor(created.header.Get("Operation-Location"))
	path := clustersPath + "/" + created.cluster().ID

	for _, c := range []struct{ method, at, body, shows string }{
		{http.MethodPost, "/scale", `{"nodes":4}`, `"nodes":4`},
		{http.MethodPost, "/scale", `{"nodes":2}`, `"nodes":2`},
		{http.MethodPost, "/resize", `{"size":"2C4G"}`, `"size":"2C4G"`},
		{http.MethodPost, "/image", `{"image":"older"}`, `"version":"5.8.5"`},
		{http.MethodPost, "/network", `{"type":"NodePort"}`, `"type":"NodePort"`},
		{http.MethodPost, "/connections", `{"connections":77}`, `"connections":77`},
		{http.MethodPost, "/restart", ``, `"state":"running"`},
		{http.MethodPatch, "",
			`{"name":"two","spec":{"nodes":3,"size":"1C1G","image":"emqx-ee-5.8.9","connections":5}}`,
			`"name":"two"`},
	} {
		plan := f.call(asAdmin, c.method, path+c.at+"?dryRun=true", c.body).want(http.StatusOK)
		conform[ecp.Plan](plan, f.api)
		begun := conform[ecp.Operation](f.call(asAdmin, c.method, path+c.at, c.body).want(http.StatusAccepted), f.api)
		o := f.waitFor(begun.header.Get("Operation-Location"))
		require.Equal(t, ecp.PhaseSucceeded, o.Phase, "%s %s: %s", c.method, c.at, o.Error)
		require.Contains(t, string(f.call(asUser, http.MethodGet, path, "").want(http.StatusOK).body), c.shows)
	}
	p := f.call(asAdmin, http.MethodPost, path+"/image", `{"image":"emqx-ee-4.4.24"}`).
		want(http.StatusUnprocessableEntity).problem()
	require.Equal(t, ecp.CodeUnsupported, p.Code)
	require.Equal(t, "/image", p.Errors[0].Pointer)
	require.Contains(t, p.Errors[0].Detail, "earlier major version")
}
