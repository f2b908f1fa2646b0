package proxy

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// Every dashboard has an origin of its own, which is never the API's. EMQX's dashboards
// store logins per origin, and nothing that a broker serves may run where somebody
// else's login is stored.

// Domain has for each cluster a host name: its ID, a dot, and Host.
type Domain struct {
	Scheme string // "https" or "http"
	Host   string // such as "dash.example.com", with a port where browsers need one
}

// Ports give each cluster a port of one host when its dashboard is first asked for.
// After a restart it may be another port.
type Ports struct {
	Scheme string // "https" or "http"
	Host   string // name or address under which browsers reach the ports
	// First and Last bound the ports. If both are 0, any free port is used.
	First, Last int
	// Open serves h on a port until the program ends, and returns the port. Port 0
	// means any free one. Open must not wait for requests.
	Open func(ctx context.Context, port int, h http.Handler) (int, error)
}

// defaultPorts are left out of an origin.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// origin returns the origin of a cluster as browsers write it.
func (d Domain) origin(id ecp.ID) *url.URL {
	return &url.URL{Scheme: d.Scheme, Host: withoutDefaultPort(d.Scheme, string(id)+"."+d.Host)}
}

// cluster returns the ID in the Host of a request, whatever its port: a proxy in front
// of the program may have another. ok is false if the host is not one of the domain's.
func (d Domain) cluster(host string) (id ecp.ID, ok bool) {
	name, domain, _ := strings.Cut(hostname(host), ".")
	return ecp.ID(name), domain == hostname(d.Host) && ecp.ID(name).Valid()
}

// Covers reports whether the Host of a request belongs to dashboards, whether or not
// there is such a cluster.
func (d Domain) Covers(host string) bool {
	host, domain := hostname(host), hostname(d.Host)
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// hostname returns a host without port and brackets, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.Trim(strings.ToLower(host), "[]"), ".")
}

func withoutDefaultPort(scheme, host string) string {
	return strings.TrimSuffix(host, ":"+defaultPorts[scheme])
}
