// Package emqxtest is the part that the tests of both adapters share: servers that replay
// recorded answers or give other ones, and the Adapter suite on simulated clusters.
//
// A recording is a text file with the request line, lines such as "status: 200" and
// "content-type: text/plain", an empty line, and the body.
package emqxtest
