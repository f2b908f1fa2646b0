package agentproto

import (
	"context"
	"errors"
)

// Unregister asks the server to forget the agent, and signs the request with the agent's
// key. It returns nil if the server does not know the agent.
func Unregister(ctx context.Context, cfg AgentConfig) error {
	id := cfg.Identity
	if err := checkIdentity(id); err != nil {
		return err
	}
	call, err := newServerCall(id, cfg.Proxy, cfg.Now, cfg.BuildTime)
	if err != nil {
		return err
	}
	defer call.close()
	err = call.untilDone(ctx, func() error {
		asked, err := call.challenge(ctx, PathUnregister)
		if err != nil {
			return err
		}
		if err := checkServerName(asked.Server, id.ServerName); err != nil {
			return err
		}
		ask := unregisterRequest{Agent: id.Agent, Nonce: asked.Nonce}
		ask.Signature = sign(id.Key, labelUnregister, ask.signed(id.ServerName)...)
		return call.post(ctx, PathUnregister, ask, nil)
	})
	if r, ok := errors.AsType[*Refusal](err); ok && r.Final() {
		return nil
	}
	return err
}
