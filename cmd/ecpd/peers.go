package main

import (
	"context"
	"net"
	"net/http"
	"strconv"

	"github.com/openecp/openecp/ecp/fleet"
)

// shares reports whether the daemon works together with others on its database.
func (c *config) shares() bool { return c.peerListen != "" }

// checkPeers reports what is wrong with the settings of daemons that work together.
func (c *config) checkPeers(bad report) {
	if !c.shares() {
		if c.peerAddress != "" {
			bad("peer-address", "is of no use without --peer-listen")
		}
		return
	}
	switch {
	case c.database == "":
		bad("peer-listen", "needs --database: daemons work together on a database on a PostgreSQL server")
	case c.dev:
		bad("peer-listen", "and --dev exclude one another: simulated clusters live in the process of one daemon; "+
			"without --dev, and with --cluster-agent in place of a Kubernetes, daemons on one machine can share "+
			"adopted clusters")
	case c.secretsKeyFile == "" && c.secretsKey == "":
		bad("peer-listen", "needs --secrets-key-file, the same for all daemons: it encrypts what they know one "+
			"another by; "+keysForm)
	}
	host, port, err := net.SplitHostPort(c.peerListen)
	if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 0 || n > 65535 {
		bad("peer-listen", "is %q; give HOST:PORT, e.g. 10.0.0.1:18190", c.peerListen)
		return
	}
	if c.peerAddress == "" {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			bad("peer-listen", "is %q, every address of this host: give --peer-address, HOST:PORT as other daemons "+
				"reach it", c.peerListen)
		}
		return
	}
	host, port, err = net.SplitHostPort(c.peerAddress)
	ip := net.ParseIP(host)
	if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 1 || n > 65535 || host == "" ||
		ip != nil && ip.IsUnspecified() {
		bad("peer-address", "is %q; give HOST:PORT as other daemons reach it, e.g. ecpd-1.example.com:18190",
			c.peerAddress)
	}
}

// openPeers opens the listener for other daemons, if there is one, and returns how the
// Manager shares its Store; nil means that it does not.
func (d *daemon) openPeers(ctx context.Context) (*fleet.Shared, error) {
	if !d.config.shares() {
		return nil, nil //nolint:nilnil // nil is a Manager that is alone
	}
	s, err := listen(ctx, d.config.at("peer-listen"), d.config.peerListen, nil, http.NotFoundHandler(), d.log)
	if err != nil {
		return nil, err
	}
	d.servers = append(d.servers, s)
	address := d.config.peerAddress
	if address == "" {
		address = s.listener.Addr().String()
		if host, _, err := net.SplitHostPort(d.config.peerListen); err == nil { // a name, not what it stands for here
			_, port, _ := net.SplitHostPort(address)
			address = net.JoinHostPort(host, port)
		}
	}
	return &fleet.Shared{Address: address, Version: buildInfo().Version}, nil
}
