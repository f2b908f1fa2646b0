package main

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// publicAddress parses the URL under which programs reach the API. It returns nil if
// none is set.
func (c *config) publicAddress() (*url.URL, error) {
	if c.publicURL == "" {
		return nil, nil
	}
	u, err := url.Parse(c.publicURL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not of the form https://HOST[:PORT]", c.publicURL)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return nil, fmt.Errorf("%q has more than scheme, host and port", u.Redacted())
	case net.ParseIP(u.Hostname()).IsUnspecified():
		return nil, fmt.Errorf("%q is every address of a host; programs need one that they can dial", c.publicURL)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// publicURL returns where programs reach the API: the URL that is set, else the one
// that agents dial, which is the same listener, else the listener's own address. It is
// empty if the listener has every address of the host. The listener must be open.
func (d *daemon) publicURL() string {
	if u, err := d.config.publicAddress(); err == nil && u != nil {
		return u.String()
	}
	own := d.servers[0].url()
	if u, err := url.Parse(own); err != nil || net.ParseIP(u.Hostname()).IsUnspecified() {
		own = ""
	}
	return cmp.Or(d.agentURL(), own)
}
