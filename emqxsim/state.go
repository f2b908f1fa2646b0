package emqxsim

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// state is what the simulated platform stores about one cluster. It changes as time passes:
// settle derives the present state from the stored times and the clock alone, so that a
// restart of the program changes nothing.
type state struct {
	ID           ecp.ID `json:"id"`
	UID          string `json:"uid,omitempty"`     // of the namespace; empty if there is none of ours
	ForeignOwner string `json:"foreign,omitempty"` // the other owner of the namespace, if it is not ours
	Name         string `json:"name,omitempty"`
	Project      string `json:"project,omitempty"`
	// Gone is when the removal of everything ends; zero if none has begun.
	Gone time.Time `json:"gone,omitzero"`
	// Epoch is that of the lease under which it was last written; 0 means without a lease.
	Epoch int64 `json:"epoch,omitempty"`
	// OwnerEpoch is that of the [ecp.Ownership] under which it was last written while the
	// lease had Epoch; 0 means without one.
	OwnerEpoch int64 `json:"ownerEpoch,omitempty"`

	// License is the key of a simulated license, as last applied. It is empty if there is
	// none, or one that no simulated cluster accepts. Nodes read it when they start.
	License string `json:"license,omitempty"`

	// Certificate is what listeners with TLS serve; nil means EMQX's own.
	Certificate *certificate `json:"certificate,omitempty"`

	Auth *auth `json:"auth,omitempty"`
	// Backup is what the Secret held before it was deleted, which somebody has kept.
	Backup   *auth     `json:"backup,omitempty"`
	Service  *service  `json:"service,omitempty"`
	Workload *workload `json:"workload,omitempty"`
	// Known is the number of ordinals that have had a claim and should have one. If one of
	// them has none, it was lost.
	Known int `json:"known,omitempty"`
	// Storage is the size of new claims, as it was at first. Volume is the size that was
	// last asked for. If Fixed is set, volumes cannot grow.
	Storage string  `json:"storage,omitempty"`
	Volume  string  `json:"volume,omitempty"`
	Fixed   bool    `json:"fixed,omitempty"`
	Claims  []claim `json:"claims,omitempty"` // by ordinal
	Pods    []pod   `json:"pods,omitempty"`   // by ordinal
	// NoResize is why machines refuse to resize pods that run, and NoRoom why they let
	// that wait; empty if they do it.
	NoResize string `json:"noResize,omitempty"`
	NoRoom   string `json:"noRoom,omitempty"`
	// Refusal is why the platform creates no pods; empty if it does.
	Refusal string `json:"refusal,omitempty"`
	// BadImage is the version whose pods never start, for the reason BadWhy; empty if there is none.
	BadImage string `json:"badImage,omitempty"`
	BadWhy   string `json:"badWhy,omitempty"`
	// NoVolume is why new claims get no volume; empty if they do.
	NoVolume string `json:"noVolume,omitempty"`
	// Replicants is the second StatefulSet with its pods, as a state that has nothing else;
	// nil if there is none. Front says that the Service selects its pods only.
	Replicants *state       `json:"replicants,omitempty"`
	Front      bool         `json:"front,omitempty"`
	Role       ecp.NodeRole `json:"role,omitempty"` // of the pods
	// Held is true while the disruption budget, as last applied, allows no eviction.
	Held bool `json:"held,omitempty"`
}

