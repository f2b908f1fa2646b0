package emqxhttp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// TestExposition: text is copied, anything else not begun; a refusal is what
// the major makes of it.
func TestExposition(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range []struct {
		kind   string
		status int
		wrote  string
		code   ecp.Code
		err    error
	}{
		{kind: "text/plain; version=0.0.4", status: 200, wrote: "emqx_x 1\n"},
		{kind: "application/openmetrics-text", status: 200, wrote: "emqx_x 1\n"},
		{kind: "application/json", status: 200, code: ecp.CodeUnavailable},
		{kind: "text/html", status: 200, code: ecp.CodeUnavailable},
		{kind: "", status: 200, code: ecp.CodeUnavailable},
		{kind: "text/plain", status: 401, err: refused},
	} {
		client := over(t, func(r *http.Request) (*http.Response, error) {
			require.Equal(t, "text/plain", r.Header.Get("Accept"))
			return answer(r, c.status, http.Header{"Content-Type": {c.kind}}, "emqx_x 1\n"), nil
		})
		var b strings.Builder
		n, err := client.WriteExposition(t.Context(), &b, Request{Path: "/m"},
			func(context.Context, Answer) error { return refused })
		require.Equal(t, c.wrote, b.String())
		require.EqualValues(t, len(c.wrote), n)
		switch {
		case c.err != nil:
			require.ErrorIs(t, err, c.err)
		default:
			require.Equal(t, c.code, ecp.CodeOf(err), "%v", err)
		}
	}
}
