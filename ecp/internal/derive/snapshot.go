package derive

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/drift"
)

// Snapshot is one completed observation at a hosted cluster: what the platform showed
// and what EMQX said.
type Snapshot struct {
	At   time.Time
	Tick time.Time // the same by the monotonic clock
	// Unseen is why nothing could be seen; empty means Found was seen.
	Unseen string
	Found  ecp.Observation
	// NotHeld is why this program may not write to the platform; empty means it may.
	NotHeld string
	// Views are the members each asked node counts as running, by the name of
	// the node that was asked; empty = EMQX was not asked or did not answer.
	Views map[string][]Member
	// Known holds the names of the members that each asked node has ever heard of and has not
	// forgotten, running or not, by the name of the node that was asked.
	Known map[string][]string
	// ForeignMembers are the members of EMQX that are no nodes of the cluster, as far as
	// EMQX was asked.
	ForeignMembers []ecp.ForeignMember
	// NoAdapter: there is no way to ask EMQX (no Accessor, or no Adapter for the
	// version), so that what Kubernetes says has to do.
	NoAdapter bool
	// Unanswered counts the observations in a row, at least a second apart, in which no
	// node answered; SilentWhy is what the last one said.
	Unanswered    int
	UnansweredWhy string
	// MissingMembers counts the observations in a row, at least a second apart, in which a
	// ready node was not a member.
	MissingMembers int
	// Waits says for people what has to come before the next node can go; "" =
	// nothing, or no node has to.
	Waits string
	// MQTT is what the nodes said to a client.
	MQTT MQTTObservation
	// Limits is what EMQX said of its connection limits when it was last asked; nil means
	// it has not said anything yet.
	Limits *BrokerLimits
	// Settings is what the last comparison of settings has found; nil means none was made
	// of these nodes.
	Settings *drift.Diff
	// Certificate is what is known of the certificate that the cluster serves; nil means that it has none, or that the
	// catalog was not asked yet.
	Certificate *CertificateObservation
	// OffSchedule is why what hibernation asks for is not done yet; nil = it is, or nothing
	// is due.
	OffSchedule *NotOnSchedule
	// Telling is what has come of telling EMQX settings that it has not taken yet; nil means
	// there are none, or it was not told yet.
	Telling *Telling
	// Failure is why the last Apply or Delete did not succeed; nil means it did.
	Failure error
}

// Member is a member of an EMQX cluster as one of its nodes sees it.
type Member struct {
	Name    string
	Version string
}

// View is what the rules read: the record, the observation, and what follows from both.
type View struct {
	now      time.Time
	Rec      ecp.ClusterRecord
	Snapshot Snapshot
	Want     int // core nodes that should run
	// WantReplicants is how many replicants should run beside them.
	WantReplicants int
	Ready          []ecp.NodeObservation
	Loss           *ecp.Loss
	// older: what is found was made by a change the record does not know of. It
	// says nothing of losses then.
	older *ecp.RecordOlder
	// newestRender is the newest version of the renderer; only [Conditions] has it.
	newestRender int
}

func NewView(now time.Time, rec ecp.ClusterRecord, snap Snapshot) View {
	v := View{now: now, Rec: rec, Snapshot: snap, Want: WantedNodes(rec), WantReplicants: WantedReplicants(rec)}
	for _, n := range snap.Found.Nodes {
		if n.Ready && !n.Terminating {
			v.Ready = append(v.Ready, n)
		}
	}
	if v.older = RecordOlder(rec, snap.Found); v.older != nil {
		return v
	}
	if !rec.Deleting { // what a deletion takes away is no loss
		v.Loss = lossOf(rec, snap.Found)
		if v.Loss == nil && rec.Status.Dispatched {
			errors.As(snap.Failure, &v.Loss) // the platform may know of more than was ever observed
		}
	}
	return v
}

// WantedNodes is how many core nodes should run.
func WantedNodes(rec ecp.ClusterRecord) int {
	h := rec.Spec.Hosted
	if h == nil || h.Power == ecp.PowerOff || rec.Deleting {
		return 0
	}
	return h.Nodes
}

