package change

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// QuotaOf returns the quota of an organisation or project that exists. Where no limit
// was ever set there is no record, and QuotaOf counts the connections of the clusters.
func QuotaOf(tx ecp.Tx, of string) (ecp.Quota, error) {
	q, _, err := ecp.Get[ecp.Quota](tx, of)
	if err == nil || !errors.Is(err, ecp.ErrNotFound) {
		return q, err
	}
	q = ecp.Quota{Of: of, Revision: 1}
	booked, err := bookedIn(tx, of)
	for _, n := range booked {
		q.UsedConnections += n.connections
	}
	return q, err
}

// booked is a number of connections and whose they are.
type booked struct {
	name        string // of a cluster in a project, or of a project in an organisation
	connections int
}

// bookedIn lists the connections of a project by cluster, or of an organisation by
// project, the largest number first.
func bookedIn(tx ecp.Tx, of string) ([]booked, error) {
	byProject := !strings.Contains(of, "/")
	q := ecp.Query{Project: of}
	if byProject {
		q = ecp.Query{Match: func(_ string, i ecp.Index) bool { return ecp.Project{Path: i.Project}.Org() == of }}
	}
	sums := map[string]int{}
	for r, err := range ecp.List[ecp.ClusterRecord](tx, q) {
		if err != nil {
			return nil, err
		}
		name := r.Name
		if byProject {
			name = r.Project
		}
		sums[name] += r.Booked()
	}
	out := make([]booked, 0, len(sums))
	for name, n := range sums {
		out = append(out, booked{name, n})
	}
	slices.SortFunc(out, func(a, b booked) int {
		return cmp.Or(cmp.Compare(b.connections, a.connections), strings.Compare(a.name, b.name))
	})
	return out, nil
}

// quotaRefuses returns why an actor cannot have more connections; nil if it can. The
// error has the numbers only if the actor may see the quota.
func quotaRefuses(q ecp.Quota, tx ecp.Tx, a ecp.Actor, more int, field string) error {
	free := max(q.Connections-q.UsedConnections, 0)
	if q.Connections == 0 || more <= free {
		return nil
	}
	refused := &ecp.Error{Code: ecp.CodeQuotaExceeded, Message: q.What() + " does not hold what was asked for"}
	if !q.SeenBy(a) {
		refused.Message += "; its administrators see what is booked, and can have some given back or the quota raised"
		refused.Fields = []ecp.FieldError{{
			Field: field, Message: fmt.Sprintf("wants %d connections more; %s has fewer free", more, q.What()),
		}}
		return refused
	}
	all, err := bookedIn(tx, q.Of)
	if err != nil {
		return err
	}
	var most []string
	for _, b := range all[:min(len(all), usesShown)] {
		most = append(most, fmt.Sprintf("%s %d", b.name, b.connections))
	}
	by := ""
	if most != nil {
		by = "; booked most: " + strings.Join(most, ", ")
	}
	refused.Fields = []ecp.FieldError{{Field: field, Message: fmt.Sprintf(
		"wants %d connections more; %d of %d are free in %s%s", more, free, q.Connections, q.What(), by)}}
	return refused
}
