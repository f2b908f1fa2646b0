// Package emqxv4 is a client of the management API of EMQX 4.4. It is the [ecp.Adapter]
// and the [ecp.Detector] for that major version.
//
//	broker, err := emqxv4.New(emqxv4.Config{}).Open(ecp.Endpoint{
//		BaseURL:     "http://10.1.2.3:8081",
//		Credentials: ecp.Credentials{Username: appID, Password: appSecret},
//	})
//
// An endpoint is scheme, host and port of the management API (port 8081), with an AppID and
// its AppSecret, or of the dashboard (port 18083), with the name and password of a user. Both
// ports have the same calls, except for the page /status, which only port 8081 has.
//
// # What a broker can do
//
// A broker implements all interfaces that [ecp.Adapter] lists. Assert the one you need:
//
//	evacuator, ok := broker.(ecp.Evacuator)
//
// Which calls exist depends on the version, the edition and the loaded plugins. If a broker
// does not know a call, the error is unsupported and says what was found, what is needed, or
// which command to run by hand instead. So a broker of the open source edition can do less,
// but works.
//
//   - Evacuation needs 4.4.12. From 4.4.24 on, no credentials are needed to ask whether a
//     node accepts clients.
//   - Membership, license, rates and series belong to the Enterprise edition.
//   - Listeners can be listed. 4.4 has no call that changes one; the errors name the setting
//     or the command that does.
//   - EMQX does not document how to set a connection limit. It works if [Config.LimitField]
//     says how and the broker lists the call. The limit is read back afterwards.
//
// A call is limited in time and memory, whatever answers: slow, broken or endless brokers,
// or other servers. The package knows nothing of tunnels or Kubernetes; those come as the
// endpoint's transport.
//
// # What is verified
//
// The answers of the open source edition are recorded from 4.4.19: a single node, two nodes,
// and two nodes one of which was killed. There are no recordings of the Enterprise edition.
// Its answers are known from EMQX's documents, operator, exporter and dashboard. The decoders
// accept every form in which a figure may come, and comments say what is not verified.
package emqxv4
