package emqxpod

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openecp/openecp/internal/kubelab/podsim"
)

func TestTagOf(t *testing.T) {
	for image, want := range map[string]string{
		"emqx/emqx-ee:4.4.24": "4.4.24", "emqx": "", "reg:5000/emqx": "", "reg:5000/emqx:5.8.9": "5.8.9",
		"emqx:5.8.9@sha256:00": "5.8.9", "emqx@sha256:00": "", "reg.example.com:443/a/b:5.8.9-elixir": "5.8.9-elixir",
	} {
		if got := tagOf(image); got != want {
			t.Errorf("tagOf(%q) = %q, want %q", image, got, want)
		}
	}
}

// pod4 and pod5 are pods as the provisioner renders them.
func pod4(name, claim string) podsim.Pod {
	return podsim.Pod{
		Namespace: "ns", Name: name, IP: "10.64.0.1", Image: "emqx/emqx-ee:4.4.24",
		Ports: []int{1883, 8081, 18083, 4370},
		Env: map[string]string{"EMQX_NODE_NAME": "emqx@" + name,
			"EMQX_MANAGEMENT__BOOTSTRAP_APPS_FILE": "/auth/boot"},
		Files:  map[string][]byte{"/auth/boot": []byte("key:secret\n")},
		Claims: map[string]string{"data": claim},
	}
}

func pod5(name, claim string) podsim.Pod {
	p := pod4(name, claim)
	p.Image = "emqx/emqx-enterprise:5.8.9-elixir"
	p.Env["EMQX_API_KEY__BOOTSTRAP_FILE"] = `"/auth/boot"`
	return p
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*podsim.Pod)
		pod    podsim.Pod
		node   string
		key    credentials
		err    string
	}{
		{"v4 as rendered", func(*podsim.Pod) {}, pod4("p-0", "1"), "emqx@p-0", credentials{"key", "secret"}, ""},
		{"v5 as rendered", func(*podsim.Pod) {}, pod5("p-0", "1"), "emqx@p-0", credentials{"key", "secret"}, ""},
		{"a role after the secret", func(p *podsim.Pod) {
			p.Files["/auth/boot"] = []byte(
				"a:b:administrator\r\nc:d\n")
		}, pod5("p", ""), "emqx@p", credentials{"a", "b"}, ""},
		{"name and host", func(p *podsim.Pod) {
			delete(p.Env, "EMQX_NODE_NAME")
			p.Env["EMQX_NAME"], p.Env["EMQX_HOST"] = "ee", "h.x"
		}, pod4("p", ""), "ee@h.x", credentials{"key", "secret"}, ""},
		{"nothing said", func(p *podsim.Pod) { clear(p.Env) }, pod4("p", ""), "emqx@10.64.0.1",
			credentials{"admin", "public"}, ""},
		{"v4's default application", func(p *podsim.Pod) {
			clear(p.Env)
			p.Env["EMQX_MANAGEMENT__DEFAULT_APPLICATION__ID"] = "i"
			p.Env["EMQX_MANAGEMENT__DEFAULT_APPLICATION__SECRET"] = "s"
		}, pod4("p", ""), "emqx@10.64.0.1", credentials{"i", "s"}, ""},

		{"v5 without a key", func(p *podsim.Pod) { clear(p.Env) }, pod5("p", ""), "", credentials{},
			"EMQX_API_KEY__BOOTSTRAP_FILE is not set"},
		{"no version", func(p *podsim.Pod) { p.Image = "emqx:latest" }, pod4("p", ""), "", credentials{},
			"no version of EMQX"},
		{"version 3", func(p *podsim.Pod) { p.Image = "emqx:3.4.8" }, pod4("p", ""), "", credentials{},
			"no version of EMQX"},
		{"a variable nobody set", func(p *podsim.Pod) { p.Env["EMQX_NODE_NAME"] = "emqx@$(EMQX_HOST)" }, pod4("p", ""),
			"", credentials{}, "no node name"},
		{"no host", func(p *podsim.Pod) { p.Env["EMQX_NODE_NAME"] = "emqx" }, pod4("p", ""), "", credentials{},
			"no node name"},
		{"no file", func(p *podsim.Pod) { clear(p.Files) }, pod4("p", ""), "", credentials{}, "no such file"},
		{"no secret", func(p *podsim.Pod) { p.Files["/auth/boot"] = []byte("hidden\n") }, pod4("p", ""), "",
			credentials{}, "not key:secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change(&c.pod)
			b, err := read(c.pod)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "hidden") {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || b.node != c.node || b.key != c.key {
				t.Errorf("got %+v, %v", b, err)
			}
		})
	}
}

// world is a fleet without pods: the test boots and ends nodes itself.
type world struct {
	*Fleet
	t *testing.T
}

func newWorld(t *testing.T) world {
	return world{&Fleet{log: slog.New(slog.DiscardHandler), clusters: map[string]*cluster{}}, t}
}

