package shards

import (
	"context"
	"errors"

	"github.com/openecp/openecp/ecp"
)

// Fence returns a Store whose writes with the context of a pass are refused with
// [ecp.ErrLostOwnership] unless the pass still has its right: by the clock when the write
// begins, and by the shard's record within the transaction. Other writes, such as those of
// the API, pass as they are.
func (k *Keeper) Fence(s ecp.Store) ecp.Store {
	if k == nil {
		return s
	}
	return fenced{Store: s, k: k}
}

type fenced struct {
	ecp.Store
	k *Keeper
}

// Unwrap returns the Store as it is.
func (f fenced) Unwrap() ecp.Store { return f.Store }

// Write implements [ecp.Store].
func (f fenced) Write(ctx context.Context, fn func(ecp.Tx) error) error {
	o, ok := ecp.OwnershipFrom(ctx)
	if !ok {
		return f.Store.Write(ctx, fn)
	}
	if err := o.Err(); err != nil {
		return err
	}
	lost := false
	err := f.Store.Write(ctx, func(tx ecp.Tx) error {
		is, _, err := ecp.Get[Shard](tx, shardKey(o.Shard))
		if err != nil && !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		if lost = is.Owner != f.k.Self.ID || is.Epoch != o.Epoch; lost {
			return ecp.ErrLostOwnership
		}
		return fn(tx)
	})
	if lost {
		f.k.lose(o.Shard, o.Epoch)
	}
	return err
}
