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

// state is what the simulated platform holds of one cluster. It changes by
// itself as time goes on: settle says how, and nothing but the stored times and
// the clock decides, so that a restart between any two moments changes nothing.
type state struct {
	ID      ecp.ID `json:"id"`
	UID     string `json:"uid,omitempty"`     // of the namespace; "" = there is none of ours
	Foreign string `json:"foreign,omitempty"` // whose the namespace is, where it is not ours
	Name    string `json:"name,omitempty"`
	Project string `json:"project,omitempty"`
	// Gone is when the removal of everything ends; zero = none has begun.
	Gone time.Time `json:"gone,omitzero"`
	// Epoch is that of the lease under which it was last written; 0 = without one.
	Epoch int64 `json:"epoch,omitempty"`

	// License is a simulated licence's key, as last applied; "" = none, or one
	// that no simulated cluster takes. Nodes read it when they start.
	License string `json:"license,omitempty"`

	Auth     *auth     `json:"auth,omitempty"`
	Service  *service  `json:"service,omitempty"`
	Workload *workload `json:"workload,omitempty"`
	// Known is how many ordinals have had a claim and are meant to have one: one
	// of them that has none has lost it.
	Known int `json:"known,omitempty"`
	// Storage is how large claims are made, as it was at first; Volume is what was
	// wanted last, and Fixed that none grows to that.
	Storage string  `json:"storage,omitempty"`
	Volume  string  `json:"volume,omitempty"`
	Fixed   bool    `json:"fixed,omitempty"`
	Claims  []claim `json:"claims,omitempty"` // by ordinal
	Pods    []pod   `json:"pods,omitempty"`   // by ordinal
	// Refusal is why the platform makes no pods; "" = it makes them.
	Refusal string `json:"refusal,omitempty"`
}

