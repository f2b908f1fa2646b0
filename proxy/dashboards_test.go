package proxy

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/stretchr/testify/require"
)

// house is Dashboards on ports of this host, and a clock.
type house struct {
	*rig
	d   *Dashboards
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// onPorts opens a test server for every port that is asked for.
func (r *rig) onPorts(change func(*DashboardsConfig)) *house {
	r.t.Helper()
	h := &house{rig: r, now: time.Now()}
	c := DashboardsConfig{Manager: r.manager, Logger: r.logger, Now: h.clock,
		Ports: &Ports{Scheme: "http", Host: "127.0.0.1", Open: r.open}}
	if change != nil {
		change(&c)
	}
	var err error
	h.d, err = NewDashboards(c)
	require.NoError(r.t, err)
	return h
}

func (r *rig) open(ctx context.Context, port int, h http.Handler) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0, err
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	r.t.Cleanup(s.Close)
	return l.Addr().(*net.TCPAddr).Port, nil
}

// browser keeps cookies, and shows redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (h *house) mint(secret string) string {
	h.t.Helper()
	link, err := h.d.Open(h.as(secret), h.id, "")
	require.NoError(h.t, err)
	return link.URL
}

func get(t *testing.T, b *http.Client, address string, headers ...string) reply {
	t.Helper()
	return do(t, b, http.MethodGet, address, "", headers...)
}

func do(t *testing.T, b *http.Client, method, address, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return send(t, b, r)
}

// enter opens a link in a browser of its own and gives the origin, too.
func (h *house) enter(secret string) (b *http.Client, origin string) {
	h.t.Helper()
	b = browser(h.t)
	link := h.mint(secret)
	require.Equal(h.t, 303, get(h.t, b, link).status)
	origin, _, _ = strings.Cut(link, "/_ecp/")
	return b, origin
}

// A reader comes to the dashboard by a link, sees the page and what belongs to it,
// and logs in there with a login of EMQX; ours is no use to the broker.
func TestDashboardsOfBothMajors(t *testing.T) {
	for image, row := range map[string]struct{ asset, title string }{
		image4: {"/static/app.js", "EMQX"}, image5: {"/static/app.js", "EMQX"},
	} {
		t.Run(image, func(t *testing.T) {
			h := newRig(t, image).onPorts(nil)
			user, _ := h.token(ecp.RoleUser, "default/default")
			link := h.mint(user)
			require.Regexp(t, `^http://127\.0\.0\.1:[0-9]+/_ecp/enter/[A-Za-z0-9_-]{43}$`, link)
			origin, _, _ := strings.Cut(link, "/_ecp/")
			b := browser(t)
			require.Equal(t, 403, get(t, b, origin+"/").status, "without a session nobody is let in")

			got := get(t, b, link)
			require.Equal(t, 303, got.status)
			require.Equal(t, "/", got.header.Get("Location"))
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			require.Equal(t, "no-referrer", got.header.Get("Referrer-Policy"))
			require.Equal(t, `"cache", "storage"`, got.header.Get("Clear-Site-Data"),
				"the port may have been another cluster's")
			cookie := got.header.Get("Set-Cookie")
			require.Regexp(t, "^ecp-"+string(h.id)+"=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax$", cookie)
			require.NotContains(t, link, strings.Split(strings.Split(cookie, "=")[1], ";")[0],
				"the session's secret is another")

			got = get(t, b, origin+"/")
			require.Equal(t, 200, got.status, got.body)
			require.Contains(t, got.body, row.title)
			require.Equal(t, "DENY", got.header.Get("X-Frame-Options"))
			require.Equal(t, "frame-ancestors 'none'", got.header.Get("Content-Security-Policy"))
			require.Equal(t, "no-referrer", got.header.Get("Referrer-Policy"))
			require.Equal(t, "private", got.header.Get("Cache-Control"))
			require.Equal(t, 200, get(t, b, origin+row.asset).status)

			if image == image4 {
				require.Equal(t, 401, get(t, b, origin+"/api/v4/nodes").status)
				e, err := h.sim.Endpoint(t.Context(), h.id, "")
				require.NoError(t, err)
				require.NotEqual(t, e.BaseURL, e.DashboardURL)
				got = do(t, b, "POST", origin+"/api/v4/auth", `{"username":"admin","password":"public"}`,
					"Content-Type", "application/json")
				require.Contains(t, got.body, `"code":0`)
			} else {
				require.Equal(t, 401, get(t, b, origin+"/api/v5/nodes").status)
				got = do(t, b, "POST", origin+"/api/v5/login", `{"username":"admin","password":"public"}`,
					"Content-Type", "application/json")
				require.Equal(t, 200, got.status, got.body)
			}
			entries := h.audit("open dashboard")
			require.Len(t, entries, 1)
			require.Equal(t, "token:user of default-default", entries[0].Actor)
			for _, s := range []string{link[len(origin)+len(enterPath):], strings.Split(cookie, ";")[0]} {
				require.NotContains(t, h.log.String(), s, "secrets are in no log")
			}
		})
	}
}

