package main_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/processtest"
)

// The documented order: start, then register; then status is content.
func TestStartThenRegister(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"4.4.24", "5.8.9", "6.2.2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w, b, p := newWorld(t, nil), newBroker(t, nil, emqxsim.ClusterConfig{Version: version}, "", ""), newPlace(t)
			p.ok("start")
			r := p.ok(w.registering(b.flags()...)...)
			assert.Contains(t, r.Stdout, "Registered as agent ")
			assert.Contains(t, r.Stdout, "The agent is connected (direct)")
			c := w.connected()
			processtest.Eventually(t, 20*time.Second, func() (bool, any) {
				r := p.run("status")
				// the first report comes after the connection
				return r.Code == 0 && strings.Contains(r.Stdout, "node emqx@"), r
			})
			s := p.ok("status")
			for _, part := range []string{"is connected to its server", w.url, c.Agent, "direct", version,
				"emqx@127.0.0.1",
				"dashboard user"} {
				assert.Contains(t, s.Stdout, part)
			}
			p.ok("doctor")
			p.ok("stop")
			w.nobody()
		})
	}
}

// Register, then start; and the seed's shortest form: two flags and a default
// broker.
func TestShortestForm(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"4.4.24", "5.8.9", "6.2.2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n, p := newNetwork(t), newPlace(t)
			p.network = n
			w := newWorld(t, n)
			newBroker(t, n, emqxsim.ClusterConfig{Version: version}, "127.0.0.1:18083", "127.0.0.1:8081")
			trustHere(t, p, w)
			r := p.ok("register", "--url", w.url+"/api", "--registration-token", w.token())
			assert.Contains(t, r.Stdout, "emqxee-agent start")
			p.ok("start")
			w.connected()
			processtest.Eventually(t, 20*time.Second, func() (bool, any) {
				r := p.run("status")
				return r.Code == 0, r
			})
		})
	}
}

// trustHere makes the program trust the world's CA as it trusts those of the host.
func trustHere(t *testing.T, p *place, w *world) {
	t.Helper()
	file := t.TempDir() + "/ca.pem"
	require.NoError(t, os.WriteFile(file, w.caPEM, 0o600))
	p.environ = append(p.environ, "SSL_CERT_FILE="+file)
}

// A refused or silent broker is told, and does not stand in the way.
func TestRegisterWithoutBroker(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t, nil), newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	refused := newPlace(t)
	r := refused.ok(w.registering(append(b.flags(), "--emqx-dashboard-username", "admin", "--emqx-dashboard-password",
		"canary-1")...)...)
	assert.Contains(t, r.Stderr, "EMQX: ")
	assert.Contains(t, r.Stderr, "emqxee-agent register --emqx-dashboard-url")
	assert.NotContains(t, r.Stdout+r.Stderr, "canary-1")
	refused.ok("start")
	w.connected()
	processtest.Eventually(t, 20*time.Second, func() (bool, any) {
		r := refused.run("status")
		return r.Code == 1 && strings.Contains(r.Stdout, "refused by EMQX"), r
	})
	d := refused.fails(1, "FAIL", "doctor")
	assert.Contains(t, d.Stdout, "broker login")

	// What the output says is to be run, works without another token.
	refused.ok("register", "--emqx-dashboard-url", b.dashboard, "--emqx-dashboard-username", "admin",
		"--emqx-dashboard-password", "public")
	processtest.Eventually(t, 20*time.Second, func() (bool, any) {
		r := refused.run("status")
		return r.Code == 0, r
	})
	refused.ok("stop")

	silent := newPlace(t)
	r = silent.ok(w.registering("--emqx-dashboard-url", "http://127.0.0.1:1")...)
	assert.Contains(t, r.Stderr, "EMQX: ")
}

// EMQX of an open-source edition is refused, and the token stays unused. From 5.9 on
// EMQX comes in one edition.
func TestOpenSource(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"4.4.24", "5.8.9"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w, p := newWorld(t, nil), newPlace(t)
			b := newBroker(t, nil, emqxsim.ClusterConfig{Version: version, Edition: emqxsim.OpenSource}, "", "")
			r := p.fails(1, "The token has not been used", w.registering(b.flags()...)...)
			assert.Contains(t, r.Stderr, "Enterprise")
			assert.NoFileExists(t, p.file("data/identity.json"))
			assert.NoFileExists(t, p.file("data/broker.json"))
		})
	}
}

