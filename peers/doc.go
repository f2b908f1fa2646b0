// Package peers carries HTTP between the daemons that share one Store.
//
// A [Mesh] is one daemon's end. It serves the listener that other daemons dial, and
// [Mesh.Transport] sends requests to another daemon: by HTTP/2, or HTTP/1.1 where a request
// asks for an upgrade. What is served is up to the handlers; adopt.Hub adds those for agents.
//
// # Trust
//
// Both ends of each connection show a certificate (TLS 1.3). All certificates are issued by
// one authority. The first daemon makes it and keeps it in the Store, sealed as other
// secrets are: who can read the Store and has the key that seals it is a daemon. Each
// daemon has a private key of its own, which never leaves its memory, and issues itself a
// certificate for it that names its id and is valid for a few days; it makes another one
// every day. Beside the signature, the id must be that of a daemon that the Store lists now.
// That is checked at each connection, and again at each request. So a daemon that runs on a
// copy of the database, which has the authority too, is refused.
//
// Clocks of different machines may be a day apart.
//
// # Guarantees
//
//   - New starts nothing. Run owns every goroutine and connection, and all of them have
//     ended when it returns.
//   - While the Store does not answer, the daemons that it listed last stay known.
package peers
