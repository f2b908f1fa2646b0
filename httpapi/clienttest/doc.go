// Package clienttest holds the API's document against tools of others: a
// validator of OpenAPI 3.1 reads it, and a generator makes a client of it that
// compiles and drives a cluster through its life.
//
// It is a module of its own, so that nobody who uses the API requires these
// tools. The client is made anew in every test and kept nowhere: it would be
// as long as the rest of the package's code together.
package clienttest
