package ecp

import (
	"fmt"
	"strings"
)

// use is who uses something that was to be deleted.
type use struct {
	what  string   // "cluster", "user", …
	names []string // the first few
	count int
}

// usesShown is how many users of a thing are named.
const usesShown = 5

// usesOf finds the records that use something.
func usesOf[P Payload](tx Tx, what string, q Query, uses func(P) (name string, yes bool)) (use, error) {
	u := use{what: what}
	for p, err := range List[P](tx, q) {
		if err != nil {
			return u, err
		}
		name, yes := uses(p)
		if !yes {
			continue
		}
		if u.count++; len(u.names) < usesShown {
			u.names = append(u.names, name)
		}
	}
	return u, nil
}

// inUse refuses a deletion and says who uses the thing; nil if nobody does.
func inUse(uses ...use) error {
	var parts []string
	for _, u := range uses {
		if u.count == 0 {
			continue
		}
		part := fmt.Sprintf("%d %ss (%s", u.count, u.what, strings.Join(u.names, ", "))
		if u.count == 1 {
			part = u.what + " " + u.names[0]
		} else if u.count > len(u.names) {
			part += ", …)"
		} else {
			part += ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil
	}
	return fail(CodeConflict, "", "it is in use by "+strings.Join(parts, ", ")+"; change or remove what uses it first")
}

// granted finds users and tokens that have a grant.
func granted(tx Tx, which func(Grant) bool) ([]use, error) {
	users, err := usesOf(tx, "user", Query{}, func(u User) (string, bool) { return u.Name, anyGrant(u.Grants, which) })
	if err != nil {
		return nil, err
	}
	tokens, err := usesOf(tx, "token", Query{}, func(t Token) (string, bool) { return t.Name, which(t.grant()) })
	return []use{users, tokens}, err
}
