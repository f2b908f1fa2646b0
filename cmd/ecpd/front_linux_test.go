package main_test

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // it is what WebSocket asks for
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// front is a real proxy that ends TLS before a daemon.
type front struct {
	program string
	// configure writes its configuration, and returns the arguments that it is started with.
	configure func(t *testing.T, f frontPlace) []string
}

// frontPlace is where a proxy listens, and what it has.
type frontPlace struct{ dir, port, to, cert, key string }

var fronts = map[string]front{
	"nginx as documented": {"nginx", func(t *testing.T, f frontPlace) []string {
		t.Helper()
		text := strings.NewReplacer("listen 443 ssl", "listen 127.0.0.1:"+f.port+" ssl",
			"http://127.0.0.1:18180", f.to, "/etc/nginx/ecp.pem", f.cert, "/etc/nginx/ecp.key", f.key,
			"proxy_read_timeout 75s", "proxy_read_timeout 20s").Replace(
			blockWith(t, "docs/adopt.md", "server_name ecp.example.com;") +
				blockWith(t, "docs/dashboards.md", "server_name *.dash.example.com;"))
		require.Equal(t, 2, strings.Count(text, "listen 127.0.0.1:"))
		return nginx(t, f, text)
	}},
	"nginx as in an ingress": {"nginx", func(t *testing.T, f frontPlace) []string {
		t.Helper()
		return nginx(t, f, strings.NewReplacer("PORT", f.port, "UPSTREAM", strings.TrimPrefix(f.to, "http://")).
			Replace(ingressServer))
	}},
	"haproxy as documented": {"haproxy", func(t *testing.T, f frontPlace) []string {
		t.Helper()
		cert, err := os.ReadFile(f.cert)
		require.NoError(t, err)
		key, err := os.ReadFile(f.key)
		require.NoError(t, err)
		both := filepath.Join(f.dir, "both.pem")
		require.NoError(t, os.WriteFile(both, append(cert, key...), 0o600))
		text := strings.NewReplacer("bind :443 ssl crt /etc/haproxy/ecp.pem", "bind 127.0.0.1:"+f.port+" ssl crt "+both,
			"127.0.0.1:18180", strings.TrimPrefix(f.to, "http://"), "75s", "20s").
			Replace(blockWith(t, "docs/adopt.md", "bind :443 ssl crt"))
		file := filepath.Join(f.dir, "haproxy.cfg")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return []string{"-db", "-f", file}
	}},
}

// ingressServer is what the controller of an Ingress makes for the annotations that
// docs/kubernetes.md names.
const ingressServer = `
map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
upstream pods { server UPSTREAM; keepalive 320; keepalive_timeout 60s; }
server {
  listen 127.0.0.1:PORT ssl default_server;
  server_name _;
  client_max_body_size 256m;
  location / {
    proxy_pass http://pods;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_buffering off;
    proxy_request_buffering on;
    proxy_connect_timeout 5s;
    proxy_read_timeout 20s;
    proxy_send_timeout 20s;
    proxy_redirect off;
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
  }
}
`

// nginx writes a configuration around servers.
func nginx(t *testing.T, f frontPlace, servers string) []string {
	t.Helper()
	text := "daemon off;\nmaster_process off;\npid DIR/pid;\nevents {}\nhttp {\naccess_log DIR/access.log;\n" +
		"ssl_certificate " + f.cert + ";\nssl_certificate_key " + f.key + ";\n"
	for _, place := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += place + "_temp_path DIR/" + place + ";\n"
	}
	file := filepath.Join(f.dir, "nginx.conf")
	text = strings.ReplaceAll(text+servers+"}\n", "DIR/", f.dir+"/")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return []string{"-p", f.dir, "-e", filepath.Join(f.dir, "error.log"), "-c", file}
}

// blockWith returns the block of code of a page that has a text in it.
func blockWith(t *testing.T, page, text string) string {
	t.Helper()
	content, err := os.ReadFile("../../" + page)
	require.NoError(t, err)
	for i, block := range strings.Split(string(content), "\n```") {
		if i%2 == 1 && strings.Contains(block, text) {
			_, block, _ = strings.Cut(block, "\n")
			return block + "\n"
		}
	}
	t.Fatalf("%s has no block with %q", page, text)
	return ""
}

