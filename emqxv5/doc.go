// Package emqxv5 is a client of the management API of EMQX 5.6 and later, 6.x
// included: the [ecp.Adapter] of that major.
//
//	broker, err := emqxv5.New(emqxv5.Config{}).Open(ecp.Endpoint{
//		BaseURL:     "http://10.1.2.3:18083",
//		Credentials: ecp.Credentials{Username: key, Password: secret},
//	})
//
// An endpoint is scheme, host and port of the dashboard's listener, and an API
// key with its secret, or name and password of a dashboard user; where it is
// not said which, the key is tried first. A user is logged in when that is
// needed, and again when the token has ended. A login that was refused is not
// repeated for a while, because EMQX locks accounts. A user who needs a second
// factor cannot be used.
//
// A broker can do all that [ecp.Adapter] names; assert the interface that is
// wanted:
//
//	limiter, ok := broker.(ecp.ConnectionLimiter)
//
// What this version, edition or licence does not have is unsupported, and the
// error says what was found and what is needed. The version is learned once for
// each broker and anew by Describe; while nodes differ, the earliest counts. The
// open-source edition answers as far as it has the calls.
//
// A call is bounded in time and memory whatever answers: slow, half dead or
// endless brokers, proxies, and pages for people. A broker that is on its way up
// is asked again for a moment. What changes a cluster is repeated only where
// twice is the same as once, and the caller may repeat all of it. Nothing here
// knows of tunnels or Kubernetes: those come as the endpoint's transport.
//
// One file each has a thing that a broker can do, with the path it asks, what
// the answer looks like and how it is read. Which version has what is in
// versions.go, what refusals mean in refusals.go.
package emqxv5
