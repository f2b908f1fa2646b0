package main_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// browser is a person's: it keeps cookies and follows redirects. dial, if set,
// leads every name to one address.
func browser(t *testing.T, dial string, trusts *tls.Config) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: trusts}
	if dial != "" {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, dial)
		}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}
}

// visit asks for a page; headers are names and values in turn.
func visit(t *testing.T, b *http.Client, method, address, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res.StatusCode, res.Header, content}
}

// asUser is the same daemon for somebody who may only read.
func (d *daemon) asUser(t *testing.T) *daemon { return d.asUserNamed(t, "reader") }

func (d *daemon) asUserNamed(t *testing.T, name string) *daemon {
	t.Helper()
	var made struct{ Token string }
	d.call(t, "POST", "/api/v1/tokens", `{"name":"`+name+`","role":"user","project":"default/default"}`, &made, 201)
	require.NotEmpty(t, made.Token)
	reader := *d
	reader.token = made.Token
	return &reader
}

// TestDashboards: with --dev and nothing else, a reader gets a link, is led to the
// dashboard of either major, and logs in there with a login of EMQX'.
func TestDashboards(t *testing.T) {
	t.Parallel()
	d := dev(t, t.TempDir())
	reader := d.asUser(t)
	type major struct{ id, origin string }
	majors := map[string]major{}
	b := browser(t, "", nil)
	for name, image := range map[string]string{"v4": "emqx-ee-4.4.24", "v5": "emqx-ee-5.8.9"} {
		var c cluster
		d.call(t, "POST", "/api/v1/clusters", `{"mode":"hosted","name":"`+name+`","spec":{"image":"`+image+
			`","nodes":1,"connections":10}}`, &c, 202)
		d.reaches(t, c.ID, "running")
		var link struct{ URL string }
		reader.call(t, "POST", "/api/v1/clusters/"+c.ID+"/dashboard", "", &link, 201)
		at, err := url.Parse(link.URL)
		require.NoError(t, err)
		require.NotContains(t, d.url, at.Host, "an origin of its own")
		page := visit(t, b, "GET", link.URL, "")
		require.Equal(t, 200, page.status, "%s", page.body)
		require.Contains(t, string(page.body), "EMQX")
		require.Contains(t, string(page.body), "./static/app.js")
		origin := "http://" + at.Host
		require.Equal(t, 200, visit(t, b, "GET", origin+"/static/app.js", "").status)
		used := visit(t, b, "GET", link.URL, "")
		require.Equal(t, 403, used.status, "a link is good once")
		require.Contains(t, string(used.body), "POST /api/v1/clusters/"+c.ID+"/dashboard",
			"the call that made it makes a new one")
		majors[name] = major{c.ID, origin}
		require.NotContains(t, d.Stderr.String(), link.URL[strings.LastIndex(link.URL, "/")+1:])
	}
	require.NotEqual(t, majors["v4"].origin, majors["v5"].origin)

	var login struct{ Token string }
	got := visit(t, b, "POST", majors["v5"].origin+"/api/v5/login", `{"username":"admin","password":"public"}`,
		"Content-Type", "application/json")
	require.Equal(t, 200, got.status, "%s", got.body)
	require.NoError(t, json.Unmarshal(got.body, &login))
	got = visit(t, b, "GET", majors["v5"].origin+"/api/v5/nodes", "", "Authorization", "Bearer "+login.Token)
	require.Equal(t, 200, got.status, "%s", got.body)
	require.Contains(t, string(got.body), majors["v5"].id)
	got = visit(t, b, "GET", majors["v4"].origin+"/api/v4/nodes", "", "Authorization", "Basic YWRtaW46cHVibGlj")
	require.Equal(t, 200, got.status, "%s", got.body)
	require.Contains(t, string(got.body), majors["v4"].id)

	var all struct{ Items []struct{ ID, Name string } }
	d.call(t, "GET", "/api/v1/tokens", "", &all, 200)
	for _, token := range all.Items {
		if token.Name == "reader" {
			d.call(t, "DELETE", "/api/v1/tokens/"+token.ID, "", nil, 204)
		}
	}
	require.Equal(t, 403, visit(t, b, "GET", majors["v5"].origin+"/", "").status, "with the token the session ends")
	code, took := d.Terminate(t)
	require.Zero(t, code)
	require.Less(t, took, mostEnd)
}

