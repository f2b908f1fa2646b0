package ecp

import (
	"errors"
	"slices"
	"time"
)

// Look is one completed look at a hosted cluster: what the platform showed
// and what EMQX said.
type Look struct {
	At   time.Time
	tick time.Time // the same by the monotonic clock
	// Unseen says why nothing could be seen; "" = Found was seen.
	Unseen string
	Found  Observation
	// NotHeld says why this program may not write to the platform; "" = it may.
	NotHeld string
	// Views are the members each asked node counts as running, by the name of
	// the node that was asked; empty = EMQX was not asked or did not answer.
	Views map[string][]Member
	// Knows names the members that each asked node has ever heard of and has not
	// forgotten, running or not, by the name of the node that was asked.
	Knows map[string][]string
	// Foreign are the members of EMQX that are no nodes of the cluster, as far as
	// EMQX was asked.
	Foreign []ForeignMember
	// Deaf: there is no way to ask EMQX (no Accessor, or no Adapter for the
	// version), so that what Kubernetes says has to do.
	Deaf bool
	// Silent counts the looks in a row, at least a second apart, in which no
	// node answered; SilentWhy is what the last one said.
	Silent    int
	SilentWhy string
	// Missing counts the looks in a row, at least a second apart, in which a
	// ready node was not a member.
	Missing int
	// Waits says for people what has to come before the next node can go; "" =
	// nothing, or no node has to.
	Waits string
	// mqtt is what the nodes said to a client.
	mqtt mqttSeen
	// settings is what the last comparison of settings has found; nil = none was made
	// of these nodes.
	settings *settingsSeen
	// Failure is why the last Apply or Delete did not succeed; nil = it did.
	Failure error
}

// Member is a member of an EMQX cluster as one of its nodes sees it.
type Member struct {
	Name    string
	Version string
}

// view is what the rules read: the record, the look, and what follows from both.
type view struct {
	now   time.Time
	rec   ClusterRecord
	look  Look
	want  int // nodes that should run
	ready []NodeObservation
	loss  *Loss
	// older: what is found was made by a change the record does not know of. It
	// says nothing of losses then.
	older *RecordOlder
}

func newView(now time.Time, rec ClusterRecord, look Look) view {
	v := view{now: now, rec: rec, look: look, want: wantedNodes(rec)}
	for _, n := range look.Found.Nodes {
		if n.Ready && !n.Going {
			v.ready = append(v.ready, n)
		}
	}
	if v.older = recordOlder(rec, look.Found); v.older != nil {
		return v
	}
	if !rec.Deleting { // what a deletion takes away is no loss
		v.loss = lossOf(rec, look.Found)
		if v.loss == nil && rec.Status.Dispatched {
			errors.As(look.Failure, &v.loss) // the platform may know of more than was ever looked at
		}
	}
	return v
}

// wantedNodes is how many nodes should run.
func wantedNodes(rec ClusterRecord) int {
	h := rec.Spec.Hosted
	if h == nil || h.Power == PowerOff || rec.Deleting {
		return 0
	}
	return h.Nodes
}

// lossOf says what has gone that does not come back by itself; nil if nothing.
func lossOf(rec ClusterRecord, found Observation) *Loss {
	if !rec.Status.Dispatched || found.Foreign != "" {
		return nil
	}
	if found.Terminating || (!found.Exists && rec.Status.Seen) {
		return &Loss{Reason: ReasonDataLost, What: "namespace " + string(rec.ID)}
	}
	if !found.Exists {
		return nil
	}
	if rec.Status.Auth != "" && found.Auth != rec.Status.Auth {
		return &Loss{Reason: ReasonSecretLost, What: "secret " + string(rec.ID) + "-auth"}
	}
	return lostClaim(rec.Status.Volumes, found.Volumes)
}

func lostClaim(known map[int]string, found []VolumeObservation) *Loss {
	for _, ordinal := range sortedKeys(known) {
		i := slices.IndexFunc(found, func(v VolumeObservation) bool { return v.Ordinal == ordinal })
		switch {
		case i < 0:
			return &Loss{Reason: ReasonDataLost, What: "the volume claim of node " + itoa(ordinal)}
		case found[i].UID != known[ordinal]:
			return &Loss{Reason: ReasonDataLost, What: "claim " + found[i].Name + " (another of the same name is there now)"}
		case found[i].Going:
			return &Loss{Reason: ReasonDataLost, What: "claim " + found[i].Name + " (it is being deleted)"}
		}
	}
	return nil
}

// members gives the largest view of an asked node, of several the first; nil if
// none answered.
func (v view) members() (out []Member) {
	for _, n := range v.ready {
		if m := v.look.Views[n.Name]; out == nil || len(m) > len(out) {
			out = m
		}
	}
	return out
}

// missing names the ready nodes that the asked node does not count, or counts
// at another version than wanted.
func (v view) missing() []string {
	members := v.members()
	var out []string
	for _, n := range v.ready {
		i := slices.IndexFunc(members, func(m Member) bool { return m.Name == n.Name })
		if i < 0 {
			out = append(out, n.Name+" is not a member")
		} else if want := v.rec.Resolved.Image.Version; members[i].Version != want {
			out = append(out, n.Name+" runs "+members[i].Version+", wanted is "+want)
		}
	}
	return out
}

// asWanted says that Kubernetes is where it should be: the current generation
// is applied and found, and every wanted node is there, of the newest revision
// where that is wanted, and ready.
func (v view) asWanted() bool {
	f := v.look.Found
	found := f.Generation == 0 || f.Generation == v.rec.Generation
	settled := v.rec.Status.Leaving == nil && v.rec.Status.Removing == 0 && (v.want == 0 || v.want == ordinalsOf(v.rec) && len(leftovers(v.rec, f)) == 0)
	return v.refused() == nil && v.older == nil && found && settled && v.rec.Status.Applied == v.rec.Generation && v.converged() && f.Replicas == v.want && len(v.ready) == v.want && len(f.Nodes) == v.want
}

// agreed says that EMQX, too, reports every wanted member at the wanted version.
func (v view) agreed() bool {
	if v.look.Deaf {
		return v.asWanted()
	}
	return v.asWanted() && len(v.look.Views) > 0 && len(v.missing()) == 0 && !v.partitioned() && v.stoppedForeign() == ""
}

// partitioned says that two nodes were asked and each counts itself in a
// cluster without the other.
func (v view) partitioned() bool {
	for a, as := range v.look.Views {
		for b, bs := range v.look.Views {
			if a != b && !hasMember(as, b) && !hasMember(bs, a) && hasMember(as, a) && hasMember(bs, b) {
				return true
			}
		}
	}
	return false
}

func hasMember(list []Member, name string) bool {
	return slices.ContainsFunc(list, func(m Member) bool { return m.Name == name })
}

// overdue says that the deadline of an unsteady state has passed. Judge is not
// asked while nothing can be seen, nor does anything become overdue while another
// program holds the platform, and the engine moves the deadline on
// afterwards, so that time in which nothing could be seen does not count.
func (v view) overdue() bool {
	d := v.rec.Status.Deadline
	return v.look.NotHeld == "" && !d.IsZero() && v.now.After(d)
}
