package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// notifier tells systemd how the daemon stands (sd_notify(3)): one datagram for
// each message. The zero value tells nobody.
type notifier struct {
	socket string // NOTIFY_SOCKET; "" = not started by systemd
}

// newNotifier reads where systemd listens.
func newNotifier(environ []string) notifier {
	for _, kv := range environ {
		if socket, ok := strings.CutPrefix(kv, "NOTIFY_SOCKET="); ok {
			return notifier{socket}
		}
	}
	return notifier{}
}

// What systemd understands.
const (
	notifyReady     = "READY=1"
	notifyReloading = "RELOADING=1"
	notifyStopping  = "STOPPING=1"
)

// tell sends a message with a line for people who ask for the status.
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
	defer func() { _ = conn.Close() }() // a datagram has gone, or has not
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	if _, err := fmt.Fprintf(conn, "%s\nSTATUS=%s\n", state, status); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}
