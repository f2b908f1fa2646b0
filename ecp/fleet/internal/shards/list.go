package shards

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Listed is a daemon with what it owns.
type Listed struct {
	Daemon
	Shards    int           // that it owns
	LastSeen  time.Time     // when it was last seen to renew its claims, by the clock of who was asked
	ClockSkew time.Duration // how far its clock is ahead, but for some seconds; zero if that is not known
	Self      bool          // it is the one that was asked
}

// List returns the daemons that share the Store, by id.
func (k *Keeper) List(ctx context.Context) (out []Listed, _ error) {
	err := k.Store.Read(ctx, func(tx ecp.Tx) error {
		out = nil
		counts := map[string]int{}
		table, err := readShards(tx)
		if err != nil {
			return err
		}
		for _, s := range table {
			counts[s.Owner]++
		}
		for r, err := range tx.List(ecp.Query{Kind: ecp.KindDaemon}) {
			if err != nil {
				return err
			}
			d, _ := r.Payload.(Daemon)
			out = append(out, k.listed(d, r.At, counts[d.ID]))
		}
		return nil
	})
	return out, err
}

// listed adds to a record, which was stored at a time by its daemon's own clock, when that was.
func (k *Keeper) listed(d Daemon, stored time.Time, shards int) Listed {
	out := Listed{Daemon: d, Shards: shards, LastSeen: stored, Self: d.ID == k.Self.ID}
	if out.Self {
		return out
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	tick, now := k.Tick(), k.Now()
	was := k.seen[d.ID]
	if heard, ok := k.heard[d.ID]; ok && heard.renewals >= was.renewals {
		heard.moved = true
		was = heard
	}
	out.LastSeen = now // it has renewed them since somebody looked, or nobody has looked before
	if was.renewals == d.Renewals {
		out.LastSeen = now.Add(was.since.Sub(tick))
		if was.moved {
			out.ClockSkew = stored.Sub(out.LastSeen)
		}
	}
	return out
}
