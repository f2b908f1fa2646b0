package main

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// publicAddress reads where programs reach the API; nil = it is not set.
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
		return nil, fmt.Errorf("%q is every address of a host, and none that programs can dial", c.publicURL)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// publicURL is where programs reach the API: as it is set, else where agents reach
// it, which is the same listener, else the listener's own address where that is one.
// "" = it is not known. The listener is open by now.
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
