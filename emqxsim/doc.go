// Package emqxsim simulates EMQX: clusters that answer over HTTP like real brokers, and a
// platform that runs such clusters. It serves tests, development and examples.
//
//   - [Cluster] and [Node] are the broker. They have the management API of EMQX 4.4 or
//     5.x, with the bodies, statuses and content types that were recorded from running
//     brokers. Each version has the calls and fields that it has in reality.
//   - [Provisioner] is the platform. It is an [ecp.Provisioner] that behaves like the one
//     for Kubernetes: pods take time to start and stop, volume claims outlive them, and
//     hooks simulate every failure. [Provisioner.Cluster] returns the EMQX cluster that
//     runs on its pods.
//
// # Clusters
//
// [Clients] come in groups. They connect to the nodes that accept clients, reconnect when
// they are disconnected, and are refused by evacuated nodes, full listeners and the
// license. [Cluster.Usage] and [Cluster.Refused] count them. The messages they publish
// move the counters of nodes, rules and actions. A [License] limits them; only simulated
// brokers accept the keys that [LicenseKey] returns.
//
// Hooks and API calls kill, restart, partition and evacuate nodes. Alarms rise and end
// with their causes. [Cluster.SetConnectorFault] breaks integrations, and [Fault] changes
// the HTTP answers themselves.
//
// The listeners of a node are handlers: [Node.Handler] for the API, and [Node.Dashboard]
// for the second listener of EMQX 4.4. The program cmd/emqxsim serves them on sockets.
// [NewServer] returns a server that closes idle connections as real brokers do.
//
// # Time
//
// The package opens no sockets and starts no goroutines. What a cluster answers is derived
// from its stored state and the clock. So it does not depend on how often it was asked, and
// a restart of the program changes nothing that a Provisioner has stored. What brokers
// contain is in memory only.
//
// # Limits
//
// Comments in the code say where an answer was guessed instead of recorded. A call that is
// not simulated gets the answer of an unknown path, 404. The following calls are left out
// on purpose, since no adapter and no simulated dashboard uses them:
//
//   - EMQX 5: audit, authentication, authorization, banned, bridges (the calls of 5.0),
//     data (export and import), error_codes, exhooks, file_transfer, gateways,
//     message_transformations, mqtt (retainer, delayed, rewriting), opentelemetry, plugins,
//     publish, relup, rule_events, rule_test, schema_registry, schema_validations,
//     sessions_count, slow_subscriptions, sso, trace; single topics; messages and
//     subscriptions of one client; changes of existing connectors, actions and sources
//   - EMQX 4.4: acl, banned, data, modules, mqtt (publish, subscribe), plugins other than
//     their load and unload, rebalancing, routes, rule_events, subscriptions, telemetry,
//     topic-metrics, trace, and rules?test=true
//
// Connectors have no remote end. A connector to a loopback port on which the node itself
// does not listen is refused. Any other one connects until a fault is set.
package emqxsim
