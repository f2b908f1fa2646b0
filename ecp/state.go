package ecp

// State says where a cluster's life stands, in one word for people. Software
// waits on conditions instead. Which states follow each other is said by a
// [StateMachine].
type State string

// The states of hosted clusters.
const (
	Creating    State = "creating"
	Updating    State = "updating"
	Syncing     State = "syncing"
	Starting    State = "starting"
	Running     State = "running"
	Degraded    State = "degraded"
	Stopping    State = "stopping"
	Stopped     State = "stopped"
	Abnormal    State = "abnormal" // also of adopted clusters
	Nonexistent State = "nonexistent"
)

// The states that only adopted clusters have; they share running and abnormal.
const (
	Created     State = "created"
	Registering State = "registering"
	Deleting    State = "deleting"
)

// Gone is the state in the last event of a deleted cluster, the event that
// reports the deletion. No cluster that can be read has it, no [StateMachine]
// lists it, and nothing leads out of it.
const Gone State = "gone"

// Label is a state's name for people.
type Label struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Reason is a word from a fixed list that says why a state or a condition is
// what it is.
type Reason string

// The reasons of hosted clusters.
const (
	ReasonAsExpected Reason = "AsExpected" // nothing to say
	ReasonInProgress Reason = "InProgress" // an operation is on its way
	ReasonByRequest  Reason = "ByRequest"  // somebody asked for it
	ReasonNodeDown   Reason = "NodeDown"   // a pod is absent, not ready or going outside a plan
	// ReasonMachineLost: a pod is not ready, and its machine does not answer, or has gone
	ReasonMachineLost Reason = "MachineLost"
	// ReasonVolumeLost: a pod can run nowhere: its volume is on a machine that has been removed for good
	ReasonVolumeLost Reason = "VolumeLost"
	// ReasonMachineCordoned: the machine of a node takes no new pods, since people are about to empty it; clients are
	// moved before, or the node was evicted from it
	ReasonMachineCordoned Reason = "MachineCordoned"
	ReasonMemberMissing   Reason = "MemberMissing" // pods are ready, EMQX counts fewer members
	ReasonNothingServes   Reason = "NothingServes" // no node is ready
	ReasonPartitioned     Reason = "Partitioned"   // nodes disagree on who is a member
	ReasonForeignOwner    Reason = "ForeignOwner"  // the namespace belongs to somebody else; it is not touched
	ReasonDataLost        Reason = "DataLost"      // namespace or a volume claim has gone; nothing is made anew unasked
	// ReasonRecordOlder: what is found was made by a change that the record does not know of: an older
	// database was put back; nothing is written
	ReasonRecordOlder Reason = "RecordOlder"
	// ReasonSecretLost: the Secret with cookie and keys has gone; nothing is made anew unasked
	ReasonSecretLost     Reason = "SecretLost"
	ReasonCreateFailed   Reason = "CreateFailed"
	ReasonStartFailed    Reason = "StartFailed"
	ReasonUpdateFailed   Reason = "UpdateFailed"
	ReasonSyncFailed     Reason = "SyncFailed"
	ReasonStopFailed     Reason = "StopFailed"   // retried for ever
	ReasonDeleteFailed   Reason = "DeleteFailed" // retried for ever
	ReasonNotDispatched  Reason = "NotDispatched"
	ReasonScaledByHand   Reason = "ScaledByHand" // pods appeared in a stopped cluster; they are taken away again
	ReasonUnseen         Reason = "Unseen"       // Kubernetes or the link to it does not answer
	ReasonNoAnswer       Reason = "NoAnswer"     // the broker's management API does not answer
	ReasonNotAsked       Reason = "NotAsked"     // nothing has been asked yet
	ReasonPoweredOff     Reason = "PoweredOff"   // stopped by request
	ReasonRendererNewer  Reason = "RendererNewer"
	ReasonAddressPending Reason = "AddressPending" // the platform has given the load balancer no address
	// ReasonVolumePending: a volume is smaller than the cluster's size says: it grows, waits for its
	// node to start, or cannot
	ReasonVolumePending Reason = "VolumePending"
	ReasonContested     Reason = "Contested" // somebody else keeps changing back what is written to an object
	// ReasonTemplateChanged: nodes are of an older pod template than the platform has now, and nothing
	// on its way replaces them
	ReasonTemplateChanged Reason = "TemplateChanged"
	ReasonMQTTUnanswered  Reason = "MQTTUnanswered" // nodes are ready, and none of them takes an MQTT client
	// ReasonSettingsDiffer: EMQX runs with other values than asked for: somebody changed them on the
	// broker
	ReasonSettingsDiffer Reason = "SettingsDiffer"
	// ReasonSettingsLinger: EMQX has values that are not asked for any more: it keeps them itself
	ReasonSettingsLinger Reason = "SettingsLinger"
	// ReasonCertificateExpired: the certificate that the cluster serves has ended
	ReasonCertificateExpired Reason = "CertificateExpired"
	// ReasonCertificateExpires: it is valid, and ends within two weeks
	ReasonCertificateExpires Reason = "CertificateExpires"
	// ReasonCertificateOutdated: nodes serve another one than the catalog has, and had the time to read that
	ReasonCertificateOutdated Reason = "CertificateOutdated"
	ReasonDeleted             Reason = "Deleted"
	ReasonPoolFull            Reason = "PoolFull" // the connections that it has to book again are not to be had
)

// The reasons of adopted clusters, beside NodeDown and Partitioned; the
// table adoptedReasons of internal/derive has their order.
const (
	ReasonIdentityConflict   Reason = "IdentityConflict"
	ReasonClusterMismatch    Reason = "ClusterMismatch"
	ReasonUnsupportedVersion Reason = "UnsupportedVersion"
	ReasonAgentDisconnected  Reason = "AgentDisconnected"
	ReasonEMQXAuthFailed     Reason = "EMQXAuthFailed"
	ReasonEMQXUnreachable    Reason = "EMQXUnreachable"
	ReasonReportStale        Reason = "ReportStale"
	ReasonQuotaReleaseFailed Reason = "QuotaReleaseFailed"
	ReasonNoAgentAddress     Reason = "AgentAddressNotConfigured"
	ReasonLimitDiffers       Reason = "LimitDiffers" // EMQX has another limit than the one from here, or refuses it
)

// ReasonForeignMember means that EMQX has members that are no nodes of the cluster.
const ReasonForeignMember Reason = "ForeignMember"

// ReasonRefused says that the platform does not take what is wanted, however
// often it is asked.
const ReasonRefused Reason = "Refused"
