package agentproto

import (
	"net/netip"
	"sync"
	"time"
)

// reconnects bounds how often one key may connect: burst at once, then once in each
// interval. Each connection costs reads of the registry, events and lines of the log,
// and nothing else would stop an agent that comes and goes, or sends nonsense as soon
// as it is let in. It is counted by address as well, so that whoever has copied a key
// cannot lock its owner out.
type reconnects struct {
	interval time.Duration
	now      func() time.Time

	mu    sync.Mutex
	debt  map[whoConnects]time.Time // when all that was counted is forgiven
	swept time.Time                 // when what is forgiven was forgotten
}

type whoConnects struct {
	agent string
	from  netip.Prefix
}

// connectBurst is how often one key may connect at once. An agent waits a second or
// more between two attempts; one that is restarted by hand does not.
const connectBurst = 20

// sweepEvery is how often forgiven connections are forgotten.
const sweepEvery = time.Minute

func newReconnects(interval time.Duration, now func() time.Time) *reconnects {
	return &reconnects{interval: interval, now: now, debt: map[whoConnects]time.Time{}, swept: now()}
}

// take counts a connection of an agent whose proof was accepted. It returns how long
// the agent has to wait instead of being served; zero means that it is.
func (c *reconnects) take(agent, remote string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, who := c.now(), whoConnects{agent, guesser(remote)}
	if now.Sub(c.swept) >= sweepEvery {
		c.swept = now
		for who, forgiven := range c.debt {
			if forgiven.Before(now) {
				delete(c.debt, who)
			}
		}
	}
	forgiven := c.debt[who]
	if forgiven.Before(now) {
		forgiven = now
	}
	if wait := forgiven.Sub(now) - (connectBurst-1)*c.interval; wait > 0 {
		return wait
	}
	c.debt[who] = forgiven.Add(c.interval)
	return 0
}
