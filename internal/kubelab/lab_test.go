package kubelab_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) == "1" {
		os.Exit(helper())
	}
	goleak.VerifyTestMain(labtest.M(m, audited), goleak.IgnoreTopFunction(labtest.UnreadCloseError))
}

func audited(c *kubelab.Config) { c.Audit = true }

// TestAuditLog: it has who changed what and how, and nothing of the control plane's own.
func TestAuditLog(t *testing.T) {
	lab := labtest.Start(t)
	ns := labtest.Namespace(t, lab)
	kubectl(t, lab, pod("p", "", "x:1"), "apply", "-n", ns, "-f", "-")
	shows(t, lab, "^Running$", "get", "pod", "-n", ns, "p", "-o", "jsonpath={.status.phase}")
	labtest.Eventually(t, 10*time.Second, "the pod is in the log", func(context.Context) (bool, string) {
		log, err := os.ReadFile(lab.AuditLog)
		if err != nil {
			t.Fatal(err)
		}
		var of []string
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, `"namespace":"`+ns+`"`) {
				of = append(of, line)
			}
		}
		seen := strings.Join(of, "")
		if strings.Contains(seen, `"username":"system:`) || strings.Contains(seen, `"subresource":"status"`) ||
			strings.Contains(seen, `"verb":"get"`) {
			t.Fatal(seen)
		}
		return strings.Contains(seen, `"verb":"create","user":{"username":"admin"`) &&
			strings.Contains(seen, `"image":"x:1"`), seen
	})
}

