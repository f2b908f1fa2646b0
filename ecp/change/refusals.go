package change

import (
	"context"
	"time"

	"github.com/openecp/openecp/ecp"
)

// RefusalEntries is how much is written of what one actor is refused.
var RefusalEntries = Rate{10, 6 * time.Second}

// Bounds of what is remembered, and of what is written in sum.
const (
	RefusalsWatched  = 1000 // actors, or names with origins; later ones share
	RefusalSums      = 100  // at a time
	refusalSumsEvery = time.Minute
)

// NewRefusals returns the buckets that bound how many refusals of one actor are written.
func NewRefusals() Buckets[string] {
	return Buckets[string]{Each: RefusalEntries, Watched: RefusalsWatched, Spare: func(string) string { return "" }}
}

// WriteRefusals stores audit entries, those of one call in one transaction.
func (c *Writer) WriteRefusals(ctx context.Context, entries []AuditEntry) {
	if len(entries) == 0 {
		return
	}
	err := c.Store.Write(ctx, func(tx ecp.Tx) error {
		for i, e := range entries {
			e.ID = AuditID(e.At, i)
			if err := ecp.Put(tx, e, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e := entries[0]
		c.Log.WarnContext(ctx, "a refusal could not be written to the audit", "actor", e.Actor, "action", e.Action, "kind", e.Kind, "key", e.Key, "error", err)
	}
}

// TellRefusals writes, every minute until ctx ends and once then, the sums of what
// was refused and was too much to be written one by one: an attack that has ended
// is told of, too. more returns the sums that somebody else keeps.
func (c *Writer) TellRefusals(ctx context.Context, more func(context.Context) []AuditEntry) {
	tick := time.NewTicker(refusalSumsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), RefusalPatience)
			c.TellRefusalsOnce(last, more)
			cancel()
			return
		case <-tick.C:
			c.TellRefusalsOnce(ctx, more)
		}
	}
}

// RefusalPatience is how long writing waits where the caller, or the Run, is over.
const RefusalPatience = 5 * time.Second

// TellRefusalsOnce writes the sums of refusals that were too many to be written one by
// one, with the entries of more.
func (c *Writer) TellRefusalsOnce(ctx context.Context, more func(context.Context) []AuditEntry) {
	entries := append(c.refusals.Overdue(RefusalSums), more(ctx)...)
	now := c.Now().UTC()
	for i := range entries {
		entries[i].At = now // of the sum: who reads from a time on misses none
	}
	c.WriteRefusals(ctx, entries)
}
