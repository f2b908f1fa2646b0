package main_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/openecp/openecp/internal/kubelab/podexec"
	"github.com/openecp/openecp/internal/processtest"
)

// emqxBeside is an EMQX as the guide's manifest takes it to be, so that no line of it
// has to be edited.
const emqxBeside = `
apiVersion: v1
kind: Secret
metadata: {name: emqx-keys}
stringData: {keys: "admin:public\n"}
---
apiVersion: v1
kind: Service
metadata: {name: emqx-dashboard}
spec: {selector: {app: emqx}, ports: [{name: dashboard, port: 18083}]}
---
apiVersion: v1
kind: Pod
metadata: {name: emqx-0, labels: {app: emqx, openecp.io/cluster: outside}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: emqx
    image: emqx/emqx-enterprise:5.8.9
    ports: [{containerPort: 18083}]
    env: [{name: EMQX_NODE_NAME, value: emqx@emqx-0}, {name: EMQX_API_KEY__BOOTSTRAP_FILE, value: /keys/keys}]
    readinessProbe: {httpGet: {path: /status, port: 18083}}
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: keys, mountPath: /keys}]
  volumes: [{name: keys, secret: {secretName: emqx-keys}}]
`

// kubernetesUser is a person with kubectl, a namespace, and the guide of a cluster.
type kubernetesUser struct {
	t         *testing.T
	lab       *kubelab.Lab
	pods      *podexec.Runner
	namespace string
	dir       string // in which kubectl is, too
	daemon    *daemon
	cluster   string // path in the API
	name      string // of the agent's objects
}