// lossOf returns what has gone that does not come back by itself; nil if nothing.
func lossOf(rec ecp.ClusterRecord, found ecp.Observation) *ecp.Loss {
	if !rec.Status.Dispatched || found.ForeignOwner != "" {
		return nil
	}
	if found.Terminating || (!found.Exists && rec.Status.Seen) {
		return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "namespace " + string(rec.ID)}
	}
	if !found.Exists {
		return nil
	}
	if keysLost(rec, found) {
		what := "secret " + string(rec.ID) + "-auth"
		if found.Auth != "" {
			what += " (another of the same name is there now, whose keys nodes do not take)"
		}
		return &ecp.Loss{Reason: ecp.ReasonSecretLost, What: what}
	}
	return lostClaim(rec.Status.Volumes, found.Volumes)
}

func lostClaim(known map[int]string, found []ecp.VolumeObservation) *ecp.Loss {
	for _, ordinal := range slices.Sorted(maps.Keys(known)) {
		i := slices.IndexFunc(found, func(v ecp.VolumeObservation) bool { return v.Ordinal == ordinal })
		switch {
		case i < 0:
			return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "the volume claim of node " + strconv.Itoa(ordinal)}
		case found[i].UID != known[ordinal]:
			return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "claim " + found[i].Name +
				" (another of the same name is there now)"}
		case found[i].Terminating:
			return &ecp.Loss{Reason: ecp.ReasonDataLost, What: "claim " + found[i].Name + " (it is being deleted)"}
		}
	}
	return nil
}

// members returns the largest view of an asked node, of several the first; nil if
// none answered.
func (v View) members() (out []Member) {
	for _, n := range v.Ready {
		if m := v.Snapshot.Views[n.Name]; out == nil || len(m) > len(out) {
			out = m
		}
	}
	return out
}

// MissingMembers returns the names of the ready nodes that the asked node does not count, or counts
// at another version than wanted.
func (v View) MissingMembers() []string {
	members := v.members()
	var out []string
	for _, n := range v.Ready {
		i := slices.IndexFunc(members, func(m Member) bool { return m.Name == n.Name })
		if i < 0 {
			out = append(out, n.Name+" is not a member")
		} else if want := v.Rec.Resolved.Image.Version; members[i].Version != want {
			out = append(out, n.Name+" runs "+members[i].Version+", wanted is "+want)
		}
	}
	return out
}

// AsWanted reports whether Kubernetes is where it should be: the current generation
// is applied and found, and every wanted node is there, of the newest revision
// where that is wanted, and ready.
func (v View) AsWanted() bool {
	f := v.Snapshot.Found
	found := f.Generation == 0 || f.Generation == v.Rec.Generation
	settled := v.Rec.Status.Draining == nil && v.Rec.Status.Removing == 0 &&
		(v.Want == 0 || v.Want == OrdinalsOf(v.Rec) && len(Leftovers(v.Rec, f)) == 0)
	return v.Refused() == nil && v.older == nil && found && settled && v.Rec.Status.Applied == v.Rec.Generation &&
		v.converged() && f.Replicas == v.Want && f.Replicants == v.WantReplicants &&
		f.ReplicantsInFront == replicantsInFront(v.Rec, f) && len(v.Ready) == v.All() && len(f.Nodes) == v.All()
}

// Agreed reports whether EMQX, too, reports every wanted member at the wanted version.
func (v View) Agreed() bool {
	if v.Snapshot.NoAdapter {
		return v.AsWanted()
	}
	return v.AsWanted() && len(v.Snapshot.Views) > 0 && len(v.MissingMembers()) == 0 && !v.Partitioned() &&
		v.stoppedForeign() == ""
}

// Partitioned reports whether two nodes were asked and each counts itself in a
// cluster without the other.
func (v View) Partitioned() bool {
	for a, as := range v.Snapshot.Views {
		for b, bs := range v.Snapshot.Views {
			if a != b && !HasMember(as, b) && !HasMember(bs, a) && HasMember(as, a) && HasMember(bs, b) {
				return true
			}
		}
	}
	return false
}

func HasMember(list []Member, name string) bool {
	return slices.ContainsFunc(list, func(m Member) bool { return m.Name == name })
}

// overdue reports whether the deadline of an unsteady state has passed. DeriveState is not
// asked while nothing can be seen, nor does anything become overdue while another
// program holds the platform or only a maintenance window is waited for, and the engine moves the deadline on
// afterwards, so that time in which nothing could be seen does not count.
func (v View) overdue() bool {
	d := v.Rec.Status.Deadline
	return v.Snapshot.NotHeld == "" && !d.IsZero() && v.now.After(d) && v.Opens().IsZero()
}
