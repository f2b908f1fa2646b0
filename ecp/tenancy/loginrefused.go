package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// How much is written of logins that were refused.
var (
	loginEntries    = change.Rate{Burst: 3, Every: time.Minute}      // of one name and origin, in the audit
	loginEntriesAll = change.Rate{Burst: 60, Every: time.Second}     // of all together
	loginLines      = change.Rate{Burst: 10, Every: 6 * time.Second} // of one origin, in the log
)

// loginRefusals limit what is written of refused logins. Names that are users have
// entries of their own: whatever else is tried hides no attack on them. All other
// names of an origin share: anybody can make them up, and some are passwords that
// were typed into the wrong field.
type loginRefusals struct {
	users   change.Buckets[guesser]
	made    change.Buckets[guesser] // names that are no users; the name is ""
	origins change.Buckets[string]  // lines of the log
}

func newLoginRefusals() loginRefusals {
	ofUser := func(g guesser) guesser { return guesser{name: g.name} }
	return loginRefusals{
		users:   change.Buckets[guesser]{Each: loginEntries, All: loginEntriesAll, Watched: change.RefusalsWatched, Spare: ofUser},
		made:    change.Buckets[guesser]{Each: loginEntries, All: loginEntriesAll, Watched: change.RefusalsWatched, Spare: ofUser},
		origins: change.Buckets[string]{Each: loginLines, Watched: change.RefusalsWatched, Spare: func(string) string { return "" }},
	}
}

// loginRefused tells the audit and the log of a login that was refused, one by one
// or in sum; see [change.Writer.TellRefusals]. Other errors are not about who asked.
// Whoever hangs up before the answer is told of, too.
func (ac *Accounts) loginRefused(ctx context.Context, who account, q change.Request, err error) {
	if !errors.Is(err, ecp.ErrDenied) && !errors.Is(err, ecp.ErrThrottled) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), change.RefusalPatience)
	defer cancel()
	a, now := ecp.Actor{Credential: loginCredential}, ac.now().UTC()
	of := &ac.logins.made
	if who.exists {
		a.Name, q.Scope = who.name, who.scope
		of = &ac.logins.users
	}
	e := change.NewAuditEntry(ctx, a, q, now)
	e.Outcome, e.Why = change.OutcomeDenied, string(ecp.CodeOf(err))
	group := originGroup(e.RemoteAddress)
	if missed, ok := ac.logins.origins.Take(group, e, now); ok {
		ac.logLogin(ctx, e, missed)
	}
	if missed, ok := of.Take(guesser{a.Name, group}, e, now); ok {
		e.Unwritten = missed
		ac.changes.WriteRefusals(ctx, []change.AuditEntry{e})
	}
}

// logLogin writes the line that programs which shut out addresses look for; the
// address comes first. docs/operations.md and deploy/fail2ban know its form.
func (ac *Accounts) logLogin(ctx context.Context, e change.AuditEntry, missed int) {
	ac.log.WarnContext(ctx, "login refused", "remote", e.RemoteAddress, "user", e.Actor, "reason", e.Why, "attempts", missed+1)
}

// RefusedLogins logs the sums of refused logins that were too many to be logged one
// by one, and returns those for the audit.
func (ac *Accounts) RefusedLogins(ctx context.Context) []change.AuditEntry {
	for _, e := range ac.logins.origins.Overdue(change.RefusalSums) {
		ac.logLogin(ctx, e, e.Unwritten)
	}
	return append(ac.logins.users.Overdue(change.RefusalSums), ac.logins.made.Overdue(change.RefusalSums)...)
}
