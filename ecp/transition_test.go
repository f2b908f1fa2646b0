package ecp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// legalCommands is the contract, written out by hand: every state of every
// mode with the commands it takes and where they lead.
var legalCommands = map[Mode]map[State]string{
	Hosted: {
		Creating:    "start= stop>stopping update. transfer. delete>stopping",
		Updating:    "start= stop>stopping update. transfer. delete>stopping",
		Syncing:     "start= stop>stopping update>updating transfer. delete>stopping",
		Starting:    "start= stop>stopping update. transfer. delete>stopping",
		Running:     "start= stop>stopping restart>updating update>updating repair>updating transfer. delete>stopping",
		Degraded:    "start= stop>stopping restart>updating update>updating repair>updating transfer. delete>stopping",
		Stopping:    "start>starting stop= update. transfer. delete.",
		Stopped:     "start>starting stop= update. transfer. delete.",
		Abnormal:    "start>starting stop>stopping restart>updating update>updating repair>updating take-over>updating put-back>updating transfer. delete>stopping",
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
		require.Len(t, States(mode), len(byState))
		for _, s := range States(mode) {
			got := ""
			for _, k := range commandKinds {
				next, v := Next(mode, s, k)
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
			}
			require.Equal(t, byState[s]+" ", got, "%s %s", mode, s)
		}
	}
}

func TestWhileDeletingOnlyDeleteIsTaken(t *testing.T) {
	for _, s := range States(Hosted) {
		for _, k := range commandKinds {
			_, v := NextDeleting(s, k)
			require.Equal(t, k == KindDelete, v != Illegal, "%s %s", s, k)
		}
		require.Equal(t, []CommandKind{KindDelete}, Legal(Hosted, s, true))
	}
}

func TestNoDeadEnd(t *testing.T) {
	for _, mode := range []Mode{Hosted, Adopted} {
		for _, s := range States(mode) {
			_, deletable := Next(mode, s, KindDelete)
			require.NotEqual(t, Illegal, deletable, "%s %s cannot be deleted", mode, s)
			require.NotEmpty(t, lookTable(mode)[s], "%s %s is never left by a look", mode, s)
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
	} {
		require.Equal(t, c.want, route(Hosted, c.from, c.to), "%s to %s", c.from, c.to)
	}
}

func TestLabelsOfEveryState(t *testing.T) {
	for _, mode := range []Mode{Hosted, Adopted} {
		for _, s := range States(mode) {
			l := LabelOf(mode, s)
			require.NotEmpty(t, l.ZH)
			require.NotEqual(t, l.ZH, l.EN)
		}
	}
	require.Equal(t, "降级运行中", LabelOf(Hosted, Degraded).ZH)
	require.Equal(t, "注册中", LabelOf(Adopted, Registering).ZH)
}
