package ecp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// LBProfile gives load balancers of clusters in a range of connections their
// annotations, e.g. the class of machine a cloud makes them of. Where ranges
// overlap the oldest profile wins.
type LBProfile struct {
	Name           string            `json:"name"`           // slug; never changes
	MinConnections int               `json:"minConnections"` // at least as many are booked
	MaxConnections int               `json:"maxConnections"` // at most as many; 0 = without end
	Annotations    map[string]string `json:"annotations"`    // put on the access Service; the cluster's own win
	CreatedAt      time.Time         `json:"createdAt"`
	Revision       int64             `json:"revision"` // grows with every change; the ETag
}

// Describe gives kind, key and index.
func (l LBProfile) Describe() (Kind, string, Index) { return KindLBProfile, l.Name, Index{} }

// Copy gives a value that shares nothing with l.
func (l LBProfile) Copy() Payload {
	l.Annotations = maps.Clone(l.Annotations)
	return l
}

// profileCovers says whether the profile is for a number of connections.
func profileCovers(l LBProfile, connections int) bool {
	return connections >= l.MinConnections && (l.MaxConnections == 0 || connections <= l.MaxConnections)
}

func (c *Catalog) lbProfiles() *shelf[LBProfile] {
	return &shelf[LBProfile]{
		kind: KindLBProfile, what: "load-balancer profile", id: "name", read: RightCatalog,
		key: func(l LBProfile) string { return l.Name }, rev: func(l *LBProfile) *int64 { return &l.Revision },
		check: checkLBProfile,
		prepare: func(w *work, old, l *LBProfile) error {
			if old != nil {
				l.CreatedAt = old.CreatedAt
				return nil
			}
			l.CreatedAt = w.now
			return c.roomForLBProfile(w.Tx, l.Name)
		},
		uses: func(tx Tx, l LBProfile) ([]use, error) {
			u, err := clustersThat(tx, func(r ClusterRecord) bool { return r.Resolved.LBProfile == l.Name })
			return []use{u}, err
		},
	}
}

func checkLBProfile(p *problems, l *LBProfile) {
	validateSlug(p, "name", l.Name)
	if l.MinConnections < 0 || l.MinConnections > MaxConnections {
		p.add("minConnections", "is %d; 0 to %d are allowed", l.MinConnections, MaxConnections)
	}
	if l.MaxConnections < 0 || l.MaxConnections > MaxConnections {
		p.add("maxConnections", "is %d; 0 (without end) to %d are allowed", l.MaxConnections, MaxConnections)
	} else if l.MaxConnections > 0 && l.MaxConnections < l.MinConnections {
		p.add("maxConnections", "is %d, which is less than minConnections", l.MaxConnections)
	}
	if len(l.Annotations) == 0 {
		p.add("annotations", "are missing: a profile is made of them")
	}
	validateAnnotations(p, "annotations", l.Annotations)
}

func (c *Catalog) roomForLBProfile(tx Tx, name string) error {
	n := 0
	for l, err := range List[LBProfile](tx, Query{}) {
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
	return fail(CodeQuotaExceeded, "", fmt.Sprintf("there are %d load-balancer profiles, which is the limit; delete one first", n))
}

// LBProfiles lists the load-balancer profiles.
func (c *Catalog) LBProfiles(ctx context.Context) ([]LBProfile, error) {
	return c.lbProfiles().list(ctx, c)
}

// LBProfile gives a load-balancer profile by its name.
func (c *Catalog) LBProfile(ctx context.Context, name string) (LBProfile, error) {
	return c.lbProfiles().get(ctx, c, name)
}

// CreateLBProfile adds a load-balancer profile.
func (c *Catalog) CreateLBProfile(ctx context.Context, l LBProfile) (LBProfile, error) {
	return c.lbProfiles().create(ctx, c, l, "")
}

// UpdateLBProfile replaces a load-balancer profile; its revision is the one
// that was read, 0 = whatever. Clusters keep what they were made with.
func (c *Catalog) UpdateLBProfile(ctx context.Context, l LBProfile) (LBProfile, error) {
	return c.lbProfiles().update(ctx, c, l, nil)
}

// DeleteLBProfile removes a load-balancer profile that no cluster was made with.
func (c *Catalog) DeleteLBProfile(ctx context.Context, name string, ifRevision int64) error {
	return c.lbProfiles().delete(ctx, c, name, ifRevision)
}

// lbProfileFor finds the profile of a number of connections: the oldest that
// covers it; not_found if none does.
func lbProfileFor(tx Tx, connections int) (LBProfile, error) {
	var fit []LBProfile
	for l, err := range List[LBProfile](tx, Query{}) {
		if err != nil {
			return l, err
		}
		if profileCovers(l, connections) {
			fit = append(fit, l)
		}
	}
	if len(fit) == 0 {
		return LBProfile{}, ErrNotFound
	}
	return slices.MinFunc(fit, func(a, b LBProfile) int { return a.CreatedAt.Compare(b.CreatedAt) }), nil
}

// resolveLB notes the annotations a cluster's load balancer gets.
func resolveLB(tx Tx, rec *ClusterRecord) error {
	rec.Resolved.LBProfile, rec.Resolved.LBAnnotations = "", nil
	if rec.Spec.Hosted.Network.Type != LoadBalancer {
		return nil
	}
	l, err := lbProfileFor(tx, rec.Spec.Hosted.Connections)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	rec.Resolved.LBProfile, rec.Resolved.LBAnnotations = l.Name, maps.Clone(l.Annotations)
	return err
}
