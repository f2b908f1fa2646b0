package ecptest

import (
	"errors"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// refusalCases: a platform that does not take every node.
var refusalCases = []provisionerCase{
	{name: "a successor is tried before a node goes", test: rehearsing},
	{
		name:  "what refuses nodes is named",
		hook:  "RefusePods",
		given: func(s ProvisionerSuite) bool { return s.RefusePods != nil && s.DeletePod != nil },
		test:  refusing,
	},
}

func (b *bench) rehearser() ecp.Rehearser {
	r, ok := b.p.(ecp.Rehearser)
	if !ok {
		b.Skip("it is no ecp.Rehearser")
	}
	return r
}

// rehearsing changes nothing, whatever is asked how often.
func rehearsing(b *bench) {
	r := b.rehearser()
	n := b.suite.Nodes
	_, before := b.create(n)
	b.taken(r, ecp.RoleCore, n)
	b.same(identity(before, true), identity(b.seen("as before", running(n)), true))
}

// taken demands that each of n nodes of a role would be taken, and that nothing is written for that answer.
func (b *bench) taken(r ecp.Rehearser, role ecp.NodeRole, n int) {
	b.Helper()
	writes := b.writes()
	for i := range n {
		if err := r.Rehearse(b.Context(), b.id, role, i); err != nil && !errors.Is(err, ecp.ErrUnsupported) {
			b.Errorf("%s node %d: %v", role, i, err)
		}
	}
	if now := b.writes(); now != writes {
		b.Errorf("a rehearsal wrote %d times", now-writes)
	}
}

// refuse lets the platform take no pods from now on, and demands that a node of a role would be refused
// for it. It returns the word that refusals hold.
func (b *bench) refuse(r ecp.Rehearser, role ecp.NodeRole) (word string) {
	b.Helper()
	word = b.suite.RefusePods(b.T, b.p, b.id, true)
	b.seen("a rehearsal is refused", func(ecp.Observation) string {
		err := r.Rehearse(b.Context(), b.id, role, 0)
		if !errors.Is(err, ecp.ErrConflict) {
			return "the answer is no conflict"
		}
		if !strings.Contains(ecp.MessageOf(err), word) {
			return "the refusal does not say " + word + ": " + ecp.MessageOf(err)
		}
		return ""
	})
	return word
}

func refusing(b *bench) {
	r := b.rehearser()
	n := b.suite.Nodes
	b.create(n)
	word := b.refuse(r, ecp.RoleCore)
	b.suite.DeletePod(b.T, b.p, b.id, n-1)
	b.seen("the obstacle is named", func(o ecp.Observation) string {
		if !strings.Contains(strings.Join(o.Obstacles, " "), word) {
			return "the obstacles do not say " + word
		}
		return ""
	})
	b.suite.RefusePods(b.T, b.p, b.id, false)
	b.seen("complete again", func(o ecp.Observation) string {
		if len(o.Obstacles) > 0 {
			return "there are obstacles"
		}
		return running(n)(o)
	})
}