// Registering again keeps the key, and so the agent; what it takes from the guide
// anew is taken up while the agent runs.
func TestRegisterAgain(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	b.cluster.AddUser("agent", "canary-2", "administrator")
	p.ok(w.registering(append(b.flags(), "--emqx-dashboard-username", "agent", "--emqx-dashboard-password",
		"canary-1")...)...)
	p.ok("start")
	first := w.connected()
	r := p.ok(w.registering(append(b.flags(), "--emqx-dashboard-username", "agent", "--emqx-dashboard-password",
		"canary-2")...)...)
	assert.Contains(t, r.Stdout, "Registered again as agent "+first.Agent)
	processtest.Eventually(t, 20*time.Second, func() (bool, any) {
		r := p.run("status")
		return r.Code == 0, r
	})
	assert.Equal(t, first.Agent, w.connected().Agent)

	other := newWorld(t, nil)
	p.ok(other.registering(b.flags()...)...)
	other.connected()
	w.nobody()
}

// A new password, or a switch that is turned off, needs neither address nor token, and
// no restart: the agent takes it up. What EMQX refuses changes nothing.
func TestChangeOfBroker(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	b.cluster.AddUser("agent", "canary-2", "administrator")
	p.ok(w.registering(append(b.flags(), "--emqx-dashboard-username", "agent", "--emqx-dashboard-password", "canary-1",
		"--read-only", "--emqx-log-collection-enabled")...)...)
	p.ok("start")
	first := w.connected()
	p.fails(1, "Nothing was changed", "register", "--emqx-dashboard-username", "agent", "--emqx-dashboard-password",
		"canary-3")
	p.ok("register", "--emqx-dashboard-username", "agent", "--emqx-dashboard-password", "canary-2",
		"--emqx-log-collection-enabled", "off")
	processtest.Eventually(t, 20*time.Second, func() (bool, any) {
		r := p.run("status")
		return r.Code == 0 && strings.Contains(r.Stdout, "read-only"), r
	})
	assert.Equal(t, first.Agent, w.connected().Agent)
	p.ok("register", "--read-only=false")
	processtest.Eventually(t, 20*time.Second, func() (bool, any) {
		r := p.run("status")
		return r.Code == 0 && !strings.Contains(r.Stdout, "read-only"), r
	})
}

func TestUnregister(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	p.fails(3, "not registered", "unregister")
	p.ok(w.registering(b.flags()...)...)
	p.ok("start")
	agent := w.connected().Agent
	p.ok("unregister")
	w.nobody()
	_, err := w.registry.PublicKey(t.Context(), agent)
	var refusal *agentproto.Refusal
	require.ErrorAs(t, err, &refusal)
	assert.NoFileExists(t, p.file("data/identity.json"))
	assert.NoFileExists(t, p.file("data/broker.json"))
	processtest.Eventually(t, 10*time.Second, func() (bool, any) {
		s := p.status()
		return s.Phase == "unregistered" && s.PID != 0, s
	})
	p.ok(w.registering(b.flags()...)...)
	assert.NotEqual(t, agent, w.connected().Agent, "another key is another agent")
}

// A server that cannot be reached keeps what is here, unless it is forced.
func TestUnregisterUnreachable(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), newPlace(t)
	p.ok(w.registering("--emqx-dashboard-url", "http://127.0.0.1:1")...)
	w.stop()
	p.fails(1, "emqxee-agent unregister --force", "unregister")
	assert.FileExists(t, p.file("data/identity.json"))
	r := p.ok("unregister", "--force")
	assert.Contains(t, r.Stderr, "the server was not told")
	assert.NoFileExists(t, p.file("data/identity.json"))
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	args := append([]string{"register", "--url", w.url, "--ca-sha256", w.pin, "--registration-token"},
		append([]string{"00000000000000000000000000000000"}, b.flags()...)...)
	r := p.fails(1, "Take a new command from the guide", args...)
	assert.NotContains(t, r.Stdout+r.Stderr, "00000000000000000000000000000000")
	assert.NoFileExists(t, p.file("data/identity.json"))
	wrong := append([]string{}, args...)
	wrong[4] = strings.Repeat("0", 64)
	r = p.fails(1, "certificate", wrong...)
	assert.Contains(t, r.Stderr, "doctor")
}

