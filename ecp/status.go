package ecp

import "time"

// Status is what is stored of what was found: transitions only. Node lists,
// members and counts are looked at again and again and stay in memory.
type Status struct {
	State    State     `json:"state"`
	Reason   Reason    `json:"reason"`
	Message  string    `json:"message,omitempty"`
	Since    time.Time `json:"since"`             // when State was entered
	Deadline time.Time `json:"deadline,omitzero"` // when an unsteady state becomes abnormal; zero in steady ones
	// StaleFrom: since when nothing can be seen; zero = fresh. Deadlines stand still meanwhile
	StaleFrom time.Time   `json:"staleFrom,omitzero"`
	Operation OperationID `json:"operation,omitempty"` // the running one
	// Previous: what was wanted before the running operation; nil = there is no way back
	Previous *PreviousSpec `json:"before,omitempty"`

	// RepairOf is the state that the running repair began in: where it does not
	// help, the cluster is to be no worse. "" = no repair runs.
	RepairOf State `json:"repairOf,omitempty"`

	// Abandoned is what the running repair gives up, as was asked for: the UIDs of pods that
	// it deletes although their machines may still run them, and of claims whose volumes are
	// lost.
	Abandoned []string `json:"abandoned,omitempty"`

	// OldKeys are the pods, by their UIDs, that have started with the cookie and keys of a
	// Secret that has gone: a repair stops all nodes until none of these is left.
	OldKeys []string `json:"oldKeys,omitempty"`

	// Dispatched: an Apply has returned nil at least once. Until then nothing
	// of the cluster may exist, after it everything must.
	Dispatched bool `json:"dispatched,omitempty"`
	// Seen: something of the cluster was found after that. Until then absence
	// is no loss: the sight of the platform may lag behind what was done.
	Seen bool `json:"seen,omitempty"`
	// Applied is the generation last applied with success.
	Applied int64 `json:"applied,omitempty"`
	// RenderVersion is how the cluster's objects were last rendered; it rises only with
	// operations that make all nodes anew anyway, so that a newer build of ours is no
	// reason to replace any.
	RenderVersion int `json:"renderVersion,omitempty"`
	// Auth identifies the Secret with the cluster's cookie and keys, Volumes
	// the claim of every ordinal: learned once, so that a loss shows.
	Auth    string         `json:"auth,omitempty"`
	Volumes map[int]string `json:"volumes,omitempty"`
	// Ordinals is how many nodes belong to the cluster, beginning with 0: what a
	// claim beyond holds is nobody's. 0 = as many as the spec says.
	Ordinals int `json:"ordinals,omitempty"`
	// KeepOutdated: what was asked for last is no reason to replace nodes, so that
	// those of an older pod template than the platform has now are left as they
	// are. Otherwise a task on its way replaces them.
	KeepOutdated bool `json:"keepOutdated,omitempty"`
	// Removing is the ordinal of a node that has gone for good and is no part of
	// the cluster any more, while its membership of EMQX is yet to be ended: no
	// node of that ordinal comes before that. 0 = none; the first node never goes.
	Removing int `json:"removing,omitempty"`
	// Refused is what the platform will not take; nil = nothing is known of.
	Refused *Refused `json:"refused,omitempty"`
	// KeepVolumes: volumes beyond Ordinals were there when the record took over what
	// it found; they stay until the next change.
	KeepVolumes bool `json:"keepVolumes,omitempty"`
	// FormerSettings are settings that the spec no longer has and that nodes may
	// still have, as they were stored: sealed where they may be secrets.
	FormerSettings map[string]string `json:"formerSettings,omitempty"`
	// RunTimeConfig: nodes find settings beside those that their pods are made from, so
	// that other ones need no other pods; see [Desired.RunTimeConfig].
	RunTimeConfig bool `json:"runTimeConfig,omitempty"`
	// Untold are settings of the spec that EMQX has not taken yet; nil = there are none.
	Untold *UntoldSettings `json:"untold,omitempty"`
	// Draining is the node whose clients are moved to others; nil = none.
	Draining *Draining `json:"leaving,omitempty"`
	// Cordoned are the nodes whose machines take no new pods, and those that were evicted from such and do not serve
	// again yet.
	Cordoned []CordonedNode `json:"cordoned,omitempty"`
	// WaitingFrom is since when another program holds the platform, so that this
	// one writes nothing to it; zero = it may. Deadlines stand still meanwhile.
	WaitingFrom time.Time `json:"waitingFrom,omitzero"`
	// InWindows: nodes are replaced for what was asked for last in maintenance windows
	// only. WindowFrom is since when nothing else is waited for; zero = something is, or
	// nothing at all. Deadlines stand still meanwhile.
	InWindows  bool      `json:"inWindows,omitempty"`
	WindowFrom time.Time `json:"windowFrom,omitzero"`
	// Sleep is what hibernation has done.
	Sleep Sleep `json:"sleep,omitzero"`

	Conditions []Condition `json:"conditions,omitempty"`

	// Version is what EMQX was last reported to be, of an adopted cluster; "" =
	// nothing was reported yet.
	Version string `json:"version,omitempty"`

	// Limit is what was set of connections at the broker of an adopted cluster; nil =
	// nothing was, from here.
	Limit *BrokerLimit `json:"limit,omitempty"`
	// LimitDropped is set where the broker took a limit and dropped it, until it is
	// reported to be another one.
	LimitDropped *LimitDropped `json:"limitDropped,omitempty"`

	// QuietAt is the revision at which the last write changed nothing that is
	// shown; another than the record's, or 0 = it did. See [ClusterRecord.Quiet].
	QuietAt int64 `json:"quietAt,omitempty"`
}

