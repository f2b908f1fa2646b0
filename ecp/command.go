package ecp

import "encoding/json"

// Command is something that can be asked of a cluster. The set is sealed:
// Start, Stop, Restart, Update, Repair, TakeOver, PutBack, Transfer, Delete.
type Command interface{ Kind() CommandKind }

// CommandKind names a command in tables, errors and operations.
type CommandKind string

// The kinds of commands, in the order they are listed to users.
const (
	KindStart    CommandKind = "start"
	KindStop     CommandKind = "stop"
	KindRestart  CommandKind = "restart"
	KindUpdate   CommandKind = "update"
	KindRepair   CommandKind = "repair"
	KindTakeOver CommandKind = "take-over"
	KindPutBack  CommandKind = "put-back"
	KindTransfer CommandKind = "transfer"
	KindDelete   CommandKind = "delete"
)

// Every command has IfRevision: 0 = whatever the cluster's revision is, else
// the command is refused with [CodePrecondition] where it is another.

// Start lets the nodes of a stopped hosted cluster run again.
type Start struct{ IfRevision int64 }

// Stop takes all nodes of a hosted cluster away and keeps its volumes. What EMQX
// keeps in memory is lost: sessions, and retained messages unless they are set to
// be kept on disk.
type Stop struct{ IfRevision int64 }

// Restart replaces the nodes of a hosted cluster one after the other.
type Restart struct{ IfRevision int64 }

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
	Patch      json.RawMessage
	IfRevision int64
}

// Repair applies the spec again and accepts what was lost.
type Repair struct{ IfRevision int64 }

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
func (Start) Kind() CommandKind { return KindStart }

// Kind names the command.
func (Stop) Kind() CommandKind { return KindStop }

// Kind names the command.
func (Restart) Kind() CommandKind { return KindRestart }

// Kind names the command.
func (Update) Kind() CommandKind { return KindUpdate }

// Kind names the command.
func (Repair) Kind() CommandKind { return KindRepair }

// Kind names the command.
func (Transfer) Kind() CommandKind { return KindTransfer }

// Kind names the command.
func (Delete) Kind() CommandKind { return KindDelete }

// revisionOf is the revision a command is for; 0 = whatever.
func revisionOf(cmd Command) int64 {
	switch c := cmd.(type) {
	case Start:
		return c.IfRevision
	case Stop:
		return c.IfRevision
	case Restart:
		return c.IfRevision
	case Update:
		return c.IfRevision
	case Repair:
		return c.IfRevision
	case TakeOver:
		return c.IfRevision
	case PutBack:
		return c.IfRevision
	case Transfer:
		return c.IfRevision
	case Delete:
		return c.IfRevision
	}
	return 0
}

// Plan is what a command would do.
type Plan struct {
	Command CommandKind `json:"command"`
	From    State       `json:"from"`
	To      State       `json:"to"`              // state right after the command is taken
	Nothing bool        `json:"nothing"`         // what is asked already holds
	Steps   []string    `json:"steps"`           // names of the operation's steps, in order
	Notes   []string    `json:"notes,omitempty"` // what nodes and clients will see of it, in words
}
