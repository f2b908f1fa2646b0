package main

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/httpapi"
)

// agentsPath is the path below which agents are served.
const agentsPath = "/agent/v1/"

// goodbyeMayTake is how long agents may take to hear that the daemon ends; in less
// than [serverMayTake], since the listener waits for their connections.
const goodbyeMayTake = 3 * time.Second

// agentURL is the address that agents dial; "" = they are not told. The listener is
// open by now, so that with --dev its own address is known.
func (d *daemon) agentURL() string {
	if u, err := d.config.agentAddress(); err == nil && u != nil {
		return u.String()
	}
	if d.config.dev {
		return d.servers[0].url()
	}
	return ""
}

// newHub makes what agents connect to, where they are told to.
func (d *daemon) newHub() (err error) {
	u, err := url.Parse(d.agentURL())
	if err != nil || u.Host == "" {
		return err
	}
	d.hub, err = adopt.NewHub(adopt.Config{
		Name: u.Host, Logger: d.log, Authorities: d.authorities.certificates, Timings: adopt.Timings{Goodbye: goodbyeMayTake},
	})
	if err == nil {
		d.authorities.changed = d.hub.Announce
	}
	return err
}

// link leads the Manager to adopted clusters; nil = none can be reached.
func (d *daemon) link() ecp.Link {
	if d.hub == nil {
		return nil
	}
	return d.hub
}

// agentSetup is what guides are made from.
func (d *daemon) agentSetup() httpapi.AgentSetup {
	s := httpapi.AgentSetup{URL: d.agentURL(), Checksums: d.downloads.checksums}
	if strings.HasPrefix(s.URL, "https:") {
		s.CASHA256 = d.authorities.pin
	}
	return s
}

// agentNotes are what /readyz says of agents to people.
func (d *daemon) agentNotes() []string {
	if d.config.clusterAgent == "" || len(d.downloads.checksums()) > 0 {
		return nil
	}
	return []string{"agents of adopted clusters cannot be downloaded: there are none in " + d.config.programsDir() + "; make agents builds them, and agents.dir says where they are"}
}

// withAgents serves agents, and the programs that they are, beside the API: agents
// prove who they are in their own way, and the programs are no secret. Behind
// trusted proxies an agent's address is the one that they tell, as it is a person's:
// wrong tokens are counted by it.
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

// fromClient returns a request that comes from the client in front of the trusted
// proxies. The port of a client behind a proxy is not known.
func fromClient(r *http.Request, proxies []netip.Prefix) *http.Request {
	addr, ok := httpapi.ClientAddr(r, proxies)
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); !ok || err == nil && peer.Addr().Unmap() == addr {
		return r
	}
	r = r.WithContext(r.Context()) // a copy
	r.RemoteAddr = addr.String()
	return r
}

// countAgents counts the agents that are registered.
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