// Sleep is what the schedule of a cluster's hibernation has done.
type Sleep struct {
	// Handled is the due time that was handled last: later ones are yet to be, of which
	// the last one counts. Zero = none was looked for yet.
	Handled time.Time `json:"handled,omitzero"`
	Asleep  bool      `json:"asleep,omitempty"` // the schedule has stopped it, and wakes it
	// Released: its connections are not booked until it is started.
	Released bool `json:"released,omitempty"`
}

// UntoldSettings are settings of a spec that EMQX, while it runs, is to be told first, and
// those that were changed with them.
type UntoldSettings struct {
	Keys []string `json:"keys"`
	// Was is what nodes start with until then, as it was stored: sealed where it may be a
	// secret. What it leaves out of Keys they start without.
	Was map[string]string `json:"was,omitempty"`
}

// PreviousSpec is what was asked for of a cluster before an operation began.
type PreviousSpec struct {
	Spec     Spec     `json:"spec"`
	Resolved Resolved `json:"resolved"`
	// RenderVersion is how objects were rendered; zero means that an earlier build began.
	RenderVersion int `json:"renderVersion,omitempty"`
	// RunTimeConfig is what it was in the status, where RenderVersion is not zero.
	RunTimeConfig bool `json:"runTimeConfig,omitempty"`
}

// Draining is a node whose clients are being moved away, so that it can go.
type Draining struct {
	Node     string    `json:"node"` // its EMQX name
	Since    time.Time `json:"since"`
	TimedOut bool      `json:"givenUp,omitempty"` // its time was over, and it is not to go with clients on it
	Begun    time.Time `json:"begun,omitzero"`    // EMQX had begun by then; zero = not seen yet
	// Clients and Elsewhere are how many were connected to it, and to the others,
	// before.
	Clients   int `json:"clients,omitempty"`
	Elsewhere int `json:"elsewhere,omitempty"`
}

// CordonedNode is a node whose machine takes no new pods: it is about to be emptied (kubectl drain).
type CordonedNode struct {
	Node    string    `json:"node"`   // its EMQX name
	PodUID  string    `json:"podUID"` // of the pod on that machine; another one is elsewhere
	Machine string    `json:"machine"`
	Since   time.Time `json:"since"` // from when on its clients have their time to leave
	// Freed is since when it may be evicted: its clients have left, cannot be moved, or TimedOut; zero = it may not.
	Freed    time.Time `json:"freed,omitzero"`
	TimedOut bool      `json:"timedOut,omitempty"` // its clients had their time, and have not all left
	// Away is since when it was evicted, or is to take clients again, and does not serve yet; zero = it does, or is
	// being freed of them.
	Away time.Time `json:"away,omitzero"`
}

// Refused is what the platform is known to refuse of a cluster.
type Refused struct {
	What       string `json:"what"`
	Generation int64  `json:"generation"` // the first one with which it was
}

// HasForeignMembers reports whether EMQX had members that are no nodes of the cluster
// when it was last observed.
func (st Status) HasForeignMembers() bool {
	return ConditionOf(st.Conditions, CondHealthy).Reason == ReasonForeignMember
}

// ConditionStatus reports whether a condition holds.
type ConditionStatus string

// The statuses. Unknown means that it could not be observed, never that it is broken.
const (
	True    ConditionStatus = "True"
	False   ConditionStatus = "False"
	Unknown ConditionStatus = "Unknown"
)

// ConditionType names one thing that was seen, or not, of a cluster.
type ConditionType string

// The condition types, in the order they are listed. Settled and Healthy are
// roll-ups: wait on those.
const (
	CondAccepted    ConditionType = "Accepted"    // the spec was checked and booked
	CondProvisioned ConditionType = "Provisioned" // every object is there as rendered
	CondAvailable   ConditionType = "Available"   // MQTT is served by at least one node
	// CondExposed: the address that clients use is there; always so without a load balancer
	CondExposed             ConditionType = "Exposed"
	CondReady               ConditionType = "Ready"               // every wanted node serves and is a member
	CondManagementReachable ConditionType = "ManagementReachable" // the broker's management API answers
	CondAgentConnected      ConditionType = "AgentConnected"      // adopted only
	// CondUpToDate: rendered by the newest renderer, and every node is of the newest pod template; of
	// an adopted cluster: its broker has the limit that was set from here
	CondUpToDate   ConditionType = "UpToDate"
	CondConfigured ConditionType = "Configured" // EMQX runs with the settings that are asked for
	CondSettled    ConditionType = "Settled"    // nothing is left to do for this generation
	CondHealthy    ConditionType = "Healthy"    // no attention needed
	// CondCertificateValid: the certificate of the cluster does not end soon, and nodes serve it; only where it has one
	CondCertificateValid ConditionType = "CertificateValid"
	// CondOnSchedule: hibernation has done what was due last; only where it is asked for
	CondOnSchedule ConditionType = "OnSchedule"
)

// Condition is one thing seen of a cluster.
type Condition struct {
	Type       ConditionType   `json:"type"`
	Status     ConditionStatus `json:"status"`
	Reason     Reason          `json:"reason"`
	Message    string          `json:"message,omitempty"`
	Generation int64           `json:"generation"` // of the spec it was seen for
	Since      time.Time       `json:"since"`      // when Status last changed
}

// ConditionOf finds a condition by type; the zero Condition with Unknown if
// it was never set.
func ConditionOf(list []Condition, t ConditionType) Condition {
	for _, c := range list {
		if c.Type == t {
			return c
		}
	}
	return Condition{Type: t, Status: Unknown, Reason: ReasonNotAsked}
}