// TestBehindProxies has agents, people, streams of events and dashboards come through real
// proxies that end TLS.
func TestBehindProxies(t *testing.T) {
	if os.Getenv("OPENECP_LONG") != "1" {
		t.Skip("takes half a minute, and real proxies; run with OPENECP_LONG=1")
	}
	for name, f := range fronts {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(f.program); err != nil {
				t.Skipf("there is no %s on this host; apt-get install %s", f.program, f.program)
			}
			t.Parallel()
			b := newBehind(t, f)
			b.adopts(t)
			b.follows(t)
			b.showsDashboards(t)
			b.staysConnected(t)
		})
	}
}

// behind is a daemon behind a proxy, as whoever comes through that sees it.
type behind struct {
	*daemon
	address string // of the proxy
	trusts  *tls.Config
	witness *witness
	read    chan struct{} // closed by goOn when the first half of an answer was read
	goOn    func()
	id      string // of the cluster
	agent   *process
	began   string // when the agent connected
}

func newBehind(t *testing.T, f front) *behind {
	t.Helper()
	certFile, keyFile, pool := certificate(t)
	b := &behind{address: processtest.FreeAddress(t), read: make(chan struct{}),
		trusts: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}}
	b.goOn = sync.OnceFunc(func() { close(b.read) })
	b.witness = newWitness(t, "5.8.9", b.answer)
	t.Cleanup(b.goOn) // before the witness ends, which waits for its answers
	dir := t.TempDir()
	const token = "bootstrap-token-of-this-test"
	p := launch(t, dir, []string{"ECPD_BOOTSTRAP_TOKEN=" + token}, "serve", "--listen", "127.0.0.1:0", "--data-dir",
		filepath.Join(dir, "data"), "--trusted-proxies", "127.0.0.1", "--cluster-agent", "https://"+b.address,
		"--agents-ca-file", certFile, "--agents-dir", processtest.Agents(t), "--public-url", "https://"+b.address,
		"--dashboard-domain", "https://dash.example.com:"+b.address[len("127.0.0.1:"):])
	to := p.Line(t, readyLine)

	place := frontPlace{dir: t.TempDir(), port: b.address[len("127.0.0.1:"):], to: to, cert: certFile, key: keyFile}
	proxy := launchProgram(t, f.program, place.dir, nil, f.configure(t, place)...)
	t.Cleanup(func() {
		if log, _ := os.ReadFile(filepath.Join(place.dir, "error.log")); t.Failed() {
			t.Logf("%s", log)
		}
	})
	processtest.Eventually(t, 10*time.Second, func() (bool, string) {
		conn, err := tls.Dial("tcp", b.address, b.trusts)
		if err == nil {
			err = conn.Close()
		}
		return err == nil, proxy.String()
	})
	b.daemon = client(t, p, "https://"+b.address, token)
	// People come from another address of this host than the proxy.
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}}
	b.http.Transport = &http.Transport{TLSClientConfig: b.trusts, DialContext: dialer.DialContext}
	return b
}

// answer is what the broker's dashboard has for the test: an answer that has no end before its
// beginning was read, the length of a body, and a WebSocket.
func (b *behind) answer(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/stream"):
		_, _ = io.WriteString(w, "one\n")
		_ = http.NewResponseController(w).Flush()
		<-b.read
		_, _ = io.WriteString(w, "two\n")
	case strings.HasSuffix(r.URL.Path, "/length"):
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	case strings.HasSuffix(r.URL.Path, "/socket"):
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		//nolint:gosec // as WebSocket says
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, "you say "+line)
	}
}

