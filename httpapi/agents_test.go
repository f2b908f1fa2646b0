package httpapi

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/agents"
)

// withAgents is a server that can set agents up, of two architectures.
var withAgents = AgentSetup{
	URL: "https://ecp.example.com:8443", CASHA256: func() string { return strings.Repeat("a", 64) },
	Checksums: func() map[string]string {
		return map[string]string{"amd64": strings.Repeat("1", 64), "arm64": strings.Repeat("2", 64)}
	},
}

func (f *fixture) adopt() string {
	f.t.Helper()
	return f.call(asAdmin, http.MethodPost, clustersPath, `{"mode":"adopted","name":"plant","spec":{}}`).
		want(http.StatusCreated).cluster().ID
}

// The whole life of agents over the API: a guide, agents that register with its
// token, their list, a token that is revoked, agents that are removed.
func TestAgents(t *testing.T) {
	f := newFixture(t, setup{agents: withAgents})
	at := clustersPath + "/" + f.adopt()
	var guide setupView
	f.call(asAdmin, http.MethodPost, at+"/setup", `{"arch":"arm64","life":"90m"}`).want(http.StatusCreated).into(&guide)
	require.Regexp(t, "^[0-9a-f]{32}$", guide.Token)
	require.Equal(t, adopt.MethodBinary, guide.Method)
	require.Equal(t, "arm64", guide.Arch)
	require.Equal(t, withAgents.URL, guide.URL)
	require.Equal(t, withAgents.CASHA256(), guide.CASHA256)
	require.WithinDuration(t, time.Now().Add(90*time.Minute), guide.ExpiresAt, time.Minute)
	require.Len(t, guide.Steps, 3)
	require.Equal(t, "注册", guide.Steps[2].Title.ZH)
	require.Contains(t, guide.Steps[0].Command, withAgents.Checksums()["arm64"])
	require.Contains(t, guide.Steps[2].Command, guide.Token)
	require.Empty(t, guide.Manifest)

	var known page[agentView]
	f.call(asUser, http.MethodGet, at+"/agents", "").want(http.StatusOK).into(&known)
	require.Empty(t, known.Items)
	register := func(token string) (ecp.AgentRecord, error) {
		public, _, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		return f.manager.Agents.Register(t.Context(), ecp.AgentRegistration{Token: ecp.Secret(token), PublicKey: public,
			Version: "1.2.3", OS: "linux", Arch: "arm64", Hostname: "broker-1"})
	}
	first, err := register(guide.Token)
	require.NoError(t, err)
	second, err := register(guide.Token)
	require.NoError(t, err)
	f.call(asUser, http.MethodGet, at+"/agents", "").want(http.StatusOK).into(&known)
	require.Len(t, known.Items, 2)
	require.Equal(t, "broker-1", known.Items[0].Hostname)
	require.False(t, known.Items[0].Connected)
	require.NotNil(t, known.Items[0].Errors)

	var tokens page[registrationView]
	listed := f.call(asAdmin, http.MethodGet, at+"/registrations", "").want(http.StatusOK)
	listed.into(&tokens)
	require.Equal(t, guide.TokenID, tokens.Items[0].ID)
	require.Equal(t, 2, tokens.Items[0].Uses)
	require.NotContains(t, string(listed.body), guide.Token)
	require.NotContains(t, string(listed.body), "hash")

	for range 2 { // what is revoked stays so
		f.call(asAdmin, http.MethodDelete, at+"/registrations/"+guide.TokenID, "").want(http.StatusNoContent)
	}
	_, err = register(guide.Token)
	require.ErrorIs(t, err, agents.ErrTokenRevoked)
	f.call(asAdmin, http.MethodDelete, at+"/registrations/reg-0000000000000000", "").want(http.StatusNotFound)

	f.call(asAdmin, http.MethodDelete, at+"/agents/"+string(first.ID), "").want(http.StatusNoContent)
	f.call(asAdmin, http.MethodDelete, at+"/agents/"+string(first.ID), "").want(http.StatusNotFound)
	f.call(asUser, http.MethodGet, at+"/agents", "").want(http.StatusOK).into(&known)
	require.Len(t, known.Items, 1)
	require.Equal(t, second.ID, known.Items[0].ID)
	require.NotContains(t, f.log.String(), guide.Token)
}