// A link is good once, for a minute, for its own cluster, for who may still come.
func TestLinks(t *testing.T) {
	h := newRig(t, image5).onPorts(nil)
	user, id := h.token(ecp.RoleUser, "default/default")
	foreign, _ := h.token(ecp.RoleProjectAdmin, "other/one")
	_, err := h.d.Open(h.as(foreign), h.id, "")
	require.ErrorIs(t, err, ecp.ErrNotFound)
	_, err = h.d.Open(t.Context(), h.id, "")
	require.ErrorIs(t, err, ecp.ErrDenied)
	require.Empty(t, h.d.sessions.(inMemory).links, "who is refused leaves nothing")
	require.Empty(t, h.d.ports.of)

	link := h.mint(user)
	for _, method := range []string{"HEAD", "POST", "OPTIONS"} {
		require.Equal(t, 405, do(t, browser(t), method, link, "").status, method)
	}
	require.Equal(t, 405, get(t, browser(t), link, "Sec-Purpose", "prefetch").status)
	require.Equal(t, 303, get(t, browser(t), link).status, "nothing of that has used it up")
	again := get(t, browser(t), link)
	require.Equal(t, 403, again.status, "twice")
	require.Empty(t, again.header.Get("Set-Cookie"))

	link = h.mint(user)
	h.pass(linkLifetime)
	require.Equal(t, 403, get(t, browser(t), link).status, "too late")

	link = h.mint(user)
	require.Equal(t, 403, get(t, browser(t), link[:len(link)-1]+"!").status, "guessed")
	require.NoError(t, h.manager.Accounts.DeleteToken(system(t), id))
	require.Equal(t, 403, get(t, browser(t), link).status, "the token has gone")

	other, _, err := h.manager.Create(system(t),
		fleet.CreateRequest{Mode: ecp.Hosted, Name: "two",
			Spec: ecp.Spec{Hosted: &ecp.HostedSpec{Image: image5, Nodes: 1, Connections: 10}}})
	require.NoError(t, err)
	h.eventually("the other runs",
		func() bool { _, err := h.sim.Endpoint(t.Context(), other.ID, ""); return err == nil })
	user, _ = h.token(ecp.RoleUser, "default/default")
	elsewhere, err := h.d.Open(h.as(user), other.ID, "")
	require.NoError(t, err)
	origin, secret, _ := strings.Cut(h.mint(user), enterPath)
	theirs, theirSecret, _ := strings.Cut(elsewhere.URL, enterPath)
	require.NotEqual(t, origin, theirs, "each has an origin of its own")
	require.Equal(t, 403, get(t, browser(t), origin+enterPath+theirSecret).status)
	require.Equal(t, 303, get(t, browser(t), elsewhere.URL).status,
		"tried in the wrong place, it is still good in its own")
	require.Equal(t, 403, get(t, browser(t), elsewhere.URL).status, "and there once")

	// A session is one cluster's, whatever name its cookie is given.
	b := browser(t)
	require.Equal(t, 303, get(t, b, origin+enterPath+secret).status)
	require.Equal(t, 403, get(t, b, theirs+"/").status, "cookies know no ports, sessions do")
	at, err := url.Parse(origin)
	require.NoError(t, err)
	value := b.Jar.Cookies(at)[0].Value
	require.Equal(t, 403, get(t, browser(t), theirs+"/", "Cookie", "ecp-"+string(other.ID)+"="+value).status)
	require.Equal(t, 200, get(t, browser(t), origin+"/", "Cookie", "ecp-"+string(h.id)+"="+value).status)
	require.Equal(t, 403, get(t, browser(t), origin+"/", "Cookie", "ecp-"+string(h.id)+"="+value+"; ecp-"+string(h.id)+
		"=x").status, "twice: somebody else has put one there")

	// A session that a browser was given beforehand is not what a link turns into one.
	b = browser(t)
	b.Jar.SetCookies(at, []*http.Cookie{{Name: "ecp-" + string(h.id), Value: "planted"}})
	require.Equal(t, 303, get(t, b, h.mint(user)).status)
	require.NotEqual(t, "planted", b.Jar.Cookies(at)[0].Value)
	require.Equal(t, 403, get(t, browser(t), origin+"/", "Cookie", "ecp-"+string(h.id)+"=planted").status)
	first := b.Jar.Cookies(at)[0].Value
	require.Equal(t, 303, get(t, b, h.mint(user)).status)
	require.Equal(t, 403, get(t, browser(t), origin+"/", "Cookie", "ecp-"+string(h.id)+"="+first).status,
		"a new link ends the session that the browser had")
}

