// Package agentproto carries HTTP from a server to agents that it cannot
// dial. An agent runs beside a broker, often behind a firewall that lets
// nothing in; it dials the server, proves who it is, and then serves HTTP
// requests that travel the other way over the connection it opened.
//
// The wire protocol is described in spec.md, with every message, limit and
// version. This package has both ends of it and can be used without the rest of the
// module. [Server] is an [net/http.Handler] that also prepares a TLS listener. An
// agent calls [Register] once, and then [Agent.Run].
//
// # What a server can ask of an agent
//
// Each request goes to one of three virtual hosts. [HostAPI] leads to the
// broker's API, where the agent adds the credentials that only it knows;
// [HostDashboard] leads to the broker's dashboard and carries bytes as they
// are; [HostControl] is the agent itself: its reports, and the log files beside
// it. A RoundTripper that [Server.Transport] returned for one host cannot reach
// another one, so a program that shows dashboards can never act with the agent's
// credentials.
//
// The server reads what agents have to report with [Server.KeptReports],
// [Server.History] and [Server.Logs]. Each of them asks the agent and returns a
// sequence, which ends with the caller's context.
//
// # Guarantees
//
//   - An agent proves possession of its private key at every connection, by
//     signing a nonce of the server. The clock of either side plays no part.
//   - One agent has at most one connection that serves. A copy of its key on
//     another host does not take the connection over while the first answers.
//   - Any byte from the other side proves life; a connection that is silent
//     for [ServerTimings].Silence is closed, on both sides.
//   - A stream that is not read does not delay other streams.
//   - Every goroutine that a Server or an Agent starts has ended when Shutdown
//     or Run returns.
//   - Tokens and keys print redacted and are never logged.
package agentproto
