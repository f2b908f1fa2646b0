package validate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/setting"
)

func Text(p *fault.Fields, name, description string) {
	if m := ecp.ValidateName(name); m != "" {
		p.Add("name", "%s", m)
	}
	Description(p, description)
}

func Hosted(p *fault.Fields, s ecp.HostedSpec) {
	if s.Nodes < 1 || s.Nodes > ecp.MaxNodes {
		p.Add("spec.nodes", "is %d; 1 to %d nodes are allowed", s.Nodes, ecp.MaxNodes)
	}
	if n := s.Replicants.Nodes; n < 0 || n > ecp.MaxReplicants {
		p.Add("spec.replicants.nodes", "is %d; 0 to %d replicants are allowed", n, ecp.MaxReplicants)
	}
	if s.Connections < 1 || s.Connections > ecp.MaxConnections {
		p.Add("spec.connections", "is %d; 1 to %d connections are allowed", s.Connections, ecp.MaxConnections)
	}
	if s.Power != ecp.PowerOn && s.Power != ecp.PowerOff {
		p.Add("spec.power", `is %q; "on" and "off" are allowed`, s.Power)
	}
	validateNetwork(p, s.Network)
	e := s.Evacuation
	if e.Rate < 0 {
		p.Add("spec.evacuation.rate", "is %d; it cannot be negative", e.Rate)
	}
	if e.DeadlineS < 0 {
		p.Add("spec.evacuation.deadline", "is %d; it cannot be negative", e.DeadlineS)
	}
	if e.OnDeadline != ecp.GoOn && e.OnDeadline != ecp.StopAtTime && e.OnDeadline != "" {
		p.Add("spec.evacuation.onDeadline", `is %q; "go-on" and "stop" are allowed`, e.OnDeadline)
	}
	validateConfig(p, s.Config)
	validateCertificate(p, s)
	validatePlacement(p, s.Placement)
	validateHibernation(p, s.Hibernation)
	validateMaintenance(p, s.Maintenance)
	if s.Storage != "" && !IsDNSSubdomain(s.Storage) {
		p.Add("spec.storage", "is %q, which is not the name of a storage class", s.Storage)
	}
}

func validateNetwork(p *fault.Fields, n ecp.Network) {
	switch n.Type {
	case ecp.ClusterIP, ecp.NodePort, ecp.LoadBalancer:
	default:
		p.Add("spec.network.type", `is %q; "ClusterIP", "NodePort" and "LoadBalancer" are allowed`, n.Type)
	}
	if n.LoadBalancerClass != "" && n.Type != ecp.LoadBalancer {
		p.Add("spec.network.loadBalancerClass", "is for the network type LoadBalancer only")
	} else if n.LoadBalancerClass != "" && !qualified(n.LoadBalancerClass) {
		p.Add("spec.network.loadBalancerClass", "is %q, which is not of the form \"example.com/word\"",
			n.LoadBalancerClass)
	}
	Annotations(p, "spec.network.annotations", n.Annotations)
	protocols, ports := map[ecp.Protocol]bool{}, map[int]bool{}
	for i, l := range n.Listeners {
		at := fmt.Sprintf("spec.network.listeners[%d]", i)
		if l.Protocol.ContainerPort() == 0 {
			p.Add(at+".protocol", `is %q; "mqtt", "mqtts", "ws" and "wss" are allowed`, l.Protocol)
		}
		if l.Port < 1 || l.Port > 65535 {
			p.Add(at+".port", "is %d; 1 to 65535 are allowed", l.Port)
		}
		if protocols[l.Protocol] {
			p.Add(at+".protocol", "%q stands twice", l.Protocol)
		}
		if ports[l.Port] {
			p.Add(at+".port", "%d stands twice", l.Port)
		}
		protocols[l.Protocol], ports[l.Port] = true, true
	}
}

