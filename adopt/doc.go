// Package adopt joins the agents' protocol to a Manager: clusters that somebody
// else made become adopted ones through the agents beside their brokers.
//
// A [Hub] has three roles. For [agentproto.Server] it is the registry of agents and
// their keys, and the observer of their connections. For [fleet.Manager] it is the
// [ecp.Link]: it turns the reports of agents into observations, from which the
// Manager derives states, and it reaches brokers through the connections of their
// agents. [NewGuide] returns the commands with which a person installs and registers
// an agent.
//
//	hub, err := adopt.NewHub(adopt.Config{Name: "ecp.example.com"})
//	m, err := fleet.New(ctx, fleet.Config{Store: store, Adapters: adapters, Link: hub})
//	hub.Bind(m)
//	mux.Handle("/agent/v1/", hub.Server())
//	hub.Server().ConfigureTLS(httpServer)
//	group.Go(func() error { return hub.Run(ctx) })
//	group.Go(func() error { return m.Run(ctx) })
//
// # Several programs on one Store
//
// With [Config].Peers, the Hubs of several programs that share a Store know one another's
// agents: each of them shows all agents and reaches all brokers, wherever an agent is
// connected. Reports are read, and what they tell is stored, by the program that the agent
// is connected to. The reports of agents are bounded there, and other programs are trusted.
//
// # Trust
//
// The reports of agents are untrusted: they come from programs on hosts of other
// people. Sizes, numbers and characters are bounded before they are kept. The
// registration token defines the cluster of an agent, and the Hub checks that against
// the members that brokers report: an agent whose broker has no member in common with
// the cluster is refused, and its reports are ignored. If two agents claim the same
// node, or have the same key, the one that served first goes on.
//
// # Guarantees
//
//   - Observe answers from memory and never waits for an agent or the store.
//   - When an agent is removed, its connection is closed at once, and its key is not
//     accepted any more: the record is deleted before the connection is closed.
//   - Run owns every goroutine; all have ended when it returns.
//   - Nothing is written to the store while the agents do not change.
package adopt
