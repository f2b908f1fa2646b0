package adopt

import (
	"context"
	"time"
)

// announceAgain is the time after which an announcement is repeated: an agent whose
// handshake was under way may have got the old list.
const announceAgain = 15 * time.Second

// Announce sends the certificates that [Config].Authorities returns now to all
// connected agents. Call it when they change: agents that connect later get them
// anyway. It returns at once and never fails; Run does the sending.
func (h *Hub) Announce() {
	select {
	case h.told <- struct{}{}:
	default: // it is on its way
	}
}

// keepAnnouncing sends announcements until ctx ends.
func (h *Hub) keepAnnouncing(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	<-again.C
	for {
		select {
		case <-h.told:
			again.Reset(announceAgain)
		case <-again.C:
		case <-ctx.Done():
			return
		}
		h.server.Announce(ctx)
	}
}