// All ways to give the token and the password.
func TestSecretsFromElsewhere(t *testing.T) {
	t.Parallel()
	w, b := newWorld(t, nil), newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	flags := append([]string{"register", "--url", w.url, "--ca-sha256", w.pin, "--emqx-dashboard-username", "admin"},
		b.flags()...)
	t.Run("variables", func(t *testing.T) {
		p := newPlace(t)
		p.environ = []string{"EMQXEE_AGENT_REGISTRATION_TOKEN=" + w.token(),
			"EMQXEE_AGENT_EMQX_DASHBOARD_PASSWORD=public",
			"EMQXEE_AGENT_EMQX_API_URL="}
		p.ok(flags...)
	})
	t.Run("files", func(t *testing.T) {
		p := newPlace(t)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(dir+"/token", []byte(w.token()+"\n"), 0o600))
		require.NoError(t, os.WriteFile(dir+"/password", []byte("public\r\nmore"), 0o600))
		p.ok(append(flags, "--registration-token-file", dir+"/token", "--emqx-dashboard-password-file",
			dir+"/password")...)
	})
	t.Run("standard input", func(t *testing.T) {
		p := newPlace(t)
		r := p.runIn(w.token()+"\npublic\n", append(flags, "--registration-token-file", "-",
			"--emqx-dashboard-password-file",
			"-")...)
		require.Zero(t, r.Code, "%s", r)
	})
}

// Secrets of the command line are gone from the list of processes soon after the
// start, and nothing tells them later.
func TestCanaries(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t, nil), newPlace(t)
	b := newBroker(t, nil, emqxsim.ClusterConfig{}, "", "")
	b.cluster.AddUser("agent", "canary-password", "administrator")
	b.node.Slow(300 * time.Millisecond)
	token := w.token()
	p.environ = []string{"EMQXEE_AGENT_EMQX_API_SECRET=canary-secret", "EMQXEE_AGENT_EMQX_API_KEY=canary-key"}
	p.ok("start")
	registering := processtest.Start(t, p.command(append([]string{"register", "--url", w.url, "--registration-token",
		token, "--ca-sha256", w.pin,
		"--emqx-dashboard-username", "agent", "--emqx-dashboard-password=canary-password"}, b.flags()...)...))
	file := "/proc/" + strconv.Itoa(registering.PID()) + "/cmdline"
	processtest.Eventually(t, 2*time.Second, func() (bool, any) {
		line, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(line), "xxxxxxxx") && !strings.Contains(string(line), token) &&
			!strings.Contains(string(line), "canary"), string(line)
	})
	r := registering.Result(t)
	require.Zero(t, r.Code, "%s", r)
	w.connected()
	seen := r.Stdout + r.Stderr
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"doctor"}, {"doctor", "--json"}} {
		r := p.run(args...)
		seen += r.Stdout + r.Stderr
	}
	for _, pid := range p.processes() {
		for _, file := range []string{"cmdline", "environ"} {
			content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + file)
			require.NoError(t, err)
			seen += string(content)
		}
	}
	log, err := os.ReadFile(p.file("log/agent.log"))
	require.NoError(t, err)
	seen += string(log)
	for _, secret := range []string{token, "canary-password", "canary-secret"} {
		assert.NotContains(t, seen, secret)
	}
}

// The proxy of the flag, and that of the shell, are used by the agent afterwards.
func TestProxy(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"flag", "environment"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b, p, proxy := newNamedWorld(t, nil, namedServer), newBroker(t, nil, emqxsim.ClusterConfig{}, "",
				""), newPlace(t), newConnectProxy(t)
			flags := b.flags()
			if name == "flag" {
				flags = append(flags, "--proxy", proxy.url)
			} else {
				p.environ = []string{"HTTPS_PROXY=" + proxy.url}
			}
			p.ok(w.registering(flags...)...)
			p.environ = nil
			p.ok("start")
			w.connected()
			assert.GreaterOrEqual(t, len(proxy.hosts()), 2, "the registration and the connection")
			assert.Contains(t, p.ok("doctor").Stdout, "proxy")
		})
	}
}
