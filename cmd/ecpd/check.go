package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

// The bounds of what can be set.
const (
	maxWorkers  = 1000
	minTLSCheck = time.Second
	maxDrain    = 5 * time.Second // the whole end has 15 s
)

// complain notes something that is wrong; name is the option's.
type complain func(name, format string, args ...any)

// check says everything that is wrong. It reads the certificate and changes nothing.
func (c *config) check() error {
	var wrong []error
	bad := func(name, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s "+format, append([]any{c.at(name)}, args...)...))
	}
	c.checkListener(bad, "listen", c.listen)
	if c.metricsListen != "" {
		c.checkListener(bad, "metrics-listen", c.metricsListen)
		if _, port, _ := net.SplitHostPort(c.listen); c.metricsListen == c.listen && port != "0" {
			bad("metrics-listen", "is the address of the API, %s; leave it out to have /metrics there, or give another", c.listen)
		}
	}
	if c.dev && c.kubeconfig != "" {
		bad("kubeconfig", "and --dev exclude one another: --dev simulates clusters")
	}
	if c.dev && c.identity != "" {
		bad("kubernetes-identity", "and --dev exclude one another: --dev simulates clusters")
	}
	oneOf(bad, "kubernetes-reach", c.reach, "", "pod-ip", "port-forward")
	for _, f := range c.network().Wrong() {
		bad(networkOptions[f.Field], "%s", f.Message)
	}
	oneOf(bad, "log-level", c.logLevel, "debug", "info", "warn", "error")
	oneOf(bad, "log-format", c.logFormat, "text", "json")
	if c.workers < 1 || c.workers > maxWorkers {
		bad("workers", "is %d; 1 to %d are allowed", c.workers, maxWorkers)
	}
	if c.drain < 0 || c.drain > maxDrain {
		bad("drain", "is %v; 0s to %v are allowed", c.drain, maxDrain)
	}
	if c.tlsCheck < minTLSCheck {
		bad("tls-check", "is %v; %v or more is allowed", c.tlsCheck, minTLSCheck)
	}
	if c.sessionLife < time.Minute || c.sessionLife > 30*24*time.Hour {
		bad("session-life", "is %v; 1m to 720h are allowed", c.sessionLife)
	}
	if c.auditKept < 24*time.Hour {
		bad("audit-kept", "is %v; 24h or more is allowed", c.auditKept)
	}
	if c.operationsKept < 24*time.Hour { // an idempotency key leads to one for as long
		bad("operations-kept", "is %v; 24h or more is allowed", c.operationsKept)
	}
	for name, n := range map[string]int{"projects-per-org": c.projectsPerOrg, "projects": c.projects, "operations-per-cluster": c.operations,
		"streams": c.streams, "streams-per-actor": c.streamsPerActor} {
		if n < 1 {
			bad(name, "is %d; 1 or more is allowed", n)
		}
	}
	if _, err := c.proxies(); err != nil {
		bad("trusted-proxies", "%v", err)
	}
	c.checkDashboards(bad)
	c.checkAgents(bad)
	if _, err := c.sealing(); err != nil {
		wrong = append(wrong, err)
	}
	if why := wrongToken(string(c.token)); why != "" {
		bad("bootstrap-token", "%s", why)
	}
	c.checkCertificate(bad)
	return errors.Join(wrong...)
}

func oneOf(bad complain, name, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	allowed = slices.DeleteFunc(allowed, func(a string) bool { return a == "" })
	last := len(allowed) - 1
	bad(name, "is %q; %s and %s are allowed", value, strings.Join(allowed[:last], ", "), allowed[last])
}

// checkListener says what is wrong with an address to listen on.
func (c *config) checkListener(bad complain, name, address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		bad(name, "is %q; give HOST:PORT, e.g. 127.0.0.1:18180", address)
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		bad(name, "has the port %q; 0 to 65535 are allowed", port)
	}
	if c.dev && !isLoopback(host) {
		bad(name, "is %q; with --dev only loopback is listened on, e.g. 127.0.0.1:18180", address)
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

// proxies gives the networks whose word on who asks is believed.
func (c *config) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, word := range strings.FieldsFunc(c.trustedProxies, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			a, failed := netip.ParseAddr(word)
			if failed != nil {
				return nil, fmt.Errorf("has %q; addresses and networks are wanted, e.g. 10.0.0.1,192.168.0.0/24", word)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}

func (c *config) checkCertificate(bad complain) {
	switch {
	case c.tlsAuto && (c.tlsCert != "" || c.tlsKey != ""):
		bad("tls-auto", "excludes --tls-cert and --tls-key: the certificate is made, or it is given")
	case c.tlsCert == "" && c.tlsKey == "":
	case c.tlsCert == "":
		bad("tls-key", "has no certificate: the two belong together, give --tls-cert too or neither")
	case c.tlsKey == "":
		bad("tls-cert", "has no key: the two belong together, give --tls-key too or neither")
	default:
		if _, err := loadPair(c.tlsCert, c.tlsKey); err != nil {
			bad("tls-cert", "and --tls-key cannot be used: %w", err)
		}
	}
}

// servesTLS reports whether the API's listener speaks TLS itself.
func (c *config) servesTLS() bool { return c.tlsCert != "" || c.tlsAuto }