// A session ends with what it began with: at the next request.
func TestSessionsEnd(t *testing.T) {
	h := newRig(t, image5).onPorts(nil)
	people := func(name string, grants ...ecp.Grant) (secret string) {
		const password = "correct horse battery"
		_, err := h.manager.Accounts.CreateUser(system(t),
			tenancy.UserRequest{Name: name, Password: password, Grants: grants})
		require.NoError(t, err)
		s, err := h.manager.Accounts.Login(t.Context(), name, password)
		require.NoError(t, err)
		return s.Secret
	}
	reader := ecp.Grant{Role: ecp.RoleUser, Project: "default/default"}
	elsewhere := []ecp.Grant{{Role: ecp.RoleUser, Project: "other/one"}}
	disabled := true
	for what, row := range map[string]struct {
		status int
		happen func(secret, name string)
	}{
		"logout": {403, func(secret, _ string) { require.NoError(t, h.manager.Accounts.Logout(h.as(secret))) }},
		"disabled": {403, func(_, name string) {
			_, err := h.manager.Accounts.UpdateUser(system(t), name, tenancy.UserChange{Disabled: &disabled})
			require.NoError(t, err)
		}},
		"role lost": {404, func(_, name string) {
			_, err := h.manager.Accounts.UpdateUser(system(t), name, tenancy.UserChange{Grants: &elsewhere})
			require.NoError(t, err)
		}},
		"user deleted": {403, func(_, name string) {
			require.NoError(t,
				h.manager.Accounts.DeleteUser(system(t), name, 0))
		}},
		"its own time": {403, func(string, string) { h.pass(sessionLifetime) }},
	} {
		name := strings.ReplaceAll(what, " ", "-")
		secret := people(name, reader)
		b, origin := h.enter(secret)
		require.Equal(t, 200, get(t, b, origin+"/").status, what)
		row.happen(secret, name)
		require.Equal(t, row.status, get(t, b, origin+"/").status, what)
		require.Equal(t, 403, get(t, b, origin+"/").status, "%s: and there is no session any more", what)
	}
	token, id := h.token(ecp.RoleUser, "default/default")
	b, origin := h.enter(token)
	require.NoError(t, h.manager.Accounts.DeleteToken(system(t), id))
	require.Equal(t, 403, get(t, b, origin+"/").status, "token deleted")

	token, _ = h.token(ecp.RoleUser, "default/default")
	b, origin = h.enter(token)
	require.Equal(t, 405, get(t, b, origin+leavePath).status)
	require.Equal(t, 405, do(t, b, "POST", origin+leavePath, "", "Origin", "http://evil.example").status)
	got := do(t, b, "POST", origin+leavePath, "", "Origin", origin)
	require.Equal(t, 200, got.status)
	require.Contains(t, got.header.Get("Set-Cookie"), "Max-Age=0")
	require.Equal(t, 403, get(t, b, origin+"/").status, "left")
	require.Equal(t, 404, get(t, b, origin+"/_ecp/anything").status)

	b, origin = h.enter(token)
	require.NoError(t, h.sim.KillAll(h.id))
	// A request that is under way just then is cut: 502.
	h.eventually("the broker is missed", func() bool { return get(t, b, origin+"/").status == 503 })
	require.NoError(t, h.sim.ReviveAll(h.id))
	h.eventually("it comes back, with the same session", func() bool { return get(t, b, origin+"/").status == 200 })
}

