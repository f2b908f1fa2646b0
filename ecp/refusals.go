package ecp

import (
	"context"
	"time"
)

// refusalEntries is how much is written of what one actor is refused.
var refusalEntries = rate{10, 6 * time.Second}

// Bounds of what is remembered, and of what is written in sum.
const (
	refusalsWatched  = 1000 // actors, or names with origins; later ones share
	refusalSums      = 100  // at a time
	refusalSumsEvery = time.Minute
)

func newRefusals() buckets[string] {
	return buckets[string]{each: refusalEntries, watched: refusalsWatched, spare: func(string) string { return "" }}
}

// writeRefusals stores audit entries, those of one call in one transaction.
func (c *Writer) writeRefusals(ctx context.Context, entries []AuditEntry) {
	if len(entries) == 0 {
		return
	}
	err := c.store.Write(ctx, func(tx Tx) error {
		for i, e := range entries {
			e.ID = auditID(e.At, i)
			if err := Put(tx, e, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e := entries[0]
		c.log.WarnContext(ctx, "a refusal could not be written to the audit", "actor", e.Actor, "action", e.Action, "kind", e.Kind, "key", e.Key, "error", err)
	}
}

// tellRefusals writes, every minute until ctx ends and once then, the sums of what
// was refused and was too much to be written one by one: an attack that has ended
// is told of, too. more returns the sums that somebody else keeps.
func (c *Writer) tellRefusals(ctx context.Context, more func(context.Context) []AuditEntry) {
	tick := time.NewTicker(refusalSumsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalPatience)
			c.tellRefusalsOnce(last, more)
			cancel()
			return
		case <-tick.C:
			c.tellRefusalsOnce(ctx, more)
		}
	}
}

// refusalPatience is how long writing waits where the caller, or the Run, is over.
const refusalPatience = 5 * time.Second

func (c *Writer) tellRefusalsOnce(ctx context.Context, more func(context.Context) []AuditEntry) {
	entries := append(c.refusals.overdue(refusalSums), more(ctx)...)
	now := c.now().UTC()
	for i := range entries {
		entries[i].At = now // of the sum: who reads from a time on misses none
	}
	c.writeRefusals(ctx, entries)
}
