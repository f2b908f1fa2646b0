// Package emqxtest has what the tests of both adapters share: servers that
// answer as recorded brokers did, ways to make them answer otherwise, and a
// simulated cluster with what should be said of it.
//
// A recording is a text file: the request line, lines such as "status: 200"
// and "content-type: text/plain", an empty line, the body.
package emqxtest
