package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// secret is a text that never shows in a log.
type secret string

const redacted = "[redacted]"

func (secret) String() string               { return redacted }
func (secret) GoString() string             { return redacted }
func (secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// config is everything that can be set, and where it was.
type config struct {
	file          string // "" = none
	listen        string
	dataDir       string // "" = by dev
	kubeconfig    string // "" = the pod's service account
	reach         string // "" = by where we run
	identity      string // of Kubernetes; "" = the one that the database knows
	clusterDomain string
	ipFamily      string // "" = Kubernetes' own
	ipPolicy      string // "" = Kubernetes' own
	metricsListen string // "" = on listen
	logLevel      string
	logFormat     string
	tlsCert       string // "" = plain HTTP
	tlsKey        string
	tlsCheck      time.Duration
	drain         time.Duration
	workers       int
	dev           bool
	token         secret // "" = none given

	secretsKeyFile        string // "" = none
	secretsKey            secret // "" = none
	sessionLife           time.Duration
	auditKept             time.Duration
	operationsKept        time.Duration
	operations            int
	projectsPerOrg        int
	projects              int
	streams               int
	streamsPerActor       int
	trustedProxies        string // addresses and networks with commas between
	dashDomain            string // "" = none
	dashListen            string // "" = none; with dev any free ports
	dashHost              string // "" = that of dashListen
	clusterAgent          string // "" = agents are not told where to dial; with dev the API's own address
	publicURL             string // "" = clusterAgent, or where the API listens
	agentsDir             string // "" = beside the program
	localServiceAddresses bool
	agentsCAFile          string // "" = the authority of tlsAuto, or none
	tlsAuto               bool

	origins map[string]origin // by the option's name; what is missing is a default
	unread  bool              // there is a file, and nothing in it could be read
}

// option is one row of the table of settings. From it come the flag, the
// variable, the key in the file, their help and their errors.
type option struct {
	name   string // of the flag, and, in upper case, of the variable
	key    string // in the file, sections before a dot; "" = not to be set there
	value  string // default
	usage  string
	field  func(*config) value
	hidden bool // a secret: no flag, since others see those, and never printed
	reload bool // takes effect with SIGHUP
}

// options is the table. `ecpd config check` prints it in this order, and
// deploy/ecpd.yaml explains it.
var options = []option{
	{name: "config", usage: "`file` with settings, in YAML; see deploy/ecpd.yaml",
		field: func(c *config) value { return (*text)(&c.file) }},
	{name: "listen", key: "listen", value: "127.0.0.1:18180", usage: "`address` of the API; port 0 = any free one",
		field: func(c *config) value { return (*text)(&c.listen) }},
	{name: "data-dir", key: "dataDir", usage: "`directory` of the database (default /var/lib/ecpd; with --dev .cache/dev)",
		field: func(c *config) value { return (*text)(&c.dataDir) }},
	{name: "dev", key: "dev", value: "false", usage: "no Kubernetes: simulated clusters, kept in the data directory; listens on loopback only",
		field: func(c *config) value { return (*truth)(&c.dev) }},
	{name: "workers", key: "workers", value: "20", usage: "`number` of clusters of a target written to at once",
		field: func(c *config) value { return (*count)(&c.workers) }},
	{name: "drain", key: "drain", value: "1s", usage: "`time` for which /readyz says no before the listeners close, when the daemon is told to end",
		field: func(c *config) value { return (*span)(&c.drain) }},
	{name: "kubeconfig", key: "kubernetes.kubeconfig", usage: "`file` that leads to Kubernetes; not needed in a pod with a service account, or with --cluster-agent where clusters are only adopted",
		field: func(c *config) value { return (*text)(&c.kubeconfig) }},
	{name: "kubernetes-identity", key: "kubernetes.identity", usage: "`uid` of the namespace kube-system of the Kubernetes that the clusters are on from now on: it was moved or rebuilt (default the one that the database knows)",
		field: func(c *config) value { return (*text)(&c.identity) }},
	{name: "kubernetes-reach", key: "kubernetes.reach", usage: "`way` to the brokers: pod-ip or port-forward (default pod-ip in a pod, else port-forward)",
		field: func(c *config) value { return (*text)(&c.reach) }},
	{name: "kubernetes-cluster-domain", key: "kubernetes.clusterDomain", value: ecp.DefaultClusterDomain, usage: "DNS `domain` of the Kubernetes cluster; clusters keep the one they were made with",
		field: func(c *config) value { return (*text)(&c.clusterDomain) }},
	{name: "kubernetes-ip-family", key: "kubernetes.ipFamily", usage: "`family` that nodes talk to one another in, and the first of Services: IPv4 or IPv6 (default IPv4 for nodes, Kubernetes' own for Services)",
		field: func(c *config) value { return (*text)(&c.ipFamily) }},
	{name: "kubernetes-ip-family-policy", key: "kubernetes.ipFamilyPolicy", usage: "`policy` of Services: SingleStack, PreferDualStack or RequireDualStack (default Kubernetes' own)",
		field: func(c *config) value { return (*text)(&c.ipPolicy) }},
	{name: "metrics-listen", key: "metrics.listen", usage: "`address` of a listener that serves only /metrics, without a token (default: on --listen, with one)",
		field: func(c *config) value { return (*text)(&c.metricsListen) }},
	{name: "tls-cert", key: "tls.cert", usage: "`file` with the certificate chain; serves HTTPS",
		field: func(c *config) value { return (*text)(&c.tlsCert) }},
	{name: "tls-key", key: "tls.key", usage: "`file` with the certificate's key",
		field: func(c *config) value { return (*text)(&c.tlsKey) }},
	{name: "tls-auto", key: "tls.auto", value: "false", usage: "serve HTTPS with a certificate authority of its own, kept in the data directory",
		field: func(c *config) value { return (*truth)(&c.tlsAuto) }},
	{name: "tls-check", key: "tls.check", value: "10s", usage: "`time` between two looks whether certificate and key have changed",
		field: func(c *config) value { return (*span)(&c.tlsCheck) }},
	{name: "trusted-proxies", key: "trustedProxies", usage: "`networks` of proxies whose X-Forwarded-For is believed, with commas between",
		field: func(c *config) value { return (*text)(&c.trustedProxies) }},
	{name: "dashboard-domain", key: "dashboard.domain", usage: "`domain` below which each cluster's dashboard has a name, ID.DOMAIN; https://DOMAIN where TLS ends in front of the daemon",
		field: func(c *config) value { return (*text)(&c.dashDomain) }},
	{name: "dashboard-listen", key: "dashboard.listen", usage: "`address` HOST:FIRST-LAST whose ports dashboards get, one for each cluster; port 0 = any free ones (default none; with --dev 127.0.0.1:0)",
		field: func(c *config) value { return (*text)(&c.dashListen) }},
	{name: "dashboard-host", key: "dashboard.host", usage: "`name` or address under which browsers reach the ports of --dashboard-listen (default the one there)",
		field: func(c *config) value { return (*text)(&c.dashHost) }},
	{name: "cluster-agent", key: "cluster.agent", usage: "`URL` that agents of adopted clusters dial, https://HOST[:PORT]; without it none can be set up (default none; with --dev the API's own address)",
		field: func(c *config) value { return (*text)(&c.clusterAgent) }},
	{name: "allow-local-service-addresses", key: "cluster.localServiceAddresses", value: "false", usage: "let service addresses of adopted clusters be such as each browser takes for its own host or link: loopback, link-local, a cloud's metadata",
		field: func(c *config) value { return (*truth)(&c.localServiceAddresses) }},
	{name: "public-url", key: "publicUrl", usage: "`URL` under which programs reach the API, https://HOST[:PORT]; Prometheus is told it (default that of --cluster-agent, else --listen where that is one address)",
		field: func(c *config) value { return (*text)(&c.publicURL) }},
	{name: "agents-dir", key: "agents.dir", usage: "`folder` with the agents to download, as make agents fills it (default agents, beside the program)",
		field: func(c *config) value { return (*text)(&c.agentsDir) }},
	{name: "agents-ca-file", key: "agents.caFile", usage: "`file` with the certificates, in PEM, that agents trust from now on; the first one's SHA-256 is part of the guide (default the authority of --tls-auto)",
		field: func(c *config) value { return (*text)(&c.agentsCAFile) }},
	{name: "secrets-key-file", key: "secrets.keyFile", usage: "`file` with the keys that encrypt kubeconfigs, licences and passwords of registries in the database",
		field: func(c *config) value { return (*text)(&c.secretsKeyFile) }},
	{name: "secrets-key", key: "secrets.key", hidden: true, usage: "the keys of --secrets-key-file themselves; wins over it",
		field: func(c *config) value { return (*text)(&c.secretsKey) }},
	{name: "session-life", key: "sessionLife", value: "1h", usage: "`time` that a login is good for",
		field: func(c *config) value { return (*span)(&c.sessionLife) }},
	{name: "audit-kept", key: "auditKept", value: "2160h", usage: "`time` that entries of the audit are kept",
		field: func(c *config) value { return (*span)(&c.auditKept) }},
	{name: "operations-kept", key: "operationsKept", value: "2160h", usage: "`time` that operations are kept that have ended",
		field: func(c *config) value { return (*span)(&c.operationsKept) }},
	{name: "operations-per-cluster", key: "limits.operationsPerCluster", value: "100", usage: "`number` of operations of one cluster that are kept when they have ended, the newest",
		field: func(c *config) value { return (*count)(&c.operations) }},
	{name: "projects-per-org", key: "limits.projectsPerOrg", value: "100", usage: "`number` of projects an organisation can have",
		field: func(c *config) value { return (*count)(&c.projectsPerOrg) }},
	{name: "projects", key: "limits.projects", value: "1000", usage: "`number` of projects in all",
		field: func(c *config) value { return (*count)(&c.projects) }},
	{name: "streams", key: "limits.streams", value: "1000", usage: "`number` of streams of events and of followed logs that can be open, in all",
		field: func(c *config) value { return (*count)(&c.streams) }},
	{name: "streams-per-actor", key: "limits.streamsPerActor", value: "100", usage: "`number` of them that one user, or one API token, can have open",
		field: func(c *config) value { return (*count)(&c.streamsPerActor) }},
	{name: "log-level", key: "log.level", value: "info", usage: "`level`: debug, info, warn or error", reload: true,
		field: func(c *config) value { return (*text)(&c.logLevel) }},
	{name: "log-format", key: "log.format", value: "text", usage: "`format`: text or json",
		field: func(c *config) value { return (*text)(&c.logFormat) }},
	{name: "bootstrap-token", key: "bootstrapToken", hidden: true,
		usage: "the API token of a system administrator, stored (as a hash) at the first start",
		field: func(c *config) value { return (*text)(&c.token) }},
}

// variable is the option's name in the environment.
func (o option) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// optionOf finds the option with a name; the zero option if there is none.
func optionOf(name string) option {
	for _, o := range options {
		if o.name == name {
			return o
		}
	}
	return option{}
}

// value is a setting that texts are read into; cobra takes it for a flag.
type value interface {
	Set(text string) error // the error says what is wanted
	String() string
	Type() string
	// tag is YAML's name of what has to stand in the file.
	tag() string
}

type (
	text  string
	truth bool
	count int
	span  time.Duration
)

// Set takes any text.
func (t *text) Set(s string) error { *t = text(s); return nil }
func (t *text) String() string     { return string(*t) }
func (t *text) Type() string       { return "text" }
func (t *text) tag() string        { return "!!str" }

var errTruth = errors.New("true or false is wanted")

// Set takes what strconv.ParseBool does.
func (t *truth) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return errTruth
	}
	*t = truth(b)
	return nil
}
func (t *truth) String() string { return strconv.FormatBool(bool(*t)) }
func (t *truth) Type() string   { return "bool" }
func (t *truth) tag() string    { return "!!bool" }

