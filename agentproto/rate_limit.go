package agentproto

import (
	"net/netip"
	"sync"
	"time"
)

// rateLimit bounds how often something may happen for each key: burst times at once, then
// once in each interval. It is safe for use by several goroutines.
type rateLimit[K comparable] struct {
	burst    int
	interval time.Duration
	max      int // keys that are remembered; zero means any number
	now      func() time.Time

	mu    sync.Mutex
	debt  map[K]time.Time // when all that was counted is forgiven
	swept time.Time       // when what is forgiven was forgotten
}

// sweepEvery is how often keys that owe nothing any more are forgotten.
const sweepEvery = time.Minute

func newRateLimit[K comparable](burst int, interval time.Duration, max int, now func() time.Time) *rateLimit[K] {
	return &rateLimit[K]{burst: burst, interval: interval, max: max, now: now, debt: map[K]time.Time{}, swept: now()}
}

// wait returns how long a key has to wait; zero means that it need not.
func (l *rateLimit[K]) wait(key K) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waitLocked(key)
}

// count counts one time.
func (l *rateLimit[K]) count(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countLocked(key)
}

// take counts one time, unless the key has to wait: then it returns how long.
func (l *rateLimit[K]) take(key K) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.waitLocked(key); wait > 0 {
		return wait
	}
	l.countLocked(key)
	return 0
}

func (l *rateLimit[K]) waitLocked(key K) time.Duration {
	forgiven, known := l.debt[key]
	if !known {
		return 0
	}
	return max(forgiven.Sub(l.now())-time.Duration(l.burst-1)*l.interval, 0)
}

func (l *rateLimit[K]) countLocked(key K) {
	now := l.now()
	forgiven, known := l.debt[key]
	if full := l.max > 0 && !known && len(l.debt) >= l.max; full || now.Sub(l.swept) >= sweepEvery {
		l.sweepLocked(now)
	}
	if forgiven.Before(now) {
		forgiven = now
	}
	l.debt[key] = forgiven.Add(l.interval)
}

// sweepLocked forgets the keys that owe nothing any more, and others if there is still no
// room.
func (l *rateLimit[K]) sweepLocked(now time.Time) {
	l.swept = now
	for key, forgiven := range l.debt {
		if forgiven.Before(now) {
			delete(l.debt, key)
		}
	}
	for key := range l.debt {
		if l.max == 0 || len(l.debt) < l.max {
			return
		}
		delete(l.debt, key)
	}
}

// connectBurst is how often one key may connect at once. An agent waits a second or
// more between two attempts; one that is restarted by hand does not.
const connectBurst = 20

// connectKey is what connections are counted by. Each of them costs reads of the registry,
// events and lines of the log, and nothing else would stop an agent that comes and goes, or
// sends nonsense as soon as it is let in. The address is part of the key, so that whoever
// has copied an agent's key cannot lock its owner out.
type connectKey struct {
	agent string
	from  netip.Prefix
}

// How many wrong registration tokens one address may try. Right ones cost nothing, so that
// any number of agents can register from behind one address.
const (
	guessBurst    = 100
	guessInterval = 100 * time.Millisecond
	maxGuessers   = 1 << 14 // addresses that are remembered
)

// networkOf returns the network that one host can choose its address from: an IPv4
// address, or the /64 of an IPv6 address. Whatever is no address counts together.
func networkOf(remote string) netip.Prefix {
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
