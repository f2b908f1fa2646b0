package emqxsim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// check refuses what no platform could create.
func (p *Provisioner) check(d ecp.Desired) error {
	bad := func(field, message string) error {
		return &ecp.Error{
			Code: ecp.CodeInvalid, Op: "apply cluster", Message: "the cluster cannot be made as asked",
			Fields: []ecp.FieldError{{Field: field, Message: message}},
		}
	}
	v, ok := ecp.ParseVersion(d.Image.Version)
	switch {
	case !d.ID.Valid():
		return bad("id", fmt.Sprintf("is %q; \"emqx-\" and 8 hexadecimal digits are allowed", d.ID))
	case !ok || v.Before(ecp.Version{Major: 4, Minor: 4}):
		return bad("image.version", fmt.Sprintf("is %q; EMQX 4.4 and later can be made", d.Image.Version))
	case d.Replicas < 0:
		return bad("replicas", fmt.Sprintf("is %d; 0 or more are allowed", d.Replicas))
	case d.Replicants.Replicas < 0 || d.Replicants.Replicas > 0 && v.Before(ecp.Version{Major: 5}):
		return bad("replicants", fmt.Sprintf("are %d; 0 or more are allowed, and with EMQX 4 none",
			d.Replicants.Replicas))
	case d.RenderVersion < 0 || d.RenderVersion > p.cfg.RenderVersion:
		return bad("renderVersion", fmt.Sprintf("is %d; 0 to %d are allowed", d.RenderVersion, p.cfg.RenderVersion))
	}
	return nil
}

// apply changes the state towards d.
func (s *state) apply(d ecp.Desired, now time.Time, t pace, give func() (int, error)) error {
	if err := s.owned(d); err != nil {
		return err
	}
	s.expect(max(d.Replicas, d.Spec.Nodes))
	if lost := s.loss(d); lost != nil && !d.Create {
		// Nodes that should not run do not need what is lost, so they can be ended.
		if s.Workload != nil && d.Replicas < s.Workload.Replicas {
			s.Workload.Rendered = d.Replicas
			s.scale(d.Replicas, now, t)
		}
		return lossError(lost)
	}
	if s.UID == "" {
		s.UID = newUID()
	}
	s.Name, s.Project, s.License = d.Name, d.Project, ""
	if _, ok := parseLicense(string(d.License), now); ok {
		s.License = string(d.License)
	}
	s.certify(d, now)
	s.recreate(d, now, t)
	svc, err := renderService(s.ID, d.Spec.Network, s.Service, give)
	if err != nil {
		return err
	}
	refused := s.Service.refuses(s.ID, d.Spec.Network)
	if refused == nil {
		s.Service = svc
	}
	s.Held = d.HoldEvictions
	s.setWorkload(d)
	s.scale(d.Replicas, now, t)
	s.Known = max(s.Known, d.Replicas)
	s.grow(d, now, t)
	s.dropClaims(d)
	s.resize(d.Resize, now, t)
	return errors.Join(s.roll(s.named(d), d.Abandon, now, t), s.applyReplicants(d, now, t), refused)
}

// setWorkload sets what pods are created from.
func (s *state) setWorkload(d ecp.Desired) {
	foreign, was := "", s.Workload
	if was != nil {
		foreign = was.ForeignOwner
	}
	s.Workload = &workload{
		Generation: d.Generation, ChangeID: d.ChangeID, Manifest: d.Manifest, Render: d.RenderVersion,
		Rendered: d.Replicas, Own: s.revision(d), Image: d.Image, Limit: d.ListenerLimit,
		Certified: d.Spec.Network.Certificate != "",
	}
	s.Workload.setForeign(foreign)
	if was == nil || was.Rest != "" || was.Own != s.Workload.Own { // else it is as an earlier build stored it
		s.setRest(d)
	}
}

// named returns the ordinals of the pods to be replaced.
func (s *state) named(d ecp.Desired) []int {
	named := slices.Clone(d.Roll)
	for ordinal, uid := range d.Replace {
		if p := s.pod(ordinal); p != nil && p.UID == uid {
			named = append(named, ordinal)
		}
	}
	return named
}

// expect forgets the claims of ordinals that should have none: their end is no loss.
func (s *state) expect(below int) { s.Known = min(s.Known, below) }

// dropClaims deletes the claims of nodes that were removed for good. Claims that should
// exist or are in use stay.
func (s *state) dropClaims(d ecp.Desired) {
	for _, ordinal := range d.Drop {
		if ordinal >= max(d.Replicas, d.Spec.Nodes) && s.pod(ordinal) == nil {
			s.loseClaim(ordinal)
		}
	}
}

