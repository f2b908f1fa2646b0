// Package emqxhttp is what the clients of both EMQX majors share: an HTTP
// client that distrusts the far side, errors that say what to do, and the
// notations both majors write numbers in. What differs between the majors is
// not here.
//
// It promises, whatever answers: a call ends within [Config].Timeout and reads
// at most 16 MiB per answer, or copies a stream as it comes; what may have been
// carried out is repeated only where twice is the same as once, and then at most
// twice; credentials reach no other host than the endpoint's, and neither they
// nor a long piece of an answer reach an error or the log.
package emqxhttp
