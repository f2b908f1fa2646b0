package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// envPrefix begins the name of every variable that is read.
const envPrefix = "ECPD_"

// envToken is the one setting that is no flag: other users of the machine see
// the flags of a process.
const envToken = envPrefix + "BOOTSTRAP_TOKEN"

const environmentHelp = "Every flag can be given as a variable instead: --data-dir as " + envPrefix + "DATA_DIR. A flag wins.\n" +
	envToken + " is the API token of a system administrator, stored (as a hash) at the first start."

// secret is a text that never shows in a log.
type secret string

func (secret) String() string               { return "[redacted]" }
func (secret) GoString() string             { return "[redacted]" }
func (secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// config is everything that can be set.
type config struct {
	listen        string
	dataDir       string // "" = by dev
	kubeconfig    string // "" = the pod's service account
	reach         string // "" = by where we run
	metricsListen string // "" = on listen
	logLevel      string
	logFormat     string
	tlsCert       string // "" = plain HTTP
	tlsKey        string
	dev           bool
	token         secret // "" = none given

	certificate *tls.Certificate // read by check
}

// option is one row of the table of flags.
type option struct {
	name  string
	value string // default
	usage string
	field func(*config) *string
}

var options = []option{
	{"listen", "127.0.0.1:18180", "`address` of the API; port 0 = any free one", func(c *config) *string { return &c.listen }},
	{"data-dir", "", "`directory` of the database (default /var/lib/ecpd; with --dev .cache/dev)", func(c *config) *string { return &c.dataDir }},
	{"kubeconfig", "", "`file` that leads to Kubernetes; not needed in a pod with a service account", func(c *config) *string { return &c.kubeconfig }},
	{"kubernetes-reach", "", "`way` to the brokers: pod-ip or port-forward (default pod-ip in a pod, else port-forward)", func(c *config) *string { return &c.reach }},
	{"metrics-listen", "", "`address` of a listener that serves only /metrics, without a token (default: on --listen, with one)", func(c *config) *string { return &c.metricsListen }},
	{"log-level", "info", "`level`: debug, info, warn or error", func(c *config) *string { return &c.logLevel }},
	{"log-format", "text", "`format`: text or json", func(c *config) *string { return &c.logFormat }},
	{"tls-cert", "", "`file` with the certificate chain; serves HTTPS", func(c *config) *string { return &c.tlsCert }},
	{"tls-key", "", "`file` with the certificate's key", func(c *config) *string { return &c.tlsKey }},
}

const devUsage = "no Kubernetes: simulated clusters, kept in the data directory; listens on loopback only"

// flagSet is the part of cobra's flags that is used here.
type flagSet interface {
	StringVar(p *string, name, value, usage string)
	BoolVar(p *bool, name string, value bool, usage string)
	Changed(name string) bool
	Set(name, value string) error
}

func (c *config) define(flags flagSet) {
	for _, o := range options {
		flags.StringVar(o.field(c), o.name, o.value, o.usage)
	}
	flags.BoolVar(&c.dev, "dev", false, devUsage)
}

// fromEnvironment fills in what no flag has set, and gives the names of
// variables that look like ours and are not.
func (c *config) fromEnvironment(flags flagSet, environ []string) (strangers []string, err error) {
	names := map[string]string{envPrefix + "DEV": "dev"}
	for _, o := range options {
		names[envPrefix+strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))] = o.name
	}
	inPod := slices.ContainsFunc(environ, func(kv string) bool { return strings.HasPrefix(kv, "KUBERNETES_SERVICE_HOST=") })
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		name, known := names[key]
		switch {
		case !strings.HasPrefix(key, envPrefix) || inPod && serviceLink(key):
		case key == envToken:
			c.token = secret(value)
		case !known:
			strangers = append(strangers, key)
		case !flags.Changed(name):
			if err := flags.Set(name, value); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	slices.Sort(strangers)
	return strangers, nil
}

// serviceLink says whether Kubernetes itself has set a variable, because there
// is a Service named ecpd beside the pod.
func serviceLink(key string) bool {
	return strings.HasPrefix(key, envPrefix+"SERVICE_") || key == envPrefix+"PORT" || strings.HasPrefix(key, envPrefix+"PORT_")
}

// check fills in defaults that depend on others and says everything that is
// wrong. It reads the certificate and changes nothing.
func (c *config) check() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if c.dataDir == "" {
		c.dataDir = "/var/lib/ecpd"
		if c.dev {
			c.dataDir = ".cache/dev"
		}
	}
	c.checkListener(bad, "--listen", c.listen)
	if c.metricsListen != "" {
		c.checkListener(bad, "--metrics-listen", c.metricsListen)
	}
	if c.dev && c.kubeconfig != "" {
		bad("--dev simulates clusters: leave --kubeconfig out, or --dev")
	}
	if !slices.Contains([]string{"", "pod-ip", "port-forward"}, c.reach) {
		bad("--kubernetes-reach is %q; pod-ip and port-forward are allowed", c.reach)
	}
	if _, ok := logLevels[c.logLevel]; !ok {
		bad("--log-level is %q; debug, info, warn and error are allowed", c.logLevel)
	}
	if c.logFormat != "text" && c.logFormat != "json" {
		bad("--log-format is %q; text and json are allowed", c.logFormat)
	}
	if why := wrongToken(string(c.token)); why != "" {
		bad("%s %s", envToken, why)
	}
	if err := c.readCertificate(); err != nil {
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// checkListener says what is wrong with an address to listen on.
func (c *config) checkListener(bad func(string, ...any), flag, address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		bad("%s is %q; give HOST:PORT, e.g. 127.0.0.1:18180", flag, address)
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		bad("%s has the port %q; 0 to 65535 are allowed", flag, port)
	}
	if c.dev && !isLoopback(host) {
		bad("%s is %q; --dev listens on loopback only, e.g. 127.0.0.1:18180", flag, address)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// loopbackOnly says whether nobody outside this host can connect.
func (c *config) loopbackOnly() bool {
	host, _, err := net.SplitHostPort(c.listen)
	return err == nil && isLoopback(host)
}

// wrongToken says why a text cannot be sent as a bearer token; "" if it can.
func wrongToken(token string) string {
	switch {
	case token == "":
		return ""
	case len(token) < ecp.MinTokenLength:
		return fmt.Sprintf("has %d characters; give at least %d", len(token), ecp.MinTokenLength)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "holds a space, a line end or something else that a header cannot carry"
	}
	return ""
}

func (c *config) readCertificate() error {
	if (c.tlsCert == "") != (c.tlsKey == "") {
		return errors.New("--tls-cert and --tls-key belong together: give both or none")
	}
	if c.tlsCert == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.tlsCert, c.tlsKey)
	if err != nil {
		return fmt.Errorf("read --tls-cert and --tls-key: %w", err)
	}
	c.certificate = &pair
	return nil
}
