package tenancy

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Bounds of the origins that are remembered of a user.
const (
	originsKept   = 30 * 24 * time.Hour // since the last login from there
	originsOfUser = 50                  // the newest stay
)

// originGroup returns what counts as one place: an address of IPv4, and of IPv6 the
// /64 that a host picks its addresses from. Text that is no address is "": all of
// that is one place.
func originGroup(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return ""
	}
	return p.String()
}

// loginOrigins are the places from which a user has logged in.
type loginOrigins struct {
	User    string        `json:"user"`
	Origins []loginOrigin `json:"origins"` // the newest first
}

type loginOrigin struct {
	Group string    `json:"group"` // see [originGroup]
	At    time.Time `json:"at"`    // of the last login
}

// Describe returns kind, key and index.
func (o loginOrigins) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindLoginOrigins, o.User, ecp.Index{}
}

// Copy returns a value that shares nothing with o.
func (o loginOrigins) Copy() ecp.Payload {
	o.Origins = slices.Clone(o.Origins)
	return o
}

// has reports whether the user has logged in from a place not too long ago.
func (o loginOrigins) has(group string, now time.Time) bool {
	return group != "" && slices.ContainsFunc(o.Origins, func(k loginOrigin) bool {
		return k.Group == group && now.Sub(k.At) <= originsKept
	})
}

// originsOf reads the places of a user; those of somebody who never logged in are
// none.
func originsOf(tx ecp.Tx, user string) (loginOrigins, error) {
	o, _, err := ecp.Get[loginOrigins](tx, user)
	if errors.Is(err, ecp.ErrNotFound) {
		return loginOrigins{User: user}, nil
	}
	return o, err
}

// rememberOrigin stores that a user belongs to a place.
func rememberOrigin(tx ecp.Tx, user, group string, now time.Time) error {
	if group == "" {
		return nil
	}
	o, err := originsOf(tx, user)
	if err != nil {
		return err
	}
	kept := []loginOrigin{{group, now}}
	for _, k := range o.Origins {
		if k.Group != group && now.Sub(k.At) <= originsKept && len(kept) < originsOfUser {
			kept = append(kept, k)
		}
	}
	o.Origins = kept
	return ecp.Put(tx, o, ecp.AnyVersion)
}
