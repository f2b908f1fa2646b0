package k8sprovisioner

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/hocon"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// env is one variable of the container: a value, or a key of the auth Secret.
type env struct {
	name, value string
	secret      string
}

// bootstrapFile is where the auth Secret's API key is mounted.
const bootstrapFile = bootstrapDir + "/" + keyBootstrap

// bootstrapDir is outside EMQX's own folders, which images may replace.
const bootstrapDir = "/etc/openecp/auth"

// nodeIdentity are the variables both majors derive their node name from: one
// name for all nodes, as discovery by DNS needs, at the pod's own host name.
func nodeIdentity(in input) []env {
	return []env{
		{name: "EMQX_NAME", value: nodeUser},
		{name: "EMQX_HOST", value: "$(POD_NAME)." + in.names.domainOf(in.headless(), in.network.ClusterDomain)},
		{name: "EMQX_NODE_NAME", value: nodeUser + "@$(EMQX_HOST)"},
		{name: "EMQX_NODE__COOKIE", secret: keyCookie},
		{name: "EMQX_RPC__PORT_DISCOVERY", value: "manual"},
	}
}

// netTicktime is how long the other nodes wait for one that hangs or is cut off
// before they take it for dead, in seconds, give or take a quarter. Until then
// they block connects of clients that it may know. EMQX' own 120 s are chosen for
// networks that stall; 45 s make an outage short, and cost a split where a network
// stalls for longer, which heals by restarting the smaller side. Nodes that still
// have 120 s are heard of every 30 s: below 40 s both kinds could not live in one
// cluster while it is rolled out.
const netTicktime = 45

// ticktime is the variable for it; its form differs between majors.
func ticktime(in input, value string) []env {
	if !in.since(steadyNodes) {
		return nil
	}
	return []env{{name: "EMQX_NODE__DIST_NET_TICKTIME", value: value}}
}

func environ4(in input) []env {
	return append(slices.Concat(nodeIdentity(in), ticktime(in, strconv.Itoa(netTicktime)), families4(in)),
		env{name: "EMQX_CLUSTER__DISCOVERY", value: "dns"},
		env{name: "EMQX_CLUSTER__DNS__NAME", value: in.names.domain(in.network.ClusterDomain)},
		env{name: "EMQX_CLUSTER__DNS__APP", value: nodeUser},
		env{name: "EMQX_CLUSTER__DNS__TYPE", value: "srv"},
		env{name: "EMQX_MANAGEMENT__BOOTSTRAP_APPS_FILE", value: bootstrapFile},
		// The application every installation has by default, with a well-known secret.
		env{name: "EMQX_MANAGEMENT__DEFAULT_APPLICATION__ID", secret: keyAPIKey},
		env{name: "EMQX_MANAGEMENT__DEFAULT_APPLICATION__SECRET", secret: keyAPISecret},
		env{name: "EMQX_DASHBOARD__DEFAULT_USER__PASSWORD", secret: keyDashboard},
	)
}

func environ5(in input) []env {
	return append(slices.Concat(nodeIdentity(in), ticktime(in, strconv.Quote(strconv.Itoa(netTicktime)+"s")),
		families5(in)),
		env{name: "EMQX_NODE__DATA_DIR", value: "data"},
		env{name: "EMQX_NODE__ROLE", value: cmp.Or(string(in.role), "core")},
		env{name: "EMQX_CLUSTER__DISCOVERY_STRATEGY", value: "dns"},
		env{name: "EMQX_CLUSTER__DNS__NAME", value: in.names.domain(in.network.ClusterDomain)},
		env{name: "EMQX_CLUSTER__DNS__RECORD_TYPE", value: "srv"},
		// Values are HOCON: a path needs quotes of its own.
		env{name: "EMQX_API_KEY__BOOTSTRAP_FILE", value: strconv.Quote(bootstrapFile)},
		env{name: "EMQX_DASHBOARD__LISTENERS__HTTP__BIND", value: strconv.Itoa(dashboardPort)},
		env{name: "EMQX_DASHBOARD__DEFAULT_PASSWORD", secret: keyDashboard},
	)
}

// configMap holds what can be changed at run time: listeners, limits, where
// the license is. It is not part of the pod template, so that a change replaces no pod; a
// pod that starts reads its present content. All Secrets own it, as secretRef explains.
func configMap(in input) *corev1.ConfigMap {
	cm := &corev1.ConfigMap{ObjectMeta: meta(in, in.names.config()), Data: in.major.config(in)}
	cm.Annotations = map[string]string{}
	own := func(name, by string) {
		cm.OwnerReferences = append(cm.OwnerReferences,
			metav1.OwnerReference{APIVersion: "v1", Kind: kindSecret, Name: name, UID: uid(by)})
	}
	if in.auth != "" {
		own(in.names.auth(), in.auth)
	}
	for _, row := range secretRows {
		if t, ok := in.secretRefs[row.suffix]; ok {
			own(row.name(in.ID), t.uid)
			cm.Annotations[row.annotation] = t.hash
		}
	}
	return cm
}

