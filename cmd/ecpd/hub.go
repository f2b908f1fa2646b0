package main

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/httpapi"
)

// agentsPath is the path below which agents are served.
var agentsPath = path.Dir(agentproto.PathConnect) + "/"

// goodbyeTimeout bounds how long the daemon takes to announce its end to agents. It is
// less than [serverTimeout], because the listener waits for their connections.
const goodbyeTimeout = 3 * time.Second

// agentURL returns the address that agents dial, and is empty if they cannot be set up.
// With --dev it is the listener's own, which must be open.
func (d *daemon) agentURL() string {
	if u, err := d.config.agentAddress(); err == nil && u != nil {
		return u.String()
	}
	if d.config.dev {
		return d.servers[0].url()
	}
	return ""
}

// newHub makes what agents connect to, if there is an address for them.
func (d *daemon) newHub() (err error) {
	u, err := url.Parse(d.agentURL())
	if err != nil || u.Host == "" {
		return err
	}
	d.hub, err = adopt.NewHub(adopt.Config{
		Name: u.Host, Logger: d.log, Authorities: d.authorities.certificates,
		Timings: adopt.Timings{Goodbye: goodbyeTimeout}, Peers: d.mesh,
	})
	if err == nil {
		d.authorities.changed = d.hub.Announce
	}
	return err
}

// link is the Manager's way to adopted clusters, and nil if none can be reached.
func (d *daemon) link() ecp.Link {
	if d.hub == nil {
		return nil
	}
	return d.hub
}

// agentSetup returns what setup guides are made from.
func (d *daemon) agentSetup() httpapi.AgentSetup {
	s := httpapi.AgentSetup{URL: d.agentURL(), Checksums: d.downloads.checksums}
	if strings.HasPrefix(s.URL, "https:") {
		s.CASHA256 = d.authorities.pin
	}
	return s
}

// agentNotes returns what /readyz says about agents.
func (d *daemon) agentNotes() []string {
	if d.config.clusterAgent == "" || len(d.downloads.checksums()) > 0 {
		return nil
	}
	return []string{"agents of adopted clusters cannot be downloaded: there are none in " + d.config.programsDir() +
		"; make agents builds them, and agents.dir says where they are"}
}

// withAgents serves agents, and the downloads of their programs, beside the API. Agents
// have credentials of their own, and the programs are public. Behind trusted proxies,
// the address of an agent is the one in X-Forwarded-For, because wrong tokens are
// counted by address.
func (d *daemon) withAgents(api http.Handler, proxies []netip.Prefix) http.Handler {
	programs := d.downloads.handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, adopt.DownloadPath):
			programs.ServeHTTP(w, r)
		case d.hub != nil && strings.HasPrefix(r.URL.Path, agentsPath):
			d.hub.Server().ServeHTTP(w, fromClient(r, proxies))
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// fromClient returns r with the address of the client in front of the trusted proxies,
// whose port is not known.
func fromClient(r *http.Request, proxies []netip.Prefix) *http.Request {
	addr, ok := httpapi.ClientAddr(r, proxies)
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); !ok || err == nil && peer.Addr().Unmap() == addr {
		return r
	}
	r = r.WithContext(r.Context()) // a copy
	r.RemoteAddr = addr.String()
	return r
}

// countAgents returns the number of registered agents.
func countAgents(ctx context.Context, store ecp.Store) (n int, err error) {
	err = store.Read(ctx, func(tx ecp.Tx) error {
		n = 0
		for _, err := range ecp.List[ecp.AgentRecord](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}