// What pages of other origins ask for is refused; to be opened from elsewhere is
// what links are for.
func TestOtherOrigins(t *testing.T) {
	h := newRig(t, image5).onPorts(nil)
	user, _ := h.token(ecp.RoleUser, "default/default")
	b, origin := h.enter(user)
	for what, row := range map[string]struct {
		method  string
		headers []string
		status  int
	}{
		"plain":    {"GET", nil, 200},
		"own":      {"GET", []string{"Origin", origin, "Sec-Fetch-Site", "same-origin"}, 200},
		"own form": {"GET", []string{"Origin", "null", "Sec-Fetch-Site", "same-origin"}, 200},
		"typed": {"GET",
			[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"opened from a link": {"GET",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"in a frame": {"GET",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"script of a sibling": {"GET",
			[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, 403},
		"form of another": {"POST",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403},
		"other origin": {"POST", []string{"Origin", "http://evil.example"}, 403},
		"other port":   {"POST", []string{"Origin", "http://127.0.0.1:1"}, 403},
		"other scheme": {"POST", []string{"Origin", strings.Replace(origin, "http", "https", 1)}, 403},
		"hidden":       {"POST", []string{"Origin", "null"}, 403},
	} {
		got := do(t, b, row.method, origin+"/", "", row.headers...)
		require.Equal(t, row.status, got.status, "%s: %s", what, got.body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/", nil)
	require.NoError(t, err)
	r.Host = "rebound.example"
	require.Equal(t, 421, send(t, b, r).status, "a name that was made to lead here")
}

// What goes to the dashboard and comes from it.
func TestDashboardHeaders(t *testing.T) {
	h := newRig(t, image5).onPorts(nil)
	user, _ := h.token(ecp.RoleUser, "default/default")
	b, origin := h.enter(user)
	var seen *http.Request
	var upstream *httptest.Server
	upstream = h.lead(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Clone(context.Background())
		header := w.Header()
		for k, v := range map[string]string{
			"Server": "Cowboy", "Strict-Transport-Security": "max-age=1", "Alt-Svc": "h3",
			"Access-Control-Allow-Origin": "*", "X-Accel-Redirect": "/etc/passwd", "Refresh": "0;url=http://x",
			"Content-Encoding": "gzip", "Content-Type": "text/html", "Cache-Control": "public, max-age=60",
			"Clear-Site-Data": `"*"`, "Service-Worker-Allowed": "/", "X-Powered-By": "x",
			"Content-Security-Policy": "script-src 'self'", "X-Theirs": "kept",
			"Location": upstream.URL + "/there?x=1#/login",
		} {
			header.Set(k, v)
		}
		header.Add("Set-Cookie", "sid=abc; Domain=example.com; Path=/x; HttpOnly; SameSite=None; Secure")
		header.Add("Set-Cookie", "plain=1")
		w.WriteHeader(http.StatusFound)
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte("<html>"))
		_ = z.Close()
	})
	got := do(t, b, "GET", origin+"/a%2Fb/?x=%2F&y=1;2", "",
		"Authorization", "Bearer eyJ", "Cookie", "foreign=1; ecp-emqx-00000000=2; ecp-emqx-00000000-sid=3; ecp-"+
			string(h.id)+"-sid=mine", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-User", "root",
		"Referer", origin+"/secret", "Origin", origin, "X-Custom", "1", "Accept-Encoding", "gzip")
	require.Equal(t, 302, got.status)
	require.Equal(t, "/a%2Fb/?x=%2F&y=1;2", seen.RequestURI)
	require.Equal(t, "Bearer eyJ", seen.Header.Get("Authorization"), "who logs in there is logged in there")
	require.Equal(t, []string{"sid=mine"}, seen.Header["Cookie"],
		"their own cookie, under their own name, and none of ours")
	require.Equal(t, upstream.URL, seen.Header.Get("Origin"))
	require.Equal(t, "1", seen.Header.Get("X-Custom"))
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-User", "Referer"} {
		require.Empty(t, seen.Header.Get(name), name)
	}
	for _, name := range []string{"Server", "Strict-Transport-Security", "Alt-Svc", "Access-Control-Allow-Origin",
		"X-Accel-Redirect", "Refresh", "Clear-Site-Data", "Service-Worker-Allowed", "X-Powered-By"} {
		require.Empty(t, got.header.Get(name), name)
	}
	require.Equal(t, "/there?x=1#/login", got.header.Get("Location"), "an address of the broker's is one here")
	require.Equal(t, []string{"ecp-" + string(h.id) + "-sid=abc; Path=/x; HttpOnly; SameSite=Lax",
		"ecp-" + string(h.id) + "-plain=1; SameSite=Lax"}, got.header.Values("Set-Cookie"))
	require.Equal(t, []string{"script-src 'self'", "frame-ancestors 'none'"},
		got.header.Values("Content-Security-Policy"))
	require.Equal(t, "private, max-age=60", got.header.Get("Cache-Control"))
	require.Equal(t, "kept", got.header.Get("X-Theirs"))
	require.Equal(t, "gzip", got.header.Get("Content-Encoding"))
	z, err := gzip.NewReader(strings.NewReader(got.body))
	require.NoError(t, err, "packed as it came")
	plain, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, "<html>", string(plain))

	for _, scheme := range []string{"Bearer ", "bearer ", "Bearer  "} {
		do(t, b, "GET", origin+"/", "", "Authorization", scheme+user)
		require.Empty(t, seen.Header.Get("Authorization"), "%q: the broker must not see a token of this program",
			scheme)
	}
}

func TestLocations(t *testing.T) {
	base, err := url.Parse("http://10.0.0.1:18083")
	require.NoError(t, err)
	for location, want := range map[string]string{
		"/x": "/x", "x?y": "x?y", "http://10.0.0.1:18083": "/", "HTTP://10.0.0.1:18083/a%2Fb?c#d": "/a%2Fb?c#d",
		"//10.0.0.1:18083/x":        "/x",
		"https://idp.example/login": "", "//evil.example/x": "", "http://10.0.0.1/x": "", ":": "",
		"http://10.0.0.1:18083//evil.example/x": "", `http://10.0.0.1:18083/\evil.example/x`: "/%5Cevil.example/x",
		"http:x": "", "javascript:x": "",
	} {
		got, ok := localLocation(location, base)
		require.Equal(t, want, got, location)
		require.Equal(t, want != "", ok, location)
	}
}

// A dashboard is not shown where whoever comes there is logged in already, by the
// way there.
func TestWaysThatLogIn(t *testing.T) {
	r := newRig(t, image5)
	h := r.onPorts(nil)
	user, _ := r.token(ecp.RoleUser, "default/default")
	asked := 0
	r.lead(func(_ http.ResponseWriter, q *http.Request) {
		asked++
		require.Empty(t, q.Header.Get("Authorization"))
	})
	b, origin := h.enter(user)
	link := h.mint(user)
	change := func(authenticated bool, c ecp.Credentials) {
		r.detour.mu.Lock()
		defer r.detour.mu.Unlock()
		r.detour.to.Authenticated, r.detour.to.Credentials = authenticated, c
	}
	require.Equal(t, 200, get(t, b, origin+"/").status, "credentials that the way has for others are not applied")
	change(false, ecp.Credentials{})
	require.Equal(t, 200, get(t, b, origin+"/").status, "it adds nothing")
	require.Equal(t, 2, asked)
	asked = 0
	change(true, ecp.Credentials{})
	require.Equal(t, 503, get(t, b, origin+"/").status)
	require.Equal(t, 503, get(t, browser(t), link).status)
	_, err := h.d.Open(h.as(user), h.id, "")
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	require.Zero(t, asked)
	change(true, ecp.Credentials{Username: "key", Password: "secret"})
	require.Equal(t, 503, get(t, b, origin+"/").status)
	require.Zero(t, asked)
	require.NoError(t, mayBeShown(ecp.Endpoint{}))
	require.Error(t, mayBeShown(ecp.Endpoint{Authenticated: true}))
	require.Error(t, mayBeShown(ecp.Endpoint{Credentials: ecp.Credentials{Username: "key"}}))
}

// What a dashboard's browser keeps for a port is not for the port's next cluster:
// where browsers cannot be told to forget, nothing is kept.
func TestCachesOfPorts(t *testing.T) {
	for origin, want := range map[string]string{
		"http://127.0.0.1:5": "private, max-age=9", "http://localhost:5": "private, max-age=9",
		"http://[::1]:5": "private, max-age=9", "https://ecp.example.com:5": "private, max-age=9",
		"http://ecp.example.com:5": "no-store", "http://10.0.0.1:5": "no-store",
	} {
		at, err := url.Parse(origin)
		require.NoError(t, err)
		q := dashboardRequest{Dashboards: &Dashboards{ports: &portPool{}, bounds: usualDashboardBounds}, origin: at}
		res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Cache-Control": {"public, max-age=9"}},
			Body: http.NoBody}
		require.NoError(t, q.filterResponse(res, at, nil))
		require.Equal(t, want, res.Header.Get("Cache-Control"), origin)
	}
}

// echo is a WebSocket, near enough: it takes the upgrade and sends back what comes.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " +
		"websocket\r\nSec-Websocket-Accept: x\r\nServer: Cowboy\r\n\r\n")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
}

