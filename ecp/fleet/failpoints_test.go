package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEveryFailPoint: whatever call of an operation breaks, and however, the end is that of
// an operation of which none breaks. All of them are tried by make test-long; else some.
func TestEveryFailPoint(t *testing.T) {
	for _, op := range drawn(dice(t), 10) {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			dice := dice(t)
			var points []string
			var want string
			inDrillOf(t, op, func(r *drilled) {
				g := r.gate("", 0)
				r.through(g)
				require.NoError(r.t, r.command())
				want = r.finish()
				points = g.points()
			})
			t.Logf("%d points", len(points))
			for _, f := range breakdowns(dice, points) {
				t.Run(fmt.Sprint(f.how, " at ", f.at, " ", points[f.at-1]), func(t *testing.T) {
					inDrillOf(t, op, func(r *drilled) { r.same(want, r.brokenAt(f.how, f.at)) })
				})
			}
		})
	}
}

type failure struct {
	how breakdown
	at  int
}

// breakdowns are what can go wrong at points: all that can where something is changed, and some
// of what can where something is read, where the long drills are run; else a few of both.
func breakdowns(dice *rand.Rand, points []string) (out []failure) {
	var changes, reads []failure
	for i, point := range points {
		f := failure{at: i + 1}
		if !strings.HasPrefix(point, "before") && !strings.HasPrefix(point, "after") {
			reads = append(reads, failure{fail, f.at}, failure{hang, f.at})
			continue
		}
		changes = append(changes, failure{crash, f.at}, failure{fail, f.at})
		if !strings.HasSuffix(point, "write") {
			changes = append(changes, failure{hang, f.at})
		}
	}
	some := func(of []failure, n int) {
		for _, i := range dice.Perm(len(of))[:min(n, len(of))] {
			out = append(out, of[i])
		}
	}
	if long() {
		some(reads, 50)
		return append(out, changes...)
	}
	some(changes, 3)
	some(reads, 1)
	return out
}

// brokenAt carries the operation out, breaks a point of it, and goes on with another
// process where the first has ended.
func (r *drilled) brokenAt(how breakdown, n int) string {
	g := r.gate(how, n)
	r.through(g)
	asked := r.command()
	for how == crash && asked == nil && !g.isDead() && !r.over() {
		<-time.After(20 * time.Millisecond)
	}
	if how == crash {
		r.through(r.gate("", 0))
	}
	if !r.taken() {
		require.NoError(r.t, r.command(), "whoever asked asks again")
	}
	return r.finish()
}
