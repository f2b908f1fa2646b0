package chart

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

// valueSets are ways to install the chart with its database on a volume that the tests
// render, by their names.
var valueSets = map[string]string{
	"defaults": ``,
	"ingress": `
config:
  publicUrl: https://ecp.example.com
  dashboard: {domain: "https://dash.example.com"}
  cluster: {agent: "https://ecp.example.com"}
  trustedProxies: 10.0.0.0/8
ingress:
  enabled: true
  className: nginx
  hosts: [ecp.example.com, "*.dash.example.com"]
  tlsSecretName: ecp-tls
  annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 8m}
networkPolicy:
  from:
  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}
`,
	"load balancer, TLS of its own, metrics": `
image: {repository: "registry.example.com:5000/openecp/ecpd", tag: 1.2.3}
imagePullSecrets: [registry]
config:
  tls: {auto: true}
  log: {level: debug, format: json}
  limits: {streams: 2000}
service: {type: LoadBalancer, port: 443, nodePort: 30443, annotations: {example.com/internal: "true"}}
metrics: {enabled: true}
serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}}
networkPolicy:
  metricsFrom:
  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
`,
	"given keys, certificate and rights": `
image: {digest: "sha256:` + strings.Repeat("0123456789abcdef", 4) + `", pullPolicy: Always}
secrets: {existingSecret: my-keys}
tls: {secretName: ecp-tls}
rights: {create: false}
admission: {create: false}
networkPolicy: {enabled: false}
persistence: {size: 10Gi, storageClass: "-", accessMode: ReadWriteOncePod}
service: {type: NodePort}
`,
	"everything of a pod": `
podLabels: {team: messaging}
podAnnotations: {example.com/scrape: "no"}
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/os, operator: In, values: [linux]}]}]
priorityClassName: system-cluster-critical
persistence: {storageClass: fast}
resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: "2", memory: 2Gi}}
extraEnv: [{name: SSL_CERT_DIR, value: /etc/ecpd/more}]
extraVolumes: [{name: more, configMap: {name: authorities}}]
extraVolumeMounts: [{name: more, mountPath: /etc/ecpd/more, readOnly: true}]
config: {agents: {caFile: /etc/ecpd/more/ca.pem}}
`,
}

// serverSets are such ways with the database on a server.
var serverSets = map[string]string{
	"one daemon": `
database: {url: "postgres://ecpd@db.example.com/ecpd?sslmode=verify-full", passwordSecret: ecpd-database}
`,
	"three daemons": `
replicas: 3
config: {cluster: {agent: "https://ecp.example.com"}}
database:
  url: postgres://ecpd@db1.example.com,db2.example.com:5433/ecpd?sslmode=verify-full
  passwordSecret: ecpd-app
  caSecret: ecpd-ca
  clientSecret: ecpd-client
service: {type: LoadBalancer}
tls: {secretName: ecp-tls}
metrics: {enabled: true}
`,
	"everything of several": `
replicas: 2
config: {drain: 3s, log: {format: json}}
database: {url: "postgresql://ecpd@db.example.com/ecpd", passwordSecret: ecpd-app, passwordKey: word}
peer: {port: 7000}
topologySpreadConstraints:
- topologyKey: kubernetes.io/hostname
  maxSkew: 1
  whenUnsatisfiable: DoNotSchedule
  labelSelector: {matchLabels: {app.kubernetes.io/name: ecpd}}
secrets: {existingSecret: my-keys}
extraEnv: [{name: SSL_CERT_DIR, value: /etc/ecpd/more}]
`,
}

// allSets are all of them.
func allSets() map[string]string {
	all := maps.Clone(valueSets)
	maps.Copy(all, serverSets)
	return all
}

// render renders the chart as it is in the checkout.
func render(t *testing.T, values string) []Object {
	t.Helper()
	c, err := Load()
	require.NoError(t, err)
	objects, _, err := Render(c, Namespace, values)
	require.NoError(t, err)
	return objects
}

// names are those of objects, sorted.
func names(objects []Object) (out []string) {
	for _, o := range objects {
		out = append(out, Name(o))
	}
	slices.Sort(out)
	return out
}

// at is what is below a path of keys in an object.
func at(t *testing.T, o any, path ...string) any {
	t.Helper()
	for _, key := range path {
		m, ok := o.(map[string]any)
		require.True(t, ok, "%v at %s", o, key)
		o = m[key]
	}
	return o
}

// find is the object of a kind and name.
func find(t *testing.T, objects []Object, name string) Object {
	t.Helper()
	i := slices.IndexFunc(objects, func(o Object) bool { return Name(o) == name })
	require.NotEqual(t, -1, i, "no %s in %v", name, names(objects))
	return objects[i]
}

