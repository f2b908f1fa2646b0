//go:build !unix

package agent

import "context"

// hangups waits: there is no SIGHUP.
func (a *Agent) hangups(ctx context.Context) { <-ctx.Done() }
