package ecp

import (
	"context"
	"errors"
	"fmt"
)

// Provisioner makes hosted clusters. Everything said to EMQX itself is the
// Manager's: a Provisioner moves pods and objects only.
//
// Calls may come from several goroutines at once, never two for one cluster.
type Provisioner interface {
	// Apply converges what exists towards d. It MUST be idempotent, MUST NOT
	// wait for anything to come up, and MUST NOT write where nothing differs.
	// A namespace, volume claim or auth Secret that existed before MUST NOT be
	// made anew unless d.Create is set: the error is then a conflict with
	// [*Loss] as its cause. Something of somebody else's under the cluster's
	// name MUST NOT be touched: the error is a conflict. Where what is there is
	// newer than d, as [Desired.Older] says, nothing at all is done: the error is
	// that of [RecordOlderError].
	//
	// Where the platform will never take an object as it is, the error is
	// invalid, in the platform's own words and with [*Refusal] as its cause: the
	// operation then ends at once. Objects that do not depend on it MUST be
	// converged all the same. An error of any other code is tried again.
	Apply(ctx context.Context, d Desired) error
	// Observe says what is there. Absence is an observation, not an error;
	// an error means that nothing could be seen, and is unavailable.
	Observe(ctx context.Context, id ID) (Observation, error)
	// Delete starts the removal of everything of the cluster, data included.
	// It returns nil where nothing is there, and never touches a namespace of
	// somebody else.
	Delete(ctx context.Context, id ID) error
}

// Desired is all a Provisioner needs to make a cluster so.
type Desired struct {
	ID         ID
	Project    string // "org/project"; for labels
	Name       string // for annotations
	Generation int64
	// ChangeID identifies what Generation was given for, see [Desired.Older]; "" =
	// it is not known. Manifest is a text of the Manager's. Both are kept with the
	// objects, together with Generation, for Observe to find.
	ChangeID string
	Manifest string
	Spec     HostedSpec
	Image    Image // what Spec.Image names
	Size     Size  // what Spec.Size names; volumes grow to its storage where the platform can, and never shrink
	// Pull lets Kubernetes pull the image; zero = nothing is needed.
	Pull PullCredentials
	// License is EMQX': the text of a file (v4) or a key (v5); "" = EMQX runs
	// with the one it brings along.
	License Secret
	// Certificate is what Spec.Network.Certificate names. Its content is no part of what pods
	// are made from: another one MUST reach nodes that run without any of them being replaced.
	// Whether a cluster has one is.
	Certificate ServedCertificate
	// Replicas is how many nodes should run: Spec.Nodes, or 0 when stopped.
	// Ordinals below both are meant to have volume claims, others are not:
	// whatever becomes of the claim of another is no loss.
	Replicas int
	// Roll lists the ordinals whose pods are to be replaced now, where they are
	// not of the newest revision; empty = none.
	Roll []int
	// Resize lists the ordinals whose nodes are to be given the CPU and memory of Size
	// now, while they run, where [NodeObservation.Resize] is due; empty = none. Other
	// nodes stay as they are. A refusal is no error: the next Observe says it.
	Resize []int
	// Replace names pods to be replaced now although they are of the newest
	// revision: the UID by ordinal. One that is another by now stays. It never
	// makes more nodes be away at once than Roll does.
	Replace map[int]string
	// Abandon names what is given up of the nodes of Roll, by UIDs: pods that are to go
	// although their machines do not answer, and volume claims that are to be deleted, with
	// their pods, and made anew, which is no loss then. A pod or claim that is another by now
	// stays; so do a pod whose machine answers, and a claim of a node that is not
	// [NodeObservation.VolumeLost] when that is asked again right before.
	Abandon []string
	// Restarts is part of what pods are made from and nothing else: where it
	// grows every pod is outdated. 0 = it never did.
	Restarts int
	// Drop lists the ordinals whose volume claims are to be deleted: the nodes
	// have left for good. Never one below Replicas or Spec.Nodes: such a one MUST
	// NOT be deleted. One that a pod still uses is left for a later call. Without
	// it every claim stays, also of nodes that are not wanted any more.
	Drop []int
	// RenderVersion is how objects are to be rendered, at most what the
	// Renderer offers; 0 = the newest.
	RenderVersion int
	// ListenerLimit is how many connections each listener of a node takes from its
	// start on. It is no part of what pods are made from: another one makes none outdated.
	// 0 = as an earlier build had it, by Spec.Connections.
	ListenerLimit int
	// Replicants are the nodes beside those that all other fields tell of. They have
	// ordinals of their own, beginning with 0, and no volume claims. Where neither it nor
	// Spec asks for any, no pod of them stays, and clients are sent to other nodes. Only a
	// [ReplicantMaker] gets any.
	Replicants DesiredReplicants
	// HoldEvictions: nobody is to evict nodes, not even such that are not ready. Otherwise one node of each role may
	// be away, and one that is not ready may always be evicted. A Provisioner that says of nodes that they are
	// [NodeObservation.Unschedulable] MUST do it, and say so in [Observation.EvictionsHeld]. It is no part of what pods
	// are made from.
	HoldEvictions bool
	// RunTimeConfig are settings of EMQX like those of Spec.Config, which leaves them out:
	// nodes start with the present ones, and other ones make no pod outdated. The Manager
	// tells nodes that run. nil = all settings are in Spec.Config.
	RunTimeConfig map[string]string
	// Create allows what does not come back silently (namespace, auth Secret,
	// volume claims) to be made.
	Create bool
}