// kubectl runs kubectl and fails the test when it fails.
func kubectl(t *testing.T, lab *kubelab.Lab, stdin string, args ...string) string {
	t.Helper()
	out, err := lab.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shows waits until kubectl prints what is wanted.
func shows(t *testing.T, lab *kubelab.Lab, want string, args ...string) string {
	t.Helper()
	var out string
	match := regexp.MustCompile(want)
	labtest.Eventually(t, 20*time.Second, fmt.Sprintf("kubectl %s shows %s", strings.Join(args, " "), want),
		func(ctx context.Context) (bool, string) {
			var err error
			out, err = lab.Kubectl(ctx, "", args...)
			return err == nil && match.MatchString(out), fmt.Sprint(out, err)
		})
	return out
}

func pod(name, labels, image string) string {
	return fmt.Sprintf(
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{%s}},"spec":{"containers":[{"name":"c","image":%q}]}}`+"\n", name, labels, image)
}

func TestKubectlSeesNodesAndDefaultStorage(t *testing.T) {
	lab := labtest.Start(t)
	out := kubectl(t, lab, "", "get", "nodes,storageclasses")
	for _, want := range []string{"node-0 ", "node-1 ", "node-2 ", "standard (default)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if version := kubectl(t, lab, "", "version"); !regexp.MustCompile(`Server Version: v1\.3\d\.\d+`).
		MatchString(version) {
		t.Errorf("clients that look at the version will refuse: %s", version)
	}
}

// TestPods: what becomes of pods, by label and image.
func TestPods(t *testing.T) {
	lab := labtest.Start(t)
	ns := labtest.Namespace(t, lab)
	kubectl(t, lab, pod("anybody", `"a":"b"`, "x:1")+pod("ours", `"openecp.io/cluster":"x"`, "x:1")+pod("broken", "",
		"x:bad"), "apply", "-n", ns, "-f", "-")
	path := `jsonpath={.status.phase} {.status.conditions[?(@.type=="Ready")].status} {.status.containerStatuses[0].state.waiting.reason}`
	shows(t, lab, "^Running True $", "get", "pod", "-n", ns, "anybody", "-o", path)
	shows(t, lab, "^Running False $", "get", "pod", "-n", ns, "ours", "-o", path)
	shows(t, lab, "^Pending False ImagePullBackOff$", "get", "pod", "-n", ns, "broken", "-o", path)

	ip := kubectl(t, lab, "", "get", "pod", "-n", ns, "ours", "-o", "jsonpath={.status.podIP}")
	_, cidr, err := net.ParseCIDR(lab.PodCIDR)
	if err != nil || !cidr.Contains(net.ParseIP(ip)) {
		t.Errorf("the pod has the address %s, not one of %s (%v)", ip, lab.PodCIDR, err)
	}
	begun := time.Now()
	kubectl(t, lab, "", "delete", "pod", "-n", ns, "anybody", "ours", "broken")
	if took := time.Since(begun); took > 25*time.Second {
		t.Errorf("deleting pods took %v; nobody's grace period is to be waited for", took)
	}
}

// TestServicesAndVolumes: a load balancer gets an address of the lab, a claim
// a volume.
func TestServicesAndVolumes(t *testing.T) {
	lab := labtest.Start(t)
	ns := labtest.Namespace(t, lab)
	kubectl(t, lab, `
apiVersion: v1
kind: Service
metadata: {name: lb}
spec: {type: LoadBalancer, ports: [{port: 1883}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`, "apply", "-n", ns, "-f", "-")
	prefix, _, _ := strings.Cut(lab.PodCIDR, ".0.0/")
	shows(t, lab, "^"+regexp.QuoteMeta(prefix)+`\.\d+\.\d+$`, "get", "service", "-n", ns, "lb", "-o",
		"jsonpath={.status.loadBalancer.ingress[0].ip}")
	shows(t, lab, "^Bound "+kubelab.StorageClass+"$", "get", "pvc", "-n", ns, "data", "-o",
		"jsonpath={.status.phase} {.spec.storageClassName}")
}

// TestUser: a user may do what RBAC objects say, and nothing else.
func TestUser(t *testing.T) {
	lab := labtest.Start(t)
	ns := labtest.Namespace(t, lab)
	config, err := lab.User("test:alice/a", "readers")
	if err != nil {
		t.Fatal(err)
	}
	as := func(args ...string) (string, error) {
		return lab.Kubectl(t.Context(), "", append([]string{"--kubeconfig=" + config, "-n", ns}, args...)...)
	}
	if out, err := as("get", "pods"); err == nil ||
		!strings.Contains(err.Error(), `User "test:alice/a" cannot list resource "pods"`) {
		t.Errorf("without a role: %q, %v", out, err)
	}
	kubectl(t, lab, "", "create", "role", "-n", ns, "r", "--verb=list", "--resource=pods")
	kubectl(t, lab, "", "create", "rolebinding", "-n", ns, "b", "--role=r", "--group=readers")
	labtest.Eventually(t, 10*time.Second, "the role counts", func(context.Context) (bool, string) {
		out, err := as("get", "pods")
		return err == nil, fmt.Sprint(out, err)
	})
	if _, err := as("get", "secrets"); err == nil {
		t.Error("a role for pods gives secrets")
	}
}

// TestPortForward reaches a process behind a pod's address through the API
// server; a request that is ended by closing half gets its answer.
func TestPortForward(t *testing.T) {
	lab := labtest.Start(t)
	ns := labtest.Namespace(t, lab)
	kubectl(t, lab, pod("p", "", "x:1"), "apply", "-n", ns, "-f", "-")
	ip := shows(t, lab, `^\d+\.`, "get", "pod", "-n", ns, "p", "-o", "jsonpath={.status.podIP}")
	l, err := net.Listen("tcp", ip+":18083")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "key "+r.Header.Get("Authorization"))
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }()
	defer func() { _ = srv.Close(); <-served }()

	cmd := lab.KubectlCommand(t.Context(), "port-forward", "-n", ns, "pod/p", ":18083")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	line := make([]byte, 1024)
	n, err := out.Read(line)
	m := regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`).FindSubmatch(line[:n])
	if m == nil {
		t.Fatalf("kubectl says %q, %v", line[:n], err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+string(m[1])+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "secret")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "key secret" {
		t.Errorf("got %q, %v", b, err)
	}
}

// TestLabsSideBySide: two labs share nothing, and one ends without a trace.
func TestLabsSideBySide(t *testing.T) {
	first := labtest.Start(t)
	labtest.Need(t)
	begun := time.Now()
	second, err := kubelab.Start(t.Context(), kubelab.Config{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a lab of one node beside another started in %v", time.Since(begun).Round(10*time.Millisecond))
	defer func() { _ = second.Stop() }()
	if first.URL == second.URL || first.PodCIDR == second.PodCIDR || first.Dir == second.Dir {
		t.Errorf("shared: %s %s %s", first.URL, first.PodCIDR, first.Dir)
	}
	if out := kubectl(t, second, "", "get", "nodes", "-o", "name"); strings.TrimSpace(out) != "node/node-0" {
		t.Errorf("nodes of the second: %q", out)
	}
	kubectl(t, second, "", "create", "namespace", "only-there")
	if _, err := first.Kubectl(t.Context(), "", "get", "namespace", "only-there"); err == nil {
		t.Error("the first sees what was made in the second")
	}
	procs := processes(t, second.Dir)
	if len(procs) < 6 {
		t.Errorf("found the processes %v of a lab of six programs", procs)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(); err != nil {
		t.Errorf("stopped twice: %v", err)
	}
	nothingLeft(t, second.Dir, second.PodCIDR)
	kubectl(t, first, "", "get", "nodes")
}

// processes are those whose command line names a folder.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && strings.Contains(string(b), dir+"/") {
			out = append(out, strings.Split(l, "/")[2])
		}
	}
	return out
}

// nothingLeft waits until a lab has no folder, no route and no process. The
// route may be there if another lab, of another test binary, has taken it since; an
// empty one is not looked for.
func nothingLeft(t *testing.T, dir, cidr string) {
	t.Helper()
	labtest.Eventually(t, 10*time.Second, "nothing is left of "+dir, func(context.Context) (bool, string) {
		routes := localRoutes(t)
		_, folder := os.Stat(dir)
		procs := processes(t, dir)
		routed := cidr != "" && strings.Contains(routes, cidr) && claims(t, filepath.Dir(dir), cidr) == 0
		return os.IsNotExist(folder) && len(procs) == 0 && !routed,
			fmt.Sprintf("folder %v, processes %v, routes %s", folder, procs, routes)
	})
}

// claims counts the labs that have written down that a network is their own:
// several may, in namespaces of their own.
func claims(t *testing.T, labs, cidr string) (n int) {
	t.Helper()
	owners, err := filepath.Glob(filepath.Join(labs, "*", "owner.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range owners {
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), fmt.Sprintf(`"Octet":%s,`, strings.Split(cidr, ".")[1])) {
			n++
		}
	}
	return n
}

// TestOutage: the API server goes and comes back with what it had.
func TestOutage(t *testing.T) {
	lab := labtest.Own(t)
	kubectl(t, lab, "", "create", "namespace", "kept")
	if err := lab.StartAPIServer(t.Context()); err == nil {
		t.Error("started a second API server")
	}
	if err := lab.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := lab.Do(t.Context(), http.MethodGet, "/livez", nil); err == nil {
		t.Error("the API server answers although it was stopped")
	}
	if err := lab.StopAPIServer(); err == nil {
		t.Error("stopped what does not run")
	}
	if err := lab.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	kubectl(t, lab, "", "get", "namespace", "kept")
	select {
	case err := <-lab.Failed():
		t.Errorf("an outage that was asked for counts as a failure: %v", err)
	default:
	}
}

// TestFailed: a program that dies by itself is reported by name.
func TestFailed(t *testing.T) {
	lab := labtest.Own(t)
	for _, pid := range processes(t, lab.Dir) {
		b, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if name, _, _ := strings.Cut(string(b), "\x00"); err == nil && filepath.Base(name) == "kube-scheduler" {
			var n int
			if _, err := fmt.Sscan(pid, &n); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	select {
	case err := <-lab.Failed():
		if !strings.Contains(err.Error(), "kube-scheduler ended by itself") {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("nobody noticed within a minute")
	}
}

// TestStartCutOff: a start that is given up leaves nothing.
func TestStartCutOff(t *testing.T) {
	labtest.Need(t)
	if _, err := kubelab.Build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	lab, err := kubelab.Start(ctx, kubelab.Config{})
	if err == nil {
		t.Skipf("this machine starts a lab within the limit: %v", lab.Stop())
	}
	if !strings.Contains(err.Error(), "deadline exceeded") {
		t.Errorf("got %v", err)
	}
}

func TestConfig(t *testing.T) {
	for _, n := range []int{-1, 17} {
		if lab, err := kubelab.Start(t.Context(), kubelab.Config{Nodes: n}); err == nil {
			t.Errorf("%d nodes are taken", n)
			_ = lab.Stop()
		}
	}
}
