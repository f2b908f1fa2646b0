package podsim

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestHealthCounts plays probes: "+" succeeds, "-" fails. What is wanted after
// each: s not started, n not ready, r ready; in capitals while it counts.
func TestHealthCounts(t *testing.T) {
	probe := func(success, failure int32) *corev1.Probe {
		return &corev1.Probe{SuccessThreshold: success, FailureThreshold: failure}
	}
	for _, c := range []struct {
		name           string
		startup, ready *corev1.Probe
		play, want     string
	}{
		{"no probes", nil, nil, "++-", "rrn"},
		{"defaults of the API", nil, probe(1, 3), "-+--+---+", "nrRRrRRnr"},
		{"zero is one", nil, probe(0, 0), "+-+", "rnr"},
		{"two to be ready", nil, probe(2, 1), "+-++-", "NnNrn"},
		{"start-up comes first", probe(1, 2), probe(1, 1), "---+-", "sssrn"},
		{"readiness counts from the start", probe(1, 1), probe(2, 2), "+++", "Nrr"},
	} {
		t.Run(c.name, func(t *testing.T) {
			container := &corev1.Container{StartupProbe: c.startup, ReadinessProbe: c.ready}
			var h health
			var got strings.Builder
			for _, r := range c.play {
				if !h.started {
					h.startup(container, c.startup == nil || r == '+')
				}
				if h.started {
					h.readiness(container, r == '+')
				}
				got.WriteString(letter(h))
			}
			if got.String() != c.want {
				t.Errorf("%s: got %s, want %s", c.play, got.String(), c.want)
			}
		})
	}
}

func letter(h health) string {
	l := "s"
	switch {
	case h.ready:
		l = "r"
	case h.started:
		l = "n"
	}
	if h.counting {
		l = strings.ToUpper(l)
	}
	return l
}

func TestCheckHTTP(t *testing.T) {
	ip := address(t)
	var seen *http.Request
	r, err := launch(t.Context(), Pod{IP: ip}, serving(18083, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/down", http.StatusFound)
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.kill()
	client := newProber()
	defer client.CloseIdleConnections()
	container := &corev1.Container{Ports: []corev1.ContainerPort{{Name: "api", ContainerPort: 18083}}}
	number, name, unknown := intstr.FromInt32(18083), intstr.FromString("api"), intstr.FromString("none")
	for _, c := range []struct {
		get corev1.HTTPGetAction
		ok  bool
	}{
		{corev1.HTTPGetAction{Path: "/up?x=1", Port: number}, true},
		{corev1.HTTPGetAction{Path: "up", Port: name}, true},
		{corev1.HTTPGetAction{Path: "/moved", Port: name}, true}, // not followed
		{corev1.HTTPGetAction{Path: "/down", Port: name}, false},
		{corev1.HTTPGetAction{Path: "/up", Port: unknown}, false},
		{corev1.HTTPGetAction{Path: "/up", Port: intstr.FromInt32(1)}, false},
		{corev1.HTTPGetAction{Path: "/up", Port: number, Scheme: corev1.URISchemeHTTPS}, false},
	} {
		err := check(t.Context(), client, ip, container,
			&corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &c.get}})
		if (err == nil) != c.ok {
			t.Errorf("%+v: got %v, want success %t", c.get, err, c.ok)
		}
	}
	get := &corev1.HTTPGetAction{Path: "/up?x=1", Port: number,
		HTTPHeaders: []corev1.HTTPHeader{{Name: "host", Value: "a.b"}, {Name: "X-A", Value: "1"}}}
	if err := check(t.Context(), client, ip, container,
		&corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: get}}); err != nil {
		t.Fatal(err)
	}
	if seen.Host != "a.b" || seen.Header.Get("X-A") != "1" || seen.URL.RawQuery != "x=1" {
		t.Errorf("the probe sent host %q, X-A %q, query %q", seen.Host, seen.Header.Get("X-A"), seen.URL.RawQuery)
	}
	tcp := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: name}}}
	if err := check(t.Context(), client, ip, container, tcp); err != nil {
		t.Errorf("TCP probe of an open port: %v", err)
	}
	r.kill()
	if err := check(t.Context(), client, ip, container, tcp); err == nil {
		t.Error("TCP probe of a dead process succeeds")
	}
	if err := check(t.Context(), client, ip, container,
		&corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{}}}); err == nil {
		t.Error("a probe that cannot be run succeeds")
	}
}

// TestPatch: conditions are written when they change and keep their times else.
func TestPatch(t *testing.T) {
	no := false
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "u"}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "emqx", Image: "i:1", Started: &no},
		{Name: "side", Ready: true}}
	now := time.Unix(2000, 0).UTC()
	base := found{since: 1000}
	for _, c := range []struct {
		name     string
		from, to found
		want     []string // in the patch
		not      []string
	}{
		{"ready", base, found{started: true, ready: true, since: 1000},
			[]string{`"uid":"u"`,
				`"lastTransitionTime":"1970-01-01T00:33:20Z","message":null,"reason":null,"status":"True","type":"Ready"`, `"type":"ContainersReady"`, `"name":"side"`, `"image":"i:1"`, `"started":true`}, []string{"phase"}},
		{"not ready", found{started: true, ready: true}, found{started: true},
			[]string{`"message":"containers with unready status: [emqx]","reason":"ContainersNotReady","status":"False"`}, []string{"phase"}},
		{"started only", base, found{started: true, since: 1000}, []string{`"started":true`},
			[]string{"conditions", "phase"}},
		{"waits and never ran", base, found{waiting: reasonConfig, message: "m"},
			[]string{`"phase":"Pending"`, `"waiting":{"reason":"CreateContainerConfigError","message":"m"}`},
			[]string{"conditions", "running"}},
		{"runs at last", found{waiting: reasonConfig}, found{since: 1000},
			[]string{`"phase":"Running"`, `"running":{"startedAt":"1970-01-01T00:16:40Z"}`}, []string{"waiting"}},
		{"crashed", base, found{waiting: "CrashLoopBackOff", restarts: 1, exit: 1, exitAt: 1500},
			[]string{`"restartCount":1`, `"exitCode":1`, `"finishedAt":"1970-01-01T00:25:00Z"`}, []string{"phase"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := patch(pod, c.from, c.to, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(b), want) {
					t.Errorf("no %s in %s", want, b)
				}
			}
			for _, not := range c.not {
				if strings.Contains(string(b), `"`+not+`"`) {
					t.Errorf("%s in %s", not, b)
				}
			}
			var back corev1.Pod
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			if got := foundIn(&back); c.to.waiting == "" && got != c.to {
				t.Errorf("read back: got %+v, want %+v", got, c.to)
			}
		})
	}
}

// address gives a loopback address that no other test of this run listens on.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // its port is the number that makes the address one's own
	port := l.Addr().(*net.TCPAddr).Port
	return fmt.Sprintf("127.99.%d.%d", port>>8, port&0xff)
}

func serving(port int, h http.HandlerFunc) Factory {
	return factory(Process{HTTP: map[int]http.Handler{port: h}})
}
