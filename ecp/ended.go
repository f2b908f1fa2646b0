package ecp

import "slices"

// endedBy says why a change leaves an actor with other rights than it came
// with, or with none; nil if it does not.
func (a Actor) endedBy(c Change) error {
	const op = "watch changes"
	switch p := c.Payload.(type) {
	case Token:
		if c.Deleted && a.Credential == tokenCredential+p.ID {
			return fail(CodeDenied, op, "the token was deleted")
		}
	case session:
		if c.Deleted && a.Credential == sessionCredential+p.ID {
			return fail(CodeDenied, op, "the session has ended; log in again")
		}
	case User:
		if a.user() == p.Name && !c.Deleted && !slices.Equal(p.Grants, a.AllGrants()) {
			return fail(CodeUnavailable, op, "your rights have changed; follow on from the last id you have seen")
		}
	}
	return nil
}
