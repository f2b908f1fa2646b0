package emqxpod_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"sigs.k8s.io/yaml"

	"github.com/openecp/openecp/internal/kubelab"
	"github.com/openecp/openecp/internal/kubelab/emqxpod"
	"github.com/openecp/openecp/internal/kubelab/labtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(labtest.M(m), goleak.IgnoreTopFunction(labtest.UnreadCloseError))
}

// rendered is the id in what k8sprovisioner's tests have rendered.
const rendered = "emqx-1a2b3c4d"

// cluster is one made from objects as k8sprovisioner renders them.
type cluster struct {
	lab   *kubelab.Lab
	id    string
	major string // path element of the API
	port  string
	set   string // name of the StatefulSet
}

// create makes the objects of a golden file under a new id.
func create(t *testing.T, lab *kubelab.Lab, version string) cluster {
	t.Helper()
	c := cluster{lab: lab, id: fmt.Sprintf("emqx-%08x", rand.Uint32()), major: "v5", port: "18083"}
	c.set = c.id + "-emqx"
	if strings.HasPrefix(version, "4") {
		c.major, c.port, c.set = "v4", "8081", c.id+"-emqx-ee"
	}
	text, err := os.ReadFile("../../../k8sprovisioner/testdata/golden/" + version + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects := []string{`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"` + c.id +
		`","labels":{"openecp.io/cluster":"` + c.id + `"}}}`,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"` + c.id + `-auth","namespace":"` + c.id + `"},"stringData":{
			"cookie":"c1","api-key":"key","api-secret":"secret1","dashboard-password":"d1","bootstrap":"key:secret1\n"}}`}
	for _, doc := range strings.Split(strings.ReplaceAll(string(text), rendered, c.id), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		if o["kind"] == "Namespace" || o == nil {
			continue
		}
		delete(o["metadata"].(map[string]any), "ownerReferences") // to a Secret that is not there
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, string(b))
	}
	c.kubectl(t, strings.Join(objects, "\n"), "apply", "--validate=false", "-f", "-")
	t.Cleanup(func() {
		_, _ = lab.Kubectl(context.Background(), "", "delete", "namespace", c.id, "--wait=false", "--ignore-not-found")
	})
	return c
}

func (c cluster) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := c.lab.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c cluster) pod(i int) string { return fmt.Sprintf("%s-%d", c.set, i) }

// readyNodes waits until so many pods are ready; it says how long it took.
func (c cluster) readyNodes(t *testing.T, n int) {
	t.Helper()
	begun := time.Now()
	labtest.Eventually(t, 30*time.Second, fmt.Sprintf("%d pods of %s are ready", n, c.id),
		func(ctx context.Context) (bool, string) {
			var s struct {
				Status struct{ Replicas, ReadyReplicas int }
			}
			status, body, err := c.lab.Do(ctx, http.MethodGet, "/apis/apps/v1/namespaces/"+c.id+"/statefulsets/"+c.set,
				nil)
			if err != nil || status != http.StatusOK || json.Unmarshal(body, &s) != nil {
				return false, fmt.Sprintf("%d %s %v", status, body, err)
			}
			if s.Status.ReadyReplicas == n {
				return true, ""
			}
			why, err := c.lab.Kubectl(ctx, "", "get", "pods", "-n", c.id, "-o",
				`jsonpath={range .items[*]}{.metadata.name}: {.status.phase} {.status.containerStatuses[0].state}{"\n"}{end}`)
			return false, fmt.Sprintf("%+v\n%s %v", s.Status, why, err)
		})
	t.Logf("%d ready after %v", n, time.Since(begun).Round(time.Millisecond))
}

// sees waits until a pod's node says of the members what is wanted: "running"
// or "stopped", by ordinal. EMQX 4 leaves out those that are stopped.
func (c cluster) sees(t *testing.T, from int, want ...string) {
	t.Helper()
	labtest.Eventually(t, 20*time.Second, fmt.Sprintf("node %d sees %q", from, want),
		func(ctx context.Context) (bool, string) {
			ip := strings.TrimSpace(c.kubectl(t, "", "get", "pod", c.pod(from), "-n", c.id, "-o",
				"jsonpath={.status.podIP}"))
			status, body, err := call(ctx, "http://"+ip+":"+c.port+"/api/"+c.major+"/nodes")
			if err != nil || status != http.StatusOK {
				return false, fmt.Sprintf("%d %s %v", status, body, err)
			}
			return c.match(body, want), body
		})
}

// match reads the list of nodes of either major.
func (c cluster) match(body string, want []string) bool {
	type node struct{ Node, NodeStatus, Node_status string }
	var nodes []node
	if c.major == "v4" {
		var answer struct{ Data []node }
		if json.Unmarshal([]byte(body), &answer) != nil {
			return false
		}
		nodes = answer.Data
	} else if json.Unmarshal([]byte(body), &nodes) != nil {
		return false
	}
	got := slices.Repeat([]string{"stopped"}, len(want))
	if c.major == "v5" {
		clear(got)
	}
	for _, n := range nodes {
		for i := range want {
			if strings.HasPrefix(n.Node, "emqx@"+c.pod(i)+".") {
				got[i] = strings.ToLower(n.NodeStatus + n.Node_status)
			}
		}
	}
	return strings.Join(got, ",") == strings.Join(want, ",")
}

func call(ctx context.Context, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.SetBasicAuth("key", "secret1")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// TestRenderedClusterLives takes what the provisioner renders through a life:
// nodes form a cluster, die, come back, are scaled in and out.
func TestRenderedClusterLives(t *testing.T) {
	for _, version := range []string{"4.4.19", "5.8.9"} {
		t.Run(version, func(t *testing.T) {
			lab := labtest.Start(t)
			fleet := emqxpod.Start(t, lab)
			c := create(t, lab, version)
			c.readyNodes(t, 3)
			c.sees(t, 0, "running", "running", "running")

			if err := fleet.Kill(c.id, c.pod(2)); err != nil {
				t.Fatal(err)
			}
			c.readyNodes(t, 2)
			c.sees(t, 0, "running", "running", "stopped")
			if err := fleet.Revive(c.id, c.pod(2)); err != nil {
				t.Fatal(err)
			}
			c.readyNodes(t, 3)
			c.sees(t, 2, "running", "running", "running")

			was := fleet.Cluster(c.id)
			c.kubectl(t, "", "scale", "-n", c.id, "statefulset/"+c.set, "--replicas=1")
			c.readyNodes(t, 1)
			c.sees(t, 0, "running", "stopped", "stopped")
			c.kubectl(t, "", "scale", "-n", c.id, "statefulset/"+c.set, "--replicas=0")
			c.readyNodes(t, 0)
			c.kubectl(t, "", "scale", "-n", c.id, "statefulset/"+c.set, "--replicas=2")
			c.readyNodes(t, 2)
			c.sees(t, 1, "running", "running", "stopped")
			if fleet.Cluster(c.id) != was {
				t.Error("stopped and started, the cluster is another")
			}
			c.kubectl(t, "", "delete", "namespace", c.id, "--wait=false")
			labtest.Eventually(t, 60*time.Second, "the cluster of the deleted namespace is forgotten",
				func(context.Context) (bool, string) {
					return fleet.Cluster(c.id) == nil, "still there"
				})
		})
	}
}

// TestLostSecret: without its auth Secret a node does not come back, and the
// pod says why.
func TestLostSecret(t *testing.T) {
	lab := labtest.Start(t)
	emqxpod.Start(t, lab)
	c := create(t, lab, "5.8.9")
	c.readyNodes(t, 3)
	c.kubectl(t, "", "delete", "secret", "-n", c.id, c.id+"-auth")
	c.kubectl(t, "", "delete", "pod", "-n", c.id, c.pod(0), "--wait=false")
	labtest.Eventually(t, 20*time.Second, "the new pod waits for the Secret", func(context.Context) (bool, string) {
		out := c.kubectl(t, "", "get", "pod", "-n", c.id, c.pod(0), "--ignore-not-found", "-o",
			"jsonpath={.status.containerStatuses[0].state.waiting}")
		return strings.Contains(out, "ContainerCreating") && strings.Contains(out, c.id+"-auth"), out
	})
	c.sees(t, 1, "stopped", "running", "running")
}

// TestClose: a closed fleet leaves the pods unanswered.
func TestClose(t *testing.T) {
	lab := labtest.Start(t)
	fleet := emqxpod.Start(t, lab, func(c *emqxpod.Config) { c.ProbeEvery = 100 * time.Millisecond })
	c := create(t, lab, "5.8.9")
	c.readyNodes(t, 3)
	ip := c.kubectl(t, "", "get", "pod", c.pod(0), "-n", c.id, "-o", "jsonpath={.status.podIP}")
	fleet.Close()
	fleet.Close()
	if status, body, err := call(t.Context(), "http://"+ip+":18083/status"); err == nil {
		t.Errorf("a node answers after Close: %d %s", status, body)
	}
}
