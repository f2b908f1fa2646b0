package change

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
)

// refusalsOfActor limits the entries about what one actor is refused.
var refusalsOfActor = Rate{Burst: 10, Every: 6 * time.Second}

const (
	flushEvery      = time.Minute
	refusalPatience = 5 * time.Second // with a store, where the caller may be gone
)

// Refusal returns the audit entry of a request that was refused with err.
func (c *Writer) Refusal(ctx context.Context, a ecp.Actor, q Request, err error) AuditEntry {
	e := newAuditEntry(ctx, a, q, c.Now().UTC())
	e.Outcome, e.Why = OutcomeDenied, string(ecp.CodeOf(err))
	return e
}

// AuditRefusal writes to the audit that err refused a request because a right was
// missing; of other errors it writes nothing. Of many refusals of one actor some are
// only counted, so that nobody fills the disk: see [Writer.FlushRefusals].
func (c *Writer) AuditRefusal(ctx context.Context, a ecp.Actor, q Request, err error) {
	if !wasRefused(a, err) || ctx.Err() != nil {
		return
	}
	e := c.Refusal(ctx, a, q, err)
	var ok bool
	if e.Unwritten, ok = c.refusals.Take(a.Name+"\x00"+a.Credential, e, e.At); ok {
		c.WriteRefusals(ctx, e)
	}
}

// wasRefused reports whether an error is a refusal. For an actor who may not see
// everything "not found" is one, too: if only things that exist left an entry, the
// number of changes would tell which do.
func wasRefused(a ecp.Actor, err error) bool {
	return errors.Is(err, ecp.ErrNoRight) || errors.Is(err, ecp.ErrNotFound) && !a.May(ecp.RightAdmin, "")
}

// WriteRefusals stores audit entries in one transaction, also after ctx has ended. If
// that fails it logs a warning.
func (c *Writer) WriteRefusals(ctx context.Context, entries ...AuditEntry) {
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalPatience)
	defer cancel()
	err := c.Store.Write(ctx, func(tx ecp.Tx) error {
		for i, e := range entries {
			e.ID = auditID(e.At, i)
			if err := ecp.Put(tx, e, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e := entries[0]
		c.Log.WarnContext(ctx, "a refusal could not be written to the audit",
			"actor", e.Actor, "action", e.Action, "kind", e.Kind, "key", e.Key, "error", err)
	}
}

// FlushRefusals writes to the audit, every minute until ctx ends and once more then,
// the sums of the refusals of which there were too many to write each. So an attack
// that is over can be seen, too. more returns the sums of another [Refusals].
func (c *Writer) FlushRefusals(ctx context.Context, more func(context.Context) []AuditEntry) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		entries := append(c.refusals.Sums(), more(ctx)...)
		now := c.Now().UTC()
		for i := range entries {
			entries[i].At = now // of the sum: a reader who begins at a time misses none
		}
		c.WriteRefusals(ctx, entries...)
	}
}
