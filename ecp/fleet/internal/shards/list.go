package shards

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Listed is a daemon with what it owns.
type Listed struct {
	Daemon
	Shards   int       // that it owns
	LastSeen time.Time // when it last renewed its claims, by its own clock
	Self     bool      // it is the one that was asked
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
			out = append(out, Listed{d, counts[d.ID], r.At, d.ID == k.Self.ID})
		}
		return nil
	})
	return out, err
}
