package shards

import (
	"context"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// keysPoll is the time between two looks at a daemon that may be dead.
const keysPoll = 500 * time.Millisecond

// canRead reports whether a daemon opens what another one seals. One that does not tell what
// keys it has is taken to do so.
func (d Daemon) canRead(other Daemon) bool {
	return len(d.Keys) == 0 || len(other.Keys) == 0 || slices.Contains(d.Keys, other.Keys[0])
}

// OtherKeys returns a daemon that lives, and with which this one cannot share secrets: one of
// the two does not have the key that the other one seals with. It returns false if there is
// none. A daemon lives that renews its claims: only where the record of such a daemon is
// found does it take up to the life of a claim to see that none does.
func (k *Keeper) OtherKeys(ctx context.Context) (Daemon, bool, error) {
	if k == nil || len(k.Self.Keys) == 0 {
		return Daemon{}, false, nil
	}
	found, err := k.otherKeys(ctx)
	if err != nil {
		return Daemon{}, false, err
	}
	for id, d := range found {
		k.Log.InfoContext(ctx, "a daemon with other keys of secrets is on record: whether it is alive is seen within "+
			"some seconds", "daemon", id, "host", d.Host)
	}
	tick := time.NewTicker(keysPoll)
	defer tick.Stop()
	for began := k.Tick(); len(found) > 0 && k.Tick().Sub(began) < life; {
		select {
		case <-ctx.Done():
			return Daemon{}, false, ctx.Err()
		case <-tick.C:
		}
		now, err := k.otherKeys(ctx)
		if err != nil {
			return Daemon{}, false, err
		}
		for id, was := range found {
			d, there := now[id]
			if there && d.Renewals != was.Renewals {
				return d, true, nil
			}
			if !there {
				delete(found, id)
			}
		}
	}
	return Daemon{}, false, nil
}

// otherKeys returns the daemons with which this one cannot share secrets, by id, whether
// they live or not.
func (k *Keeper) otherKeys(ctx context.Context) (found map[string]Daemon, err error) {
	err = k.Store.Read(ctx, func(tx ecp.Tx) error {
		found = map[string]Daemon{}
		for d, err := range ecp.List[Daemon](tx, ecp.Query{}) {
			if err != nil {
				return err
			}
			if d.ID != k.Self.ID && (!d.canRead(k.Self) || !k.Self.canRead(d)) {
				found[d.ID] = d
			}
		}
		return nil
	})
	return found, err
}
