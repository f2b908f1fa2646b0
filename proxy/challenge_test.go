package proxy

import (
	"net/http"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// EMQX asks by Basic for a login in answers to the calls of its page, whose own form
// is there for that. A browser's box is for what is opened, such as a download.
func TestChallenges(t *testing.T) {
	h := newRig(t, image4).onPorts(nil)
	user, _ := h.token(ecp.RoleUser, "default/default")
	b, origin := h.enter(user)
	const challenge = `Basic realm="minirest-server"`
	h.lead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", challenge)
		http.Error(w, "who are you", http.StatusUnauthorized)
	})
	for mode, want := range map[string]string{"cors": "", "same-origin": "", "no-cors": "", "navigate": challenge} {
		got := do(t, b, "GET", origin+"/api/v4/nodes", "", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", mode)
		require.Equal(t, 401, got.status)
		require.Equal(t, want, got.header.Get("WWW-Authenticate"), mode)
	}
	got := do(t, b, "GET", origin+"/api/v4/nodes", "")
	require.Equal(t, challenge, got.header.Get("WWW-Authenticate"), "who does not say is asked")
}
