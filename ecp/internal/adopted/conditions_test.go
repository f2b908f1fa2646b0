package adopted

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/ecp"
)

// conditionsAt returns the conditions of a scene in words, at a time after t0.
func (c *scene) conditionsAt(after time.Duration) map[ecp.ConditionType]string {
	now := t0.Add(after)
	c.rec.Status.Conditions = Conditions(NewView(patient, now, c.rec, c.agents, c.look))
	out := map[ecp.ConditionType]string{}
	for _, cond := range c.rec.Status.Conditions {
		out[cond.Type] = string(cond.Status) + " " + string(cond.Reason)
	}
	return out
}

func TestConditions(t *testing.T) {
	s := newScene(ecp.Running)
	good := s.conditionsAt(0)
	require.Len(t, good, len(conditionRows)-1, "a cluster without a limit has no UpToDate")
	for kind, says := range good {
		require.Equal(t, "True AsExpected", says, kind)
	}

	s.look.Agents = ecp.AgentsObservation{Unheard: "no listener"}
	for kind, says := range s.conditionsAt(time.Second) {
		since, want := t0.Add(time.Second), "Unknown Unseen"
		if kind == ecp.CondAccepted { // it does not depend on what agents show
			since, want = t0, "True AsExpected"
		}
		require.Equal(t, want, says, kind)
		require.Equal(t, since, ecp.ConditionOf(s.rec.Status.Conditions, kind).Since, kind)
	}
}

func TestLimitCondition(t *testing.T) {
	s := newScene(ecp.Running)
	s.rec.Status.Limit = &ecp.BrokerLimit{Set: 100, InForce: 100, At: t0.Add(-time.Minute)}
	s.report(0).Description.Limit, s.report(1).Description.Limit, s.report(2).Description.Limit = 200, 200, 200
	require.Equal(t, "Unknown NotAsked", s.conditionsAt(0)[ecp.CondUpToDate], "seen once: as it was")
	s.look.OtherLimit = streak{2, t0}
	require.Equal(t, "False LimitDiffers", s.conditionsAt(0)[ecp.CondUpToDate])
}
