// Package seeding fills an empty store with what a fleet begins with.
package seeding

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Defaults is what an empty store begins with; see fleet.Defaults.
type Defaults struct {
	Images   []ecp.Image
	Sizes    []ecp.Size
	Pool     *ecp.Pool
	Projects []string
}

// Seed fills a store that is empty.
func Seed(ctx context.Context, store ecp.Store, now time.Time, d Defaults) error {
	images, sizes, projects, pool := d.Images, d.Sizes, d.Projects, ecp.DefaultPool()
	if images == nil {
		images = ecp.DefaultImages()
	}
	if sizes == nil {
		sizes = ecp.DefaultSizes()
	}
	if projects == nil {
		projects = []string{"default/default"}
	}
	if d.Pool != nil {
		pool = *d.Pool
	}
	return store.Write(ctx, func(tx ecp.Tx) error {
		_, _, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
		if err == nil {
			return seedOrgs(tx, now)
		}
		if !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		payloads := []ecp.Payload{pool}
		for _, i := range images {
			v, _ := ecp.ParseVersion(i.Version)
			i.Revision, i.Unverified = 1, v.Unverified()
			if i.Default && i.Unverified {
				return fmt.Errorf("the default image %s: EMQX %s is unverified and cannot be the default",
					i.ID, i.Version)
			}
			payloads = append(payloads, i)
		}
		for _, s := range sizes {
			s.Revision = 1
			payloads = append(payloads, s)
		}
		for _, p := range projects {
			payloads = append(payloads, ecp.Project{Path: p, CreatedAt: now, Revision: 1})
		}
		for _, p := range payloads {
			if err := ecp.Put(tx, p, 0); err != nil {
				return err
			}
		}
		return seedOrgs(tx, now)
	})
}

// seedOrgs makes the organisations that projects name and that are not there:
// those of a new store, and of one that an earlier build has filled.
func seedOrgs(tx ecp.Tx, now time.Time) error {
	missing := map[string]bool{}
	for p, err := range ecp.List[ecp.Project](tx, ecp.Query{}) {
		if err != nil {
			return err
		}
		missing[p.Org()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if _, _, err := ecp.Get[ecp.Org](tx, name); err == nil {
			continue
		} else if !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		if err := ecp.Put(tx, ecp.Org{Name: name, CreatedAt: now, Revision: 1}, 0); err != nil {
			return err
		}
	}
	return nil
}
