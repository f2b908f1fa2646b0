package ecp

import (
	"encoding/json"
)

// Command is something that can be asked of a cluster: [Start], [Stop], [Restart],
// [Update], [EndDrift], [Repair], [TakeOver], [PutBack], [Transfer] or [Delete]. The
// Manager refuses any other implementation.
type Command interface{ Kind() CommandKind }

// CommandKind names a command in tables, errors and operations.
type CommandKind string

// The kinds of commands.
const (
	CommandStart    CommandKind = "start"
	CommandStop     CommandKind = "stop"
	CommandRestart  CommandKind = "restart"
	CommandUpdate   CommandKind = "update"
	CommandRepair   CommandKind = "repair"
	CommandTakeOver CommandKind = "take-over"
	CommandPutBack  CommandKind = "put-back"
	CommandTransfer CommandKind = "transfer"
	CommandDelete   CommandKind = "delete"
)

// commandKinds lists the kinds in the order in which they are shown to people.
var commandKinds = []CommandKind{
	CommandStart, CommandStop, CommandRestart, CommandUpdate, CommandRepair,
	CommandTakeOver, CommandPutBack, CommandTransfer, CommandDelete,
}

// Every command has IfRevision. It is the revision of the cluster that the caller
// has read: a command for another revision is refused with [CodePrecondition].
// Zero means any revision.

// Start lets the nodes of a stopped hosted cluster run again.
type Start struct{ IfRevision int64 }

// Stop takes all nodes of a hosted cluster away and keeps its volumes. What EMQX
// keeps in memory is lost: sessions, and retained messages unless they are set to
// be kept on disk.
type Stop struct{ IfRevision int64 }

// Restart replaces the nodes of a hosted cluster one after the other.
type Restart struct {
	Now        bool // does not wait for a maintenance window
	IfRevision int64
}

// Update changes what is wanted, all of it as one operation; nil fields stay
// as they are. Power and target are not changed by it.
type Update struct {
	Name        *string
	Description *string
	Spec        *Spec // whole spec of the cluster's mode
	// Patch is a JSON merge patch (RFC 7396) of the spec of the cluster's mode,
	// e.g. {"connections":5000}; null takes a value back to its default, but for
	// image, size and target, which stay. It is merged with what is stored, in
	// the same transaction. Not together with Spec.
	Patch json.RawMessage
	// Now: nodes of a hosted cluster are replaced without waiting for a maintenance
	// window, also those that an earlier change waits to replace.
	Now        bool
	IfRevision int64
}

// EndDrift ends the difference between the settings of a hosted cluster's spec and those that its EMQX runs with, see
// [SettingsDrift]. It is an update: legal where that is, with its operation and its steps.
type EndDrift struct {
	// Keys are those of [SettingDrift.Key], or of the spec's config; none means all for which it can be done.
	Keys []string
	// TakeOver puts the values that EMQX has into the spec. False means that EMQX is told those of the spec again, and
	// gets its own value of what the spec does not have; only settings that EMQX takes while it runs can be told.
	TakeOver   bool
	IfRevision int64
}

// Repair applies the spec again and accepts what was lost. Force deletes the pods whose
// machines do not answer now, although EMQX may still run there and use their volumes.
// LostVolumes deletes the volume claims of nodes that no machine can run, see
// [ReasonVolumeLost], and makes those nodes anew: what only their volumes held is lost.
type Repair struct {
	Force       bool
	LostVolumes bool
	IfRevision  int64
}

// TakeOver records what is there of a cluster whose record is older than that:
// an older database was put back. No node is replaced for it.
type TakeOver struct{ IfRevision int64 }

// PutBack makes what is there of such a cluster what is recorded, in the ordinary
// ways: nodes leave one at a time after their clients, and with their volumes.
type PutBack struct{ IfRevision int64 }

// Transfer moves the cluster to another project; nothing restarts.
type Transfer struct {
	Project    string
	IfRevision int64
}

// Delete removes the cluster with its data. Force does not wait for nodes to
// stop in order.
type Delete struct {
	Force      bool
	IfRevision int64
}

// Kind names the command.
func (Start) Kind() CommandKind { return CommandStart }

// Kind names the command.
func (Stop) Kind() CommandKind { return CommandStop }

// Kind names the command.
func (Restart) Kind() CommandKind { return CommandRestart }

// Kind names the command.
func (Update) Kind() CommandKind { return CommandUpdate }

// Kind names the command.
func (EndDrift) Kind() CommandKind { return CommandUpdate }

// Kind names the command.
func (Repair) Kind() CommandKind { return CommandRepair }

// Kind names the command.
func (TakeOver) Kind() CommandKind { return CommandTakeOver }

// Kind names the command.
func (PutBack) Kind() CommandKind { return CommandPutBack }

// Kind names the command.
func (Transfer) Kind() CommandKind { return CommandTransfer }

// Kind names the command.
func (Delete) Kind() CommandKind { return CommandDelete }
