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
)

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
// or in sum; see [Writer.tellRefusals]. Other errors are not about who asked.
// Whoever hangs up before the answer is told of, too.
func (d *Directory) loginRefused(ctx context.Context, who account, q request, err error) {
	if !errors.Is(err, ErrDenied) && !errors.Is(err, ErrThrottled) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalPatience)
	defer cancel()
	a, now := Actor{Credential: loginCredential}, d.now().UTC()
	of := &d.logins.made
	if who.exists {
		a.Name, q.scope = who.name, who.scope
		of = &d.logins.users
	}
	e := newAuditEntry(ctx, a, q, now)
	e.Outcome, e.Why = OutcomeDenied, string(CodeOf(err))
	group := originGroup(e.RemoteAddress)
	if missed, ok := d.logins.origins.take(group, e, now); ok {
		d.logLogin(ctx, e, missed)
	}
	if missed, ok := of.take(guesser{a.Name, group}, e, now); ok {
		e.Unwritten = missed
		d.changes.writeRefusals(ctx, []AuditEntry{e})
	}
}

// logLogin writes the line that programs which shut out addresses look for; the
// address comes first. docs/operations.md and deploy/fail2ban know its form.
func (d *Directory) logLogin(ctx context.Context, e AuditEntry, missed int) {
	d.log.WarnContext(ctx, "login refused", "remote", e.RemoteAddress, "user", e.Actor, "reason", e.Why, "attempts", missed+1)
}

// refusedLogins logs the sums of refused logins that were too many to be logged one
// by one, and returns those for the audit.
func (d *Directory) refusedLogins(ctx context.Context) []AuditEntry {
	for _, e := range d.logins.origins.overdue(refusalSums) {
		d.logLogin(ctx, e, e.Unwritten)
	}
	return append(d.logins.users.overdue(refusalSums), d.logins.made.overdue(refusalSums)...)
}
