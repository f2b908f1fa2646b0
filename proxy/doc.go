// Package proxy lets people through to the brokers of a fleet, over the ways
// that [ecp.Manager] gives: to the management API with [Passthrough], and to the
// dashboard with [Dashboards].
//
// The two differ in who they are to the broker. A call that is passed through is
// made as the broker's administrator: the credentials are ours, so the Manager's
// rights decide alone, and whoever may only read gets no further than a list of
// reads that show no secrets. A dashboard is shown as it is: whoever may read the
// cluster is let through to its door, and logs in to EMQX there.
//
// What both keep to:
//
//   - The path goes to the broker byte for byte, escapes and all.
//   - Nothing that a caller authenticates with here reaches a broker, and of a
//     broker's answer come out only the headers that are named, or, of a
//     dashboard, all but those that reach beyond its own origin.
//   - Sizes, times and numbers are bounded. What is bounded streams: no body is
//     kept in memory.
//   - Links and sessions of dashboards are kept in memory, as hashes: a restart
//     voids them all.
package proxy