// owned refuses a namespace that belongs to somebody else, or is being removed.
func (s *state) owned(d ecp.Desired) error {
	switch {
	case s.ForeignOwner != "":
		return conflict("the namespace "+string(s.ID)+" belongs to "+s.ForeignOwner+" and is not touched", nil)
	case s.Workload != nil && d.Older(s.Workload.Generation, s.Workload.ChangeID) != nil:
		return ecp.RecordOlderError("apply cluster", d.Older(s.Workload.Generation, s.Workload.ChangeID))
	case !s.Gone.IsZero() && d.Create:
		return conflict("the namespace "+string(s.ID)+" is being removed; wait until it has gone", nil)
	case !s.Gone.IsZero():
		return lossError(&ecp.Loss{Reason: ecp.ReasonDataLost, What: "namespace " + string(s.ID)})
	case s.Workload != nil && atLeast(s.Workload.Image.Version, 5, 0, 0) != atLeast(d.Image.Version, 5, 0, 0):
		return &ecp.Error{
			Code: ecp.CodeUnsupported, Op: "apply cluster",
			Message: "EMQX " + s.Workload.Image.Version + " cannot become " + d.Image.Version +
				": make a new cluster and migrate",
		}
	}
	return nil
}

// loss returns what is lost and must not be created again unasked, or nil if nothing is.
func (s *state) loss(d ecp.Desired) *ecp.Loss {
	n := names{id: s.ID, version: d.Image.Version}
	switch {
	case s.UID == "":
		return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "namespace " + string(s.ID)}
	case s.Auth == nil:
		return &ecp.Loss{Reason: ecp.ReasonSecretLost, What: "secret " + n.auth()}
	}
	for i := range min(s.Known, max(d.Spec.Nodes, d.Replicas)) {
		if c := s.claim(i); c == nil || c.Terminating && !c.Recreate {
			return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "claim " + n.claimOf(i)}
		}
	}
	return nil
}

// recreate creates again what was lost, if the request allows it.
func (s *state) recreate(d ecp.Desired, now time.Time, t pace) {
	if !d.Create {
		return
	}
	if s.Auth == nil {
		s.setAuth(auth{UID: newUID(), Username: rand.Text()[:16], Password: rand.Text()}, now, t)
	}
	for i := range min(s.Known, max(d.Spec.Nodes, d.Replicas)) {
		c := s.claim(i)
		switch {
		case c == nil:
			s.addClaim(i)
		case c.Terminating && !c.Recreate: // it is deleted with its pod, and a new one takes its place
			c.Recreate = true
			if p := s.pod(i); p != nil {
				p.end(now, t)
			}
		}
	}
}

// setAuth makes the Secret. Pods that could not start without it do now; those that run keep
// what they started with.
func (s *state) setAuth(a auth, now time.Time, t pace) {
	s.Auth, s.Backup = &a, nil
	for _, p := range s.allPods() {
		if p.Broken == noSecret {
			p.boot(now, t, s.Auth)
		}
	}
}

// roll replaces pods. A healthy pod is replaced only while all others are healthy, as with
// a disruption budget of one.
func (s *state) roll(ordinals []int, abandoned []string, now time.Time, t pace) error {
	for _, ordinal := range ordinals {
		p := s.pod(ordinal)
		if c := s.claim(ordinal); p != nil && p.Stranded && c != nil && slices.Contains(abandoned, c.UID) {
			c.Terminating, c.Recreate = true, true
			p.end(now, t)
			continue
		}
		if p != nil && p.Gone.IsZero() && (p.Machine == ecp.MachineGone ||
			p.Machine == ecp.MachineUnanswered && slices.Contains(abandoned, p.UID)) {
			p.Gone = now
			continue
		}
		if p == nil || !p.Deleted.IsZero() {
			continue
		}
		others := !slices.ContainsFunc(s.Pods, func(o pod) bool { return o.Ordinal != ordinal && !o.ready(now) })
		if p.ready(now) && (s.Held || !others || len(s.Pods) < s.Workload.Replicas) {
			return &ecp.Error{
				Code: ecp.CodeUnavailable, Op: "replace node",
				Message: "the disruption budget lets one node be away at a time; it is tried again",
			}
		}
		p.end(now, t)
	}
	return nil
}

// revision identifies what pods are created from. Settings that can change at run time are
// not part of it.
func (s *state) revision(d ecp.Desired) string {
	of := []any{d.Image.Reference, d.Size.CPU, d.Size.Memory, d.Spec.Placement, d.RenderVersion}
	if d.Restarts > 0 {
		of = append(of, d.Restarts)
	}
	if len(d.Spec.Config) > 0 {
		of = append(of, d.Spec.Config)
	}
	if d.Spec.Network.Certificate != "" {
		of = append(of, "certificate")
	}
	b, err := json.Marshal(of)
	if err != nil {
		panic(err) // made of maps, strings and numbers only
	}
	sum := sha256.Sum256(b)
	return names{d.ID, d.Image.Version, s.Role}.workload() + "-" + hex.EncodeToString(sum[:5])
}

func conflict(message string, cause error) error {
	return &ecp.Error{Code: ecp.CodeConflict, Op: "apply cluster", Message: message, Cause: cause}
}

func lossError(l *ecp.Loss) error {
	return conflict(l.What+" has gone and is not made anew unasked; repair accepts the loss", l)
}