func TestRendered(t *testing.T) {
	rights := []string{"ClusterRole/openecp-ecpd", "ClusterRoleBinding/openecp-ecpd", "Role/openecp-ecpd",
		"RoleBinding/openecp-ecpd", "ServiceAccount/ecpd"}
	admission := []string{"ValidatingAdmissionPolicy/openecp-ecpd", "ValidatingAdmissionPolicyBinding/openecp-ecpd"}
	own := []string{"ConfigMap/ecpd", "Service/ecpd", "StatefulSet/ecpd"}
	for name, more := range map[string][]string{
		"defaults": slices.Concat(rights, admission, []string{"NetworkPolicy/ecpd", "Secret/ecpd-keys"}),
		"ingress":  slices.Concat(rights, admission, []string{"NetworkPolicy/ecpd", "Secret/ecpd-keys", "Ingress/ecpd"}),
		"load balancer, TLS of its own, metrics": slices.Concat(rights, admission, []string{"NetworkPolicy/ecpd",
			"Secret/ecpd-keys", "Service/ecpd-metrics", "ServiceMonitor/ecpd"}),
		"given keys, certificate and rights": nil,
		"everything of a pod": slices.Concat(rights, admission, []string{"NetworkPolicy/ecpd",
			"Secret/ecpd-keys"}),
	} {
		t.Run(name, func(t *testing.T) {
			objects := render(t, valueSets[name])
			want := slices.Concat(own, more)
			slices.Sort(want)
			require.Equal(t, want, names(objects))
			set := find(t, objects, "StatefulSet/ecpd")
			require.EqualValues(t, 1, at(t, set, "spec", "replicas"), "the database has one user")
			pod := at(t, set, "spec", "template", "spec")
			require.Equal(t, true, at(t, pod, "securityContext", "runAsNonRoot"))
			for _, o := range objects {
				space := at(t, o, "metadata", "namespace")
				if kind, _ := o["kind"].(string); strings.HasPrefix(kind, "Cluster") || strings.HasPrefix(kind, "Validating") {
					require.Nil(t, space)
				} else {
					require.Equal(t, Namespace, space, Name(o))
				}
			}
		})
	}
}

// Several daemons on a server of databases: what there is, and how they find one another.
func TestRenderedSeveral(t *testing.T) {
	for name, c := range map[string]struct {
		replicas int
		more     []string
		args     []string
		database []string // files
	}{
		"one daemon": {1, []string{"Secret/ecpd-keys"},
			[]string{"--database=postgres://ecpd@db.example.com/ecpd?sslmode=verify-full",
				"--database-password-file=/etc/ecpd/database/password", "--peer-listen=:18190",
				"--peer-address=[$(POD_IP)]:18190", "--drain=5s"}, []string{"password"}},
		"three daemons": {3, []string{"Secret/ecpd-keys", "PodDisruptionBudget/ecpd", "Service/ecpd-metrics"},
			[]string{"--database=postgres://ecpd@db1.example.com,db2.example.com:5433/ecpd?sslmode=verify-full",
				"--database-password-file=/etc/ecpd/database/password", "--peer-listen=:18190",
				"--peer-address=[$(POD_IP)]:18190", "--drain=5s", "--metrics-listen=:18181",
				"--tls-cert=/etc/ecpd/tls/tls.crt", "--tls-key=/etc/ecpd/tls/tls.key"},
			[]string{"password", "ca.crt", "tls.crt", "tls.key"}},
		"everything of several": {2, []string{"PodDisruptionBudget/ecpd"},
			[]string{"--database=postgresql://ecpd@db.example.com/ecpd",
				"--database-password-file=/etc/ecpd/database/password", "--peer-listen=:7000",
				"--peer-address=[$(POD_IP)]:7000"}, []string{"password"}},
	} {
		t.Run(name, func(t *testing.T) {
			objects := render(t, serverSets[name])
			own := slices.DeleteFunc(names(objects), func(n string) bool {
				return strings.Contains(n, "Role") || strings.Contains(n, "Admission") || n == "ServiceAccount/ecpd"
			})
			want := slices.Concat(c.more, []string{"ConfigMap/ecpd", "Deployment/ecpd", "NetworkPolicy/ecpd", "Service/ecpd"})
			slices.Sort(want)
			require.Equal(t, want, own)
			d := find(t, objects, "Deployment/ecpd")
			require.EqualValues(t, c.replicas, at(t, d, "spec", "replicas"))
			pod := at(t, d, "spec", "template", "spec")
			container := at(t, pod, "containers").([]any)[0]
			var args []string
			for _, a := range at(t, container, "args").([]any) {
				args = append(args, a.(string))
			}
			require.Equal(t, append([]string{"serve", "--config=/etc/ecpd/ecpd.yaml", "--data-dir=/var/lib/ecpd",
				"--listen=:18180", "--secrets-key-file=/etc/ecpd/keys/keys"}, c.args...), args)
			var files []string
			for _, v := range at(t, pod, "volumes").([]any) {
				require.Nil(t, at(t, v, "persistentVolumeClaim"), "a volume of one machine")
				if at(t, v, "name") != "database" {
					continue
				}
				for _, source := range at(t, v, "projected", "sources").([]any) {
					for _, item := range at(t, source, "secret", "items").([]any) {
						files = append(files, at(t, item, "path").(string))
					}
				}
			}
			require.Equal(t, c.database, files)

			// Only the daemons' own pods get to the port on which they speak with one another.
			rules := at(t, find(t, objects, "NetworkPolicy/ecpd"), "spec", "ingress").([]any)
			require.Equal(t, map[string]any{"ports": []any{map[string]any{"port": "peer"}}, "from": []any{
				map[string]any{"podSelector": map[string]any{"matchLabels": at(t, d, "spec", "selector", "matchLabels")}}}},
				rules[1])
			require.Len(t, rules, 2+strings.Count(strings.Join(names(objects), " "), "ecpd-metrics"))
		})
	}
}

