// Package adopt joins the agents' protocol to a Manager: clusters that somebody
// else made become adopted ones through the agents beside their brokers.
//
// A [Hub] is three things at once. To [agentproto.Server] it is the registry of
// agents and their keys, and the observer of their connections. To
// [ecp.Manager] it is the [ecp.Link]: what agents report becomes observations
// that the Manager derives states from, and their connections become the way to
// their brokers.
//
//	hub, err := adopt.NewHub(adopt.Config{Name: "ecp.example.com"})
//	m, err := ecp.New(ctx, ecp.Config{Store: store, Adapters: adapters, Link: hub})
//	hub.Bind(m)
//	mux.Handle("/agent/v1/", hub.Server())
//	hub.Server().ConfigureTLS(httpServer)
//	group.Go(func() error { return hub.Run(ctx) })
//	group.Go(func() error { return m.Run(ctx) })
//
// # What is believed
//
// An agent's report is the words of a program on somebody else's host. Sizes,
// numbers and characters are bounded before they are kept. Which cluster an agent
// belongs to is what the registration token said, and it is checked against what
// brokers say of their members: an agent whose broker has no member in common with
// the cluster is refused and its reports count for nothing. Of two agents that
// claim the same node, or the same key, the one that served first goes on.
//
// # Guarantees
//
//   - Observe answers from memory and never waits for an agent or the store.
//   - An agent that was removed is closed at once and finds no way back with its
//     key: records go first, connections after.
//   - Run owns every goroutine; none is left when it returns.
//   - Nothing is written to the store while agents go on as they are.
package adopt
