package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/validate"
)

// profileCovers reports whether the profile is for a number of connections.
func profileCovers(l ecp.LBProfile, connections int) bool {
	return connections >= l.MinConnections && (l.MaxConnections == 0 || connections <= l.MaxConnections)
}

func (c *Catalog) lbProfiles() *Entries[ecp.LBProfile] {
	return &Entries[ecp.LBProfile]{
		c:    c,
		kind: ecp.KindLBProfile, what: "load-balancer profile", id: "name", read: ecp.RightCatalog,
		key: func(l ecp.LBProfile) string { return l.Name }, rev: func(l *ecp.LBProfile) *int64 { return &l.Revision },
		check: checkLBProfile,
		prepare: func(w *change.Tx, old, l *ecp.LBProfile) error {
			if old != nil {
				l.CreatedAt = old.CreatedAt
				return nil
			}
			l.CreatedAt = w.Now
			return c.roomForLBProfile(w.Tx, l.Name)
		},
		uses: func(tx ecp.Tx, l ecp.LBProfile) ([]change.Use, error) {
			u, err := ClustersThat(tx, func(r ecp.ClusterRecord) bool { return r.Resolved.LBProfile == l.Name })
			return []change.Use{u}, err
		},
	}
}

func checkLBProfile(p *fault.Fields, l *ecp.LBProfile) {
	validateSlug(p, "name", l.Name)
	if l.MinConnections < 0 || l.MinConnections > ecp.MaxConnections {
		p.Add("minConnections", "is %d; 0 to %d are allowed", l.MinConnections, ecp.MaxConnections)
	}
	if l.MaxConnections < 0 || l.MaxConnections > ecp.MaxConnections {
		p.Add("maxConnections", "is %d; 0 (without end) to %d are allowed", l.MaxConnections, ecp.MaxConnections)
	} else if l.MaxConnections > 0 && l.MaxConnections < l.MinConnections {
		p.Add("maxConnections", "is %d, which is less than minConnections", l.MaxConnections)
	}
	if len(l.Annotations) == 0 {
		p.Add("annotations", "are missing: a profile is made of them")
	}
	validate.Annotations(p, "annotations", l.Annotations)
}

func (c *Catalog) roomForLBProfile(tx ecp.Tx, name string) error {
	n := 0
	for l, err := range ecp.List[ecp.LBProfile](tx, ecp.Query{}) {
		if err != nil {
			return err
		}
		if l.Name == name {
			return nil // the store says that it is there
		}
		n++
	}
	if n < c.lbProfilesMost {
		return nil
	}
	return ecp.NewError(ecp.CodeQuotaExceeded, "",
		fmt.Sprintf("there are %d load-balancer profiles, which is the limit; delete one first", n))
}

// lbProfileFor finds the profile of a number of connections: the oldest that
// covers it; not_found if none does.
func lbProfileFor(tx ecp.Tx, connections int) (ecp.LBProfile, error) {
	var fit []ecp.LBProfile
	for l, err := range ecp.List[ecp.LBProfile](tx, ecp.Query{}) {
		if err != nil {
			return l, err
		}
		if profileCovers(l, connections) {
			fit = append(fit, l)
		}
	}
	if len(fit) == 0 {
		return ecp.LBProfile{}, ecp.ErrNotFound
	}
	return slices.MinFunc(fit, func(a, b ecp.LBProfile) int { return a.CreatedAt.Compare(b.CreatedAt) }), nil
}

// ResolveLB notes the annotations a cluster's load balancer gets.
func ResolveLB(tx ecp.Tx, rec *ecp.ClusterRecord) error {
	rec.Resolved.LBProfile, rec.Resolved.LBAnnotations = "", nil
	if rec.Spec.Hosted.Network.Type != ecp.LoadBalancer {
		return nil
	}
	l, err := lbProfileFor(tx, rec.Spec.Hosted.Connections)
	if errors.Is(err, ecp.ErrNotFound) {
		return nil
	}
	rec.Resolved.LBProfile, rec.Resolved.LBAnnotations = l.Name, maps.Clone(l.Annotations)
	return err
}
