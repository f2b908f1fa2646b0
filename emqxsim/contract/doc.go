// Package contract holds what the simulator of EMQX 5 answers against EMQX's
// own OpenAPI documents. It is a module of its own, so that the validator its
// tests use is nobody else's dependency.
//
// The documents are their vendor's and are not part of this tree. testdata has
// what they say of the answers simulated here, as [Extract] takes it, for each
// version; where the documents are at hand, in ../shared/emqx/openapi beside
// the tree, the tests use them, too.
//
//go:generate go run ./extract
package contract
