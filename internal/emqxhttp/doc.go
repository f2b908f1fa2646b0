// Package emqxhttp is the part that the clients of both EMQX majors share: an HTTP client
// that distrusts the server, errors that say what to do, and decoders for values that both
// majors write in several ways. Everything specific to one major is in the packages of the
// majors.
//
// It guarantees the following, whatever answers: a call ends within [Config].Timeout and
// reads at most 16 MiB per answer, or copies a stream as it arrives; a request that may
// have been carried out is repeated only if that is harmless, and at most twice;
// credentials are sent to no other host than that of the endpoint; neither credentials nor
// long parts of an answer appear in errors or the log.
package emqxhttp
