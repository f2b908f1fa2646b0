// Package agents registers the agents of adopted clusters, and keeps what they report of
// the past.
//
// A [Registry] belongs to a Manager, as its field Agents. An agent joins a cluster in two
// steps: somebody with [ecp.RightWrite] over the cluster creates a registration token, and
// the agent's program redeems it with the public key that it made on its host. From then on
// the key is what the agent is known by. [Registry.Key], [Registry.Note],
// [Registry.StoreHistory] and [Registry.Unregister] are for the program that carries the
// connections of agents (package adopt): they need no actor, as their caller has seen the
// agent prove that it has the key.
//
// A cluster whose first agent has registered waits for a first complete report; without
// any agent it is as it was when it was created. An agent whose node has left the cluster
// long ago is removed.
package agents
