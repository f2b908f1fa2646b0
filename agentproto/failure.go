package agentproto

import "errors"

// Step is one part of the way from an agent to its server.
type Step string

// The steps, in their order.
const (
	StepAddress   Step = "address"   // the URL of the server
	StepDNS       Step = "dns"       // its name, or the proxy's
	StepTCP       Step = "tcp"       // a connection to it, or to the proxy
	StepProxy     Step = "proxy"     // CONNECT, where a proxy is configured
	StepTLS       Step = "tls"       // TLS and trust
	StepClock     Step = "clock"     // this host's clock beside the server's
	StepHTTP      Step = "http"      // an HTTP answer of OpenECP
	StepDirect    Step = "alpn"      // the direct carrier
	StepWebSocket Step = "websocket" // the carrier through proxies
	StepProof     Step = "proof"     // the agent's proof and the server's answer
)

// FailureCode identifies what failed; its values are stable, for use by programs.
type FailureCode string

// The codes of failures.
const (
	FailedAddress      FailureCode = "address"       // not a URL of a server
	FailedDNS          FailureCode = "dns"           // the name is not known, or no resolver answers
	FailedRefused      FailureCode = "refused"       // no program listens on the port
	FailedUnreachable  FailureCode = "unreachable"   // no route, or no answer in time
	FailedProxy        FailureCode = "proxy"         // the proxy does not open a connection
	FailedProxyAuth    FailureCode = "proxy_auth"    // the proxy wants a user and password, or others
	FailedNotTLS       FailureCode = "not_tls"       // the port speaks plain HTTP or something else
	FailedAuthority    FailureCode = "authority"     // the certificate is signed by no CA that the agent trusts
	FailedName         FailureCode = "name"          // the certificate is for another name
	FailedExpired      FailureCode = "expired"       // the certificate has ended, or the clock is ahead
	FailedNotYetValid  FailureCode = "not_yet_valid" // the certificate has not begun, or the clock is behind
	FailedTLS          FailureCode = "tls"           // anything else in TLS
	FailedHTTP         FailureCode = "http"          // an answer that is not of OpenECP
	FailedServerName   FailureCode = "server_name"   // the server is not the one that the agent was registered with
	FailedInterruption FailureCode = "interrupted"   // the connection ended before its time
)

// Failure is an error on the way to a server. Its texts are for the person who runs the agent.
type Failure struct {
	Step    Step
	Code    FailureCode
	Message string // what was being done and what was wrong
	Hint    string // what to do next
	Err     error  // the cause, for programs; may be nil
}

// Error returns the message and the hint.
func (f *Failure) Error() string {
	if f.Hint == "" {
		return f.Message
	}
	return f.Message + ". " + f.Hint
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Explain returns the message of an error of this package, and a hint what to do about
// it. The hint is empty if the error has none.
func Explain(err error) (message, hint string) {
	if err == nil {
		return "", ""
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Message, f.Hint
	}
	return err.Error(), ""
}
