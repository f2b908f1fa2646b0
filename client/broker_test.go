package client_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
)

// What EMQX answers is no error; what ecpd or a proxy answers in its place is.
func TestBroker(t *testing.T) {
	calls := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		by := "broker"
		switch r.URL.Query().Get("by") {
		case "ecp":
			w.Header().Set("Ecp-Answered-By", "ecp")
			problem(w, 503, ecp.CodeUnavailable, "no node answers")
			return
		case "proxy":
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, "/api/v1/clusters/emqx-01234567/emqx/api/v5/clients/a%2Fb", r.URL.EscapedPath())
		w.Header().Set("Ecp-Answered-By", by)
		w.WriteHeader(http.StatusNotFound)
		require.Empty(t, r.Header.Get("Idempotency-Key"))
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Content-Type")+" "+string(b))
	})
	const path = "/api/v5/clients/a%2Fb"
	answer, err := c.Broker(t.Context(), "emqx-01234567", client.BrokerCall{
		Method: "PUT", Path: path, Body: strings.NewReader("{}")})
	require.NoError(t, err)
	b, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotFound, answer.Status)
	require.Equal(t, "PUT application/json {}", string(b))

	_, err = c.Broker(t.Context(), "emqx-01234567", client.BrokerCall{Path: path + "?by=ecp"})
	require.ErrorIs(t, err, ecp.ErrUnavailable)
	_, err = c.Broker(t.Context(), "emqx-01234567", client.BrokerCall{Path: path + "?by=proxy"})
	require.ErrorContains(t, err, "not by an ecpd")
	require.Equal(t, 3, calls, "a call is made once")
}

func TestSettingsDrift(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		switch r.URL.Path {
		case "/api/v1/clusters/emqx-01234567/settings/drift":
			_, _ = io.WriteString(w, `{"settings":[{"key":"mqtt.max_packet_size","kind":"differs"}],
				"unanswered":["a"]}`)
		case "/api/v1/clusters/emqx-01234567/settings/take-over":
			require.JSONEq(t, `{"keys":["mqtt.max_packet_size"]}`, string(b))
			_, _ = io.WriteString(w, `{"hash":"h1"}`)
		case "/api/v1/clusters/emqx-01234567/settings/put-back":
			require.JSONEq(t, `{}`, string(b))
			_, _ = io.WriteString(w, `{"hash":"h2"}`)
		}
	})
	drift, err := c.SettingsDrift(t.Context(), "emqx-01234567")
	require.NoError(t, err)
	require.Equal(t, ecp.DriftDiffers, drift.Settings[0].Kind)
	require.Equal(t, []string{"a"}, drift.Unanswered)
	plan, err := c.Plan(t.Context(), "emqx-01234567", client.EndDrift(true, "mqtt.max_packet_size"))
	require.NoError(t, err)
	require.Equal(t, "h1", plan.Hash)
	plan, err = c.Plan(t.Context(), "emqx-01234567", client.EndDrift(false))
	require.NoError(t, err)
	require.Equal(t, "h2", plan.Hash)
}
