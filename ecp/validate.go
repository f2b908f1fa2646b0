package ecp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what can be asked for.
const (
	MaxName        = 200 // characters of a cluster's name
	MaxDescription = 500 // characters of a description
	MaxNodes       = 7   // nodes of a hosted cluster
	MaxConnections = 100_000_000
)

// problems collects what is wrong with a request, field by field.
type problems []FieldError

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// err gives an invalid error that names every field; nil if there is none.
func (p problems) err(op string) error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalid, Op: op, Message: "the request is not valid", Fields: p}
}

// ValidateName says what is wrong with a cluster's name; "" if nothing. A name
// has 1 to 200 characters: letters of any script, digits, space, "-" and "_",
// with no space at either end.
func ValidateName(name string) string {
	if !utf8.ValidString(name) {
		return "is not valid UTF-8"
	}
	n := utf8.RuneCountInString(name)
	if n == 0 {
		return "is missing; give 1 to 200 characters"
	}
	if n > MaxName {
		return fmt.Sprintf("has %d characters; at most %d are allowed", n, MaxName)
	}
	before := ' '
	for _, r := range name {
		if !inName(before, r) {
			return fmt.Sprintf("has the character %q; letters, digits, space, \"-\" and \"_\" are allowed", r)
		}
		before = r
	}
	if strings.TrimSpace(name) != name {
		return "begins or ends with a space"
	}
	if c := composedName(name); c != name { // else two names would look the same
		return fmt.Sprintf("has letters and their accents as characters of their own; write it as %q", c)
	}
	return ""
}

