package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/openecp/openecp/internal/processtest"
)

// uid is the user and group of the image.
const uid = 65532

// daemon is ecpd as the chart's pod runs it, but for the walls around a container: with the
// arguments, variables and files of the StatefulSet, as its user, in a root of its own that
// this user cannot write to, and with a token of the pod's account.
type daemon struct {
	*processtest.Process
	url, token string
	kubeconfig string // of its account
}

// serviceAccount is where Kubernetes mounts the account of a pod.
const serviceAccount = "var/run/secrets/kubernetes.io/serviceaccount"

// container is the part of the pod's template that is run.
type container struct {
	Args []string
	Env  []struct {
		Name, Value string
		ValueFrom   struct {
			SecretKeyRef struct{ Name, Key string }
			FieldRef     struct{ FieldPath string }
		}
	}
}

// built is ecpd, once it was built for the test binary.
var built []byte

// program puts ecpd into a folder.
func program(t *testing.T, folder string) {
	t.Helper()
	if built == nil {
		to := filepath.Join(t.TempDir(), "ecpd")
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", to, "./cmd/ecpd")
		cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		built, err = os.ReadFile(to)
		require.NoError(t, err)
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ecpd"), built, 0o755))
}

// root is the root of a container's file system.
type root struct {
	dir   string
	other bool // the container has a user of its own
}

// newRoot makes one with what every pod of the chart has: its account, settings and keys.
func newRoot(t *testing.T, h *helm) *root {
	t.Helper()
	dir, err := os.MkdirTemp("", "ecpd-pod-") // not the test's: another user enters it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	r := &root{dir: dir, other: os.Geteuid() == 0 && !inUserNamespace(t)}
	authority, err := os.ReadFile(h.lab.CAFile)
	require.NoError(t, err)
	keys, _ := h.keys()
	r.write(t, "etc/ecpd/ecpd.yaml", 0o644, h.get("configmap/ecpd", `.data.ecpd\.yaml`))
	r.write(t, "etc/ecpd/keys/keys", 0o440, keys)
	r.write(t, serviceAccount+"/token", 0o644, h.accountToken())
	r.write(t, serviceAccount+"/ca.crt", 0o644, string(authority))
	r.write(t, serviceAccount+"/namespace", 0o644, Namespace)
	program(t, filepath.Join(dir, "usr/bin"))
	for _, folder := range []string{"tmp", "var/lib/ecpd"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o755))
	}
	r.give(t, filepath.Join(dir, "tmp"), 0o777)
	r.give(t, filepath.Join(dir, "var/lib/ecpd"), os.ModeSetgid|0o770) // what fsGroup comes to
	return r
}

// give makes a file or folder the group's of the container, as fsGroup does.
func (r *root) give(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if r.other {
		require.NoError(t, os.Chown(name, 0, uid))
	}
	require.NoError(t, os.Chmod(name, mode))
}

func (r *root) write(t *testing.T, name string, mode os.FileMode, content string) {
	t.Helper()
	name = filepath.Join(r.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	r.give(t, name, mode)
}

// accountToken is a new token of the pod's account.
func (h *helm) accountToken() string {
	h.t.Helper()
	token, err := h.lab.Kubectl(h.t.Context(), "", "create", "token", "ecpd", "-n", Namespace)
	require.NoError(h.t, err)
	return strings.TrimSpace(token)
}

// start starts the container of a workload, with the address of its pod and arguments that
// are changed.
func (r *root) start(t *testing.T, h *helm, workload, address string, change func(arg string) string) *daemon {
	t.Helper()
	var c container
	require.NoError(t, json.Unmarshal([]byte(h.get(workload, ".spec.template.spec.containers[0]")), &c))
	_, bootstrap := h.keys()
	environ := map[string]string{}
	for _, e := range c.Env {
		switch {
		case e.Value != "":
			environ[e.Name] = e.Value
		case e.ValueFrom.FieldRef.FieldPath == "status.podIP":
			environ[e.Name] = address
		default:
			require.Equal(t, "ecpd-keys/bootstrapToken", e.ValueFrom.SecretKeyRef.Name+"/"+e.ValueFrom.SecretKeyRef.Key)
			environ[e.Name] = bootstrap
		}
	}
	server, err := url.Parse(h.lab.URL)
	require.NoError(t, err)
	cmd := exec.Command("/usr/bin/ecpd")
	cmd.Dir = "/"
	cmd.Env = []string{"KUBERNETES_SERVICE_HOST=" + server.Hostname(), "KUBERNETES_SERVICE_PORT=" + server.Port()}
	for name, value := range environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	for _, a := range c.Args {
		for name, value := range environ { // as the kubelet does
			a = strings.ReplaceAll(a, "$("+name+")", value)
		}
		cmd.Args = append(cmd.Args, change(a))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir}
	if r.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	}
	return &daemon{Process: processtest.Start(t, cmd), token: bootstrap}
}

// ready waits until the daemon takes requests.
func (d *daemon) ready(t *testing.T) {
	t.Helper()
	d.url = d.Line(t, "ecpd ready on ")
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		status, body := d.call(t, http.MethodGet, "/readyz", "")
		return status == http.StatusOK, body
	})
}

// data is the folder of the claim: it is kept from one daemon to the next.
var data string

