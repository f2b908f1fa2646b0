package ecp

// Command is something that can be asked of a cluster. The set is sealed:
// Start, Stop, Restart, Update, Repair, Transfer, Delete.
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
	KindTransfer CommandKind = "transfer"
	KindDelete   CommandKind = "delete"
)

// Start lets the nodes of a stopped hosted cluster run again.
type Start struct{}

// Stop takes all nodes of a hosted cluster away and keeps its data.
type Stop struct{}

// Restart replaces the nodes of a hosted cluster one after the other.
type Restart struct{}

// Update replaces parts of what is wanted; nil fields stay as they are.
type Update struct {
	Name        *string
	Description *string
	Spec        *Spec // whole spec of the cluster's mode
	IfRevision  int64 // 0 = whatever revision; else conflict when another
}

// Repair applies the spec again and accepts what was lost.
type Repair struct{}

// Transfer moves the cluster to another project; nothing restarts.
type Transfer struct{ Project string }

// Delete removes the cluster with its data. Force does not wait for nodes to
// stop in order.
type Delete struct{ Force bool }

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

// Plan is what a command would do.
type Plan struct {
	Command CommandKind `json:"command"`
	From    State       `json:"from"`
	To      State       `json:"to"`      // state right after the command is taken
	Nothing bool        `json:"nothing"` // what is asked already holds
	Steps   []string    `json:"steps"`   // names of the operation's steps, in order
}