// IsBoolFlag lets the flag stand alone.
func (t *truth) IsBoolFlag() bool { return true }

var errCount = errors.New("a whole number is wanted")

// Set takes a whole number.
func (n *count) Set(s string) error {
	i, err := strconv.Atoi(s)
	if err != nil {
		return errCount
	}
	*n = count(i)
	return nil
}
func (n *count) String() string { return strconv.Itoa(int(*n)) }
func (n *count) Type() string   { return "number" }
func (n *count) tag() string    { return "!!int" }

var errSpan = errors.New("a time with its unit is wanted, e.g. 10s")

// Set takes a duration as Go writes it.
func (d *span) Set(s string) error {
	t, err := time.ParseDuration(s)
	if err != nil {
		return errSpan
	}
	*d = span(t)
	return nil
}
func (d *span) String() string { return time.Duration(*d).String() }
func (d *span) Type() string   { return "time" }
func (d *span) tag() string    { return "!!str" }

// origin is where a setting was given.
type origin struct {
	source source
	line   int // in the file
}

// source is a kind of origin; a later one wins.
type source int

const (
	fromDefault source = iota
	fromFile
	fromVariable
	fromFlag
)

// at names a setting as the user gave it, for errors.
func (c *config) at(name string) string {
	o := optionOf(name)
	switch from := c.origins[name]; {
	case from.source == fromFile:
		return fmt.Sprintf("%s:%d: %s", c.file, from.line, o.key)
	case from.source == fromVariable, o.hidden:
		return o.variable()
	}
	return "--" + name
}

// whence says where a setting comes from, for people.
func (c *config) whence(o option) string {
	switch from := c.origins[o.name]; from.source {
	case fromFile:
		return fmt.Sprintf("%s:%d", c.file, from.line)
	case fromVariable:
		return o.variable()
	case fromFlag:
		return "--" + o.name
	case fromDefault:
	}
	return "default"
}
