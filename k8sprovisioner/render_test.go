package k8sprovisioner

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/hocon"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// elaborate uses every field of the spec that is rendered.
func elaborate(d ecp.Desired) ecp.Desired {
	d.Spec.Network = ecp.Network{
		Type: ecp.LoadBalancer, LoadBalancerClass: "example.com/lb",
		Listeners:   []ecp.Listener{{Protocol: ecp.MQTTS, Port: 443}, {Protocol: ecp.MQTT}},
		Annotations: map[string]string{"example.com/internal": "true"},
	}
	d.Spec.Config = map[string]string{"mqtt.max_packet_size": "10MB",
		"mqtt.shared_subscription_strategy": "round_robin"}
	d.Spec.Placement = ecp.Placement{
		NodeSelector: map[string]string{"pool": "mqtt"},
		Tolerations:  []ecp.Toleration{{Key: "mqtt", Operator: "Exists", Effect: "NoSchedule"}},
	}
	d.Spec.Storage = "fast"
	return d
}

// secretive is a cluster with a license and pull credentials.
func secretive(d ecp.Desired) ecp.Desired {
	d.License = "obviously-fake-licence\n"
	d.Pull = ecp.PullCredentials{Host: "registry.example:5000", User: "robot", Password: "obviously-fake-password"}
	return d
}

// ofArchitectures is a cluster of an image that says which processors it is for.
func ofArchitectures(d ecp.Desired) ecp.Desired {
	d.Image.Architectures = []string{"amd64", "arm64"}
	return d
}

// restarted is a cluster whose nodes were asked to be made anew, twice.
func restarted(d ecp.Desired) ecp.Desired {
	d.Restarts = 2
	return d
}

// certified is a cluster with a certificate.
func certified(d ecp.Desired) ecp.Desired {
	d.Spec.Network.Certificate = "shops"
	d.Certificate = ecp.ServedCertificate{Chain: "obviously-fake-chain", Key: "obviously-fake-key"}
	return d
}

// withReplicants is a cluster with replicants that clients are sent to.
func withReplicants(d ecp.Desired) ecp.Desired {
	d.Spec.Replicants = ecp.Replicants{Nodes: 2, Size: "2C4G"}
	d.Replicants = ecp.DesiredReplicants{Replicas: 2, Size: ecp.DefaultSizes()[1], Front: true}
	return d
}

