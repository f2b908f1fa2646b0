// Package httpapi serves the JSON API of a Manager: one [http.Handler], made
// by [New], that starts nothing and holds no state of its own.
//
// It promises:
//
//   - what a caller may do is decided by the Manager alone; the handler only
//     finds out who asks, from the bearer token;
//   - every answer that is not a success is application/problem+json with the
//     Manager's code and a JSON pointer for every field that is wrong; a
//     parameter is pointed to as /query/NAME or /header/NAME;
//   - a request that is refused has changed nothing. Bodies are read strictly:
//     at most [MaxBody] bytes of one JSON object, known fields only, spelled as
//     documented, none twice; an unknown query parameter is refused as well;
//   - every request has a bounded time, and a client that stops reading costs a
//     bounded amount of memory for a bounded time;
//   - tokens, headers and query strings are never logged.
//
// The routes and shapes are described by openapi.json beside this file, which
// is also what GET /openapi.json answers.
package httpapi

//go:generate go test -run TestDocumentIsCurrent|TestClusterAnswer|TestRoutesDocument . -update
