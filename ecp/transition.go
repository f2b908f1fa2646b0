package ecp

import "slices"

// Verdict is what becomes of a command in a state.
type Verdict int

// The verdicts.
const (
	Illegal Verdict = iota // refused; the error lists what is legal
	Moves                  // taken, and the state changes at once
	Stays                  // taken, and the state stays
	Holds                  // what is asked already holds: success without an operation
)

// move is one cell of a command table.
type move struct {
	to      State
	verdict Verdict
}

func to(s State) move { return move{s, Moves} }

var (
	stays = move{verdict: Stays}
	holds = move{verdict: Holds}
)

// hostedCommands: what a command does to a hosted cluster. A missing cell is
// illegal.
var hostedCommands = map[State]map[CommandKind]move{
	Creating:    {KindStart: holds, KindStop: to(Stopping), KindUpdate: stays, KindTransfer: stays, KindDelete: to(Stopping)},
	Updating:    {KindStart: holds, KindStop: to(Stopping), KindUpdate: stays, KindTransfer: stays, KindDelete: to(Stopping)},
	Syncing:     {KindStart: holds, KindStop: to(Stopping), KindUpdate: to(Updating), KindTransfer: stays, KindDelete: to(Stopping)},
	Starting:    {KindStart: holds, KindStop: to(Stopping), KindUpdate: stays, KindTransfer: stays, KindDelete: to(Stopping)},
	Running:     {KindStart: holds, KindStop: to(Stopping), KindRestart: to(Updating), KindUpdate: to(Updating), KindRepair: to(Updating), KindTransfer: stays, KindDelete: to(Stopping)},
	Degraded:    {KindStart: holds, KindStop: to(Stopping), KindRestart: to(Updating), KindUpdate: to(Updating), KindRepair: to(Updating), KindTransfer: stays, KindDelete: to(Stopping)},
	Stopping:    {KindStart: to(Starting), KindStop: holds, KindUpdate: stays, KindTransfer: stays, KindDelete: stays},
	Stopped:     {KindStart: to(Starting), KindStop: holds, KindUpdate: stays, KindTransfer: stays, KindDelete: stays},
	Abnormal:    {KindStart: to(Starting), KindStop: to(Stopping), KindRestart: to(Updating), KindUpdate: to(Updating), KindRepair: to(Updating), KindTakeOver: to(Updating), KindPutBack: to(Updating), KindTransfer: stays, KindDelete: to(Stopping)},
	Nonexistent: {KindRepair: to(Creating), KindTransfer: stays, KindDelete: stays},
}

// adoptedCommands: what a command does to an adopted cluster.
var adoptedCommands = map[State]map[CommandKind]move{
	Created:     {KindUpdate: stays, KindTransfer: stays, KindDelete: to(Deleting)},
	Registering: {KindUpdate: stays, KindTransfer: stays, KindDelete: to(Deleting)},
	Running:     {KindUpdate: stays, KindTransfer: stays, KindDelete: to(Deleting)},
	Abnormal:    {KindUpdate: stays, KindTransfer: stays, KindDelete: to(Deleting)},
	Deleting:    {KindDelete: holds},
}

// hostedLooks: where looks may lead a hosted cluster, one hop each.
var hostedLooks = map[State][]State{
	Creating:    {Running, Abnormal, Nonexistent, Stopped},
	Updating:    {Syncing, Abnormal, Degraded},
	Syncing:     {Running, Abnormal, Updating, Degraded},
	Starting:    {Running, Abnormal},
	Running:     {Degraded, Abnormal},
	Degraded:    {Running, Abnormal},
	Stopping:    {Stopped, Abnormal},
	Stopped:     {Gone, Stopping, Abnormal},
	Abnormal:    {Running, Degraded, Stopped},
	Nonexistent: {Gone},
}

// adoptedLooks: where looks may lead an adopted cluster.
var adoptedLooks = map[State][]State{
	Created:     {Registering},
	Registering: {Running, Abnormal, Created},
	Running:     {Abnormal, Created},
	Abnormal:    {Running, Registering, Created, Deleting},
	Deleting:    {Gone, Abnormal},
}

func commandTable(mode Mode) map[State]map[CommandKind]move {
	if mode == Adopted {
		return adoptedCommands
	}
	return hostedCommands
}

func lookTable(mode Mode) map[State][]State {
	if mode == Adopted {
		return adoptedLooks
	}
	return hostedLooks
}

// Next says what a command does to a cluster of the mode in the state, where
// it is not being deleted: the state after it and the verdict.
func Next(mode Mode, s State, kind CommandKind) (State, Verdict) {
	m := commandTable(mode)[s][kind]
	if m.verdict == Moves {
		return m.to, Moves
	}
	return s, m.verdict
}

// NextDeleting is Next for a cluster that is being deleted: only delete is
// taken, so that force can be added.
func NextDeleting(s State, kind CommandKind) (State, Verdict) {
	if kind == KindDelete {
		return s, Stays
	}
	return s, Illegal
}

// commandKinds is the order in which commands are listed to users.
var commandKinds = []CommandKind{KindStart, KindStop, KindRestart, KindUpdate, KindRepair, KindTakeOver, KindPutBack, KindTransfer, KindDelete}

// Legal lists the commands that are taken in a state.
func Legal(mode Mode, s State, deleting bool) []CommandKind {
	if deleting {
		return []CommandKind{KindDelete}
	}
	var out []CommandKind
	for _, k := range commandKinds {
		if _, v := Next(mode, s, k); v != Illegal {
			out = append(out, k)
		}
	}
	return out
}

// route gives the states to pass through from one state to another by looks,
// the last one included: the shortest way in the edge table; nil if there is
// none or they are the same.
func route(mode Mode, from, target State) []State {
	if from == target {
		return nil
	}
	table := lookTable(mode)
	came := map[State]State{from: from}
	for queue := []State{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range table[queue[0]] {
			if _, seen := came[next]; seen {
				continue
			}
			came[next] = queue[0]
			queue = append(queue, next)
		}
	}
	if _, reached := came[target]; !reached {
		return nil
	}
	var path []State
	for s := target; s != from; s = came[s] {
		path = append(path, s)
	}
	slices.Reverse(path)
	return path
}

// unsteady states end at a deadline. No state of either mode means something else
// in the other.
var unsteady = map[State]bool{
	Creating: true, Updating: true, Syncing: true, Starting: true, Stopping: true,
	Registering: true, Deleting: true,
}

// Unsteady says whether a cluster in the state is on its way somewhere, with a
// deadline.
func Unsteady(s State) bool { return unsteady[s] }
