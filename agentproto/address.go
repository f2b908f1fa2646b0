package agentproto

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// serverPaths are the paths that a server's URL may end in. The product's own
// page prints the second.
var serverPaths = []string{"", "/api", "/api/v1"}

// defaultPorts are left out of a server's URL.
var defaultPorts = map[string]string{"https": "443", "http": "80"}

// ParseServerURL reads the URL of a server as a person types it:
// https://host, with a port if it is not 443. An ending /api or /api/v1, as
// pages print it, is accepted and dropped. http is for servers on this host
// only: a registration token must not cross a network in the clear. The result
// has a scheme and a host and nothing else; its Host is what a server of that
// URL has as [ServerConfig].Name. Errors are of type *[Failure] and repeat no
// part of the text that may be secret.
func ParseServerURL(s string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	bad := func(hint, format string, args ...any) (*url.URL, error) {
		return nil, &Failure{Step: StepAddress, Code: FailedAddress,
			Message: fmt.Sprintf("the server's URL %q ", showURL(s)) + fmt.Sprintf(format, args...), Hint: hint}
	}
	const likeThis = "Give it as https://HOST or https://HOST:PORT"
	u, err := url.Parse(s)
	switch {
	case s == "":
		return bad(likeThis, "is empty")
	case err != nil:
		return bad(likeThis, "cannot be read as a URL")
	case defaultPorts[u.Scheme] == "" || u.Opaque != "":
		return bad(likeThis, "does not begin with https://")
	case u.User != nil:
		return bad(likeThis+" and the token with --registration-token", "has a user or password in it")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return bad(likeThis, "has a query or a fragment (? or #)")
	case !slices.Contains(serverPaths, strings.TrimRight(u.EscapedPath(), "/")):
		return bad(likeThis+"; an ending /api is accepted too", "has the path %s, where no server answers agents",
			showURL(u.EscapedPath()))
	}
	host, err := cleanHost(u)
	if err != nil {
		return bad(likeThis, "%v", err)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return bad("Use https://"+host+"; http:// is accepted for a server on this host only",
			"would send the registration token over the network in the clear")
	}
	return &url.URL{Scheme: u.Scheme, Host: host}, nil
}

// cleanHost returns host[:port] in lower case, without a default port.
func cleanHost(u *url.URL) (string, error) {
	name := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(name); err != nil || addr.Zone() != "" { // no certificate is for a zone
		name = strings.TrimSuffix(name, ".")
		if !validHostname(name) {
			return "", errors.New("has no valid host name or address")
		}
	}
	port := u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") {
		return "", errors.New("has a colon and no port behind it")
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return "", fmt.Errorf("has the port %s; ports are 1 to 65535", port)
	} else if port != "" {
		port = strconv.Itoa(n)
	}
	if port != "" && port != defaultPorts[u.Scheme] {
		return net.JoinHostPort(name, port), nil
	}
	if strings.Contains(name, ":") {
		return "[" + name + "]", nil
	}
	return name, nil
}

// validHostname reports whether a name in lower case can be one of DNS.
func validHostname(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.IndexFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) >= 0 {
			return false
		}
	}
	return true
}

// isLoopback reports whether a host is this one.
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// hostPort returns what a URL of ParseServerURL is dialled at.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// showURL returns the part of a text that holds no password and no token, short
// enough for a message.
func showURL(s string) string {
	s, _, _ = strings.Cut(s, "?")
	s, _, _ = strings.Cut(s, "#")
	if i := strings.LastIndex(s, "@"); i >= 0 {
		scheme, _, found := strings.Cut(s, "://")
		if !found || len(scheme) > 10 {
			scheme = ""
		} else {
			scheme += "://"
		}
		s = scheme + "…@" + s[i+1:]
	}
	return cleanText(s, 200)
}