// dial asks for a WebSocket as a browser does.
func (h *house) dial(b *http.Client, origin string, headers ...string) (net.Conn, *bufio.Reader, reply) {
	h.t.Helper()
	at, err := url.Parse(origin)
	require.NoError(h.t, err)
	conn, err := net.Dial("tcp", at.Host)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = conn.Close() })
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, origin+"/ws", nil)
	require.NoError(h.t, err)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.Jar.Cookies(at) {
		r.AddCookie(c)
	}
	require.NoError(h.t, r.Write(conn))
	require.NoError(h.t, conn.SetReadDeadline(time.Now().Add(15*time.Second)))
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, r)
	require.NoError(h.t, err)
	require.NoError(h.t, res.Body.Close())
	return conn, in, reply{status: res.StatusCode, header: res.Header}
}

// A WebSocket goes through for the dashboard's own page, and ends when its person
// may not have it any more, and when the program ends.
func TestWebSockets(t *testing.T) {
	h := newRig(t, image5).onPorts(func(c *DashboardsConfig) {
		c.Recheck = 20 * time.Millisecond
		c.Bounds.Idle = 200 * time.Millisecond // which is none of its business
	})
	h.lead(echo)
	said := func(conn net.Conn, in *bufio.Reader, words string) {
		t.Helper()
		_, err := conn.Write([]byte(words))
		require.NoError(t, err)
		b := make([]byte, len(words))
		_, err = io.ReadFull(in, b)
		require.NoError(t, err)
		require.Equal(t, words, string(b))
	}
	user, id := h.token(ecp.RoleUser, "default/default")
	b, origin := h.enter(user)
	for _, headers := range [][]string{nil, {"Origin", "http://evil.example"}, {"Origin", "null"},
		{"Origin", origin, "Upgrade", "h2c"}} {
		_, _, res := h.dial(b, origin, headers...)
		require.Contains(t, []int{400, 403}, res.status, "%v", headers)
	}
	_, _, res := h.dial(browser(t), origin, "Origin", origin)
	require.Equal(t, 403, res.status, "no session")

	conn, in, res := h.dial(b, origin, "Origin", origin)
	require.Equal(t, 101, res.status)
	require.Empty(t, res.header.Get("Server"))
	require.Equal(t, "x", res.header.Get("Sec-Websocket-Accept"))
	said(conn, in, "hello")
	quiet := time.NewTimer(400 * time.Millisecond)
	<-quiet.C
	said(conn, in, "still there")
	require.NoError(t, h.manager.Accounts.DeleteToken(system(t), id))
	_, err := in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "it is cut when the token goes")

	user, _ = h.token(ecp.RoleUser, "default/default")
	b, origin = h.enter(user)
	conn, in, res = h.dial(b, origin, "Origin", origin)
	require.Equal(t, 101, res.status)
	said(conn, in, "hello")
	h.pass(sessionLifetime)
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "it is cut when the session is over")

	b, origin = h.enter(user)
	conn, in, res = h.dial(b, origin, "Origin", origin)
	require.Equal(t, 101, res.status)
	said(conn, in, "hello")
	require.NoError(t, h.d.Shutdown(t.Context()))
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "it is cut when the program ends")
	require.Equal(t, 503, get(t, b, origin+"/").status)
	require.NoError(t, h.d.Shutdown(t.Context()), "twice is once")
}