// configKey is the form of the key of a setting. An underscore stands between
// letters or digits only: two are what EMQX 4.4 reads for a dot in the name of a
// variable. The first character is a letter: HOCON reads a number otherwise.
var configKey = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*(\.[a-z0-9]+(_[a-z0-9]+)*)*$`)

// noKeys are words that HOCON reads as something else than a key.
var noKeys = []string{"include", "null", "true", "false", "on", "off"}

// ownConfig are settings the provisioner itself owns: overriding them breaks
// discovery, identity or the way in. Those without a root of their own are the
// variables of the image.
var ownConfig = []string{
	"node", "cluster", "rpc", "api_key", "management", "license",
	"dashboard.listeners", "dashboard.default_username", "dashboard.default_password", "dashboard.default_user",
	"name", "host", "node_name",
}

// ownedBy returns the part of ours that a setting belongs to, or that is in it; empty
// means none.
func ownedBy(key string) string {
	for _, own := range ownConfig {
		if key == own || strings.HasPrefix(key, own+".") || strings.HasPrefix(own, key+".") {
			return own
		}
	}
	return ""
}

// certificateSettings are the settings that a certificate of the cluster takes the place of.
var certificateSettings = regexp.MustCompile(
	`^(listeners\.(ssl|wss)\.default\.ssl_options|listener\.(ssl|wss)\.external)\.(certfile|keyfile)$`)

func validateCertificate(p *fault.Fields, s ecp.HostedSpec) {
	for _, key := range slices.Sorted(maps.Keys(s.Config)) {
		if s.Network.Certificate != "" && certificateSettings.MatchString(key) {
			p.Add("spec.config["+key+"]", "is set by spec.network.certificate; have only one of both")
		}
	}
}

func validateConfig(p *fault.Fields, config map[string]string) {
	size := 0
	for _, key := range slices.Sorted(maps.Keys(config)) {
		at, value := "spec.config["+key+"]", config[key]
		if setting.IsSealed(value) { // stored as it was checked
			size += len(key) + len(value)*3/4
			continue
		}
		size += len(key) + len(value)
		if len(value) > setting.MaxValue {
			p.Add(at, "the value has %d bytes; at most %d are allowed", len(value), setting.MaxValue)
		}
		if !configKey.MatchString(key) || slices.Contains(noKeys, key) {
			p.Add(at, "the key is not of the form a.b_c.d in lower case")
		}
		if r, ok := unreadable(value); ok {
			p.Add(at, "the value has a line break or the character %q, which EMQX cannot read", r)
		}
		if value == setting.Redacted {
			p.Add(at, "is what a secret is shown as; give the secret itself, or leave the setting out")
		}
		if own := ownedBy(key); own != "" {
			p.Add(at, "%s.* is set by OpenECP and cannot be overridden%s", own, insteadOf(key))
		}
	}
	if size > setting.MaxTotal {
		p.Add("spec.config", "has %d bytes of keys and values; at most %d are allowed", size, setting.MaxTotal)
	}
}

// inNoSetting reports whether a character can stand in no setting of EMQX: control
// characters but tabs, line ends of any kind, and what is no UTF-8.
func inNoSetting(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// unreadable finds a character of a value that can stand in no setting of EMQX,
// also one that a text in it has behind an escape. Texts in an array or object may
// have line breaks, as statements of SQL do.
func unreadable(value string) (found rune, ok bool) {
	check := func(text string, bad func(rune) bool) {
		if i := strings.IndexFunc(text, bad); i >= 0 && !ok {
			found, _ = utf8.DecodeRuneInString(text[i:])
			ok = true
		}
	}
	within := func(text string) {
		check(text, func(r rune) bool { return r != '\n' && r != '\r' && inNoSetting(r) })
	}
	check(value, inNoSetting)
	visitTexts(value, within, within)
	return found, ok
}

// insteadOf returns where what a refused setting is for is set; empty means nowhere.
func insteadOf(key string) string {
	for _, part := range []string{"proto_dist", "listen_address", "tcp_server_ip", "ipv6", "inet6"} {
		if strings.Contains(key, part) {
			return "; the family of addresses is one of the Kubernetes target: its ipFamily and ipFamilyPolicy"
		}
	}
	if strings.HasPrefix(key, "cluster.dns") || key == "node.name" {
		return "; the DNS domain is one of the Kubernetes target: its clusterDomain"
	}
	return ""
}
