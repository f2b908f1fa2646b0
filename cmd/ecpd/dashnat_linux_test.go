package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// TestDashboardsInABrowserThroughNAT opens the dashboards of adopted clusters in a
// real browser: EMQX runs on hosts behind NAT, and their agents' connections are the
// only way there.
func TestDashboardsInABrowserThroughNAT(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("hosts with networks of their own need root's rights; run the tests as root")
	}
	openChromium(t) // or skip
	t.Parallel()
	flags := ownHost(t)
	if out, err := exec.Command("unshare", "-n", "iptables", "-t", "nat", "-A", "POSTROUTING", "-j",
		"MASQUERADE").CombinedOutput(); err != nil {
		t.Skipf("NAT needs iptables (apt-get install iptables): %v %s", err, out)
	}
	agents, sim := processtest.Agents(t), processtest.Program(t, "./emqxsim/cmd/emqxsim")
	here, err := filepath.Abs("testdata/hosts")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", append(flags, "bash", "-u", filepath.Join(here, "dash.sh"))...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "ecpd=" + built(t), "agents=" + agents,
		"sim=" + sim, "way=" + self, "here=" + here, "program=" + runtime.GOARCH, "ECP_NETWORK=" + cmd.Dir}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, 5*time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	require.Contains(t, out.String(), "--- PASS: TestDashboardsThroughNAT")
}

// person is somebody who talks to the server of the network.
type person struct {
	token string
	http  *http.Client
}

// ask calls the API, and reads the answer into out unless that is nil.
func (p person) ask(t *testing.T, method, path, body string, out any, status int) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, os.Getenv("SERVER")+"/api/v1"+path,
		strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+p.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := p.http.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, status, res.StatusCode, "%s", content)
	if out != nil {
		require.NoError(t, json.Unmarshal(content, out))
	}
	return string(content)
}

// link asks for a link to a dashboard.
func (p person) link(t *testing.T, id string) string {
	t.Helper()
	var link struct{ URL, Via string }
	p.ask(t, "POST", "/clusters/"+id+"/dashboard", "", &link, http.StatusCreated)
	require.Equal(t, "agent", link.Via)
	require.True(t, strings.HasPrefix(link.URL, "https://"+id+".dash.test:18180/_ecp/enter/"), link.URL)
	return link.URL
}

// with makes a token with a role.
func (p person) with(t *testing.T, name, role, project string) (_ person, id string) {
	t.Helper()
	var made struct{ ID, Token string }
	p.ask(t, "POST", "/tokens", `{"name":"`+name+`","role":"`+role+`","project":"`+project+`"}`, &made,
		http.StatusCreated)
	require.NotEmpty(t, made.ID)
	return person{made.Token, p.http}, made.ID
}

