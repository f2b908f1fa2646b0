//go:build unix

package agent

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// hangups reloads at each SIGHUP.
func (a *Agent) hangups(ctx context.Context) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	defer signal.Stop(c)
	for {
		select {
		case <-c:
			a.Reload()
		case <-ctx.Done():
			return
		}
	}
}