// Whoever sends the request again gets the first answer without what opens
// something, and no second token is made.
func TestSetupOnce(t *testing.T) {
	f := newFixture(t, setup{agents: withAgents})
	path := clustersPath + "/" + f.adopt() + "/setup"
	send := func(body string) reply {
		r := f.request(asAdmin, http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(headerKey, "one")
		return f.send(r)
	}
	var first, again setupView
	send(`{"method":"kubernetes"}`).want(http.StatusCreated).into(&first)
	require.Contains(t, first.Manifest, first.Token)
	second := send(`{"method":"kubernetes"}`).want(http.StatusCreated)
	second.into(&again)
	require.Equal(t, first.TokenID, again.TokenID)
	require.Empty(t, again.Token)
	require.Empty(t, again.Steps)
	require.NotContains(t, string(second.body), first.Token)
	require.Equal(t, ecp.CodeKeyReused, send(`{"life":"2h"}`).problem().Code)
	var tokens page[registrationView]
	f.call(asAdmin, http.MethodGet, strings.TrimSuffix(path, "setup")+"registrations", "").into(&tokens)
	require.Len(t, tokens.Items, 1)
}

// What cannot be set up makes no token, and says what is missing.
func TestSetupRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		agents AgentSetup
		body   string
		status int
		says   string
	}{
		{"no address", AgentSetup{Checksums: withAgents.Checksums}, `{}`, 409, "--cluster-agent"},
		{"no programs", AgentSetup{URL: withAgents.URL}, `{}`, 409, "make agents"},
		{"not this one", withAgents, `{"arch":"arm"}`, 409, "make agents"},
		{"unknown architecture", withAgents, `{"arch":"s390x"}`, 422, "/arch"},
		{"unknown method", withAgents, `{"method":"snap"}`, 422, "/method"},
		{"no time", withAgents, `{"life":"soon"}`, 422, "/life"},
		{"too short", withAgents, `{"life":"1s"}`, 422, "/life"},
		{"too long", withAgents, `{"life":"721h"}`, 422, "/life"},
		{"unknown field", withAgents, `{"os":"linux"}`, 422, "/os"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, setup{agents: c.agents})
			at := clustersPath + "/" + f.adopt()
			got := f.call(asAdmin, http.MethodPost, at+"/setup", c.body).want(c.status)
			require.Contains(t, string(got.body), c.says)
			var tokens page[registrationView]
			f.call(asAdmin, http.MethodGet, at+"/registrations", "").into(&tokens)
			require.Empty(t, tokens.Items)

			// Whoever may not ask is told that, and not what is missing.
			f.call(asUser, http.MethodPost, at+"/setup", `{}`).want(http.StatusForbidden)
		})
	}
}

// A hosted cluster has no agents.
func TestAgentsOfHosted(t *testing.T) {
	f := newFixture(t, setup{agents: withAgents})
	at := clustersPath + "/" + f.create()
	for method, path := range map[string]string{http.MethodGet: "/agents",
		http.MethodDelete: "/agents/agt-0123456789abcdef"} {
		require.Equal(t, ecp.CodeUnsupported, f.call(asAdmin, method, at+path, "").want(http.StatusUnprocessableEntity).
			problem().Code)
	}
	require.Equal(t, ecp.CodeUnsupported, f.call(asAdmin, http.MethodPost, at+"/setup", `{}`).
		want(http.StatusUnprocessableEntity).problem().Code)
	require.Equal(t, ecp.CodeUnsupported, f.call(asAdmin, http.MethodGet, at+"/registrations", "").
		want(http.StatusUnprocessableEntity).problem().Code)
}

// One agent in full.
func TestViewAgent(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	i := ecp.AgentInfo{AgentRecord: ecp.AgentRecord{ID: "agt-1", Node: "emqx@a", RegisteredAt: at, LastSeen: at},
		Reason: "EMQXAuthFailed", Message: "…", Seen: ecp.AgentObservation{
			Connected: true, Since: at, LastSeen: at.Add(time.Hour), Carrier: "direct", Remote: "192.0.2.7",
			ClockSkew: -90*time.Second - 400*time.Millisecond,
			Report: &ecp.AgentReport{Errors: []ecp.AgentError{{Stage: ecp.AgentStageNode, Code: ecp.AgentFaultAuth,
				Message: "401"}}},
		}}
	v := viewAgent(i)
	require.Equal(t, agentView{
		ID: "agt-1", Node: "emqx@a", RegisteredAt: at, Connected: true, Since: at, LastSeen: at.Add(time.Hour),
		Carrier: "direct", Remote: "192.0.2.7", ClockSkew: -90,
		Reason: "EMQXAuthFailed", Message: "…",
		Errors: []agentErrorView{{ecp.AgentStageNode, ecp.AgentFaultAuth, "401"}},
	}, v)
	i.Seen.Connected = false // what was true of a connection is not of none
	v = viewAgent(i)
	require.Empty(t, v.Carrier+v.Remote)
	require.Empty(t, v.Errors)
}
