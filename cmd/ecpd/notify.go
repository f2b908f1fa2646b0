package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// notifier tells systemd the state of the daemon (sd_notify(3)), in one datagram for
// each message. The zero value sends nothing.
type notifier struct {
	socket string // NOTIFY_SOCKET; empty if systemd has not started the daemon
}

// newNotifier takes systemd's socket from the environment.
func newNotifier(environ []string) notifier {
	for _, kv := range environ {
		if socket, ok := strings.CutPrefix(kv, "NOTIFY_SOCKET="); ok {
			return notifier{socket}
		}
	}
	return notifier{}
}

// The states that systemd knows.
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
)

// tell sends a state with a line for systemctl status.
func (n notifier) tell(ctx context.Context, state, status string) error {
	if n.socket == "" {
		return nil
	}
	var d net.Dialer
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "unixgram", n.socket) // "@" begins an abstract name for both
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	defer func() { _ = conn.Close() }() // a datagram was sent, or not
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	if _, err := fmt.Fprintf(conn, "%s\nSTATUS=%s\n", state, status); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}
