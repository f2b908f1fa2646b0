// Package emqxv4 speaks to EMQX 4.4: it is the [ecp.Adapter] and [ecp.Detector]
// of that major.
//
// It is an HTTP client of the management API at /api/v4 and takes an AppID and
// its AppSecret (port 8081), or a dashboard user (port 18083): the same calls on
// both, but for the page /status, which 8081 alone has. It knows nothing of
// tunnels or Kubernetes: those come as the endpoint's transport. A broker that
// is slow, half dead, lying about content types or endless in its answers costs
// a bounded time and memory.
//
// # What a broker can do
//
// Its brokers have all the interfaces that [ecp.Adapter] names. Which edition
// and version a call needs is in versions.go, and nowhere else; whether a broker
// has it is not guessed before it is asked. A call that it does not know is
// unsupported, and the error says what was found, what is needed, or what to run
// by hand instead. So a broker of the open-source edition tells what it can.
//
//   - Evacuation needs 4.4.12, and whether a node takes clients is told to
//     everybody from 4.4.24 on.
//   - Members, licence, rates and figures over time are the enterprise edition's.
//   - Listeners are listed. No call of 4.4 changes one: the errors name the
//     setting or the command that does.
//   - No document tells how a connection limit is set. It is done where
//     [Config.LimitField] says how and the broker lists the call, and what was
//     set is read back.
//
// # How it was checked
//
// What the open-source edition answers is from recordings of 4.4.19, a single
// node, two, and one of two killed. Of what the enterprise edition alone has no
// recording is known: bodies are as EMQX's documents, its operator, exporter and
// dashboard have them, decoders take every form in which a figure may come, and
// comments say what is not verified.
//
// What the major does its own way is in habits.go.
package emqxv4
