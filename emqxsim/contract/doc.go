// Package contract compares the answers of the simulated EMQX 5 with EMQX's own OpenAPI
// documents. It is a module of its own, so that no other package depends on the validator
// of its tests.
//
// The documents belong to their vendor and are not part of this tree. testdata has an
// extract of each version, which [Extract] made: the answers to the simulated calls. If the
// documents are in ../shared/emqx/openapi beside the tree, the tests use them, too.
//
//go:generate go run ./extract
package contract
