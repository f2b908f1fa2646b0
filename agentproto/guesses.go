package agentproto

import (
	"net/netip"
	"sync"
	"time"
)

// guesses bounds how many wrong tokens one address may try: burst at once, then
// one in each interval. Right ones cost nothing, so that any number of agents
// can register from behind one address.
type guesses struct {
	burst    int
	interval time.Duration
	now      func() time.Time

	mu   sync.Mutex
	debt map[netip.Prefix]time.Time // when all that was tried is forgiven
}

// maxGuessers bounds the addresses that are remembered.
const maxGuessers = 1 << 14

func newGuesses(now func() time.Time) *guesses {
	return &guesses{burst: 100, interval: 100 * time.Millisecond, now: now, debt: make(map[netip.Prefix]time.Time)}
}

// wait returns how long an address has to wait before its next try; zero means
// that it may try now.
func (g *guesses) wait(remote string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	forgiven, known := g.debt[guesser(remote)]
	if !known {
		return 0
	}
	return max(forgiven.Sub(g.now())-time.Duration(g.burst-1)*g.interval, 0)
}

// failed counts a wrong token.
func (g *guesses) failed(remote string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, who := g.now(), guesser(remote)
	if _, known := g.debt[who]; !known && len(g.debt) >= maxGuessers {
		g.forget(now)
	}
	forgiven := g.debt[who]
	if forgiven.Before(now) {
		forgiven = now
	}
	g.debt[who] = forgiven.Add(g.interval)
}

// forget makes room: those that owe nothing any more, else anyone.
func (g *guesses) forget(now time.Time) {
	for who, forgiven := range g.debt {
		if forgiven.Before(now) {
			delete(g.debt, who)
		}
	}
	for who := range g.debt {
		if len(g.debt) < maxGuessers {
			return
		}
		delete(g.debt, who)
	}
}

// guesser returns the network that one host can choose its address from: an
// IPv4 address, or the /64 of an IPv6 address. Whatever is no address counts
// together.
func guesser(remote string) netip.Prefix {
	addr, err := netip.ParseAddr(remote)
	if ap, e := netip.ParseAddrPort(remote); e == nil {
		addr, err = ap.Addr(), nil
	}
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // the number of bits fits
	return p
}
