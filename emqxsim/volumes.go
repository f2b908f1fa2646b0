package emqxsim

import (
	"fmt"
	"time"

	"github.com/openecp/openecp/ecp"
)

// FixVolumes lets the volumes of a cluster keep their size from now on, as a
// storage class that does not allow expansion does, or grow again.
func (p *Provisioner) FixVolumes(id ecp.ID, fixed bool) error {
	return p.changeHosted(id, func(s *state, _ time.Time) error {
		s.Fixed = fixed
		return nil
	})
}

// grow begins to make the volumes larger that are smaller than wanted. None
// becomes smaller, and those of new nodes are made as the first ones were.
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
	return !c.Going && ecp.Storage{Size: s.Volume}.LargerThan(c.size(s))
}

// size is how large a volume is.
func (c claim) size(s *state) string {
	if c.Size == "" {
		return s.Storage
	}
	return c.Size
}

// grown lets a volume be as large as it was to become.
func (c *claim) grown(now time.Time) {
	if c.Want != "" && !now.Before(c.Grown) {
		c.Size, c.Want, c.Grown = c.Want, "", time.Time{}
	}
}

// pending says why a volume is smaller than wanted; "" = it is not.
func (s *state) pending(c claim) string {
	switch {
	case !s.small(c):
		return ""
	case s.Fixed:
		return fmt.Sprintf("it has %s of %s: %s", c.size(s), s.Volume, fixedVolumes)
	}
	return fmt.Sprintf("it has %s and grows to %s", c.size(s), s.Volume)
}

// fixedVolumes is what the platform says of volumes that cannot grow.
const fixedVolumes = "the storage class does not let volumes grow"

// refusesVolume says that volumes cannot become as large as wanted; nil = they
// can.
func (s *state) refusesVolume(d ecp.Desired) error {
	n := names{s.ID, d.Image.Version}
	for _, c := range s.Claims {
		if s.Fixed && !c.Going && d.Size.Storage.LargerThan(c.size(s)) {
			what := "PersistentVolumeClaim " + n.claimOf(c.Ordinal)
			return refusal(what, "spec.size", fixedVolumes)
		}
	}
	return nil
}