// auth is the Secret with the cluster's keys.
type auth struct {
	UID      string `json:"uid"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// cookie returns what stands for Erlang's cookie, which is made together with the key.
func (a auth) cookie() string { return a.Password }

// workload is the StatefulSet.
type workload struct {
	Generation int64     `json:"generation"`
	ChangeID   string    `json:"changeId,omitempty"`
	Manifest   string    `json:"manifest,omitempty"` // the Manager's text, as last applied
	Render     int       `json:"render"`
	Replicas   int       `json:"replicas"` // as it is
	Rendered   int       `json:"rendered"` // as last applied
	Revision   string    `json:"revision"` // of the pods that are created from now on
	Image      ecp.Image `json:"image"`
	// Limit is how many connections each listener of a node takes from its start on; 0 means
	// that no limit is given.
	Limit int `json:"limit,omitempty"`
	// Foreign is what somebody else has added to the pod template. Apply keeps it: it is
	// part of every revision from then on.
	ForeignOwner string `json:"foreign,omitempty"`
	Own          string `json:"own,omitempty"` // the revision without Foreign
	// Size is the CPU and memory of new pods, and Rest identifies what else they are
	// created from.
	Size resources `json:"size,omitzero"`
	Rest string    `json:"rest,omitempty"`
	// Certified says that new pods get the files of the certificate.
	Certified bool `json:"certified,omitempty"`
}

// setForeign sets the revision of a pod template to which somebody else has added something.
func (w *workload) setForeign(foreign string) {
	w.ForeignOwner, w.Revision = foreign, w.Own
	if foreign != "" {
		sum := sha256.Sum256([]byte(w.Own + foreign))
		w.Revision = w.Own[:len(w.Own)-10] + hex.EncodeToString(sum[:5])
	}
}

// claim is a volume claim. It is deleted with the last pod that uses it, not before.
type claim struct {
	Ordinal     int    `json:"ordinal"`
	UID         string `json:"uid"`
	Terminating bool   `json:"going,omitempty"`
	// Recreate says that a new claim takes its place after its deletion, because the caller
	// allowed it.
	Recreate bool `json:"again,omitempty"`
	// Joined says that a node with this volume has been a member of the EMQX cluster.
	Joined bool   `json:"joined,omitempty"`
	Size   string `json:"size,omitempty"` // of the volume; empty means Storage
	// Want is the size to which it is growing until Grown; empty if it is not growing.
	Want  string    `json:"want,omitempty"`
	Grown time.Time `json:"grown,omitzero"`
	// Unbound is why it has no volume; empty if it has one.
	Unbound string `json:"unbound,omitempty"`
	// Stranded is true while the machine with its data is removed.
	Stranded bool `json:"stranded,omitempty"`
}

// pod is one node.
type pod struct {
	Ordinal  int       `json:"ordinal"`
	UID      string    `json:"uid"`
	Revision string    `json:"revision"`
	Image    ecp.Image `json:"image"`
	Made     time.Time `json:"made"`
	Ready    time.Time `json:"ready"` // when it has booted
	// Down is when EMQX died in it or it got stuck; zero if neither.
	Down   time.Time `json:"down,omitzero"`
	Broken string    `json:"broken,omitempty"` // why it can never start
	// Waiting is true while no machine takes it, since its claim has no volume.
	Waiting bool `json:"waiting,omitempty"`
	// Keys is what the Secret held when EMQX started in it; zero if an earlier build has
	// stored it.
	Keys     auth      `json:"keys,omitzero"`
	Restarts int       `json:"restarts,omitempty"`
	Deleted  time.Time `json:"deleted,omitzero"` // when its deletion was asked for
	Gone     time.Time `json:"gone,omitzero"`    // when it is gone; zero with Deleted if nobody confirms it
	// Rest is that of the workload when it was created; empty if an earlier build has
	// stored it. Has is its CPU and memory, and Asked what it was last asked to have.
	Rest      string    `json:"rest,omitempty"`
	Has       resources `json:"has,omitzero"`
	Asked     resources `json:"asked,omitzero"`
	AskedAt   time.Time `json:"askedAt,omitzero"`
	ResizedAt time.Time `json:"resizedAt,omitzero"`
	Certified bool      `json:"certified,omitempty"` // it has the files of the certificate
	// Machine is the state of the machine under it, if that was lost.
	Machine ecp.MachineState `json:"machine,omitempty"`
	// Stranded is true while its volume is on a machine that has been removed: it runs nowhere.
	Stranded bool `json:"stranded,omitempty"`
	// Cordoned is true while its Kubernetes node is unschedulable.
	Cordoned bool `json:"cordoned,omitempty"`
}

// ready reports whether the pod passes its readiness probe.
func (p pod) ready(now time.Time) bool {
	return p.Deleted.IsZero() && p.Down.IsZero() && !now.Before(p.Ready)
}

// runs reports whether EMQX answers in the pod. It begins to answer lead before the pod is
// ready.
func (p pod) runs(now time.Time, lead time.Duration) bool {
	return p.Deleted.IsZero() && p.Down.IsZero() && !now.Before(p.Ready.Add(-lead))
}

// since returns when the pod became ready or stopped being ready.
func (p pod) since(now time.Time) time.Time {
	switch {
	case !p.Deleted.IsZero():
		return p.Deleted
	case !p.Down.IsZero():
		return p.Down
	case now.Before(p.Ready):
		return p.Made
	}
	return p.Ready
}

// pace holds the durations of the platform.
type pace struct {
	boot, stop, terminate time.Duration
}

// absent reports whether there is nothing at all, not even something foreign.
func (s *state) absent() bool { return s.UID == "" && s.ForeignOwner == "" }

// settle changes the state to that at now.
func (s *state) settle(now time.Time, d pace) {
	if !s.Gone.IsZero() && !now.Before(s.Gone) {
		*s = state{ID: s.ID}
		return
	}
	s.settleReplicants(now, d)
	for i := range s.Claims {
		s.Claims[i].grown(now)
	}
	for i := 0; i < len(s.Pods); {
		s.resized(&s.Pods[i], now)
		p := s.Pods[i]
		if p.Down.IsZero() && !now.Before(p.Ready) && (p.Deleted.IsZero() || !p.Deleted.Before(p.Ready)) {
			s.joined(p.Ordinal)
		}
		if p.Gone.IsZero() || now.Before(p.Gone) {
			i++
			continue
		}
		s.Pods = slices.Delete(s.Pods, i, i+1)
		s.release(p.Ordinal)
		if s.mayRun(p.Ordinal) { // looked at next, since it may have booted by now
			s.Pods = slices.Insert(s.Pods, i, s.newPod(p.Ordinal, derived(p.UID), p.Gone, d))
		}
	}
}

func (s *state) joined(ordinal int) {
	if c := s.claim(ordinal); c != nil {
		c.Joined = true
	}
}

// next returns the first time after now at which a settled state changes by itself. Zero
// means never.
func (s *state) next(now time.Time) time.Time {
	var first time.Time
	consider := func(t time.Time) {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	consider(s.Gone)
	if s.Replicants != nil {
		consider(s.Replicants.next(now))
	}
	for _, c := range s.Claims {
		consider(c.Grown)
	}
	for _, p := range s.Pods {
		consider(p.Gone)
		if p.Has != p.Asked {
			consider(p.ResizedAt)
			consider(p.AskedAt.Add(resizePatience))
		}
		if p.Deleted.IsZero() && p.Down.IsZero() {
			consider(p.Ready)
		}
	}
	return first
}

// mayRun reports whether the StatefulSet creates a pod for the ordinal. It does not if the
// claim is lost: the node would start empty.
func (s *state) mayRun(ordinal int) bool {
	return s.Gone.IsZero() && s.Refusal == "" && s.Workload != nil && ordinal < s.Workload.Replicas &&
		(s.Role == ecp.RoleReplicant || s.claim(ordinal) != nil)
}

// newPod returns a pod of the newest revision. It cannot start without the Secret.
func (s *state) newPod(ordinal int, uid string, at time.Time, d pace) pod {
	p := pod{
		Ordinal: ordinal, UID: uid, Revision: s.Workload.Revision, Image: s.Workload.Image, Made: at,
		Ready: at.Add(d.boot), Rest: s.Workload.Rest, Has: s.Workload.Size, Asked: s.Workload.Size,
		Certified: s.Workload.Certified,
	}
	p.readKeys(s.Auth, at)
	switch c := s.claim(ordinal); {
	case s.BadImage != "" && s.BadImage == p.Image.Version:
		p.Down, p.Broken = at, s.BadWhy
	case c != nil && c.Unbound != "":
		p.Down, p.Waiting = at, true
	case c != nil && c.Stranded:
		p.Down, p.Stranded = at, true
	}
	return p
}

// readKeys lets the pod start with the keys of the Secret, or not at all if there is none.
func (p *pod) readKeys(a *auth, at time.Time) {
	if a == nil {
		p.Down, p.Broken = at, noSecret
		return
	}
	p.Keys = *a
}

// noSecret is Kubernetes' reason for a container whose Secret does not exist.
const noSecret = "CreateContainerConfigError"

// fill creates the missing pods.
func (s *state) fill(now time.Time, d pace) {
	if s.Workload == nil {
		return
	}
	for i := range s.Workload.Replicas {
		if s.pod(i) == nil && s.mayRun(i) {
			s.Pods = append(s.Pods, s.newPod(i, newUID(), now, d))
		}
	}
	slices.SortFunc(s.Pods, func(a, b pod) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
}

// scale sets the replicas: it deletes the pods above, and adds claims for new ordinals.
func (s *state) scale(n int, now time.Time, d pace) {
	s.Workload.Replicas = n
	for i := s.Known; i < n && s.Role == ecp.RoleCore; i++ {
		switch c := s.claim(i); {
		case c == nil:
			s.addClaim(i)
		case c.Terminating: // it belongs to a node that was removed
			c.Recreate = true
		}
	}
	for i := range s.Pods {
		if s.Pods[i].Ordinal >= n {
			s.Pods[i].end(now, d)
		}
	}
	s.fill(now, d)
}

// end deletes the pod, unless it is being deleted.
func (p *pod) end(now time.Time, d pace) {
	if p.Deleted.IsZero() {
		p.Deleted, p.Gone = now, now.Add(d.stop)
	}
}

// boot starts EMQX in the pod again, with the keys that the Secret has now.
func (p *pod) boot(now time.Time, d pace, a *auth) {
	p.Down, p.Broken, p.Waiting, p.Stranded, p.Ready = time.Time{}, "", false, false, now.Add(d.boot)
	p.readKeys(a, now)
}

// remove begins to remove the namespace with everything in it.
func (s *state) remove(now time.Time, d pace) {
	if s.UID == "" || !s.Gone.IsZero() {
		return
	}
	s.Gone = now.Add(d.terminate)
	for i := range s.Pods {
		s.Pods[i].end(now, d)
		if s.Pods[i].Gone.After(s.Gone) {
			s.Gone = s.Pods[i].Gone
		}
	}
	for i := range s.Claims {
		s.Claims[i].Terminating = true
	}
	s.removeReplicants(now, d)
	s.Auth, s.Service, s.Workload = nil, nil, nil
}

func (s *state) addClaim(ordinal int) {
	s.Claims = append(s.Claims, claim{Ordinal: ordinal, UID: newUID(), Unbound: s.NoVolume})
	slices.SortFunc(s.Claims, func(a, b claim) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
}

// loseClaim deletes a claim. A pod that uses it keeps it until the pod ends.
func (s *state) loseClaim(ordinal int) {
	if c := s.claim(ordinal); c != nil {
		c.Terminating = true
	}
	if s.pod(ordinal) == nil {
		s.release(ordinal)
	}
}

// release removes a deleted claim that no pod uses any more.
func (s *state) release(ordinal int) {
	i := slices.IndexFunc(s.Claims, func(c claim) bool { return c.Ordinal == ordinal && c.Terminating })
	switch {
	case i < 0:
	case s.Claims[i].Recreate:
		s.Claims[i] = claim{Ordinal: ordinal, UID: derived(s.Claims[i].UID), Unbound: s.NoVolume}
	default:
		s.Claims = slices.Delete(s.Claims, i, i+1)
	}
}

// claim returns the claim of an ordinal, or nil.
func (s *state) claim(ordinal int) *claim {
	i := slices.IndexFunc(s.Claims, func(c claim) bool { return c.Ordinal == ordinal })
	if i < 0 {
		return nil
	}
	return &s.Claims[i]
}

// pod returns the pod of an ordinal, or nil.
func (s *state) pod(ordinal int) *pod {
	i := slices.IndexFunc(s.Pods, func(p pod) bool { return p.Ordinal == ordinal })
	if i < 0 {
		return nil
	}
	return &s.Pods[i]
}

// clone returns a copy that shares nothing with s that is changed in place.
func (s *state) clone() state {
	c := *s
	c.Claims, c.Pods = slices.Clone(s.Claims), slices.Clone(s.Pods)
	if s.Auth != nil {
		a := *s.Auth
		c.Auth = &a
	}
	if s.Backup != nil {
		a := *s.Backup
		c.Backup = &a
	}
	if s.Certificate != nil {
		v := *s.Certificate
		c.Certificate = &v
	}
	if s.Service != nil {
		v := s.Service.clone()
		c.Service = &v
	}
	if s.Workload != nil {
		w := *s.Workload
		c.Workload = &w
	}
	if s.Replicants != nil {
		r := s.Replicants.clone()
		c.Replicants = &r
	}
	return c
}

func newUID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return uidOf(b)
}

// derived returns the UID of the successor of an object. It is the same at every call.
func derived(uid string) string {
	sum := sha256.Sum256([]byte("after " + uid))
	return uidOf(sum[:16])
}

func uidOf(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}
