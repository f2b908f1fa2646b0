// Package tenancy keeps who may use a fleet, and how much of it.
//
// A [Directory] has organisations, their projects, and the quotas of both. [Accounts]
// has users with passwords and sessions, and API tokens; its Authenticate returns the
// actor of a token or session, which callers put in a context with [ecp.WithActor].
// Each is made of a [change.Writer] alone: neither needs a Manager.
//
// Every method checks the rights of the actor in its context. What the actor may not
// see is "not found". Nobody can grant more than they hold themselves, and the last way
// in with the role system cannot be removed. Secrets are stored as hashes only.
package tenancy