// TestDashboardDomain: under a domain every cluster has a name on the API's own
// listener, over TLS, and the API has none of them.
func TestDashboardDomain(t *testing.T) {
	t.Parallel()
	const token = "bootstrap-token-of-this-test"
	certFile, keyFile, _ := certificate(t)
	dir := t.TempDir()
	p := launch(t, dir, []string{"ECPD_BOOTSTRAP_TOKEN=" + token},
		"serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir", dir, "--tls-cert", certFile, "--tls-key", keyFile,
		"--dashboard-domain", "dash.test")
	at := p.Line(t, readyLine)
	address := strings.TrimPrefix(at, "https://")
	trusts := &tls.Config{InsecureSkipVerify: true} // the certificate is for loopback; names are not the question
	d := client(t, p, at, token)
	d.http.Transport = &http.Transport{TLSClientConfig: trusts}
	id := d.create(t, "one", 1)
	d.reaches(t, id, "running")
	var link struct{ URL string }
	d.call(t, "POST", "/api/v1/clusters/"+id+"/dashboard", "", &link, 201)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	origin := "https://" + id + ".dash.test:" + port
	require.True(t, strings.HasPrefix(link.URL, origin+"/"), link.URL)
	b := browser(t, address, trusts)
	page := visit(t, b, "GET", link.URL, "")
	require.Equal(t, 200, page.status, "%s", page.body)
	require.Contains(t, string(page.body), "EMQX")
	require.NotContains(t, string(visit(t, b, "GET", origin+"/healthz", "").body), `"status"`, "the API is not there")
	require.Equal(t, 403, visit(t, b, "GET", "https://emqx-00000000.dash.test:"+port+"/", "").status)
	require.Equal(t, 421, visit(t, b, "GET", "https://dash.test:"+port+"/api/v1/version", "").status)
	require.Equal(t, 200, visit(t, b, "GET", "https://api.test:"+port+"/api/v1/version", "").status)
}

// TestPassthrough: an administrator's calls reach the broker, a reader's only where
// they show no secrets, and the audit has what was written.
func TestPassthrough(t *testing.T) {
	t.Parallel()
	d := dev(t, t.TempDir())
	id := d.create(t, "one", 2)
	d.reaches(t, id, "running")
	reader := d.asUser(t)
	at := "/api/v1/clusters/" + id + "/emqx"
	for _, who := range []*daemon{d, reader} {
		got := who.call(t, "GET", at+"/api/v5/nodes", "", nil, 200)
		require.Equal(t, "broker", got.header.Get("Ecp-Answered-By"))
		require.Contains(t, string(got.body), id)
	}
	const rule = `{"id":"rule_1","sql":"SELECT * FROM \"t\""}`
	got := reader.call(t, "POST", at+"/api/v5/rules", rule, nil, 403)
	require.Equal(t, "ecp", got.header.Get("Ecp-Answered-By"))
	d.call(t, "POST", at+"/api/v5/rules", rule, nil, 201)
	reader.call(t, "GET", at+"/api/v5/rules/rule%5F1", "", nil, 200)
	reader.call(t, "GET", at+"/api/v5/connectors", "", nil, 403)
	var audit struct {
		Items []struct{ Actor, Action, Outcome string }
	}
	d.call(t, "GET", "/api/v1/audit?kind=cluster&key="+id, "", &audit, 200)
	said := []string{}
	for _, e := range audit.Items {
		if e.Action == "call broker" {
			said = append(said, e.Actor+" "+e.Outcome)
		}
	}
	require.ElementsMatch(t, []string{"token:admin done", "token:reader denied", "token:reader denied"}, said)
}