// startDaemon starts the one daemon that has its database on a volume, with what the chart
// has made.
func startDaemon(t *testing.T, h *helm) *daemon {
	t.Helper()
	r := newRoot(t, h)
	volume := filepath.Join(r.dir, "var/lib/ecpd")
	if data != "" {
		require.NoError(t, os.RemoveAll(volume))
		require.NoError(t, os.Rename(data, volume))
		r.give(t, volume, os.ModeSetgid|0o770)
	}
	data = volume
	d := r.start(t, h, "statefulset/ecpd", "", func(arg string) string {
		if strings.HasPrefix(arg, "--listen=") || strings.HasPrefix(arg, "--metrics-listen=") {
			name, _, _ := strings.Cut(arg, "=")
			return name + "=127.0.0.1:0" // whatever else this machine serves
		}
		return arg
	})
	d.ready(t)
	d.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	for _, args := range [][]string{
		{"set-cluster", "lab", "--server", h.lab.URL, "--certificate-authority", h.lab.CAFile},
		{"set-credentials", "ecpd", "--token", h.accountToken()},
		{"set-context", "ecpd", "--cluster", "lab", "--user", "ecpd"},
		{"use-context", "ecpd"},
	} {
		_, err := h.lab.Kubectl(t.Context(), "", append([]string{"config", "--kubeconfig=" + d.kubeconfig}, args...)...)
		require.NoError(t, err)
	}
	return d
}

// inUserNamespace reports whether this process has no other user to be.
func inUserNamespace(t *testing.T) bool {
	t.Helper()
	m, err := os.ReadFile("/proc/self/uid_map")
	require.NoError(t, err)
	return !bytes.Contains(m, []byte("4294967295"))
}

// call asks the daemon.
func (d *daemon) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, d.url+path, strings.NewReader(body))
	require.NoError(t, err)
	q.Header.Set("Authorization", "Bearer "+d.token)
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(q)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

// fill makes an EMQX cluster, sees it come, and stores a secret that is sealed.
func (d *daemon) fill(t *testing.T) (cluster string) {
	t.Helper()
	status, body := d.call(t, http.MethodPost, "/api/v1/registries",
		`{"name": "harbor", "host": "registry.example.com", "user": "puller", "password": "a secret"}`)
	require.Equal(t, http.StatusCreated, status, body)
	status, body = d.call(t, http.MethodPost, "/api/v1/clusters",
		`{"mode": "hosted", "name": "made", "spec": {"image": "emqx-ee-5.8.9", "nodes": 2, "connections": 1000}}`)
	require.Contains(t, []int{http.StatusCreated, http.StatusAccepted}, status, body)
	var c struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(body), &c))
	d.has(t, c.ID)
	_, body = d.call(t, http.MethodGet, "/api/v1/kubernetes-targets", "")
	require.NotContains(t, body, "fewer rights", "the chart's rights are all that is wanted")
	return c.ID
}

// has waits until a cluster runs.
func (d *daemon) has(t *testing.T, cluster string) {
	t.Helper()
	processtest.Eventually(t, 2*time.Minute, func() (bool, string) {
		_, body := d.call(t, http.MethodGet, "/api/v1/clusters/"+cluster, "")
		var c struct{ Status struct{ State string } }
		require.NoError(t, json.Unmarshal([]byte(body), &c))
		return c.Status.State == "running", body
	})
	_, body := d.call(t, http.MethodGet, "/api/v1/registries", "")
	require.Contains(t, body, "harbor")
}

// end ends the daemon as Kubernetes does. It has had nothing to complain of but the missing
// TLS.
func (d *daemon) end(t *testing.T) {
	t.Helper()
	code, _ := d.Terminate(t)
	require.Zero(t, code, "%s", d.Stderr)
	for _, line := range d.Stderr.Lines() {
		if strings.Contains(line, "level=WARN") && !strings.Contains(line, "TLS") || strings.Contains(line, "level=ERROR") {
			t.Errorf("the daemon complains: %s", line)
		}
	}
}

// confined tries what the account of the daemon must not do.
func confined(t *testing.T, lab *kubelab.Lab, kubeconfig string) {
	t.Helper()
	// The API server enforces a policy a moment after it was made.
	labtest.Eventually(t, time.Minute, "the policy is in force", func(ctx context.Context) (bool, string) {
		out, err := lab.Kubectl(ctx, "", "--kubeconfig="+kubeconfig, "create", "namespace", "outside", "--dry-run=server")
		if err == nil {
			return false, out
		}
		return strings.Contains(err.Error(), "ecpd may write only in namespaces named like a cluster"), err.Error()
	})
	for _, c := range []struct{ command, want string }{
		{"delete namespace openecp-system", "ecpd may write only"},
		{"delete secret ecpd-keys -n openecp-system", "ecpd may write only"},
		{"create configmap x -n default", "ecpd may write only"},
		{"get secrets -n openecp-system", "cannot list resource"},
		{"get clusterroles", "cannot list resource"},
		{"delete statefulset ecpd -n openecp-system", "cannot delete resource"},
		{"create clusterrolebinding x --clusterrole=cluster-admin --user=x", "cannot create resource"},
	} {
		_, err := lab.Kubectl(t.Context(), "", append([]string{"--kubeconfig=" + kubeconfig},
			strings.Fields(c.command)...)...)
		require.ErrorContains(t, err, c.want, c.command)
	}
	_, err := lab.Kubectl(t.Context(), "", "--kubeconfig="+kubeconfig, "get", "secret", "ecpd-keys", "-n", Namespace)
	require.NoError(t, err, "reads by name are allowed: the README of deploy/kubernetes says so")
}