// shell runs a command as a person pastes it.
func (u *kubernetesUser) shell(command string) (string, error) {
	ctx, cancel := context.WithTimeout(u.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env = u.dir, []string{"PATH=" + u.dir + ":" + os.Getenv("PATH"), "HOME=" + u.dir, "EDITOR=true"}
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs a command that has to succeed, and returns what it prints.
func (u *kubernetesUser) must(command string) string {
	u.t.Helper()
	out, err := u.shell(command)
	require.NoError(u.t, err, "%s\n%s", command, out)
	return out
}

// guide is what the API answers to a setup.
type kubernetesGuide struct {
	TokenID string `json:"tokenId"`
	Steps   []struct {
		Command string
		Text    struct{ EN string }
	}
}

func (u *kubernetesUser) guide() (g kubernetesGuide) {
	u.t.Helper()
	u.daemon.call(u.t, "POST", u.cluster+"/setup", `{"method": "kubernetes"}`, &g, 201)
	require.Len(u.t, g.Steps, 3)
	return g
}

func (u *kubernetesUser) revoke(g kubernetesGuide) {
	u.t.Helper()
	u.daemon.call(u.t, "DELETE", u.cluster+"/registrations/"+g.TokenID, "", nil, 200, 204)
}

// reaches waits until the cluster is in a state.
func (u *kubernetesUser) reaches(state string) {
	u.t.Helper()
	processtest.Eventually(u.t, time.Minute, func() (bool, string) {
		a := u.daemon.call(u.t, "GET", u.cluster, "", nil, 200)
		var c cluster
		require.NoError(u.t, json.Unmarshal(a.body, &c))
		return c.Status.State == state, string(a.body)
	})
}

type podAgent struct {
	ID, Node, Hostname, Reason string
	Connected                  bool
	Since                      time.Time
}

// agent returns the only agent of the cluster.
func (u *kubernetesUser) agent() podAgent {
	u.t.Helper()
	var list struct{ Items []podAgent }
	u.daemon.call(u.t, "GET", u.cluster+"/agents", "", &list, 200)
	require.Len(u.t, list.Items, 1)
	return list.Items[0]
}

// newKubernetesUser starts the daemon, where pods reach it, and what the agent is to
// stand beside, in a namespace that allows what is most restricted.
func newKubernetesUser(t *testing.T) *kubernetesUser {
	t.Helper()
	lab := labtest.Start(t)
	if err := podexec.Available(); err != nil {
		t.Skip(err)
	}
	agents := processtest.Agents(t)
	u := &kubernetesUser{t: t, lab: lab, dir: t.TempDir()}
	u.namespace = labtest.Namespace(t, lab, "pod-security.kubernetes.io/enforce", "restricted",
		"pod-security.kubernetes.io/warn", "restricted")
	kubectl := append(lab.KubectlCommand(t.Context()).Args, "--namespace="+u.namespace)
	require.NoError(t, os.WriteFile(filepath.Join(u.dir, "kubectl"),
		[]byte("#!/bin/sh\nexec '"+strings.Join(kubectl, "' '")+"' \"$@\"\n"), 0o755))
	emqxpod.Start(t, lab)
	u.pods = podexec.Start(t, lab, "app.kubernetes.io/name=emqxee-agent")
	require.NoError(t, os.WriteFile(filepath.Join(u.dir, "emqx.yaml"), []byte(emqxBeside), 0o600))
	u.must("kubectl apply -f emqx.yaml && kubectl wait --for=condition=Ready --timeout=30s pod/emqx-0")

	address, data, token := net.JoinHostPort(lab.NodeIP, "18180"), filepath.Join(t.TempDir(), "data"),
		"0123456789abcdef0123456789abcdef"
	p := launch(t, t.TempDir(), []string{"ECPD_BOOTSTRAP_TOKEN=" + token}, "serve", "--listen", address, "--data-dir",
		data,
		"--tls-auto", "--cluster-agent", "https://"+address, "--agents-dir", agents)
	u.daemon = client(t, p, p.Line(t, readyLine), token)
	authority, err := os.ReadFile(filepath.Join(data, "tls", "ca.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	u.daemon.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	var c cluster
	u.daemon.call(t, "POST", "/api/v1/clusters", `{"mode": "adopted", "name": "plant"}`, &c, 201)
	u.cluster, u.name = "/api/v1/clusters/"+c.ID, "emqxee-agent-"+c.ID
	return u
}

// log returns what the containers of the agent's pod have printed.
func (u *kubernetesUser) log(pod string) (text string) {
	for _, container := range []string{"download", "register", "agent"} {
		text += u.pods.Log(u.namespace, pod, container)
	}
	return text
}

// TestAgentOnKubernetes follows the guide for Kubernetes with the very manifest that it
// shows: the pod downloads the real program, registers, and is what adopt.md says it is.
func TestAgentOnKubernetes(t *testing.T) {
	u := newKubernetesUser(t)

	// An image that is not there, then a token that is good for nothing: what does not
	// start is replaced, and without a registration nothing is ready.
	first := u.guide()
	u.revoke(first)
	u.must(first.Steps[0].Command)
	u.must("sed 's|image: &image .* # EDIT|image: \\&image curl:bad # EDIT|' " + u.name + ".yaml | kubectl apply -f -")
	u.must("kubectl wait --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=ImagePullBackOff " +
		"--timeout=10s pod/" + u.name + "-0")
	out, err := u.shell(strings.ReplaceAll(first.Steps[2].Command, "--timeout=5m", "--timeout=3s"))
	assert.Error(t, err, "the guide's last command succeeds without a registration:\n%s", out)
	pod := u.name + "-0"
	processtest.Eventually(t, 10*time.Second, func() (bool, string) {
		log := u.log(pod)
		return strings.Contains(log, "revoked"), log
	})

	guide := u.guide()
	for _, step := range guide.Steps {
		u.must(step.Command)
	}
	u.reaches("running")
	agent := u.agent()
	assert.Equal(t, "emqx@emqx-0", agent.Node)
	assert.Equal(t, pod, agent.Hostname)
	assert.True(t, agent.Connected)

	// Another pod in its place is the same agent and needs no token. It takes up what the
	// Secret says of EMQX, as far as EMQX accepts that.
	u.revoke(guide)
	for _, edit := range []struct{ key, value, says string }{
		{"EMQX_DASHBOARD_PASSWORD", "mistyped", "goes on with what it has stored"},
		{"EMQX_DASHBOARD_URL", "http://emqx-dashboard." + u.namespace + ".svc:18083",
			"The settings of EMQX are stored"},
	} {
		u.must(fmt.Sprintf("kubectl patch secret %s -p '{%q: {%q: %q, %q: %q}}'", u.name, "stringData",
			"EMQXEE_AGENT_EMQX_DASHBOARD_PASSWORD", "public", "EMQXEE_AGENT_"+edit.key, edit.value))
		processtest.Eventually(t, 10*time.Second, func() (bool, string) { // kubectl refuses two within a second
			out, err := u.shell("kubectl rollout restart statefulset/" + u.name)
			return err == nil, out
		})
		u.must("kubectl rollout status statefulset/" + u.name + " --timeout=30s")
		assert.Contains(t, u.pods.Log(u.namespace, pod, "register"), edit.says)
	}
	processtest.Eventually(t, 30*time.Second, func() (bool, string) {
		now := u.agent()
		return now.Connected && now.Since.After(agent.Since), fmt.Sprintf("%+v", now)
	})
	assert.Equal(t, agent.ID, u.agent().ID)
	u.reaches("running")
	log := u.log(pod)
	for _, bad := range []string{"level=WARN", "level=ERROR", "others could use"} { // the last: of the volume
		assert.NotContains(t, log, bad)
	}

	// What agent.md says of taking it away.
	u.must("kubectl delete -f " + u.name + ".yaml --timeout=30s && kubectl delete pvc state-" + pod + " --timeout=30s")
	assert.Empty(t, u.must("kubectl get statefulset,pod,pvc,secret,serviceaccount "+
		"--selector=app.kubernetes.io/name=emqxee-agent --output=name"))
	u.reaches("abnormal")
	u.daemon.call(t, "DELETE", u.cluster+"/agents/"+agent.ID, "", nil, 200, 204)
	u.reaches("created")
}
