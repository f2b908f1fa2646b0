// Package proxy lets programs and people reach the brokers of a fleet. A [Passthrough]
// passes calls on to their management APIs, and [Dashboards] shows their dashboards.
// Both go the way that [fleet.Manager] returns for the actor of a request: straight to a
// broker, through Kubernetes, or through the agent of an adopted cluster.
//
// # Calls
//
// A program with an API of its own authenticates the caller, puts the [ecp.Actor] into
// the context of the request with [ecp.WithActor], and calls [Passthrough.Serve] with
// the cluster and the path at its broker. The call is made as the administrator of the
// broker, so the actor's rights in the Manager decide alone: an actor who may only read
// the cluster reaches a list of reads whose answers show no secrets. Of the headers of
// a request and of a response only those that are listed are passed on. What does not
// reach the broker is answered by [PassthroughConfig].Refuse, in the form that the
// program has for errors.
//
// # Dashboards
//
// A dashboard is shown as EMQX serves it, and a person logs in to EMQX there: nobody is
// logged in by this package. [Dashboards.Open] makes a link for an actor who may read
// the cluster. The link can be used once, within a minute, and begins a session, which
// is a cookie. The rights of the actor are checked again with every request.
//
// Each dashboard has an origin of its own, which is a name in a [Domain] or one of the
// [Ports]. With a Domain, the program serves each request whose host [Domain.Covers] by
// [Dashboards.ServeHTTP]. With Ports, it opens a listener whenever Ports.Open is called.
// A cluster can have an address of its own for its dashboard; the link is then that
// address, and the program serves nothing.
//
// # What both guarantee
//
//   - The path reaches the broker byte for byte, with its escapes.
//   - No secret with which a caller authenticates here reaches a broker.
//   - Sizes, times and the number of exchanges are bounded. Bodies are streamed and
//     never held in memory.
//   - Links and sessions are held in memory, by the hashes of their secrets. A restart
//     ends all of them.
//   - The header [AnsweredBy] tells whether the broker made a response.
package proxy
