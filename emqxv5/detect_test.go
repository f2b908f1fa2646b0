package emqxv5_test

import (
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxtest"
	"github.com/stretchr/testify/require"
)

const (
	status = "/api/v5/status"
	takes  = "/api/v5/load_rebalance/availability_check"
	older  = "/api/v4/nodes"
)

// TestDetect: what is told with credentials, with wrong ones and with none, and
// in how many requests.
func TestDetect(t *testing.T) {
	noauth := answer(t, "01-nodes-noauth-401")
	openly := func(body string) http.Handler {
		return emqxtest.Paths{nodes: noauth, status: emqxtest.Body(body)}.Before(http.NotFoundHandler())
	}
	wrong := ecp.Credentials{Username: "testkey", Password: "wrong-99", Kind: ecp.CredentialKey}
	nobody := ecp.Credentials{}
	enterprise := ecp.Detection{Major: 5, Version: "5.8.9", Edition: "enterprise"}
	for _, c := range []struct {
		name string
		h    http.Handler
		who  ecp.Credentials
		want ecp.Detection
		code ecp.Code
		says string
		sent int
	}{
		{"with a key", replay(t, "one"), login, ecp.Detection{
			Major: 5, Version: "5.8.9", Edition: "enterprise", Authenticated: true,
		}, "", "", 1},
		{"with a wrong key", replay(t, "one"), wrong, enterprise, ecp.CodeDenied, "check API key", 3},
		{"without", replay(t, "one"), nobody, enterprise, "", "", 2},
		{"without, and no version is told",
			openly(`{"node_name":"emqx@a","broker_status":"started","app_status":"running","cluster":"emqxcl"}`),
			nobody, ecp.Detection{Major: 5}, "", "", 2},
		{"without, and no status either", emqxtest.Paths{nodes: noauth}.Before(http.NotFoundHandler()), nobody,
			ecp.Detection{Major: 5}, "", "", 2},
		{"5.6.1 misspells a type", emqxtest.WithContentType(openly(`{"node_name":"emqx@a","rel_vsn":"e5.6.1"}`),
			"applicatin/json"), nobody, ecp.Detection{Major: 5, Version: "5.6.1", Edition: "enterprise"}, "", "", 2},
		{"one edition from 5.9 on", openly(`{"node_name":"emqx@a","rel_vsn":"5.10.0"}`), nobody,
			ecp.Detection{Major: 5, Version: "5.10.0", Edition: "enterprise"}, "", "", 2},
		{"open source, without", openly(`{"node_name":"emqx@a","rel_vsn":"v5.8.9"}`), nobody,
			ecp.Detection{Major: 5, Version: "5.8.9", Edition: "opensource"}, ecp.CodeUnsupported,
			"found open-source EMQX 5.8.9; needed EMQX Enterprise 5.6.0 or later", 2},
		{"open source", version("5.8.9", "Opensource"), login, ecp.Detection{
			Major: 5, Version: "5.8.9", Edition: "opensource", Authenticated: true,
		}, ecp.CodeUnsupported, "found open-source EMQX 5.8.9", 1},
		{"too old", version("5.5.1", "Enterprise"), login,
			ecp.Detection{Major: 5, Version: "5.5.1", Edition: "enterprise",
				Authenticated: true}, ecp.CodeUnsupported,
			"found EMQX Enterprise 5.5.1; needed EMQX Enterprise 5.6.0 or later", 1},
		{"6.x", version("6.2.1", "Enterprise"), login, ecp.Detection{
			Major: 5, Version: "6.2.1", Edition: "enterprise", Authenticated: true,
		}, "", "", 1},
		{"EMQX 4, without", emqxtest.Paths{older: answer(t, "00-nodes-noauth")}.Before(answer(t, "22-v5-nodes-on-v4")),
			nobody, ecp.Detection{}, ecp.CodeUnsupported,
			"an EMQX 4 answers there; needed EMQX Enterprise 5.6.0 or later", 2},
		{"EMQX 4", emqxtest.Paths{older: answer(t, "00-nodes-noauth")}.Before(answer(t, "22-v5-nodes-on-v4")), login,
			ecp.Detection{}, ecp.CodeUnsupported, "an EMQX 4 answers there", 2},
		{"something else, without", http.NotFoundHandler(), nobody, ecp.Detection{}, ecp.CodeUnsupported,
			"found no EMQX 5; needed EMQX Enterprise", 2},
		{"something else that asks for credentials", emqxtest.Status(401), ecp.Credentials{
			Username: "u-12", Password: "p-12", Kind: ecp.CredentialKey,
		}, ecp.Detection{}, ecp.CodeUnsupported, "found no EMQX 5", 3},
		{"a page", emqxtest.WithContentType(emqxtest.Body("<html>"), "text/html"), nobody, ecp.Detection{},
			ecp.CodeUnsupported, "found no EMQX 5", 2},
		{"a page, with a key", emqxtest.WithContentType(emqxtest.Body("<html>"), "text/html"), login, ecp.Detection{},
			ecp.CodeUnsupported, "found no EMQX 5", 2},
		{"other JSON, with a key", emqxtest.Refusal(200, `{"code":0}`), login, ecp.Detection{}, ecp.CodeUnsupported,
			"an EMQX 4 answers", 2},
		{"still starting", answer(t, "03-404-unknown-path"), nobody, ecp.Detection{}, ecp.CodeUnavailable,
			"still starting",
			3},
		{"not well", emqxtest.Status(500), nobody, ecp.Detection{}, ecp.CodeUnavailable, "answered 500", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var requests emqxtest.Requests
			e := emqxtest.Serve(t, requests.Record(c.h), c.who)
			got, err := patient.(ecp.Detector).Detect(t.Context(), e)
			require.Equal(t, c.want, got)
			refusedAs(t, err, c.code, "")
			if c.code != "" {
				require.ErrorContains(t, err, c.says)
			}
			require.Len(t, requests.Sent(), c.sent, "%q", requests.Sent())
			require.Empty(t, requests.Changes())
		})
	}
}

// TestDetectAsUser logs in.
func TestDetectAsUser(t *testing.T) {
	d := &door{tokens: map[string]bool{}}
	got, err := emqxv5.New(emqxv5.Config{}).(ecp.Detector).Detect(t.Context(), ecp.Endpoint{BaseURL: "http://b:18083",
		Transport: d, Credentials: asUser})
	require.NoError(t, err)
	require.Equal(t, ecp.Detection{Major: 5, Version: "5.8.9", Edition: "enterprise", Authenticated: true}, got)
}

// TestDetectNobody: nobody listens, or the endpoint is none.
func TestDetectNobody(t *testing.T) {
	a := emqxv5.New(emqxv5.Config{}).(ecp.Detector)
	_, err := a.Detect(t.Context(), ecp.Endpoint{BaseURL: "http://127.0.0.1:1"})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	_, err = a.Detect(t.Context(), ecp.Endpoint{BaseURL: "127.0.0.1"})
	require.ErrorIs(t, err, ecp.ErrInvalid)
}