// TestDashboardsThroughNAT is the person with the browser: it runs beside the server
// of the network that the other test makes.
func TestDashboardsThroughNAT(t *testing.T) {
	dir := os.Getenv("ECP_NETWORK")
	if dir == "" {
		t.Skip("TestDashboardsInABrowserThroughNAT runs this one")
	}
	//nolint:gosec // it is the test's own server
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	admin := person{os.Getenv("ECPD_BOOTSTRAP_TOKEN"), &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	ids := map[string]string{}
	for _, name := range []string{"plant4", "plant5", "other5"} {
		id, err := os.ReadFile(filepath.Join(dir, name+".id"))
		require.NoError(t, err)
		ids[name] = strings.TrimSpace(string(id))
	}
	reader, readersToken := admin.with(t, "reader", "user", "default/default")
	b := openChromium(t, "--host-resolver-rules=MAP *.dash.test 10.77.0.1", "--ignore-certificate-errors")
	for name, major := range map[string]majorPage{"plant4": majorPages["v4"], "plant5": majorPages["v5"]} {
		b.comesIn(t, reader.link(t, ids[name]), major)
		b.seesItAll(t, name)
	}

	at := func(name string) string { return "https://" + ids[name] + ".dash.test:18180" }

	// Beside one another: what one dashboard's page keeps, the other's does not see.
	b.open(t, at("other5")+"/")
	b.shows(t, "There is no session with this dashboard")
	used := reader.link(t, ids["other5"])
	b.open(t, used)
	b.becomes(t, "document.querySelector('form input[type=password]')")
	require.Equal(t, "[] 0", b.run(t, keeps), "nothing of another cluster is here")
	b.fill(t, map[string]string{"username": "admin", "password": "public"})
	b.shows(t, "emqx@sim-1")
	for name, has := range map[string]string{"plant4": "uK", "plant5": "uKV5", "other5": "uKV5"} {
		b.open(t, at(name)+"/")
		b.shows(t, "emqx@sim-1") // still logged in
		require.Contains(t, b.run(t, keeps), `["`+has+`"]`, name)
	}

	// Who may not come in.
	b.open(t, used)
	b.shows(t, "used already")
	b.open(t, strings.Replace(reader.link(t, ids["plant5"]), ids["plant5"], ids["other5"], 1))
	b.shows(t, "belongs to another dashboard")
	b.open(t, at("other5")+"/")
	b.shows(t, "emqx@sim-1") // its own session is none the worse
	b.movesCookie(t, ids["plant5"], ids["other5"])
	b.open(t, at("other5")+"/")
	b.shows(t, "There is no session with this dashboard")
	admin.ask(t, "POST", "/projects", `{"path":"default/elsewhere"}`, nil, http.StatusCreated)
	stranger, _ := admin.with(t, "stranger", "project-admin", "default/elsewhere")
	stranger.ask(t, "POST", "/clusters/"+ids["plant5"]+"/dashboard", "", nil, http.StatusNotFound)

	// Not any more.
	late := reader.link(t, ids["plant5"])
	b.open(t, at("plant5")+"/")
	b.shows(t, "emqx@sim-1")
	admin.ask(t, "DELETE", "/tokens/"+readersToken, "", nil, http.StatusNoContent)
	require.Equal(t, "403", b.soon(t, "fetch('./', {cache: 'no-store'}).then((r) => r.status)"),
		"with the token the session ends")
	b.open(t, late)
	b.shows(t, "Your login has ended")
	said := admin.ask(t, "GET", "/audit?kind=cluster&key="+ids["plant5"], "", nil, http.StatusOK)
	require.Contains(t, said, `"open dashboard"`)
	require.Contains(t, said, `token:reader`)
	require.Contains(t, said, `"/via"`)
}

// keeps is what a page finds in its storages, and how many bytes of cookies.
const keeps = "JSON.stringify(Object.keys({...localStorage, ...sessionStorage})) + ' ' + document.cookie.length"

// shows waits until the page has words.
func (b *chromium) shows(t *testing.T, words string) {
	t.Helper()
	b.becomes(t, "document.body?.innerText.includes('"+words+"')")
}

// movesCookie copies the session of one cluster's dashboard to another's.
func (b *chromium) movesCookie(t *testing.T, from, to string) {
	t.Helper()
	at := func(id string) string { return "https://" + id + ".dash.test:18180/" }
	cookies, _ := b.call(t, "Network.getCookies", map[string]any{"urls": []string{at(from)}})["cookies"].([]any)
	moved := 0
	for _, c := range cookies {
		c, _ := c.(map[string]any)
		if c["name"] == "__Host-ecp-"+from {
			moved++
			b.call(t, "Network.setCookie",
				map[string]any{"name": "__Host-ecp-" + to, "value": c["value"], "url": at(to), "path": "/",
					"secure": true, "httpOnly": true})
		}
	}
	require.Equal(t, 1, moved)
}

// comesIn opens a link, and logs in to EMQX.
func (b *chromium) comesIn(t *testing.T, link string, major majorPage) {
	t.Helper()
	b.open(t, link)
	b.becomes(t, "document.querySelector('form input[type=password]')")
	require.Equal(t, "null", b.run(t, major.stored), "nobody is logged in by the link")
	require.Equal(t, "true", b.run(t,
		"[...document.styleSheets].length > 0 && [...document.scripts].every((s) => "+
			"s.src.startsWith(location.origin))"))
	b.fill(t, map[string]string{"username": "admin", "password": "wrong"})
	b.becomes(t, "document.querySelector('.error')?.textContent")
	b.fill(t, map[string]string{"username": "admin", "password": "public"})
	b.becomes(t, "location.hash === '"+major.nodes+"' && document.body?.innerText.includes('emqx@sim-1')")
	b.run(t, "location.hash = '"+major.clients+"'")
	b.becomes(t, "!document.body?.innerText.includes('emqx@sim-1') || document.querySelector('table')")
	b.call(t, "Page.reload", nil)
	b.becomes(t, "document.readyState === 'complete' && location.hash === '"+major.clients+
		"' && document.querySelector('table')")
	header := b.run(t, strings.ReplaceAll(major.header, "STORED", major.stored))
	api := map[bool]string{true: "api/v4/nodes", false: "api/v5/nodes"}[strings.Contains(major.stored, "'uK')")]
	require.Equal(t, "200", b.soon(t, "fetch('"+api+"', {headers: {Authorization: '"+header+
		"'}}).then((r) => r.status)"))
	require.Equal(t, "401", b.soon(t, "fetch('"+api+"').then((r) => r.status)"),
		"and the browser asks nobody by a box of its own")
}

// socket sends a word by a WebSocket and waits for it.
const socket = `new Promise((done) => {
	const s = new WebSocket(location.origin.replace('http', 'ws') + '/t/ws');
	s.onopen = () => s.send('hello');
	s.onmessage = (m) => { done(m.data); s.close(); };
	s.onerror = () => done('error');
})`

// soon is run for what may never come: then it returns "too late".
func (b *chromium) soon(t *testing.T, promise string) string {
	t.Helper()
	return b.run(t, "Promise.race(["+promise+", new Promise((done) => setTimeout(() => done('too late'), 20000))])")
}

// seesItAll asks the page's dashboard for what real ones have beside pages.
func (b *chromium) seesItAll(t *testing.T, name string) {
	t.Helper()
	require.Equal(t, "hello", b.soon(t, socket))
	asset := func(headers string) string {
		return b.soon(t, "fetch('t/asset.js', {cache: 'no-store', headers: "+headers+
			"}).then(async (r) => [r.status, (await r.text()).length, r.headers.get('etag'), "+
			"r.headers.get('content-range')].join(' '))")
	}
	require.Equal(t, `200 110000 "of-`+name+`" `, asset("{}"), "packed, and unpacked by the browser")
	require.Equal(t, `206 100 "of-`+name+`" bytes 100-199/110000`, asset("{Range: 'bytes=100-199'}"))
	require.Equal(t, `304 0 "of-`+name+`" `, asset(`{'If-None-Match': '"of-`+name+`"'}`))
	require.Equal(t, "/t/seen 200",
		b.soon(t,
			"fetch('t/redirect').then((r) => r.url.replace(location.origin, '') + ' ' + r.status)"),
		"a redirect to the broker's own address stays here")
	require.Equal(t, "012", b.soon(t,
		"new Promise((done) => { let all = ''; const s = new EventSource('t/events'); s.onmessage = (m) => { all += "+
			"m.data; if (all.length === 3) { s.close(); done(all); } }; })"))
	b.soon(t, "fetch('t/cookie')")
	b.becomes(t, "document.cookie.endsWith('-theme=dark')")
	var seen struct {
		Path, Host string
		Bytes      int
		Header     http.Header
	}
	require.NoError(t, json.Unmarshal(
		[]byte(b.soon(t, "fetch('/t/seen', {method: 'POST', body: new Blob([new Uint8Array(20 << 20)])}).then((r) => "+
			"r.text())")), &seen))
	require.Equal(t, 20<<20, seen.Bytes)
	require.Equal(t, "127.0.0.1:18083", seen.Host, "the broker is called by its own address")
	require.Equal(t, "theme=dark", seen.Header.Get("Cookie"), "its own cookies, and none of ours")
	require.Equal(t, "http://127.0.0.1:18083", seen.Header.Get("Origin"))
	for _, none := range []string{"Authorization", "Referer", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded"} {
		require.Empty(t, seen.Header.Get(none), none)
	}
}