// DesiredReplicants is what is wanted of the replicants of a cluster. The fields that
// [Desired] has, too, mean the same of replicants.
type DesiredReplicants struct {
	Replicas int
	Size     Size // its storage means nothing
	Roll     []int
	Resize   []int
	Replace  map[int]string
	// Front lets the address that clients use lead to replicants only; else it leads to
	// every node, whatever its role.
	Front bool
}

// PullCredentials are what an image registry wants.
type PullCredentials struct {
	Host     string // with port
	User     string
	Password Secret
}

// ServedCertificate is a [Certificate] with its private key; zero = EMQX serves its own.
type ServedCertificate struct {
	Chain string // in PEM, the server's own first
	Key   Secret // in PEM
}

// Loss says what has gone that is not made anew unasked.
type Loss struct {
	Reason Reason // ReasonDataLost or ReasonSecretLost
	What   string // e.g. "claim data-emqx-1a2b3c4d-emqx-0"
}

// Error names what has gone.
func (l *Loss) Error() string { return string(l.Reason) + ": " + l.What + " has gone" }

// Refusal is the cause of an invalid error of [Provisioner.Apply]: the platform
// does not take an object as it is, however often it is asked. That is for a
// person to mend, and no outage.
type Refusal struct {
	What string // the object, e.g. "Service emqx-1a2b3c4d-mqtt"
	Why  string // the platform's own words
	// Rest reports whether everything that does not depend on What was converged
	// all the same, nodes included.
	Rest bool
}

// Error names what was refused and why.
func (r *Refusal) Error() string { return r.What + " was refused: " + r.Why }

// RefusalOf returns what an error of Apply says of a definite refusal; nil where
// the same call may succeed later. An invalid error without a Refusal refuses
// everything.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case err != nil && CodeOf(err) == CodeInvalid:
		return &Refusal{What: "the cluster", Why: MessageOf(err)}
	}
	return nil
}

// ChangeID tells one generation of a record from another that has the same
// number: after an older database was put back, the next change reaches a
// generation that there was before, with another content.
type ChangeID struct {
	Generation int64  `json:"generation"`
	ID         string `json:"id"` // random
}

// RecordOlder is the cause of a refusal: what is found was made by a change that
// the record does not know of. An older database was put back, or somebody else
// works with a copy of it.
type RecordOlder struct {
	Found    int64 // generation of what is found
	Recorded int64 // generation of the record
}

// Error says what is found and what is recorded.
func (e *RecordOlder) Error() string {
	if e.Found > e.Recorded {
		return fmt.Sprintf("the objects are of generation %d, and the record is of generation %d", e.Found, e.Recorded)
	}
	return fmt.Sprintf("the objects were made by a change to generation %d that the record, "+
		"which is of generation %d, does not know of", e.Found, e.Recorded)
}

// Older reports whether d must not be applied to objects that say this of
// themselves: they are of a newer generation, or of the same one with another
// content. It returns nil where d may be applied.
func (d Desired) Older(generation int64, changeID string) *RecordOlder {
	other := d.ChangeID != "" && changeID != "" && d.ChangeID != changeID
	if generation > d.Generation || generation == d.Generation && other {
		return &RecordOlder{Found: generation, Recorded: d.Generation}
	}
	return nil
}

// RecordOlderError is how a Provisioner refuses to apply what is [Desired.Older].
func RecordOlderError(op string, e *RecordOlder) error {
	return &Error{Code: CodeConflict, Op: op, Message: e.Error() + "; nothing is written", Cause: e}
}