// inName says whether a name may have r after another character. Many scripts
// write vowels and accents as marks of their own: they belong to the letter
// before them. What nobody can see is left out, so that names which look the
// same are the same.
func inName(before, r rune) bool {
	switch {
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return false
	case unicode.In(r, unicode.Mn, unicode.Mc):
		return unicode.IsLetter(before) || unicode.In(before, unicode.Mn, unicode.Mc)
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == ' ' || r == '-' || r == '_'
}

var projectForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateProject says what is wrong with the form of a project's path; "" if nothing.
func ValidateProject(path string) string {
	if projectForm.MatchString(path) {
		return ""
	}
	return `is not of the form "org/project" (lower-case letters, digits and "-")`
}

func validateText(p *problems, name, description string) {
	if m := ValidateName(name); m != "" {
		p.add("name", "%s", m)
	}
	validateDescription(p, description)
}

func validateHosted(p *problems, s HostedSpec) {
	if s.Nodes < 1 || s.Nodes > MaxNodes {
		p.add("spec.nodes", "is %d; 1 to %d nodes are allowed", s.Nodes, MaxNodes)
	}
	if s.Connections < 1 || s.Connections > MaxConnections {
		p.add("spec.connections", "is %d; 1 to %d connections are allowed", s.Connections, MaxConnections)
	}
	if s.Power != PowerOn && s.Power != PowerOff {
		p.add("spec.power", `is %q; "on" and "off" are allowed`, s.Power)
	}
	validateNetwork(p, s.Network)
	e := s.Evacuation
	if e.Rate < 0 {
		p.add("spec.evacuation.rate", "is %d; it cannot be negative", e.Rate)
	}
	if e.DeadlineS < 0 {
		p.add("spec.evacuation.deadline", "is %d; it cannot be negative", e.DeadlineS)
	}
	if e.OnDeadline != GoOn && e.OnDeadline != StopAtTime && e.OnDeadline != "" {
		p.add("spec.evacuation.onDeadline", `is %q; "go-on" and "stop" are allowed`, e.OnDeadline)
	}
	validateConfig(p, s.Config)
	validatePlacement(p, s.Placement)
	if s.Storage != "" && !isSubdomain(s.Storage) {
		p.add("spec.storage", "is %q, which is not the name of a storage class", s.Storage)
	}
}

// containerPorts maps each protocol to the port EMQX listens on for good.
var containerPorts = map[Protocol]int{MQTT: 1883, MQTTS: 8883, WS: 8083, WSS: 8084}

// Protocols lists the protocols in the order listeners are shown.
func Protocols() []Protocol { return []Protocol{MQTT, MQTTS, WS, WSS} }

// ContainerPort is the port EMQX listens on for the protocol; 0 if there is no
// such protocol.
func (p Protocol) ContainerPort() int { return containerPorts[p] }

func validateNetwork(p *problems, n Network) {
	switch n.Type {
	case ClusterIP, NodePort, LoadBalancer:
	default:
		p.add("spec.network.type", `is %q; "ClusterIP", "NodePort" and "LoadBalancer" are allowed`, n.Type)
	}
	if n.LoadBalancerClass != "" && n.Type != LoadBalancer {
		p.add("spec.network.loadBalancerClass", "is for the network type LoadBalancer only")
	} else if n.LoadBalancerClass != "" && !qualified(n.LoadBalancerClass) {
		p.add("spec.network.loadBalancerClass", "is %q, which is not of the form \"example.com/word\"", n.LoadBalancerClass)
	}
	validateAnnotations(p, "spec.network.annotations", n.Annotations)
	protocols, ports := map[Protocol]bool{}, map[int]bool{}
	for i, l := range n.Listeners {
		at := fmt.Sprintf("spec.network.listeners[%d]", i)
		if l.Protocol.ContainerPort() == 0 {
			p.add(at+".protocol", `is %q; "mqtt", "mqtts", "ws" and "wss" are allowed`, l.Protocol)
		}
		if l.Port < 1 || l.Port > 65535 {
			p.add(at+".port", "is %d; 1 to 65535 are allowed", l.Port)
		}
		if protocols[l.Protocol] {
			p.add(at+".protocol", "%q stands twice", l.Protocol)
		}
		if ports[l.Port] {
			p.add(at+".port", "%d stands twice", l.Port)
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

// ownedBy names the part of ours that a setting belongs to, or that is in it; empty
// means none.
func ownedBy(key string) string {
	for _, own := range ownConfig {
		if key == own || strings.HasPrefix(key, own+".") || strings.HasPrefix(own, key+".") {
			return own
		}
	}
	return ""
}

func validateConfig(p *problems, config map[string]string) {
	size := 0
	for _, key := range sortedKeys(config) {
		at, value := "spec.config["+key+"]", config[key]
		if isSealed(value) { // stored as it was checked
			size += len(key) + len(value)*3/4
			continue
		}
		size += len(key) + len(value)
		if len(value) > MaxSetting {
			p.add(at, "the value has %d bytes; at most %d are allowed", len(value), MaxSetting)
		}
		if !configKey.MatchString(key) || slices.Contains(noKeys, key) {
			p.add(at, "the key is not of the form a.b_c.d in lower case")
		}
		if r, ok := unreadable(value); ok {
			p.add(at, "the value has a line break or the character %q, which EMQX cannot read", r)
		}
		if value == redacted {
			p.add(at, "is what a secret is shown as; give the secret itself, or leave the setting out")
		}
		if own := ownedBy(key); own != "" {
			p.add(at, "%s.* is set by OpenECP and cannot be overridden%s", own, insteadOf(key))
		}
	}
	if size > MaxSettings {
		p.add("spec.config", "has %d bytes of keys and values; at most %d are allowed", size, MaxSettings)
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
	look := func(text string, bad func(rune) bool) {
		if i := strings.IndexFunc(text, bad); i >= 0 && !ok {
			found, _ = utf8.DecodeRuneInString(text[i:])
			ok = true
		}
	}
	within := func(text string) {
		look(text, func(r rune) bool { return r != '\n' && r != '\r' && inNoSetting(r) })
	}
	look(value, inNoSetting)
	visitTexts(value, within, within)
	return found, ok
}

// validateAdopted checks a spec. An address that was stored before, by whatever
// rules, stands until it is changed.
func (m *Manager) validateAdopted(p *problems, s, was AdoptedSpec) {
	if s.Connections < 0 || s.Connections > MaxConnections {
		p.add("spec.connections", "is %d; 0 to %d connections are allowed", s.Connections, MaxConnections)
	}
	if s.ServiceAddress == "" || s.ServiceAddress == was.ServiceAddress {
		return
	}
	if why := validateServiceAddress(s.ServiceAddress, m.localServiceAddresses); why != "" {
		p.add("spec.serviceAddress", "%s", why)
	}
}

// limitAtCreation refuses a connection limit for an adopted cluster that is just being
// made: nobody knows yet whether its broker takes one, and nothing is booked that is
// not enforced.
func limitAtCreation(s AdoptedSpec) error {
	if s.Connections == 0 {
		return nil
	}
	return noLimit("is set once an agent has reported, where EMQX takes one; leave it out until then")
}