// config4 returns settings as environment variables: EMQX 4.4 has no file that
// only adds to the one in the image.
func config4(in input) map[string]string {
	out := map[string]string{"EMQX_LOG__TO": "console"}
	for _, p := range mqttPorts {
		out[envName4(in.major.listener[p.protocol]+".max_connections")] = strconv.Itoa(in.listenerLimit())
	}
	if in.bothFamilies() {
		for _, p := range mqttPorts {
			out[envName4(in.major.listener[p.protocol])] = "::" + ":" + strconv.Itoa(p.protocol.ContainerPort())
		}
	}
	if licenseRow.wanted(in) {
		out[envName4("license.file")] = licenseFile
	}
	if !in.since(settingsInSecret) {
		for key, value := range in.Spec.Config {
			out[envName4(key)] = value
		}
	}
	return out
}

// listenerLimit is how many connections a listener of a node takes. Where an earlier
// build has not divided the booked number between nodes, it is that number with some room.
func (in input) listenerLimit() int {
	n := in.Spec.Connections
	if in.ListenerLimit > 0 {
		return in.ListenerLimit
	}
	if !in.since(steadyNodes) {
		return n
	}
	return n + max(n/10, 100)
}

func envName4(key string) string {
	return "EMQX_" + strings.ToUpper(strings.ReplaceAll(key, ".", "__"))
}

// certificates are those of the image; EMQX puts its own folder in.
var certificates = []setting{
	{"keyfile", "${EMQX_ETC_DIR}/certs/key.pem"}, {"certfile", "${EMQX_ETC_DIR}/certs/cert.pem"},
	{"cacertfile", "${EMQX_ETC_DIR}/certs/cacert.pem"},
}

// setting is one of EMQX, its value as text.
type setting struct{ key, value string }

// listener5 are the settings of one listener, but for its certificates.
func listener5(in input, p mqttPort) []setting {
	return []setting{
		{"bind", in.anyAddress() + ":" + strconv.Itoa(p.protocol.ContainerPort())},
		{"max_connections", strconv.Itoa(in.listenerLimit())},
	}
}

func hasCertificates(p mqttPort) bool { return p.protocol == ecp.MQTTS || p.protocol == ecp.WSS }

// Configured returns what emqx.conf has beside the spec's settings and the license,
// which EMQX keeps in other ways. The limits of listeners are left out: the Manager sets them
// while EMQX runs. EMQX 4.4 cannot be asked for its settings.
func (p *Provisioner) Configured(d ecp.Desired) map[string]string {
	in, err := newInput(d, p.cfg)
	if err != nil || in.major.configFile == "" {
		return nil
	}
	out := map[string]string{}
	for _, port := range mqttPorts {
		prefix := in.major.listener[port.protocol] + "."
		for _, s := range listener5(in, port) {
			if s.key != "max_connections" {
				out[prefix+s.key] = s.value
			}
		}
		if hasCertificates(port) {
			for _, s := range slices.Concat(certificates, in.ownFiles()) { // the last word is the pod template's
				out[prefix+"ssl_options."+s.key] = s.value
			}
		}
	}
	return out
}

// config5 returns the whole emqx.conf. At the next start it overrides the settings made at
// run time, which are in cluster.hocon, so that it must contain the same ones.
func config5(in input) map[string]string {
	var b strings.Builder
	b.WriteString("## Written by OpenECP; changes made here by hand are undone.\n")
	for _, p := range mqttPorts {
		prefix := in.major.listener[p.protocol]
		b.WriteString(prefix + " {\n")
		for _, s := range listener5(in, p) {
			b.WriteString("  " + s.key + " = " + hocon.Value(s.value) + "\n")
		}
		if hasCertificates(p) {
			words := make([]string, len(certificates))
			for i, s := range certificates {
				words[i] = s.key + " = " + hocon.Value(s.value)
			}
			b.WriteString("  ssl_options { " + strings.Join(words, ", ") + " }\n")
		}
		b.WriteString("}\n")
	}
	if licenseRow.wanted(in) {
		b.WriteString("license.key = \"file://" + licenseFile + "\"\n")
	}
	switch { // the last word is the spec's
	case !in.since(settingsInSecret):
		b.WriteString(settings5(in.Spec.Config))
	case len(in.Spec.Config) > 0:
		b.WriteString("include \"" + settingsFile + "\"\n")
	}
	if in.readsRunTime() && len(in.RunTimeConfig) > 0 {
		b.WriteString("include \"" + runTimeFile + "\"\n")
	}
	return map[string]string{in.major.configFile: b.String()}
}
