package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/peers"
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

// openPeers opens the listener for other daemons, if this one works together with others.
// They forward requests to agents over it; without agents there is none.
func (d *daemon) openPeers(ctx context.Context) error {
	if !d.config.shares() {
		return nil
	}
	d.shared = &fleet.Shared{Version: buildInfo().Version, PublicURL: d.agentURL()}
	if u, err := d.config.publicAddress(); err == nil && u != nil {
		d.shared.PublicURL = u.String()
	}
	sealer, err := newSealer(d.config)
	if err != nil {
		return err
	}
	if err := peers.Check(ctx, d.store, sealer); err != nil {
		return fmt.Errorf("this daemon cannot work with the others on the database; give the same keys of secrets "+
			"(--secrets-key-file) to all of them, and see docs/operations.md where a key is lost: %w", err)
	}
	if d.agentURL() == "" {
		return nil
	}
	var lc net.ListenConfig
	if d.peers, err = lc.Listen(ctx, "tcp", d.config.peerListen); err != nil {
		return fmt.Errorf("%s: %w", d.config.at("peer-listen"), err)
	}
	host, port, _ := net.SplitHostPort(d.config.peerAddress) // checked; an IPv4 address may stand in brackets
	if d.config.peerAddress == "" {
		host, _, _ = net.SplitHostPort(d.config.peerListen) // checked; a name, not what it stands for here
		_, port, _ = net.SplitHostPort(d.peers.Addr().String())
	}
	d.shared.Address = net.JoinHostPort(host, port)
	d.mesh, err = peers.New(peers.Config{Listener: d.peers, Store: d.store, Sealer: sealer, Logger: d.log})
	return err
}

// unheardAfter is how long another daemon may not be reached before people are told: one that
// was killed stays in the list for some seconds.
const unheardAfter = 15 * time.Second

// unheard returns why other daemons on the database are not reached, by their ids.
func (d *daemon) unheard() map[string]string {
	out := map[string]string{}
	if d.hub == nil {
		return out
	}
	for _, f := range d.hub.Fellows() {
		if f.Why != "" && f.Quiet >= unheardAfter {
			out[f.ID] = strings.TrimPrefix(f.Why, "daemon "+f.ID+": ")
		}
	}
	return out
}

// peerNotes returns what /readyz says about other daemons. Everybody may read that, so that
// addresses are left out.
func (d *daemon) peerNotes() (out []string) {
	if d.mesh != nil && errors.Is(d.mesh.Err(), peers.ErrKeys) {
		out = append(out, "another daemon on the same database encrypts with a key of secrets that this one does not "+
			"know: give it to all of them, behind the one that they have, and start them again")
	}
	for _, id := range slices.Sorted(maps.Keys(d.unheard())) {
		out = append(out, "the daemon "+id+", which works on the same database, cannot be reached from here, and "+
			"nothing is known of agents that are connected to it; ecpctl doctor says why")
	}
	return out
}
