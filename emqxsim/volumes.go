package emqxsim

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

// FixVolumes keeps the volumes of a cluster from growing, as a storage class without
// expansion does, or lets them grow again.
func (p *Provisioner) FixVolumes(id ecp.ID, fixed bool) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		s.Fixed = fixed
		return nil
	})
}

// HoldVolumes lets claims that are made from now on get no volume, for the given reason, as a storage
// class does that has no room. An empty reason gives them theirs, and their pods start.
func (p *Provisioner) HoldVolumes(id ecp.ID, why string) error {
	return p.change(id, func(s *state, now time.Time) error {
		s.NoVolume = why
		for i := range s.Claims {
			if c := &s.Claims[i]; why == "" && c.Unbound != "" {
				c.Unbound = ""
				if pod := s.pod(c.Ordinal); pod != nil && pod.Waiting {
					pod.boot(now, p.pace, s.Auth)
				}
			}
		}
		return nil
	})
}

// grow begins to enlarge the volumes that are smaller than wanted. Volumes never become
// smaller, and those of new nodes begin with the size of the first ones.
func (s *state) grow(d ecp.Desired, now time.Time, t pace) {
	s.Volume = d.Size.Storage.Size
	if s.Storage == "" {
		s.Storage = s.Volume
	}
	for i := range s.Claims {
		c := &s.Claims[i]
		if s.small(*c) && !s.Fixed && c.Want != s.Volume && c.Ordinal < max(d.Replicas, d.Spec.Nodes) {
			c.Want, c.Grown = s.Volume, now.Add(t.stop)
		}
	}
}

// small reports whether a volume is smaller than wanted.
func (s *state) small(c claim) bool {
	return !c.Terminating && ecp.Storage{Size: s.Volume}.LargerThan(c.size(s))
}

// size returns the size of a volume.
func (c claim) size(s *state) string {
	if c.Size == "" {
		return s.Storage
	}
	return c.Size
}

// grown sets the size of a volume that has finished growing.
func (c *claim) grown(now time.Time) {
	if c.Want != "" && !now.Before(c.Grown) {
		c.Size, c.Want, c.Grown = c.Want, "", time.Time{}
	}
}

// pending returns why a volume is smaller than wanted, or "" if it is not.
func (s *state) pending(c claim) string {
	switch {
	case c.Unbound != "":
		return c.Unbound
	case !s.small(c):
		return ""
	case s.Fixed:
		return fmt.Sprintf("it has %s of %s: %s", c.size(s), s.Volume, fixedVolumes)
	}
	return fmt.Sprintf("it has %s and grows to %s", c.size(s), s.Volume)
}

// fixedVolumes is the platform's message about volumes that cannot grow.
const fixedVolumes = "the storage class does not let volumes grow"

// refusesVolume returns an error if volumes cannot become as large as wanted.
func (s *state) refusesVolume(d ecp.Desired) error {
	n := names{id: s.ID, version: d.Image.Version}
	for _, c := range s.Claims {
		if s.Fixed && !c.Terminating && d.Size.Storage.LargerThan(c.size(s)) {
			what := "PersistentVolumeClaim " + n.claimOf(c.Ordinal)
			return refusal(what, "spec.size", fixedVolumes)
		}
	}
	return nil
}