// auth is the Secret with the cluster's keys.
type auth struct {
	UID      string `json:"uid"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// workload is the StatefulSet.
type workload struct {
	Generation int64     `json:"generation"`
	ChangeID   string    `json:"changeId,omitempty"`
	Manifest   string    `json:"manifest,omitempty"` // the Manager's text, as last applied
	Render     int       `json:"render"`
	Replicas   int       `json:"replicas"` // as it stands
	Rendered   int       `json:"rendered"` // as it was last applied
	Revision   string    `json:"revision"` // of the pods made from now on
	Image      ecp.Image `json:"image"`
	// Foreign is what somebody else has put on the pod template. Apply leaves it:
	// it is part of every revision from then on.
	Foreign string `json:"foreign,omitempty"`
	Own     string `json:"own,omitempty"` // the revision without it
}

// with gives the revision of a pod template that somebody else has changed.
func (w *workload) with(foreign string) {
	w.Foreign, w.Revision = foreign, w.Own
	if foreign != "" {
		sum := sha256.Sum256([]byte(w.Own + foreign))
		w.Revision = w.Own[:len(w.Own)-10] + hex.EncodeToString(sum[:5])
	}
}

// claim is a volume claim. It goes with the last pod that uses it, not before.
type claim struct {
	Ordinal int    `json:"ordinal"`
	UID     string `json:"uid"`
	Going   bool   `json:"going,omitempty"`
	// Again: a new one takes its place when it has gone. Somebody said so.
	Again bool `json:"again,omitempty"`
	// Joined: a node with this volume has been a member of the EMQX cluster.
	Joined bool   `json:"joined,omitempty"`
	Size   string `json:"size,omitempty"` // of the volume; "" = as claims are made
	// Want is what it is growing to until Grown; "" = it is not.
	Want  string    `json:"want,omitempty"`
	Grown time.Time `json:"grown,omitzero"`
}

// pod is one node.
type pod struct {
	Ordinal  int       `json:"ordinal"`
	UID      string    `json:"uid"`
	Revision string    `json:"revision"`
	Image    ecp.Image `json:"image"`
	Made     time.Time `json:"made"`
	Ready    time.Time `json:"ready"` // when it has booted
	// Down is when EMQX died in it or it got stuck; zero = neither.
	Down     time.Time `json:"down,omitzero"`
	Broken   string    `json:"broken,omitempty"` // why it is stuck for good
	Restarts int       `json:"restarts,omitempty"`
	Deleted  time.Time `json:"deleted,omitzero"` // when its end was asked for
	Gone     time.Time `json:"gone,omitzero"`    // when it has ended; zero with Deleted: nobody confirms it
	// Machine is that of the machine under it, where it was lost.
	Machine ecp.MachineState `json:"machine,omitempty"`
}

// ready says whether the pod passes its readiness probe.
func (p pod) ready(now time.Time) bool {
	return p.Deleted.IsZero() && p.Down.IsZero() && !now.Before(p.Ready)
}

// runs says whether EMQX answers in the pod, which it does for lead before the pod
// is ready.
func (p pod) runs(now time.Time, lead time.Duration) bool {
	return p.Deleted.IsZero() && p.Down.IsZero() && !now.Before(p.Ready.Add(-lead))
}

// since is when the pod became ready or not.
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

// pace is how long things take.
type pace struct {
	boot, stop, terminate time.Duration
}

// absent says that there is nothing at all, not even somebody else's.
func (s *state) absent() bool { return s.UID == "" && s.Foreign == "" }

// settle brings the state to the moment now.
func (s *state) settle(now time.Time, d pace) {
	if !s.Gone.IsZero() && !now.Before(s.Gone) {
		*s = state{ID: s.ID}
		return
	}
	for i := range s.Claims {
		s.Claims[i].grown(now)
	}
	for i := 0; i < len(s.Pods); {
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
		if s.mayRun(p.Ordinal) { // looked at next: it may have booted by now
			s.Pods = slices.Insert(s.Pods, i, s.newPod(p.Ordinal, derived(p.UID), p.Gone, d))
		}
	}
}

func (s *state) joined(ordinal int) {
	if c := s.claim(ordinal); c != nil {
		c.Joined = true
	}
}

// next is the first moment after now at which a settled state changes by
// itself; zero = never.
func (s *state) next(now time.Time) time.Time {
	var first time.Time
	consider := func(t time.Time) {
		if t.After(now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	consider(s.Gone)
	for _, c := range s.Claims {
		consider(c.Grown)
	}
	for _, p := range s.Pods {
		consider(p.Gone)
		if p.Deleted.IsZero() && p.Down.IsZero() {
			consider(p.Ready)
		}
	}
	return first
}

// mayRun says whether the StatefulSet makes a pod for the ordinal. One whose
// claim is lost is not made: it would come up empty.
func (s *state) mayRun(ordinal int) bool {
	return s.Gone.IsZero() && s.Refusal == "" && s.Workload != nil && ordinal < s.Workload.Replicas && s.claim(ordinal) != nil
}

// newPod is a pod of the newest revision. Without the Secret it never starts.
func (s *state) newPod(ordinal int, uid string, at time.Time, d pace) pod {
	p := pod{Ordinal: ordinal, UID: uid, Revision: s.Workload.Revision, Image: s.Workload.Image, Made: at, Ready: at.Add(d.boot)}
	if s.Auth == nil {
		p.Down, p.Broken = at, noSecret
	}
	return p
}

// noSecret is Kubernetes' word for a container whose Secret is not there.
const noSecret = "CreateContainerConfigError"

// fill makes the pods that should be there and are not.
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

// scale sets the replicas: pods above are ended, new ordinals get a claim.
func (s *state) scale(n int, now time.Time, d pace) {
	s.Workload.Replicas = n
	for i := s.Known; i < n; i++ {
		switch c := s.claim(i); {
		case c == nil:
			s.addClaim(i)
		case c.Going: // a node that has left had it
			c.Again = true
		}
	}
	for i := range s.Pods {
		if s.Pods[i].Ordinal >= n {
			s.Pods[i].end(now, d)
		}
	}
	s.fill(now, d)
}

// end asks for the pod's end, once.
func (p *pod) end(now time.Time, d pace) {
	if p.Deleted.IsZero() {
		p.Deleted, p.Gone = now, now.Add(d.stop)
	}
}

// boot starts EMQX in the pod again.
func (p *pod) boot(now time.Time, d pace) {
	p.Down, p.Broken, p.Ready = time.Time{}, "", now.Add(d.boot)
}

// remove begins the removal of the namespace with everything in it.
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
		s.Claims[i].Going = true
	}
	s.Auth, s.Service, s.Workload = nil, nil, nil
}

func (s *state) addClaim(ordinal int) {
	s.Claims = append(s.Claims, claim{Ordinal: ordinal, UID: newUID()})
	slices.SortFunc(s.Claims, func(a, b claim) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
}

// loseClaim asks for a claim's end; a pod that uses it keeps it until it ends.
func (s *state) loseClaim(ordinal int) {
	if c := s.claim(ordinal); c != nil {
		c.Going = true
	}
	if s.pod(ordinal) == nil {
		s.release(ordinal)
	}
}

// release lets a claim go that no pod uses any more.
func (s *state) release(ordinal int) {
	i := slices.IndexFunc(s.Claims, func(c claim) bool { return c.Ordinal == ordinal && c.Going })
	switch {
	case i < 0:
	case s.Claims[i].Again:
		s.Claims[i] = claim{Ordinal: ordinal, UID: derived(s.Claims[i].UID)}
	default:
		s.Claims = slices.Delete(s.Claims, i, i+1)
	}
}

// claim gives the claim of an ordinal; nil if there is none.
func (s *state) claim(ordinal int) *claim {
	i := slices.IndexFunc(s.Claims, func(c claim) bool { return c.Ordinal == ordinal })
	if i < 0 {
		return nil
	}
	return &s.Claims[i]
}

// pod gives the pod of an ordinal; nil if there is none.
func (s *state) pod(ordinal int) *pod {
	i := slices.IndexFunc(s.Pods, func(p pod) bool { return p.Ordinal == ordinal })
	if i < 0 {
		return nil
	}
	return &s.Pods[i]
}

// clone shares nothing with s that is ever changed in place.
func (s *state) clone() state {
	c := *s
	c.Claims, c.Pods = slices.Clone(s.Claims), slices.Clone(s.Pods)
	if s.Auth != nil {
		a := *s.Auth
		c.Auth = &a
	}
	if s.Service != nil {
		v := s.Service.clone()
		c.Service = &v
	}
	if s.Workload != nil {
		w := *s.Workload
		c.Workload = &w
	}
	return c
}

func newUID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails: the program ends instead
	return uidOf(b)
}

// derived is the UID of what takes the place of something: the same however
// often it is asked for.
func derived(uid string) string {
	sum := sha256.Sum256([]byte("after " + uid))
	return uidOf(sum[:16])
}

func uidOf(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}
