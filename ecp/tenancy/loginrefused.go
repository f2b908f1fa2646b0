package tenancy

import (
	"context"
	"errors"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// How much is written about logins that were refused.
var (
	loginEntries    = change.Rate{Burst: 3, Every: time.Minute}      // of one name and origin, in the audit
	loginEntriesAll = change.Rate{Burst: 60, Every: time.Second}     // of all together
	loginLines      = change.Rate{Burst: 10, Every: 6 * time.Second} // of one origin, in the log
)

// loginRefusals limit what is written about refused logins. Each name of a user is
// counted by itself, so that nothing else hides an attack on it. All other names from
// one origin share a count: anybody can make them up, and some are passwords that were
// typed into the wrong field.
type loginRefusals struct {
	users   *change.Refusals[guesser]
	made    *change.Refusals[guesser] // names of no user; the name is empty
	origins *change.Refusals[string]  // lines of the log
}

func newLoginRefusals() loginRefusals {
	ofUser := func(g guesser) guesser { return guesser{name: g.name} }
	return loginRefusals{
		users:   change.NewRefusals(loginEntries, loginEntriesAll, ofUser),
		made:    change.NewRefusals(loginEntries, loginEntriesAll, ofUser),
		origins: change.NewRefusals(loginLines, change.Rate{}, func(string) string { return "" }),
	}
}

// loginRefused writes to the audit and the log that a login was refused; of many some
// are only counted, until [Accounts.RefusedLogins] is called. Errors that are not about
// the caller are left out. A caller who hangs up before the answer is not.
func (ac *Accounts) loginRefused(ctx context.Context, who account, q change.Request, err error) {
	if !errors.Is(err, ecp.ErrDenied) && !errors.Is(err, ecp.ErrThrottled) {
		return
	}
	a := ecp.Actor{Credential: loginCredential}
	of := ac.logins.made
	if who.exists {
		a.Name, q.Scope = who.name, who.scope
		of = ac.logins.users
	}
	e := ac.changes.Refusal(ctx, a, q, err)
	group := originGroup(e.RemoteAddress)
	if missed, ok := ac.logins.origins.Take(group, e, e.At); ok {
		ac.logLogin(ctx, e, missed)
	}
	if missed, ok := of.Take(guesser{a.Name, group}, e, e.At); ok {
		e.Unwritten = missed
		ac.changes.WriteRefusals(ctx, e)
	}
}

// logLogin writes the line that programs which block addresses look for; the address
// comes first. docs/operations.md and deploy/fail2ban know its form.
func (ac *Accounts) logLogin(ctx context.Context, e change.AuditEntry, missed int) {
	ac.log.WarnContext(ctx, "login refused",
		"remote", e.RemoteAddress, "user", e.Actor, "reason", e.Why, "attempts", missed+1)
}

// RefusedLogins logs the sums of refused logins that were too many to log each, and
// returns those for the audit. [change.Writer.FlushRefusals] calls it.
func (ac *Accounts) RefusedLogins(ctx context.Context) []change.AuditEntry {
	for _, e := range ac.logins.origins.Sums() {
		ac.logLogin(ctx, e, e.Unwritten)
	}
	return append(ac.logins.users.Sums(), ac.logins.made.Sums()...)
}
