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
		return success{status: http.StatusOK, body: page[daemonView]{Items: convert(all, viewDaemon)}}, err
	})
}

// daemonView is a daemon that works on the database.
type daemonView struct {
	ID       string    `json:"id" doc:"minted when it started"`
	Host     string    `json:"host" doc:"where it runs"`
	Address  string    `json:"address" doc:"where other daemons reach it"`
	Version  string    `json:"version" doc:"of its build"`
	Started  time.Time `json:"started" doc:"by its own clock"`
	LastSeen time.Time `json:"lastSeen" doc:"when it last renewed its claims, by its own clock: every few seconds"`
	Shards   int       `json:"shards" doc:"parts of the fleet that it works on, of 256"`
	Self     bool      `json:"self" doc:"it is the one that answers"`
}

func viewDaemon(d fleet.Daemon) daemonView { return daemonView(d) }
