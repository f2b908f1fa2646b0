package agentproto

import "context"

// Unregister makes the server forget the agent, which signs for it. A server that
// does not know the agent has forgotten it before, which is no error.
func Unregister(ctx context.Context, cfg AgentConfig) error {
	return unregister(ctx, cfg.Identity, cfg.Proxy, cfg.Now, cfg.BuildTime)
}
