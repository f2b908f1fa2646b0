package tenancy

import (
	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// granted finds users and tokens that have a grant.
func granted(tx ecp.Tx, which func(ecp.Grant) bool) ([]change.Use, error) {
	users, err := change.UsesOf(tx, "user", ecp.Query{},
		func(u ecp.User) (string, bool) { return u.Name, anyGrant(u.Grants, which) })
	if err != nil {
		return nil, err
	}
	tokens, err := change.UsesOf(tx, "token", ecp.Query{},
		func(t ecp.Token) (string, bool) { return t.Name, which(t.Grant()) })
	return []change.Use{users, tokens}, err
}