func (w world) boot(p podsim.Pod) podsim.Process {
	w.t.Helper()
	proc, err := w.Fleet.boot(context.Background(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return proc
}

// nodes are the members and their state, as a node tells who asks it.
func (w world) nodes(of podsim.Process, key, secret string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, "/api/v5/nodes", nil)
	r.SetBasicAuth(key, secret)
	rec := httptest.NewRecorder()
	of.HTTP[18083].ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// expect checks what a node says of the cluster: words in its answer, and
// words that must not be there.
func (w world) expect(of podsim.Process, words, not string) {
	w.t.Helper()
	status, body := w.nodes(of, "key", "secret")
	if status != http.StatusOK {
		w.t.Fatalf("%d %s", status, body)
	}
	for _, s := range strings.Fields(words) {
		if !strings.Contains(body, s) {
			w.t.Errorf("no %s in %s", s, body)
		}
	}
	for _, s := range strings.Fields(not) {
		if strings.Contains(body, s) {
			w.t.Errorf("%s in %s", s, body)
		}
	}
}

func TestPodsOfANamespaceAreOneCluster(t *testing.T) {
	w := newWorld(t)
	first, second := w.boot(pod5("p-0", "a")), w.boot(pod5("p-1", "b"))
	w.expect(first, `emqx@p-0 emqx@p-1 "5.8.9"`, "stopped")
	other := pod5("p-9", "c")
	other.Namespace = "other"
	w.expect(w.boot(other), "emqx@p-9", "p-0 p-1")

	second.Exit()
	w.expect(first, "emqx@p-1 stopped", "")
	second = w.boot(pod5("p-1", "b"))
	w.expect(second, "emqx@p-0 emqx@p-1", "stopped")

	w.forget("ns")
	if w.Cluster("ns") != nil || w.Cluster("other") == nil {
		t.Error("the namespace that is gone, and no other, should be forgotten")
	}
}

// TestDataFollowsClaims: members come back as themselves with their claims.
func TestDataFollowsClaims(t *testing.T) {
	w := newWorld(t)
	first, second := w.boot(pod5("p-0", "a")), w.boot(pod5("p-1", "b"))
	was, node := w.Cluster("ns"), w.Cluster("ns").Node("emqx@p-1")
	first.Exit()
	second.Exit()
	w.boot(pod5("p-0", "a"))
	second = w.boot(pod5("p-1", "b"))
	if w.Cluster("ns") != was || was.Node("emqx@p-1") != node {
		t.Error("stopped and started with its claims, the cluster is another")
	}
	second.Exit()
	w.boot(pod5("p-1", "new"))
	if w.Cluster("ns") != was || was.Node("emqx@p-1") == node {
		t.Error("with a new claim the member should be another, in the same cluster")
	}
	w = newWorld(t)
	first = w.boot(pod5("p-0", "a"))
	was = w.Cluster("ns")
	first.Exit()
	w.boot(pod5("p-0", "new"))
	if w.Cluster("ns") == was {
		t.Error("with every claim new the cluster should begin anew")
	}
}

// TestUpgrade: a node runs what its image says; another major is another cluster.
func TestUpgrade(t *testing.T) {
	w := newWorld(t)
	w.boot(pod5("p-0", "a"))
	p := pod5("p-1", "b")
	p.Image = "emqx/emqx-enterprise:5.8.1"
	w.expect(w.boot(p), `"5.8.9" "5.8.1"`, "")
	was := w.Cluster("ns")
	proc := w.boot(pod4("p-0", "a"))
	if w.Cluster("ns") == was {
		t.Error("EMQX 4 and 5 in one cluster")
	}
	if proc.HTTP[8081] == nil || proc.HTTP[18083] == nil || len(proc.TCP) != 2 {
		t.Errorf("EMQX 4 serves %v and %v", proc.HTTP, proc.TCP)
	}
}

// TestEveryKeyOfAPodIsLetIn: a pod that starts with a new secret brings its key.
func TestEveryKeyOfAPodIsLetIn(t *testing.T) {
	w := newWorld(t)
	first := w.boot(pod5("p-0", "a"))
	ask := func(key, secret string, want int) {
		t.Helper()
		if got, body := w.nodes(first, key, secret); got != want {
			t.Errorf("%s/%s: got %d %s, want %d", key, secret, got, body, want)
		}
	}
	ask("key", "secret", http.StatusOK)
	ask("key2", "secret2", http.StatusUnauthorized)
	p := pod5("p-1", "b")
	p.Files["/auth/boot"] = []byte("key2:secret2\n")
	w.boot(p)
	ask("key2", "secret2", http.StatusOK)
	ask("key", "secret", http.StatusOK)
	ask("key", "secret2", http.StatusUnauthorized)
	ask("", "", http.StatusUnauthorized)
}

// TestEvacuatedNodeIsNotReady: where the broker has the check that readiness is
// probed at, a node that is being emptied fails it, and a 5.x one also after it
// was started anew with its data.
func TestEvacuatedNodeIsNotReady(t *testing.T) {
	for _, c := range []struct {
		pod   func(name, claim string) podsim.Pod
		port  int
		check string
		after int // status once it was started anew
	}{
		{pod5, 18083, "/api/v5/load_rebalance/availability_check", http.StatusServiceUnavailable},
		{pod4, 8081, "/api/v4/load_rebalance/availability_check", http.StatusOK},
	} {
		w := newWorld(t)
		w.boot(c.pod("p-0", "a"))
		node := w.boot(c.pod("p-1", "b"))
		probe := func(when, path string, want int) {
			t.Helper()
			rec := httptest.NewRecorder()
			node.HTTP[c.port].ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
			if rec.Code != want {
				t.Errorf("%s: %s answers %d %s, want %d", when, path, rec.Code, rec.Body, want)
			}
		}
		probe("at first", c.check, http.StatusOK)
		w.Cluster("ns").Node("emqx@p-1").StartEvacuation(0, 0, 0, 0)
		probe("evacuating", c.check, http.StatusServiceUnavailable)
		probe("evacuating", "/status", http.StatusOK)
		node.Exit()
		node = w.boot(c.pod("p-1", "b"))
		probe("with its claim", c.check, c.after)
		node.Exit()
		node = w.boot(c.pod("p-1", "new"))
		probe("with a new claim", c.check, http.StatusOK)
	}
}