// Shutdown waits for what runs, as long as it may.
func TestShutdownWaits(t *testing.T) {
	h := newRig(t, image5).onPorts(nil)
	began, end := make(chan struct{}), make(chan struct{})
	h.lead(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-end
	})
	user, _ := h.token(ecp.RoleUser, "default/default")
	b, origin := h.enter(user)
	got := make(chan int)
	go func() { got <- get(t, b, origin+"/").status }()
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, h.d.Shutdown(ctx), context.Canceled)
	close(end)
	require.NoError(t, h.d.Shutdown(t.Context()))
	require.Equal(t, 200, <-got)
}

// Dashboards that fail cost a bounded time, and the person is told.
func TestDashboardsThatFail(t *testing.T) {
	h := newRig(t, image5).onPorts(
		func(c *DashboardsConfig) { c.Bounds = Bounds{Idle: 100 * time.Millisecond, Answer: 1000, Body: 1000} })
	user, _ := h.token(ecp.RoleUser, "default/default")
	b, origin := h.enter(user)
	for what, row := range map[string]struct {
		serve  http.HandlerFunc
		body   int
		status int
		broken bool
	}{
		"hangs":  {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, 504, false},
		"resets": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, 502, false},
		"too large": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1001") }, 0, 502,
			false},
		"too large, and does not say so": {func(w http.ResponseWriter, _ *http.Request) {
			for range 20 {
				_, _ = w.Write(make([]byte, 100))
				_ = http.NewResponseController(w).Flush()
			}
		}, 0, 200, true},
		"asked too much": {func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, 1001,
			413, false},
	} {
		h.lead(row.serve)
		got := do(t, b, "POST", origin+"/x", strings.Repeat("x", row.body))
		require.Equal(t, row.status, got.status, "%s: %s", what, got.body)
		require.Equal(t, row.broken, got.err != nil, what)
		require.NotContains(t, got.body, "127.0.0.1", what)
	}
}
