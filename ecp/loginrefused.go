package ecp

import (
	"context"
	"errors"
	"time"
)

// How much is written of logins that were refused.
var (
	loginEntries    = rate{3, time.Minute}      // of one name and origin, in the audit
	loginEntriesAll = rate{60, time.Second}     // of all together
	loginLines      = rate{10, 6 * time.Second} // of one origin, in the log
	refusalEntries  = rate{10, 6 * time.Second} // of one actor, of whatever is refused
)

// Bounds of what is remembered, and of what is written in sum.
const (
	refusalsWatched  = 1000 // actors, or names with origins; later ones share
	refusalSums      = 100  // at a time
	refusalSumsEvery = time.Minute
)

func newRefusals() buckets[string] {
	return buckets[string]{each: refusalEntries, watched: refusalsWatched, spare: func(string) string { return "" }}
}

// loginRefusals limit what is written of refused logins. Names that are users have
// entries of their own: whatever else is tried hides no attack on them. All other
// names of an origin share: anybody can make them up, and some are passwords that
// were typed into the wrong field.
type loginRefusals struct {
	users   buckets[guesser]
	made    buckets[guesser] // names that are no users; the name is ""
	origins buckets[string]  // lines of the log
}

func newLoginRefusals() loginRefusals {
	ofUser := func(g guesser) guesser { return guesser{name: g.name} }
	return loginRefusals{
		users:   buckets[guesser]{each: loginEntries, all: loginEntriesAll, watched: refusalsWatched, spare: ofUser},
		made:    buckets[guesser]{each: loginEntries, all: loginEntriesAll, watched: refusalsWatched, spare: ofUser},
		origins: buckets[string]{each: loginLines, watched: refusalsWatched, spare: func(string) string { return "" }},
	}
}

// loginRefused tells the audit and the log of a login that was refused, one by one
// or in sum; see [Manager.tellRefusals]. Other errors are not about who asked.
// Whoever hangs up before the answer is told of, too.
func (m *Manager) loginRefused(ctx context.Context, who account, q request, err error) {
	if !errors.Is(err, ErrDenied) && !errors.Is(err, ErrThrottled) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalPatience)
	defer cancel()
	a, now := Actor{Credential: loginCredential}, m.now().UTC()
	of := &m.logins.made
	if who.exists {
		a.Name, q.scope = who.name, who.scope
		of = &m.logins.users
	}
	e := newAuditEntry(ctx, a, q, now)
	e.Outcome, e.Why = OutcomeDenied, string(CodeOf(err))
	group := originGroup(e.RemoteAddress)
	if missed, ok := m.logins.origins.take(group, e, now); ok {
		m.logLogin(ctx, e, missed)
	}
	if missed, ok := of.take(guesser{a.Name, group}, e, now); ok {
		e.Unwritten = missed
		m.writeRefusals(ctx, []AuditEntry{e})
	}
}

// logLogin writes the line that programs which shut out addresses look for; the
// address comes first. docs/operations.md and deploy/fail2ban know its form.
func (m *Manager) logLogin(ctx context.Context, e AuditEntry, missed int) {
	m.log.WarnContext(ctx, "login refused", "remote", e.RemoteAddress, "user", e.Actor, "reason", e.Why, "attempts", missed+1)
}

// writeRefusals stores audit entries, those of one call in one transaction.
func (m *Manager) writeRefusals(ctx context.Context, entries []AuditEntry) {
	if len(entries) == 0 {
		return
	}
	err := m.store.Write(ctx, func(tx Tx) error {
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
		m.log.WarnContext(ctx, "a refusal could not be written to the audit", "actor", e.Actor, "action", e.Action, "kind", e.Kind, "key", e.Key, "error", err)
	}
}

// tellRefusals writes, every minute until ctx ends and once then, the sums of what
// was refused and was too much to be written one by one: an attack that has ended
// is told of, too.
func (m *Manager) tellRefusals(ctx context.Context) {
	tick := time.NewTicker(refusalSumsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalPatience)
			m.tellRefusalsOnce(last)
			cancel()
			return
		case <-tick.C:
			m.tellRefusalsOnce(ctx)
		}
	}
}

// refusalPatience is how long writing waits where the caller, or the Run, is over.
const refusalPatience = 5 * time.Second

func (m *Manager) tellRefusalsOnce(ctx context.Context) {
	for _, e := range m.logins.origins.overdue(refusalSums) {
		m.logLogin(ctx, e, e.Unwritten)
	}
	var entries []AuditEntry
	for _, sums := range [][]AuditEntry{m.refusals.overdue(refusalSums), m.logins.users.overdue(refusalSums), m.logins.made.overdue(refusalSums)} {
		entries = append(entries, sums...)
	}
	now := m.now().UTC()
	for i := range entries {
		entries[i].At = now // of the sum: who reads from a time on misses none
	}
	m.writeRefusals(ctx, entries)
}
