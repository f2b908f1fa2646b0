package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// Each cluster has a port of its own; one is another's when nobody comes any more.
func TestPorts(t *testing.T) {
	opened := map[int]int{}
	taken := errors.New("taken")
	q := newPortPool(Ports{Scheme: "http", Host: "::1", First: 5, Last: 8,
		Open: func(_ context.Context, port int, _ http.Handler) (int, error) {
			if port == 7 && taken != nil {
				return 0, taken
			}
			opened[port]++
			return port, nil
		}})
	busy := map[ecp.ID]bool{"a": true, "b": true, "c": true, "d": true}
	berth := func(id ecp.ID) (int, error) {
		return q.assign(t.Context(), id, func(int) http.Handler { return nil },
			func(other ecp.ID) bool { return !busy[other] })
	}
	a, err := berth("a")
	require.NoError(t, err)
	again, err := berth("a")
	require.NoError(t, err)
	require.Equal(t, a, again)
	b, err := berth("b")
	require.NoError(t, err)
	c, err := berth("c")
	require.NoError(t, err)
	require.ElementsMatch(t, []int{5, 6, 8}, []int{a, b, c}, "what somebody else has is passed over")
	_, err = berth("d")
	require.ErrorIs(t, err, errNoPort)
	busy["b"] = false
	d, err := berth("d")
	require.NoError(t, err)
	require.Equal(t, b, d)
	whose, _ := q.cluster(d)
	require.Equal(t, ecp.ID("d"), whose)
	require.Equal(t, map[int]int{5: 1, 6: 1, 8: 1}, opened)
	taken = nil
	busy["b"] = true
	e, err := berth("e")
	require.NoError(t, err, "somebody else has gone")
	require.Equal(t, 7, e)
	require.Equal(t, "http://[::1]:8", q.origin(8).String())
	require.Equal(t, "http://[::1]", q.origin(80).String(), "as browsers write it")
}

// Each cluster has a name below the domain; the cookie there is nobody else's.
func TestDomain(t *testing.T) {
	r := newRig(t, image5)
	d, err := NewDashboards(DashboardsConfig{Manager: r.manager, Logger: r.logger,
		Domain: &Domain{Scheme: "https", Host: "Dash.example.com:443"}})
	require.NoError(t, err)
	user, _ := r.token(ecp.RoleUser, "default/default")
	link, err := d.Open(r.as(user), r.id, "")
	require.NoError(t, err)
	require.Contains(t, link.URL, "https://"+string(r.id)+".Dash.example.com/_ecp/enter/")
	ask := func(host, path string, headers ...string) *httptest.ResponseRecorder {
		q := httptest.NewRequestWithContext(t.Context(), "GET", "https://"+host+path, nil)
		for i := 0; i < len(headers); i += 2 {
			q.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, q)
		return w
	}
	host := string(r.id) + ".dash.example.com"
	path := link.URL[strings.Index(link.URL, enterPath):]
	for _, other := range []string{"dash.example.com", "x.dash.example.com", string(r.id) + ".example.com",
		string(r.id) + ".dash.example.com.evil.example", "127.0.0.1"} {
		require.Equal(t, 421, ask(other, path).Code, other)
	}
	require.Equal(t, 403, ask("emqx-00000000.dash.example.com", "/").Code)
	got := ask(host+":8443", path) // whatever port a proxy in front has
	require.Equal(t, 303, got.Code, got.Body.String())
	require.Empty(t, got.Header().Get("Clear-Site-Data"), "the origin is one cluster's for ever")
	cookie := got.Header().Get("Set-Cookie")
	require.Regexp(t, "^__Host-ecp-"+string(r.id)+"=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$", cookie)
	got = ask(host, "/", "Cookie", strings.Split(cookie, ";")[0])
	require.Equal(t, 200, got.Code)
	require.Contains(t, got.Body.String(), "EMQX")

	domain := Domain{Scheme: "https", Host: "dash.example.com"}
	for host, want := range map[string]bool{"dash.example.com": true, "x.dash.example.com": true,
		"X.DASH.example.com.:443": true, "dash.example.com:8443": true, "xdash.example.com": false,
		"example.com": false, "": false} {
		require.Equal(t, want, domain.Covers(host), host)
	}
}

func TestConfigs(t *testing.T) {
	_, err := NewDashboards(DashboardsConfig{})
	require.Error(t, err)
	_, err = NewPassthrough(PassthroughConfig{})
	require.Error(t, err)
}
