// Package httpapi serves the JSON API of a Manager.
//
// [New] makes one [http.Handler] of a Manager. It starts nothing and stores nothing: a
// program mounts it in a server of its own, runs the Manager beside it, and closes
// [Config.Done] when it shuts down. The example of the package shows all of it.
//
// # Requests
//
// A request carries a bearer token. The handler finds the actor behind it, and the
// Manager alone decides what that actor may do. A body is one JSON object of at most
// [MaxBody] bytes. It is parsed once and read strictly: every field is known, spelled as
// documented and given once, and the answer to a bad body names all fields that are
// wrong. An unknown query parameter is refused as well. A request that is refused has
// changed nothing.
//
// # Answers
//
// An answer that is not a success is application/problem+json with the Manager's code and
// a JSON pointer for every field that is wrong; a parameter is pointed to as /query/NAME
// or /header/NAME. Lists come in pages, and what takes long is an operation that the
// answer leads to.
//
// # Limits
//
// Every request has a time limit, and a client that stops reading uses a limited amount
// of memory for a limited time. Event streams and followed logs are limited in number
// ([Streams]). Tokens, headers and query strings are never logged.
//
// # Routes
//
// GET /openapi.json describes every route and shape, and /docs/api draws it for people.
// The same document is the file openapi.json beside this one. A route is added in one of
// two ways: json for routes that take and return JSON, and stream for those that write
// their answer themselves. docs/architecture.md lists what a new route needs.
package httpapi

//go:generate go test -run TestExamplesAreAnswers . -update
//go:generate go test -run TestDocumentIsCurrent|TestClusterAnswer|TestRoutesDocument . -update