// Values that are wrong are refused, and the message names the field.
func TestRefused(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	for values, want := range map[string]string{
		"replicas: 0":       "/replicas",
		"image: {tag: 1.2}": "/image/tag",
		"image: {repository: 'openecp/ecpd:1.2.3'}":           "/image/repository",
		"config: {log: {level: loud}}":                        "/config/log/level",
		"config: {listen: '0.0.0.0:1'}":                       "listen",
		"config: {drain: 5}":                                  "/config/drain",
		"config: {cluster: {agent: ecp.example.com}}":         "/config/cluster/agent",
		"persistence: {accessMode: ReadWriteMany}":            "/persistence/accessMode",
		"persistence: {size: big}":                            "/persistence/size",
		"service: {type: ExternalName}":                       "/service/type",
		"service: {port: 0}":                                  "/service/port",
		"ingress: {hosts: ecp.example.com}":                   "/ingress/hosts",
		"networkPolicy: {from: [10.0.0.0/8]}":                 "/networkPolicy/from/0",
		"secrets: {existingSecret: 'My Keys'}":                "/secrets/existingSecret",
		"ingress: {enabled: true}":                            "ingress.hosts: name the hosts",
		"serviceMonitor: {enabled: true}":                     "serviceMonitor.enabled: it wants metrics.enabled",
		"{tls: {secretName: a}, config: {tls: {auto: true}}}": "tls.secretName: it excludes config.tls.auto",
	} {
		_, _, err := Render(c, Namespace, values)
		assert.ErrorContains(t, err, want, values)
	}
	_, _, err = Render(c, "default", "")
	require.ErrorContains(t, err, "give --namespace openecp-system")
}