// adopts registers a simulated EMQX with an agent, as a process, and calls its API.
func (b *behind) adopts(t *testing.T) {
	t.Helper()
	var made struct{ ID string }
	b.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"plant"}`, &made, 201)
	b.id = made.ID
	var guide struct{ Token, CASHA256 string }
	b.call(t, "POST", "/api/v1/clusters/"+b.id+"/setup", `{"method":"binary","arch":"`+runtime.GOARCH+`"}`, &guide, 201)
	program, home := processtest.Agent(t, runtime.GOARCH), filepath.Join(t.TempDir(), "agent")
	b.agent = launchProgram(t, program, t.TempDir(), nil, "--home", home, "run")
	register := launchProgram(t, program, t.TempDir(), nil, "--home", home, "register", "--url", b.url,
		"--ca-sha256", guide.CASHA256, "--registration-token", guide.Token, "--emqx-dashboard-url", b.witness.URL,
		"--emqx-dashboard-username", "admin", "--emqx-dashboard-password", "public")
	require.Zero(t, register.Wait(t, time.Minute), "%s", register)
	b.reaches(t, b.id, "running")
	a := b.call(t, "GET", "/api/v1/clusters/"+b.id+"/emqx/api/v5/nodes", "", nil, 200)
	require.Contains(t, string(a.body), "emqx@10.0.0.1")
	one := b.connection(t)
	require.Equal(t, "websocket", one.Carrier)
	require.Regexp(t, `^127\.0\.0\.1\b`, one.Remote)
	b.began = one.Since
	a = b.call(t, "GET", "/api/v1/audit?kind=cluster&limit=1", "", nil, 200)
	require.Contains(t, string(a.body), `"remoteAddress":"127.0.0.7"`, "the person's address, not the proxy's")
}

// agentConnection is how an agent is connected.
type agentConnection struct{ Carrier, Remote, Since string }

func (b *behind) connection(t *testing.T) agentConnection {
	t.Helper()
	var list struct{ Items []agentConnection }
	b.call(t, "GET", "/api/v1/clusters/"+b.id+"/agents", "", &list, 200)
	require.Len(t, list.Items, 1)
	return list.Items[0]
}

// events opens the stream of changes.
func (b *behind) events(ctx context.Context, t *testing.T) *bufio.Scanner {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/v1/events", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+b.token)
	res, err := (&http.Client{Transport: b.http.Transport}).Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	return bufio.NewScanner(res.Body)
}

// follows sees changes when they happen, and not when a buffer is full.
func (b *behind) follows(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream := b.events(ctx, t)
	b.call(t, "PATCH", "/api/v1/clusters/"+b.id, `{"description":"seen at once"}`, nil, 200, 202)
	for stream.Scan() {
		if strings.Contains(stream.Text(), "seen at once") {
			return
		}
	}
	t.Fatalf("the change was not seen: %v", stream.Err())
}

// showsDashboards opens the dashboard, and what lasts or is large there.
func (b *behind) showsDashboards(t *testing.T) {
	t.Helper()
	var link struct{ URL, Via string }
	b.call(t, "POST", "/api/v1/clusters/"+b.id+"/dashboard", "", &link, 201)
	require.Equal(t, "agent", link.Via)
	origin := "https://" + b.id + ".dash.example.com:" + b.address[len("127.0.0.1:"):]
	require.True(t, strings.HasPrefix(link.URL, origin+"/_ecp/enter/"), link.URL)
	person := browser(t, b.address, b.trusts)
	page := visit(t, person, "GET", link.URL, "")
	require.Equal(t, 200, page.status, "%s", page.body)
	require.Contains(t, string(page.body), "EMQX")
	page = visit(t, person, "POST", origin+"/api/v5/login", `{"username":"admin","password":"public"}`,
		"Content-Type", "application/json", "Origin", origin)
	require.Equal(t, 200, page.status, "%s", page.body)
	page = visit(t, person, "POST", origin+"/api/v5/own/length", strings.Repeat("x", 3<<20), "Origin", origin)
	require.Equal(t, 200, page.status, "%s", page.body)
	require.Equal(t, fmt.Sprint(3<<20), string(page.body))

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/api/v5/own/stream", http.NoBody)
	require.NoError(t, err)
	res, err := person.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	require.True(t, lines.Scan(), "before the answer has ended: %v", lines.Err())
	require.Equal(t, "one", lines.Text())
	b.goOn()
	require.True(t, lines.Scan())
	require.Equal(t, "two", lines.Text())
	b.speaks(t, person, origin)
}

// speaks uses a WebSocket of the dashboard.
func (b *behind) speaks(t *testing.T, person *http.Client, origin string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/api/v5/own/socket", http.NoBody)
	require.NoError(t, err)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Origin": origin,
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"} {
		r.Header.Set(name, value)
	}
	for _, c := range person.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	conn, err := tls.Dial("tcp", b.address, b.trusts)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	require.NoError(t, r.Write(conn))
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "you say hello\n", line)
}

// staysConnected waits for longer than the proxy waits for a silent connection: neither the
// agent's nor a stream without changes is one.
func (b *behind) staysConnected(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, comments := b.events(ctx, t), 0
	for comments < 3 && stream.Scan() { // one every 15 seconds
		if strings.HasPrefix(stream.Text(), ":") {
			comments++
		}
	}
	require.Equal(t, 3, comments, "%v", stream.Err())
	require.Equal(t, b.began, b.connection(t).Since, "the agent has not connected anew")
}
