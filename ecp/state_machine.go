package ecp

import "slices"

// StateMachine holds the states of the clusters of one mode and what moves a
// cluster between them. Two kinds of input do: a command moves a cluster at once
// (Next), and everything else follows from what is observed, along the edges, one
// edge at a time (Edges, Route). [HostedStates] and [AdoptedStates] are the two
// there are.
//
// A StateMachine never changes, does no I/O and needs no Manager. Its zero value
// has no states. It may be used from several goroutines.
type StateMachine struct {
	rows     []stateRow // in the order of a cluster's life
	deleting bool       // only delete is taken
}

// stateRow is everything that is known of one state.
type stateRow struct {
	state    State
	label    Label
	meaning  string
	unsteady bool
	commands commandMoves // what is missing is refused
	edges    []State      // where observations may lead, nearest first
}

// commandMoves says what each command does in a state.
type commandMoves map[CommandKind]commandMove

type commandMove struct {
	to      State // where the verdict is Moves
	verdict Verdict
}

func to(s State) commandMove { return commandMove{s, Moves} }

var (
	stays = commandMove{verdict: Stays}
	holds = commandMove{verdict: Holds}
)

// Verdict reports whether a command is taken in a state, and what it does there.
type Verdict int

// The verdicts.
const (
	Illegal Verdict = iota // refused; Legal lists the commands that are not
	Moves                  // taken, and the state changes at once
	Stays                  // taken, and the state stays
	Holds                  // what is asked already holds: success without an operation
)

func (v Verdict) String() string { return [...]string{"illegal", "moves", "stays", "holds"}[v] }

// StateMachine returns the state machine of the mode's clusters: that of hosted
// clusters for any mode but [Adopted].
func (m Mode) StateMachine() StateMachine {
	if m == Adopted {
		return AdoptedStates
	}
	return HostedStates
}

// WhileDeleting returns the state machine of a cluster that is being deleted. Its
// states and edges are the same; in each state only delete is taken, so that
// force can be added to a deletion that is under way.
func (m StateMachine) WhileDeleting() StateMachine {
	m.deleting = true
	return m
}

// States lists the states in the order of a cluster's life. A new cluster is in
// the first of them. [Gone] is not listed.
func (m StateMachine) States() []State {
	out := make([]State, len(m.rows))
	for i, r := range m.rows {
		out[i] = r.state
	}
	return out
}

// Label returns the state's name in Chinese and in English. The label of a state
// that the machine does not have is the state itself, in both languages.
func (m StateMachine) Label(s State) Label {
	if s == Gone {
		return Label{"已删除", "Deleted"}
	}
	if r := m.row(s); r.state != "" {
		return r.label
	}
	return Label{ZH: string(s), EN: string(s)}
}

// Meaning says in words what is true of a cluster in the state. It is empty for
// [Gone] and for states that the machine does not have.
func (m StateMachine) Meaning(s State) string { return m.row(s).meaning }

// Next returns the state that a cluster in state s is in right after the command,
// and whether the command is taken at all. Only [Moves] changes the state.
func (m StateMachine) Next(s State, command CommandKind) (State, Verdict) {
	r := m.row(s)
	move := r.commands[command]
	if m.deleting {
		move = commandMove{}
		if command == CommandDelete && r.state != "" {
			move = stays
		}
	}
	if move.verdict == Moves {
		return move.to, Moves
	}
	return s, move.verdict
}

// Legal lists the commands that are taken in the state, in the order in which
// they are shown to people.
func (m StateMachine) Legal(s State) []CommandKind {
	var out []CommandKind
	for _, k := range commandKinds {
		if _, v := m.Next(s, k); v != Illegal {
			out = append(out, k)
		}
	}
	return out
}

// Edges lists the states to which an observation may move a cluster in state s.
func (m StateMachine) Edges(s State) []State { return slices.Clone(m.row(s).edges) }

// Route returns the states that observations lead a cluster through on its way
// from one state to another: the fewest edges, without the first state and with
// the last one. It is empty if there is no way, or nothing to go.
func (m StateMachine) Route(from, target State) []State {
	came := map[State]State{from: from}
	for queue := []State{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range m.row(queue[0]).edges {
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

// row returns what is known of a state; the zero row if it is none of the
// machine's.
func (m StateMachine) row(s State) stateRow {
	for _, r := range m.rows {
		if r.state == s {
			return r
		}
	}
	return stateRow{}
}

// Unsteady reports whether a cluster in the state is on its way to another one
// and must be there by a deadline. A state that both modes have is unsteady in
// both or in neither.
func (s State) Unsteady() bool { return HostedStates.row(s).unsteady || AdoptedStates.row(s).unsteady }
