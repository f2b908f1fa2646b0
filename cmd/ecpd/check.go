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

	"github.com/openecp/openecp/ecp/tenancy"
)

// maxDrain bounds the drain: the whole end of the program may take 15 s.
const maxDrain = "5s"

// report records what is wrong with the setting that has a name.
type report func(name, format string, args ...any)

// check says everything that is wrong. It reads files that settings name, and changes
// none.
func (c *config) check() error {
	var wrong []error
	bad := func(name, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s "+format, append([]any{c.at(name)}, args...)...))
	}
	for _, s := range c.settings() {
		if why := s.outOfBounds(); why != "" {
			bad(s.name, "%s", why)
		}
	}
	c.checkListener(bad, "listen", c.listen)
	if c.metricsListen != "" {
		c.checkListener(bad, "metrics-listen", c.metricsListen)
		if _, port, _ := net.SplitHostPort(c.listen); c.metricsListen == c.listen && port != "0" {
			bad("metrics-listen", "is the address of the API, %s; leave it out to have /metrics there, or give another",
				c.listen)
		}
	}
	c.checkDatabase(bad)
	c.checkPeers(bad)
	if c.dev && c.kubeconfig != "" {
		bad("kubeconfig", "and --dev exclude one another: --dev simulates clusters")
	}
	if c.dev && c.identity != "" {
		bad("kubernetes-identity", "and --dev exclude one another: --dev simulates clusters")
	}
	for _, f := range c.network().Wrong() {
		bad(networkSettings[f.Field], "%s", f.Message)
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

// outOfBounds says why the row of a setting does not allow its value; it is empty if
// the row does.
func (s setting) outOfBounds() string {
	v := s.flag().String()
	switch {
	case s.allowed != nil && v != s.value && !slices.Contains(s.allowed, v):
		last := len(s.allowed) - 1
		return fmt.Sprintf("is %q; %s and %s are allowed", v, strings.Join(s.allowed[:last], ", "), s.allowed[last])
	case s.least == "":
		return ""
	case s.most != "" && (s.number(v) < s.number(s.least) || s.number(v) > s.number(s.most)):
		return fmt.Sprintf("is %s; %s to %s are allowed", v, s.least, s.most)
	case s.number(v) < s.number(s.least):
		return fmt.Sprintf("is %s; %s or more is allowed", v, s.least)
	}
	return ""
}

// number is what a text means as a value of the setting, in nanoseconds for a time.
func (s setting) number(text string) int64 {
	if _, isTime := s.at.(*time.Duration); isTime {
		d, _ := time.ParseDuration(text) // the value was parsed before; TestBounds parses the bounds
		return int64(d)
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// checkListener says what is wrong with an address to listen on.
func (c *config) checkListener(bad report, name, address string) {
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

// loopbackOnly reports whether nobody outside this host can connect.
func (c *config) loopbackOnly() bool {
	host, _, err := net.SplitHostPort(c.listen)
	return err == nil && isLoopback(host)
}

// wrongToken says why a text cannot be sent as a bearer token; it is empty if it can.
func wrongToken(token string) string {
	switch {
	case token == "":
		return ""
	case len(token) < tenancy.MinTokenLength:
		return fmt.Sprintf("has %d characters; give at least %d", len(token), tenancy.MinTokenLength)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "holds a space, a line end or something else that a header cannot carry"
	}
	return ""
}

// proxies returns the networks of proxies whose X-Forwarded-For is believed.
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

func (c *config) checkCertificate(bad report) {
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