func TestGolden(t *testing.T) {
	first := map[string]ecp.Desired{
		"4.4.24-secrets": secretive(desired("4.4.24")), "5.8.9-secrets": secretive(desired("5.8.9")),
		"5.8.9-restarted": restarted(desired("5.8.9")),
		"4.4.19":          desired("4.4.19"), "4.4.24": elaborate(desired("4.4.24")), "5.8.9": desired("5.8.9"),
		"5.8.9-elaborate": elaborate(desired("5.8.9")),
	}
	all := map[string]ecp.Desired{}
	for name, d := range first {
		d.RenderVersion = 1
		all[name] = d
	}
	for name, d := range map[string]ecp.Desired{"4.4.24-rendering2": elaborate(desired("4.4.24")),
		"5.8.9-rendering2":   elaborate(secretive(desired("5.8.9"))),
		"4.4.24-certificate": certified(desired("4.4.24")), "5.8.9-certificate": certified(desired("5.8.9"))} {
		d.RenderVersion = 2
		all[name] = d
	}
	all["5.8.9-replicants"] = withReplicants(elaborate(secretive(desired("5.8.9"))))
	networks := map[string]ecp.TargetNetwork{
		"5.8.9-ipv6":        {ClusterDomain: "k8s.example", IPFamily: ecp.IPv6},
		"5.8.9-dual-stack":  {IPFamily: ecp.IPv6, IPFamilyPolicy: ecp.RequireDualStack},
		"4.4.24-dual-stack": {ClusterDomain: "k8s.example", IPFamily: ecp.IPv4, IPFamilyPolicy: ecp.PreferDualStack},
	}
	all["5.8.9-architectures"] = ofArchitectures(desired("5.8.9"))
	for name := range networks {
		version, _, _ := strings.Cut(name, "-")
		all[name] = desired(version)
	}
	for name, d := range all {
		if d.RenderVersion == 0 {
			d.RenderVersion = 2
			all[name] = d
		}
	}
	for name, d := range map[string]ecp.Desired{"4.4.24-rendering3": elaborate(desired("4.4.24")),
		"5.8.9-rendering3":         elaborate(secretive(desired("5.8.9"))),
		"5.8.9-rendering3-minimal": desired("5.8.9"),
		"6.2.2-rendering3":         elaborate(secretive(desired("6.2.2")))} {
		d.RenderVersion = 3
		if d.Spec.Config != nil {
			d.RunTimeConfig = map[string]string{"mqtt.max_inflight": "64"}
		}
		all[name] = d
	}
	for name, d := range map[string]ecp.Desired{"5.8.9-rendering4-replicants": withReplicants(desired("5.8.9")),
		"4.4.24-rendering4-architectures": ofArchitectures(desired("4.4.24"))} {
		d.RenderVersion = 4
		all[name] = d
	}
	for name, d := range all {
		t.Run(name, func(t *testing.T) {
			c := testConfig()
			c.Network = networks[name].WithDefaults()
			objects := renderedOn(t, d, c)
			var got bytes.Buffer
			for _, key := range slices.Sorted(maps.Keys(objects)) {
				b, err := yaml.Marshal(objects[key].body)
				require.NoError(t, err)
				got.WriteString("---\n")
				got.Write(b)
			}
			file := filepath.Join("testdata", "golden", name+".yaml")
			if *update {
				require.NoError(t, os.WriteFile(file, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String(),
				"a rendering must never change once released; before that: go test ./k8sprovisioner -run Golden "+
					"-update")
		})
	}
}

// TestPodTemplateStays: what must not replace pods is not in the template.
func TestPodTemplateStays(t *testing.T) {
	template := func(d ecp.Desired) any {
		spec := rendered(t, d)[kindStatefulSet+" "+string(testID)+"-emqx"].body["spec"]
		return spec.(map[string]any)["template"]
	}
	before := template(certified(secretive(desired("5.8.9"))))
	for name, change := range map[string]func(*ecp.Desired){
		"generation":  func(d *ecp.Desired) { d.Generation++ },
		"name":        func(d *ecp.Desired) { d.Name, d.Project = "other", "o/p" },
		"connections": func(d *ecp.Desired) { d.Spec.Connections, d.ListenerLimit = 5000, 1667 },
		"network":     func(d *ecp.Desired) { d.Spec.Network.Type = ecp.NodePort },
		"nodes":       func(d *ecp.Desired) { d.Spec.Nodes, d.Replicas = 5, 5 },
		"stop":        func(d *ecp.Desired) { d.Replicas = 0 },
		"drop":        func(d *ecp.Desired) { d.Drop = []int{3} },
		"license":     func(d *ecp.Desired) { d.License = "another" },
		"password":    func(d *ecp.Desired) { d.Pull.Password = "another" },
		"registry":    func(d *ecp.Desired) { d.Pull.Host, d.Pull.User = "other.example", "other" },
		"certificate": func(d *ecp.Desired) {
			d.Spec.Network.Certificate, d.Certificate.Chain, d.Certificate.Key = "farms", "another", "another"
		},
		"run time": func(d *ecp.Desired) { d.RunTimeConfig = map[string]string{"mqtt.max_packet_size": "2MB"} },
	} {
		d := certified(secretive(desired("5.8.9")))
		change(&d)
		require.Equal(t, before, template(d), name)
	}
	for name, change := range map[string]func(*ecp.Desired){
		"image":      func(d *ecp.Desired) { d.Image.Reference = "emqx/emqx-enterprise:5.8.10" },
		"size":       func(d *ecp.Desired) { d.Size = ecp.DefaultSizes()[1] },
		"no license": func(d *ecp.Desired) { d.License = "" },
		"no pull":    func(d *ecp.Desired) { d.Pull = ecp.PullCredentials{} },
		"restart":    func(d *ecp.Desired) { d.Restarts++ },
		"no certificate": func(d *ecp.Desired) {
			d.Spec.Network.Certificate, d.Certificate = "", ecp.ServedCertificate{}
		},
		// One node after the other takes them: EMQX may refuse them.
		"settings": func(d *ecp.Desired) { d.Spec.Config = map[string]string{"mqtt.max_packet_size": "2MB"} },
	} {
		d := certified(secretive(desired("5.8.9")))
		change(&d)
		require.NotEqual(t, before, template(d), name)
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, change := range map[string]func(*ecp.Desired){
		"no version":  func(d *ecp.Desired) { d.Image.Version = "latest" },
		"old version": func(d *ecp.Desired) { d.Image.Version = "4.3.0" },
		"cpu":         func(d *ecp.Desired) { d.Size.CPU.Limit = "much" },
		"storage":     func(d *ecp.Desired) { d.Size.Storage.Size = "" },
	} {
		d := desired("5.8.9")
		change(&d)
		_, err := newInput(d, testConfig())
		require.ErrorIs(t, err, ecp.ErrInvalid, name)
	}
	in, err := newInput(desired("5.8.9"), testConfig())
	require.NoError(t, err)
	in.RenderVersion = newest(renderers) + 1
	_, err = render(renderers, in)
	require.ErrorIs(t, err, ecp.ErrUnsupported)
}

// TestOlderRendering: a cluster of version 1 renders as before although there
// is a newer one.
func TestOlderRendering(t *testing.T) {
	last := newest(renderers) + 1
	more := maps.Clone(renderers)
	more[last] = func(in input) ([]object, error) {
		in.Image.Reference += "-more"
		return renderAll(in)
	}
	in, err := newInput(desired("5.8.9"), testConfig())
	require.NoError(t, err)
	in.RenderVersion = 1
	before, err := render(renderers, in)
	require.NoError(t, err)
	after, err := render(more, in)
	require.NoError(t, err)
	require.Equal(t, before, after)
	in.RenderVersion = last
	newer, err := render(more, in)
	require.NoError(t, err)
	require.NotEqual(t, before, newer)
}

func TestAuthSecret(t *testing.T) {
	a, b := authSecret(testID).StringData, authSecret(testID).StringData
	for _, key := range []string{keyCookie, keyAPISecret, keyDashboard} {
		require.GreaterOrEqual(t, len(a[key]), 32, key)
		require.LessOrEqual(t, len(a[key]), 64, key)
		require.NotEqual(t, a[key], b[key], key)
		require.Regexp(t, `^[A-Za-z][A-Za-z0-9]*[0-9]$`, a[key], key)
	}
	require.Equal(t, a[keyAPIKey]+":"+a[keyAPISecret]+"\n", a[keyBootstrap])
}

// TestSteadiness: what keeps clients off a node that has not joined, off one that
// hangs, and lets them in where others wait; clusters of an earlier rendering keep
// what they have.
func TestSteadiness(t *testing.T) {
	for _, c := range []struct {
		version   string
		render    int
		ticktime  any
		success   any
		listeners string
	}{
		{"5.8.9", 1, nil, nil, "max_connections = 1000\n"}, {"5.8.9", 2, `"45s"`, int64(6), "max_connections = 1100\n"},
		{"4.4.24", 1, nil, nil, "1000"}, {"4.4.24", 2, "45", int64(6), "1100"},
	} {
		d := desired(c.version)
		d.RenderVersion = c.render
		objects := rendered(t, d)
		in, err := newInput(d, testConfig())
		require.NoError(t, err)
		container := dig(objects[kindStatefulSet+" "+in.names.workload()].body, "spec", "template", "spec",
			"containers").([]any)[0].(map[string]any)
		require.Equal(t, c.success, dig(container, "readinessProbe", "successThreshold"), c)
		var ticktime any
		for _, e := range container["env"].([]any) {
			if e := e.(map[string]any); e["name"] == "EMQX_NODE__DIST_NET_TICKTIME" {
				ticktime = e["value"]
			}
		}
		require.Equal(t, c.ticktime, ticktime, c)
		data := dig(objects[kindConfigMap+" "+in.names.config()].body, "data").(map[string]any)
		text, _ := json.Marshal(data)
		require.Contains(t, string(text), strings.TrimSpace(c.listeners), c)
	}
}

// The notice that a node takes no clients any more, 20 s where nothing else is
// asked for, is longer than the probes need to take it out of the Services: only
// then do load balancers send nobody to a node that is about to go.
func TestProbesSeeANotice(t *testing.T) {
	const notice = 20
	for _, render := range []int{1, 2} {
		for _, version := range []string{"5.8.9", "4.4.24"} {
			d := desired(version)
			d.RenderVersion = render
			in, err := newInput(d, testConfig())
			require.NoError(t, err)
			container := dig(rendered(t, d)[kindStatefulSet+" "+in.names.workload()].body, "spec", "template", "spec",
				"containers").([]any)[0]
			period, _ := dig(container, "readinessProbe", "periodSeconds").(int64)
			failures, _ := dig(container, "readinessProbe", "failureThreshold").(int64)
			require.Positive(t, period*failures)
			require.Less(t, period*failures, int64(notice), "%s, rendering %d", version, render)
		}
	}
}

func dig(v any, path ...string) any {
	for _, p := range path {
		v = v.(map[string]any)[p]
	}
	return v
}

// TestConfigured: what is said to be configured is what stands in emqx.conf.
func TestConfigured(t *testing.T) {
	for _, version := range []int{1, 2} {
		d := desired("5.8.9")
		d.RenderVersion = version
		got := (&Provisioner{}).Configured(d)
		in, err := newInput(d, Config{})
		require.NoError(t, err)
		conf := config5(in)["emqx.conf"]
		require.Len(t, got, 10)
		for key, value := range got {
			word := key[strings.LastIndex(key, ".")+1:]
			require.Contains(t, conf, word+" = "+hocon.Value(value), key)
		}
	}
	require.Empty(t, (&Provisioner{}).Configured(desired("4.4.24")))
	got := (&Provisioner{}).Configured(certified(desired("5.8.9")))
	require.Equal(t, "/etc/openecp/certificate/tls.key", got["listeners.wss.default.ssl_options.keyfile"])
}

// TestListenerLimit: a node starts with its share, where the booked number was divided; else
// with that number and some room, as released builds had it.
func TestListenerLimit(t *testing.T) {
	for _, c := range []struct {
		render, share int
		want          string
	}{{1, 0, "1000"}, {2, 0, "1100"}, {1, 334, "334"}, {2, 334, "334"}} {
		for version, line := range map[string]string{
			"4.4.24": "EMQX_LISTENER__TCP__EXTERNAL__MAX_CONNECTIONS: \"" + c.want + "\"",
			"5.8.9":  "max_connections = " + c.want + "\\n"} {
			d := desired(version)
			d.RenderVersion, d.Spec.Connections, d.ListenerLimit = c.render, 1000, c.share
			var all strings.Builder
			for _, o := range rendered(t, d) {
				b, err := yaml.Marshal(o.body)
				require.NoError(t, err)
				all.Write(b)
			}
			require.Contains(t, strings.ReplaceAll(all.String(), "\n", "\\n"), line, "%s %+v", version, c)
		}
	}
}
