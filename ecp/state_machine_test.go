package ecp

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// legalCommands is the contract, written out by hand: every state of every
// mode with the commands it takes and where they lead.
var legalCommands = map[Mode]map[State]string{
	Hosted: {
		Creating: "start= stop>stopping update. transfer. delete>stopping",
		Updating: "start= stop>stopping update. transfer. delete>stopping",
		Syncing:  "start= stop>stopping update>updating transfer. delete>stopping",
		Starting: "start= stop>stopping update. transfer. delete>stopping",
		Running:  "start= stop>stopping restart>updating update>updating repair>updating transfer. delete>stopping",
		Degraded: "start= stop>stopping restart>updating update>updating repair>updating transfer. delete>stopping",
		Stopping: "start>starting stop= update. transfer. delete.",
		Stopped:  "start>starting stop= update. transfer. delete.",
		Abnormal: "start>starting stop>stopping restart>updating update>updating repair>updating " +
			"take-over>updating put-back>updating transfer. delete>stopping",
		Nonexistent: "repair>creating transfer. delete.",
	},
	Adopted: {
		Created:     "update. transfer. delete>deleting",
		Registering: "update. transfer. delete>deleting",
		Running:     "update. transfer. delete>deleting",
		Abnormal:    "update. transfer. delete>deleting",
		Deleting:    "delete=",
	},
}

func TestEveryStateTimesEveryCommand(t *testing.T) {
	for mode, byState := range legalCommands {
		m := mode.StateMachine()
		require.Len(t, m.States(), len(byState))
		for _, s := range m.States() {
			got := ""
			for _, k := range commandKinds {
				next, v := m.Next(s, k)
				switch v {
				case Moves:
					got += string(k) + ">" + string(next) + " "
				case Stays:
					require.Equal(t, s, next)
					got += string(k) + ". "
				case Holds:
					require.Equal(t, s, next)
					got += string(k) + "= "
				case Illegal:
					require.Equal(t, s, next)
				}
				require.Equal(t, v != Illegal, slices.Contains(m.Legal(s), k), "%s %s %s", mode, s, k)
			}
			require.Equal(t, byState[s]+" ", got, "%s %s", mode, s)
		}
	}
}

func TestWhileDeletingOnlyDeleteIsTaken(t *testing.T) {
	for _, m := range []StateMachine{HostedStates, AdoptedStates} {
		deleting := m.WhileDeleting()
		require.Equal(t, m.States(), deleting.States())
		for _, s := range deleting.States() {
			for _, k := range commandKinds {
				next, v := deleting.Next(s, k)
				require.Equal(t, s, next, "%s of a cluster that is %s", k, s)
				require.Equal(t, k == CommandDelete, v == Stays, "%s of a cluster that is %s: %s", k, s, v)
				require.Equal(t, k != CommandDelete, v == Illegal, "%s of a cluster that is %s: %s", k, s, v)
			}
			require.Equal(t, []CommandKind{CommandDelete}, deleting.Legal(s))
			require.Equal(t, m.Edges(s), deleting.Edges(s))
		}
	}
	require.NotEqual(t, []CommandKind{CommandDelete}, HostedStates.Legal(Running),
		"WhileDeleting returns another machine")
}

// Every cluster can be deleted, whatever state it is in, and what is being deleted
// can always get to its end. Only the end is final.
func TestOnlyGoneIsFinal(t *testing.T) {
	for _, m := range []StateMachine{HostedStates, AdoptedStates} {
		for _, s := range m.States() {
			next, deletable := m.Next(s, CommandDelete)
			require.NotEqual(t, Illegal, deletable, "a cluster that is %s cannot be deleted", s)
			require.NotEmpty(t, m.Edges(s), "no observation leads out of %s", s)
			require.Contains(t, m.Route(next, Gone), Gone,
				"there is no way from %s, where delete leads, to the end", next)
		}
		for _, end := range []StateMachine{m, m.WhileDeleting()} {
			require.NotContains(t, end.States(), Gone)
			require.Empty(t, end.Edges(Gone))
			require.Empty(t, end.Legal(Gone))
		}
	}
}

func TestRoute(t *testing.T) {
	for _, c := range []struct {
		from, to State
		want     []State
	}{
		{Updating, Running, []State{Syncing, Running}},
		{Creating, Running, []State{Running}},
		{Running, Running, nil},
		{Stopping, Gone, []State{Stopped, Gone}},
		{Abnormal, Gone, []State{Stopped, Gone}},
		{Running, Stopped, []State{Abnormal, Stopped}},
		{Nonexistent, Running, nil},
		{Gone, Running, nil},
		{Created, Running, nil}, // no state of hosted clusters
	} {
		require.Equal(t, c.want, HostedStates.Route(c.from, c.to), "%s to %s", c.from, c.to)
	}
}

