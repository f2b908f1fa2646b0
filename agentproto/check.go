package agentproto

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// wayThere are the steps that a connection takes, in order.
var wayThere = []Step{StepAddress, StepDNS, StepTCP, StepProxy, StepTLS, StepClock, StepHTTP}

// Check tries the way to the server as an agent would go it, and says which step
// fails. It connects beside an agent that runs and takes nothing from it: it
// proves nothing, so that an identity is not needed.
func Check(ctx context.Context, cfg AgentConfig) []CheckStep {
	dialer, err := newServerDialer(cfg.Identity, cfg.Proxy, cfg.Now, cfg.BuildTime)
	if err != nil {
		return stepsUntil(err, StepAddress, nil)
	}
	proxied := describeProxy(dialer.proxy, dialer.server)
	details := map[Step]string{StepAddress: dialer.server.String(), StepProxy: proxied}
	alpn := []string{ALPN, "http/1.1"}
	if cfg.Tunnel == TunnelWebSocket {
		alpn = alpn[1:]
	}
	conn, err := dialer.open(ctx, alpn...)
	if err != nil {
		return stepsUntil(err, StepTCP, details)
	}
	protocol := conn.protocol
	_ = conn.Close() // nothing was sent
	if len(conn.chain) > 0 {
		details[StepTLS] = "certificate of " + conn.chain[0].Subject.String() + ", from " + conn.chain[0].Issuer.String()
	}
	if at, behind := dialer.trust.at(); behind {
		details[StepClock] = "this host's clock is behind; certificates are judged as of " + at.UTC().Format("2006-01-02 15:04 UTC")
	}
	call, err := newServerCall(cfg.Identity, cfg.Proxy, cfg.Now, cfg.BuildTime)
	if err == nil {
		defer call.close()
		var asked challenge
		if asked, err = call.challenge(ctx, PathRegister); err == nil {
			details[StepHTTP] = "OpenECP answers as " + cleanText(asked.Server, maxWord)
		}
	}
	if err != nil {
		return stepsUntil(err, StepHTTP, details)
	}
	return append(stepsUntil(nil, "", details), carrierStep(cfg.Tunnel, protocol))
}

// carrierStep tells which carrier an agent would use.
func carrierStep(mode TunnelMode, protocol string) CheckStep {
	step := CheckStep{Name: string(StepDirect), OK: true, Detail: "the direct carrier"}
	switch {
	case protocol == ALPN:
	case mode == TunnelDirect:
		step.OK, step.Detail = false, ""
		step.Err = fmt.Sprintf("TLS did not select %s: something between agent and server ends TLS", ALPN)
		step.Hint = "use --tunnel auto, which goes by WebSocket there"
	default:
		step.Name, step.Detail = string(StepWebSocket), "the direct carrier is not there, WebSocket is used"
	}
	return step
}

// stepsUntil lists the steps before the one that failed, and that one; all where
// err is nil. usual is the step of an error that does not name its own.
func stepsUntil(err error, usual Step, details map[Step]string) (steps []CheckStep) {
	failed := usual
	var f *Failure
	if errors.As(err, &f) {
		failed = f.Step
	}
	if err != nil && !slices.Contains(wayThere, failed) {
		failed = usual
	}
	for _, s := range wayThere {
		if err != nil && s == failed {
			message, hint := Explain(err)
			return append(steps, CheckStep{Name: string(s), Err: message, Hint: hint})
		}
		if s != StepProxy || details[s] != "" {
			steps = append(steps, CheckStep{Name: string(s), OK: true, Detail: details[s]})
		}
	}
	return steps
}

// describeProxy names the proxy for a server, without its password; an empty text
// means none.
func describeProxy(proxy func(*url.URL) (*url.URL, error), server *url.URL) string {
	u, err := proxy(server)
	if err != nil || u == nil {
		return ""
	}
	return "through " + u.Host
}
