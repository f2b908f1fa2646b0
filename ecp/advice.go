package ecp

// Advice returns what a person can do about a reason of a cluster of a mode. It is empty
// where nothing has to be done: the reason passes by itself, or is as was asked for.
func (r Reason) Advice(m Mode) string {
	if m == Adopted {
		if text, ok := adoptedAdvice[r]; ok {
			return text
		}
	}
	return advice[r]
}

// advice is what to do for each reason; those that are missing need nobody.
var advice = map[Reason]string{
	ReasonNodeDown: "see which node it is, and why, in the list of nodes and their pods' events; Kubernetes starts " +
		"it again by itself; repair replaces a pod that cannot start",
	ReasonMachineLost: "bring the machine back: nothing else is needed then; if it is off for good say so (kubectl " +
		"delete node, or the taint node.kubernetes.io/out-of-service), then repair makes its pod anew elsewhere; " +
		"repair with force does it unsaid: its plan tells the risk",
	ReasonVolumeLost: "bring the machine back under its name, if that can be: nothing else is needed then; if its " +
		"disk is gone for good, repair with lostVolumes (ecpctl cluster repair --lost-volumes) " +
		"deletes the volume claim and makes the node anew, which gets its data from the others: ask " +
		"for its plan first; where all others are away, wait for one of them; of a cluster that is to " +
		"lose all its data delete the claims and the pods by hand (kubectl delete pvc,pod), then " +
		"repair it",
	ReasonMachineCordoned: "nothing, if the machine is to be emptied: kubectl drain waits until the clients of its " +
		"node have left, and the node is made anew on another machine; if not, kubectl uncordon; why a node finds no " +
		"other machine is in its pod's events",
	ReasonMemberMissing: "wait a minute: nodes that start join by themselves; after that read the node's log, and " +
		"see whether network policies let nodes reach each other; a restart makes it join anew",
	ReasonNothingServes: "see why no pod is ready in the list of nodes: image, license, memory, volume; put that " +
		"right with a change, or repair",
	ReasonPartitioned: "see that the network between nodes is whole; EMQX heals by itself when it is, within two " +
		"minutes; if it does not, repair restarts the nodes of the smaller side, whose clients are cut: ask for its " +
		"plan first",
	ReasonForeignOwner: "the namespace of the cluster's id belongs to somebody else: give it back, or delete the " +
		"cluster's record",
	ReasonDataLost: "put the volume back if it was moved; else repair accepts the loss and makes the node anew, " +
		"which gets its data from the others",
	ReasonSecretLost: "put the Secret back from a backup: with what it held, the cluster goes on as if nothing had " +
		"been; else repair makes a new one, and stops all nodes at once for it, since nodes with different cookies " +
		"cannot be in one cluster: ask for its plan first",
	ReasonRecordOlder: "an older database was put back, or a copy of it runs elsewhere: end that; then ask for the " +
		"plans of take-over and put-back, and choose one",
	ReasonCreateFailed: "see what it waited for in the operation's error; put that right with a change, repair, or " +
		"delete it",
	ReasonStartFailed: "see what it waited for in the operation's error; put that right, then start it again",
	ReasonUpdateFailed: "see what it waited for in the operation's error; send a change that can work, or the " +
		"former values",
	ReasonSyncFailed: "see what EMQX says otherwise in the message: members, version, settings; a restart or " +
		"repair tries again",
	ReasonStopFailed: "it is tried for ever; see which pod does not end, and whether its machine answers",
	ReasonDeleteFailed: "it is tried for ever; see what is left in the namespace, and remove what keeps it " +
		"(finalizers)",
	ReasonNotDispatched: "repair creates it now; delete removes the record",
	ReasonScaledByHand:  "nodes of a stopped cluster were started by hand and are taken away; start it instead",
	ReasonUnseen:        "see whether Kubernetes answers, and the health of the target; nothing is done until it does",
	ReasonNoAnswer: "see whether the nodes' management API (port 18083) answers and takes the cluster's own " +
		"credentials",
	ReasonRendererNewer: "nothing has to be done; this build would make the objects in a newer way, which a " +
		"restart, or a change that replaces nodes, brings",
	ReasonAddressPending: "see the events of the Service: the platform gives its load balancer no address",
	ReasonVolumePending:  "see the events of the volume claim; the message says which, and what it waits for",
	ReasonContested:      "somebody else changes the object back: find out who (managedFields), and let one of both go",
	ReasonTemplateChanged: "nothing has to be done; a restart brings the nodes to the newest template when their " +
		"clients may move",
	ReasonMQTTUnanswered: "see the log of the nodes: none takes an MQTT client, though all are ready; a restart, " +
		"if nothing else helps",
	ReasonSettingsDiffer: "read the values (GET …/settings/drift), then take over into the spec what is meant, and " +
		"put back what is not",
	ReasonSettingsLinger: "EMQX keeps it itself: read the values (GET …/settings/drift), then take over into the " +
		"spec what is meant, and put back what is not",
	ReasonLimitDiffers: "EMQX does not take the booked connections, in the words of the message: change the number, " +
		"or the license; it is tried again every minute",
	ReasonCertificateExpired: "clients that check it turn away: renew it now (PATCH /api/v1/certificates/NAME); no " +
		"node is replaced for it",
	ReasonCertificateExpires: "renew it before that day (PATCH /api/v1/certificates/NAME); no node is replaced for it",
	ReasonCertificateOutdated: "see whether the node's volume has the renewed files, and its log; a restart of the " +
		"cluster makes nodes read them",
	ReasonForeignMember: "repair removes members that have stopped; one that runs is let go by hand, at the broker",
	ReasonPoolFull: "it is woken when its connections can be booked again: give others up, have the pool or the " +
		"quota raised, or keep them booked with hibernation.keepQuota",
	ReasonRefused: "Kubernetes takes the object in no case: change what it names in the message",
}

// adoptedAdvice is for reasons that mean another thing where there is an agent.
var adoptedAdvice = map[Reason]string{
	ReasonPartitioned: "see that the network between nodes is whole; EMQX heals by itself when it is, within two " +
		"minutes; if it does not, restart the nodes of the smaller side, one after the other",
	ReasonNodeDown: "start EMQX on that host; `emqx_ctl cluster force-leave NODE` makes EMQX forget a member that " +
		"has left for good",
	ReasonIdentityConflict: "two agents run with one key, or two beside one node: stop the copy, and register it " +
		"anew",
	ReasonClusterMismatch:    "the agent is beside a broker of another cluster: register it there",
	ReasonUnsupportedVersion: "upgrade EMQX, or remove the agent",
	ReasonAgentDisconnected:  "on its host, `emqxee-agent status` says why it is not connected",
	ReasonEMQXAuthFailed: "on its host, `emqxee-agent register --emqx-dashboard-username NAME` asks for the " +
		"password, tries it, and takes it up",
	ReasonEMQXUnreachable: "see whether EMQX runs on the agent's host and its management API answers there",
	ReasonReportStale:     "on the agent's host, `emqxee-agent status` says what it waits for; restart the agent",
	ReasonQuotaReleaseFailed: "bring its agent back, so that EMQX gets its own limit again; delete with force goes " +
		"without",
	ReasonNoAgentAddress: "set `cluster.agent` in the daemon's configuration to the address that agents can dial",
	ReasonLimitDiffers:   "send the limit again, if it is meant; somebody has set another one at the broker",
}
