// Package emqxsim simulates EMQX: a cluster that answers over HTTP as the real
// brokers do, and a platform that runs such clusters.
//
//   - [Cluster] and [Node] are the broker: the management API of EMQX 4.4 or
//     5.x, with the bodies, statuses and content types that running brokers
//     gave, each version with the calls and fields it has.
//   - [Provisioner] is the platform: an [ecp.Provisioner] that behaves as the
//     one on Kubernetes does, with pods that take time to come and go, volume
//     claims that outlive them, and hooks for everything that goes wrong.
//     [Provisioner.Cluster] gives the EMQX cluster that runs on its pods.
//
// # What happens in a cluster
//
// [Clients] come in groups. They connect through nodes that take some, come
// back when they are cut, and are refused by nodes that are evacuated, full
// listeners and the licence; [Cluster.Usage] and [Cluster.Refused] count them.
// What they publish moves the counters of nodes, rules and actions. A
// [License] limits them; [LicenseKey] makes keys that only simulated brokers
// take. Nodes are killed, revived, restarted, partitioned, evacuated and
// rebalanced, by hooks or by the API; alarms rise and clear by what causes
// them. [Cluster.SetConnectorFault] breaks integrations, [Fault] the HTTP
// answers themselves.
//
// A node's listeners are handlers: [Node.Handler] for the API, [Node.Dashboard]
// for the one that EMQX 4.4 has beside it. The program cmd/emqxsim puts them on
// sockets; [NewServer] makes a server that drops idle connections as they do.
//
// # Time
//
// Nothing here opens a socket or starts a goroutine. Everything that is seen
// follows from what was stored and from the clock, so that the same clock
// gives the same answers however often somebody looks, and a restart of the
// program between any two lines changes nothing that a Provisioner stores.
// What brokers hold lives in memory only.
//
// It is a simulation for development and tests; comments say where an answer was
// not recorded but guessed. What it does not simulate answers as a broker does to
// a path that it does not know, 404. On purpose these are not simulated:
//
//   - EMQX 5: authentication, authorization, audit, banned, bridges (the calls of
//     5.0), error_codes, exhooks, file_transfer, gateways, message_transformations,
//     mqtt (retainer, delayed, rewriting), opentelemetry, plugins, publish/bulk,
//     relup, rule_events, rule_test, schema_registry, schema_validations,
//     slow_subscriptions, sso, trace; messages and subscriptions of one client
//   - EMQX 4.4: acl, banned, data, modules, mqtt (publish, subscribe), plugins but to
//     load and unload them, routes, rule_events, subscriptions, telemetry, topic-metrics,
//     trace, and rules?test=true
//
// Connectors lead to nobody: one to a port of loopback where the node itself does
// not listen is refused, any other connects until a fault is set.
package emqxsim
