// Package emqxv5 is a client of the management API of EMQX 5.6 and later, including 6.x. It
// is the [ecp.Adapter] and the [ecp.Detector] for these major versions.
//
//	broker, err := emqxv5.New(emqxv5.Config{}).Open(ecp.Endpoint{
//		BaseURL:     "http://10.1.2.3:18083",
//		Credentials: ecp.Credentials{Username: key, Password: secret},
//	})
//
// An endpoint is scheme, host and port of the dashboard's listener, with an API key and its
// secret, or with the name and password of a dashboard user. If the kind of the credentials
// is not given, the key is tried first. A user is logged in when that is needed, and again
// when the token has expired. A refused login is not repeated for a while, because EMQX locks
// accounts. Users with a second factor cannot be used.
//
// # What a broker can do
//
// A broker implements all interfaces that [ecp.Adapter] lists. Assert the one you need:
//
//	limiter, ok := broker.(ecp.ConnectionLimiter)
//
// If the version, the edition or the license does not have a call, the error is unsupported
// and says what was found and what is needed. The version is queried once for each broker,
// and again by Describe. If the nodes differ, the earliest version counts. The open source
// edition can do less, but works.
//
// # What a call guarantees
//
// A call is limited in time and memory, whatever answers: slow, broken or endless brokers,
// proxies, or web pages. Requests to a broker that is starting are repeated for a moment. A
// request that changes something is repeated only if that is harmless, and callers may repeat
// every call. The package knows nothing of tunnels or Kubernetes; those come as the endpoint's
// transport.
package emqxv5