// What can never work with several daemons, or with a database on a server, is refused, and
// no password is repeated.
func TestRefusedSeveral(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	const with = "database: {url: 'postgres://u@h/x'}\n"
	for _, c1 := range []struct{ values, want string }{
		{"replicas: 2", "replicas: 2 daemons want a database on a PostgreSQL server; give its address in database.url"},
		{"replicas: two", "/replicas"},
		{"config: {dev: true}", "'dev'"},
		{"config: {database: {url: 'postgres://u@h'}}", "'url'"},
		{"config: {peers: {listen: ':1'}}", "'peers'"},
		{"database: {url: 'mysql://u@h/x'}", "/database/url"},
		{"database: {url: 'postgres://u:hunter2@h/x'}", "database.url: it has a password in it"},
		{"database: {url: 'postgres://u@h/x?sslmode=require&password=hunter2'}", "database.url: it has a password"},
		{"database: {url: 'postgres://u@h/x?sslpassword=hunter2'}", "database.url: it has a password in it"},
		{"database: {passwordSecret: a}", "database.passwordSecret: it is of no use without database.url"},
		{"database: {clientSecret: a}", "database.clientSecret: it is of no use without database.url"},
		{"database: {url: 'postgres://u@h/x?sslmode=require', caSecret: a}",
			"database.caSecret: it is looked at with sslmode=verify-full"},
		{"database: {url: 'postgres://u@h/x', clientSecret: a}", "database.clientSecret: it wants TLS"},
		{with + "config: {tls: {auto: true}}", "config.tls.auto: with database.url"},
		{with + "peer: {port: 18180}", "peer.port: 18180 is the API's"},
		{"peer: {port: 0}", "/peer/port"},
		{with + "extraEnv: [{name: ECPD_DEV}]", "extraEnv: it has ECPD_DEV"},
		{"extraEnv: [{name: ECPD_PEER_LISTEN, value: ':1'}]", "extraEnv: it has ECPD_PEER_LISTEN"},
		{with + "replicas: 2\nconfig: {dashboard: {listen: ':18200-18299'}}", "config.dashboard.listen: a port"},
	} {
		_, _, err := Render(c, Namespace, c1.values)
		if assert.ErrorContains(t, err, c1.want, c1.values) {
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
}

// Helm's own linter has nothing to remark on but the icon, which there is none of.
func TestLint(t *testing.T) {
	for name, values := range allSets() {
		given := map[string]any{}
		require.NoError(t, yaml.Unmarshal([]byte(values), &given))
		for _, m := range lint.All(Folder, given, Namespace, true).Messages {
			if m.Severity > support.InfoSev || !strings.Contains(m.Err.Error(), "icon is recommended") {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

// Every value is explained, and in the schema, and the schema knows no other.
func TestValuesAreDocumented(t *testing.T) {
	c, err := Load()
	require.NoError(t, err)
	var schema map[string]any
	require.NoError(t, yaml.Unmarshal(c.Schema, &schema))
	delete(at(t, schema, "properties").(map[string]any), "global")
	var compare func(path string, values, properties map[string]any)
	compare = func(path string, values, properties map[string]any) {
		require.Equal(t, slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(values)), "below %q", path)
		for key, v := range values {
			below, _ := at(t, properties, key, "properties").(map[string]any)
			if m, ok := v.(map[string]any); ok && below != nil && len(m) > 0 && key != "resources" {
				compare(path+key+".", m, below)
			}
		}
	}
	compare("", c.Values, at(t, schema, "properties").(map[string]any))
}

// The base has the objects of the chart without any values, but for what only one of them has.
func TestBaseIsTheChart(t *testing.T) {
	base, err := BuildBase(Base)
	require.NoError(t, err)
	rendered := render(t, "")
	normal := func(objects []Object) map[string]string {
		out := map[string]string{}
		for _, o := range objects {
			meta := at(t, o, "metadata").(map[string]any)
			delete(meta, "labels")
			delete(meta, "annotations")
			switch name := Name(o); {
			case name == "Namespace/openecp-system", name == "Secret/ecpd-keys":
				continue
			case o["kind"] == "ConfigMap": // its name ends in a hash of its content
				meta["name"] = "ecpd"
				var settings map[string]any
				text, _ := at(t, o, "data", "ecpd.yaml").(string)
				require.NoError(t, yaml.Unmarshal([]byte(text), &settings))
				o["data"] = settings
			case o["kind"] == "StatefulSet":
				delete(at(t, o, "spec", "template", "metadata").(map[string]any), "annotations")
				pod := at(t, o, "spec", "template", "spec").(map[string]any)
				container := pod["containers"].([]any)[0].(map[string]any)
				container["image"], _, _ = strings.Cut(container["image"].(string), ":")
				for _, v := range pod["volumes"].([]any) {
					if m, ok := v.(map[string]any)["configMap"].(map[string]any); ok {
						m["name"] = "ecpd"
					}
				}
			}
			text, err := yaml.Marshal(o)
			require.NoError(t, err)
			out[Name(o)] = strings.Join(strings.Fields(string(text)), " ") // kustomize folds long lines in its own way
		}
		return out
	}
	require.Equal(t, normal(base), normal(rendered))
	require.Contains(t, names(base), "Namespace/openecp-system")
	require.NotContains(t, names(rendered), "Namespace/openecp-system", "an uninstall would delete the claim with it")
}

// What the chart shares with deploy/kubernetes are the same files.
func TestFilesAreShared(t *testing.T) {
	for _, file := range []string{"rights.yaml", "admission.yaml"} {
		to, err := os.Readlink(filepath.Join(Folder, "files", file))
		require.NoError(t, err)
		require.Equal(t, "../../../kubernetes/"+file, to)
	}
}

// Whoever renders anew gets other keys, and nothing else that is other.
func TestOnlyKeysAreRandom(t *testing.T) {
	first, second := render(t, ""), render(t, "")
	isSecret := func(o Object) bool { return o["kind"] == "Secret" }
	require.NotEqual(t, find(t, first, "Secret/ecpd-keys"), find(t, second, "Secret/ecpd-keys"))
	require.Equal(t, slices.DeleteFunc(first, isSecret), slices.DeleteFunc(second, isSecret))
}