func TestEveryStateHasALabelAndAMeaning(t *testing.T) {
	for _, m := range []StateMachine{HostedStates, AdoptedStates} {
		seen := map[Label]bool{}
		for _, s := range m.States() {
			l := m.Label(s)
			require.NotEmpty(t, l.ZH, s)
			require.NotEmpty(t, l.EN, s)
			require.NotEqual(t, l.ZH, l.EN)
			require.NotContains(t, []string{l.ZH, l.EN}, string(s), "the label of a state without one")
			require.False(t, seen[l], "%s has the label of another state", s)
			seen[l] = true
			require.NotEmpty(t, m.Meaning(s), s)
		}
		require.Equal(t, Label{"已删除", "Deleted"}, m.Label(Gone))
		require.Equal(t, Label{"lost", "lost"}, m.Label("lost"))
		require.Empty(t, m.Meaning("lost"))
	}
	require.Equal(t, "降级运行中", HostedStates.Label(Degraded).ZH)
	require.Equal(t, "注册中", AdoptedStates.Label(Registering).ZH)
}

// Whether a state has a deadline is asked without the mode.
func TestAStateOfBothModesIsUnsteadyInBothOrInNeither(t *testing.T) {
	for _, s := range HostedStates.States() {
		if a := AdoptedStates.row(s); a.state != "" {
			require.Equal(t, HostedStates.row(s).unsteady, a.unsteady, s)
		}
	}
	require.True(t, Creating.Unsteady())
	require.True(t, Deleting.Unsteady())
	require.False(t, Abnormal.Unsteady())
	require.False(t, Gone.Unsteady())
}

// What is handed out is the caller's own.
func TestTheTablesCannotBeChanged(t *testing.T) {
	HostedStates.States()[0] = Gone
	HostedStates.Edges(Running)[0] = Gone
	HostedStates.Legal(Running)[0] = "explode"
	require.Equal(t, Creating, HostedStates.States()[0])
	require.Equal(t, Degraded, HostedStates.Edges(Running)[0])
	require.Equal(t, CommandStart, HostedStates.Legal(Running)[0])
}

// Routes are made of edges, and none is longer than it must be.
func TestEveryRouteIsMadeOfEdges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := aMachine(t)
		states := append(m.States(), Gone)
		from, target := rapid.SampledFrom(states).Draw(t, "from"), rapid.SampledFrom(states).Draw(t, "to")
		path := m.Route(from, target)
		if len(path) == 0 {
			return
		}
		require.Equal(t, target, path[len(path)-1])
		at, passed := from, map[State]bool{from: true}
		for i, s := range path {
			require.Contains(t, m.Edges(at), s, "%s is no edge of %s", s, at)
			require.False(t, passed[s], "%s is passed twice", s)
			require.Equal(t, path[i:], m.Route(at, target), "the way from %s is another one", at)
			at, passed[s] = s, true
		}
	})
}

// Every state is one that a new cluster can come to, by commands and
// observations; and so is what a command leads to.
func TestEveryStateCanBeReached(t *testing.T) {
	for _, m := range []StateMachine{HostedStates, AdoptedStates} {
		reached := m.States()[:1]
		for i := 0; i < len(reached); i++ {
			for _, next := range successors(m, reached[i]) {
				if !slices.Contains(reached, next) {
					reached = append(reached, next)
				}
			}
		}
		require.ElementsMatch(t, append(m.States(), Gone), reached)
	}
}

// successors lists the states that one command or one observation leads to.
func successors(m StateMachine, s State) []State {
	out := m.Edges(s)
	for _, k := range m.Legal(s) {
		next, _ := m.Next(s, k)
		out = append(out, next)
	}
	return out
}

// However a cluster is moved, it stays within the machine; and once delete was
// taken it can always come to its end.
func TestAWalkStaysInTheMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom([]StateMachine{HostedStates, AdoptedStates}).Draw(t, "machine")
		at, deleting := m.States()[0], false
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			require.Contains(t, m.States(), at)
			require.True(t, !deleting || slices.Contains(m.Route(at, Gone), Gone), "a deletion ends in %s", at)
			if rapid.Bool().Draw(t, "by command") {
				command := rapid.SampledFrom(m.Legal(at)).Draw(t, "command")
				at, _ = m.Next(at, command)
				if command == CommandDelete {
					m, deleting = m.WhileDeleting(), true
				}
			} else if at = rapid.SampledFrom(m.Edges(at)).Draw(t, "observed"); at == Gone {
				return
			}
		}
	})
}

func aMachine(t *rapid.T) StateMachine {
	m := rapid.SampledFrom([]Mode{Hosted, Adopted}).Draw(t, "mode").StateMachine()
	if rapid.Bool().Draw(t, "deleting") {
		m = m.WhileDeleting()
	}
	return m
}
