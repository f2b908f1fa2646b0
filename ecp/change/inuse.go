package change

import (
	"fmt"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// Use is how many records of one kind use another record, which is to be deleted.
type Use struct {
	Count int

	what  string   // "cluster", "user", …
	names []string // the first few
}

// usesShown is how many names an error has.
const usesShown = 5

// UsesOf counts the records that q selects and for which uses returns true. What they
// are called in an error is their name, after what kind of thing they are.
func UsesOf[P ecp.Payload](
	tx ecp.Tx, what string, q ecp.Query, uses func(P) (name string, yes bool),
) (Use, error) {
	u := Use{what: what}
	for p, err := range ecp.List[P](tx, q) {
		if err != nil {
			return u, err
		}
		name, yes := uses(p)
		if !yes {
			continue
		}
		if u.Count++; len(u.names) < usesShown {
			u.names = append(u.names, name)
		}
	}
	return u, nil
}

// InUse returns an error that names what uses a record; nil if nothing does.
func InUse(uses ...Use) error {
	var parts []string
	for _, u := range uses {
		if u.Count == 0 {
			continue
		}
		part := fmt.Sprintf("%d %ss (%s", u.Count, u.what, strings.Join(u.names, ", "))
		if u.Count == 1 {
			part = u.what + " " + u.names[0]
		} else if u.Count > len(u.names) {
			part += ", …)"
		} else {
			part += ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil
	}
	return ecp.NewError(ecp.CodeConflict, "",
		"it is in use by "+strings.Join(parts, ", ")+"; change or remove what uses it first")
}
