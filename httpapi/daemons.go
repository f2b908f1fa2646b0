package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/openecp/openecp/ecp/fleet"
)

// daemonRoutes are about the daemons that work on one database.
func (a *api) daemonRoutes() {
	a.json(route{
		method: http.MethodGet, path: "/api/v1/daemons", id: "listDaemons",
		summary: "List the daemons that work together on the database",
		description: "Each works on its shards of the fleet; any of them takes any request. One that ended without a " +
			"word is in the list until the others have taken its shards over. The list is empty where one daemon " +
			"has the database alone.",
		success: returns[page[daemonView]](http.StatusOK),
	}, func(ctx context.Context, _ *http.Request, _ body) (success, error) {
		all, err := a.manager.Daemons(ctx)
		return success{status: http.StatusOK, body: page[daemonView]{Items: a.viewDaemons(all)}}, err
	})
}

// daemonView is a daemon that works on the database.
type daemonView struct {
	ID           string    `json:"id" doc:"minted when it started"`
	Host         string    `json:"host" doc:"where it runs"`
	Address      string    `json:"address" doc:"where other daemons reach it"`
	Version      string    `json:"version" doc:"of its build"`
	Started      time.Time `json:"started" doc:"by its own clock"`
	LastSeen     time.Time `json:"lastSeen" doc:"when it was last seen to renew its claims, which it does every few seconds; by the clock of the one that answers"`
	Shards       int       `json:"shards" doc:"parts of the fleet that it works on, of 256"`
	Self         bool      `json:"self" doc:"it is the one that answers"`
	ClockSkew    int       `json:"clockSkewSeconds" doc:"how much its clock is ahead of that of the one that answers, but for some seconds"`
	Unheard      string    `json:"unheard" doc:"why the one that answers cannot reach it over the network, so that it knows nothing of its agents; empty if it can"`
	AgentAddress string    `json:"agentAddress" doc:"which address it tells agents to dial; should be the same for all"`
	PublicURL    string    `json:"publicUrl" doc:"at which URL it says that the API is; should be the same for all"`
}

func (a *api) viewDaemons(all []fleet.Daemon) (out []daemonView) {
	var unheard map[string]string
	if a.unheard != nil {
		unheard = a.unheard()
	}
	return convert(all, func(d fleet.Daemon) daemonView {
		return daemonView{
			ID: d.ID, Host: d.Host, Address: d.Address, Version: d.Version, Started: d.Started, LastSeen: d.LastSeen,
			Shards: d.Shards, Self: d.Self, ClockSkew: int(d.ClockSkew.Round(time.Second) / time.Second),
			Unheard: unheard[d.ID], AgentAddress: d.AgentAddress, PublicURL: d.PublicURL,
		}
	})
}
