package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestLimitCrashes: the program is killed at every boundary of a limit's life, before
// and after each write and each request, and started again: what is booked is exact
// at any time, and the end is the same.
func TestLimitCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last int
		for n := 1; ; n++ {
			r := newLimitRig(t, emqxsim.ClusterConfig{})
			r.life.left = n
			crashed := false
			for i, step := range []func(*limitRig) error{
				func(r *limitRig) error { _, err := r.set(500); return err },
				func(r *limitRig) error { r.settle(); return nil },
				func(r *limitRig) error { _, err := r.set(300); return err },
				func(r *limitRig) error { r.settle(); return nil },
				func(r *limitRig) error {
					_, err := r.m.Cluster(r.id).Do(asSystem(), ecp.Delete{})
					return ifThere(err)
				},
				func(r *limitRig) error { r.settleGone(); return nil },
			} {
				err := step(r)
				r.exact()
				if r.life.dead {
					crashed = true
					r.restart()
					err = step(r)
				}
				require.NoError(t, err, "boundary %d, step %d", n, i)
				r.exact()
				require.True(t, r.explained(), "boundary %d, step %d: EMQX has %d, the record %+v", n, i, r.has(),
					r.rec().Status.Limit)
				if want, is := map[int]int{1: 500, 3: 300, 5: 25}[i]; is {
					require.Equal(t, want, r.has(), "boundary %d, step %d", n, i)
				}
			}
			require.Empty(t, r.rec().ID, "boundary %d", n)
			for _, o := range r.ops() {
				require.Equal(t, ecp.PhaseSucceeded, o.Phase, "boundary %d: %+v", n, o)
			}
			for _, sent := range r.sent {
				require.Equal(t, "PUT /api/v5/license/setting", sent)
			}
			if last = n; !crashed {
				break
			}
		}
		t.Logf("%d boundaries", last)
		require.Greater(t, last, 50)
	})
}

func ifThere(err error) error {
	if errors.Is(err, ecp.ErrNotFound) {
		return nil
	}
	return err
}

// settleGone lets time go by until the cluster is gone.
func (r *limitRig) settleGone() {
	for range 60 {
		if r.life.dead || r.rec().ID == "" {
			return
		}
		if r.rec().Status.Limit != nil {
			r.report()
		}
		r.pass(2, 3*time.Second)
	}
}

// explained reports whether what EMQX has was there before, or is booked.
func (r *limitRig) explained() bool {
	has := r.has()
	return has == 0 || has <= r.rec().Booked() || slices.Contains(append(r.foreign, 25), has)
}

// taleTeller fails a case of rapid and tells what led there: pauses are drawn at random,
// so that the same case may go well when it is tried again.
type taleTeller struct {
	*rapid.T
	outer *testing.T
	tale  *[]string
}

func (t taleTeller) Errorf(format string, args ...any) {
	t.outer.Logf("%s\n"+format, append([]any{strings.Join(*t.tale, "\n")}, args...)...)
	t.T.Errorf(format, args...)
}

// limitModel does whatever can happen to a limit, in any order.
type limitModel struct {
	*limitRig
	rt   *rapid.T
	tale []string
}

func (m *limitModel) say(format string, args ...any) {
	m.tale = append(m.tale, fmt.Sprintf(format, args...))
}

func (m *limitModel) check() {
	m.exact()
	rec := m.rec()
	if m.forced && rec.ID == "" {
		return
	}
	if !m.explained() {
		require.Fail(m.t, "EMQX has a number that is not booked", "%d; %+v", m.has(), rec.Status.Limit)
	}
	if l := rec.Status.Limit; l == nil && rec.ID != "" {
		require.Zero(m.t, rec.Booked())
	}
}

var modelLicenses = []emqxsim.License{critical, {
	Type:         emqxsim.OfficialLicense,
	CustomerType: emqxsim.BusinessCriticalCustomer,
	Limit:        200,
}, {Limit: 100, CustomerType: emqxsim.LargeCustomer}}

var modelAnswers = map[string]*canned{
	"well": nil, "400": answers(400, `{"code":"BAD_REQUEST","message":"Bad license setting"}`), "read-only": answers(403, readOnly),
	"500": answers(500, `{"code":"INTERNAL_ERROR","message":"x"}`), "drops": answers(200, `{"connection_high_watermark":"80%"}`),
}

func (m *limitModel) step() {
	what := rapid.SampledFrom([]string{
		"set", "set", "set", "set", "pass", "pass", "pass", "report", "report", "wait", "long", "away", "crash",
		"crash", "put", "by hand", "license", "answers",
		"cancel", "delete", "force", "remove", "register", "transfer",
	}).Draw(m.rt, "what")
	n := rapid.SampledFrom([]int{0, 50, 300, 500, 1500}).Draw(m.rt, "n")
	m.say("%s %d", what, n)
	switch what {
	case "set":
		_, err := m.set(n)
		m.say("  %v", err)
	case "pass":
		m.pass(1, time.Second)
	case "report":
		m.report()
		m.pass(1, time.Second)
	case "wait":
		m.pass(3, 10*time.Second)
	case "long":
		m.pass(12, 30*time.Second)
	case "away":
		m.away = !m.away
		m.report()
	case "crash":
		m.life.left = rapid.IntRange(1, 12).Draw(m.rt, "boundary")
	case "put":
		m.life.afterIt = http.MethodPut
	case "by hand":
		if _, is := m.described(); is.Settable {
			m.byHand(n)
			m.foreign = append(m.foreign, n)
		}
	case "license":
		m.foreign = append(m.foreign, m.has()) // with a license of another type EMQX keeps it, and takes no other
		m.sim.SetLicense(rapid.SampledFrom(modelLicenses).Draw(m.rt, "license"))
	case "answers":
		how := rapid.SampledFrom([]string{"well", "well", "400", "read-only", "500", "drops"}).Draw(m.rt, "how")
		m.say("  %s", how)
		m.instead = modelAnswers[how]
	case "cancel":
		if ops := m.ops(); len(ops) > 0 {
			_, err := m.m.CancelOperation(asSystem(), ops[0].ID)
			m.say("  %v", err)
		}
	case "delete", "force":
		if rapid.IntRange(0, 5).Draw(m.rt, "really") == 0 {
			_, err := m.m.Cluster(m.id).Do(asSystem(), ecp.Delete{Force: what == "force"})
			m.forced = m.forced || what == "force" && (err == nil || m.life.dead)
			m.say("  deleted: %v", err)
		}
	case "remove":
		_ = m.m.Agents.Remove(asSystem(), m.id, m.agent)
	case "register":
		_ = m.register("x")
	case "transfer":
		_, _ = m.m.Cluster(m.id).Do(asSystem(),
			ecp.Transfer{Project: rapid.SampledFrom([]string{"a/p", "a/q"}).Draw(m.rt, "project")})
	}
	m.m.Pass(context.Background(), m.id)
	if m.life.dead {
		m.say("  killed")
		m.check()
		m.restart()
	}
	if l := m.rec().Status; l.Limit != nil {
		m.say("  has %d, %s %+v", m.has(), l.Operation, *l.Limit)
	}
	m.check()
}

// TestLimitInvariants: whatever happens in whatever order, the ledger is exact,
// whatever EMQX has from here is booked, and in the end it has what is recorded, its
// own number, or somebody else's.
func TestLimitInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failed any
		synctest.Test(t, func(*testing.T) {
			m := &limitModel{rt: rt}
			defer func() { failed = recover() }() // rapid ends a case by a panic, which belongs outside
			m.limitRig = newLimitRig(taleTeller{T: rt, outer: t, tale: &m.tale}, emqxsim.ClusterConfig{})
			for of, n := range map[string]int{"a/p": 1600, "a/q": 400, "a": 1800} {
				_, err := m.m.Directory.UpdateQuota(asSystem(), ecp.Quota{Of: of, Connections: n})
				require.NoError(rt, err)
			}
			for range rapid.IntRange(5, 40).Draw(rt, "steps") {
				m.step()
			}
			m.end()
		})
		if failed != nil {
			panic(failed)
		}
	})
}

// end lets everything be well again, and takes the cluster away.
func (m *limitModel) end() {
	m.say("end")
	m.life.left, m.life.afterIt, m.instead, m.away = 0, "", nil, false
	m.restart()
	m.sim.SetLicense(critical)
	if rec := m.rec(); rec.ID != "" && (!rec.Deleting || rec.Status.Limit != nil) && !rec.Force {
		_ = m.register("x")
	}
	m.report()
	rec := m.settleAll()
	m.check()
	if rec.ID != "" {
		require.Empty(m.t, rec.Status.Operation)
		has, n := m.has(), rec.Spec.Connections()
		require.True(m.t, slices.Contains(append(m.foreign, 25), has) || has == n, "EMQX has %d, recorded are %d", has,
			n)
		require.Equal(m.t, n, rec.Booked())
		_, err := m.m.Cluster(m.id).Do(asSystem(), ecp.Delete{})
		require.NoError(m.t, err)
		m.settleGone()
	}
	require.Empty(m.t, m.rec().ID, "%+v", m.rec().Status)
	m.exact()
	pool, err := m.m.Pool(asSystem())
	require.NoError(m.t, err)
	require.Zero(m.t, pool.UsedConnections)
	require.True(m.t, m.forced || slices.Contains(append(m.foreign, 25), m.has()), "EMQX is left with %d", m.has())
}

// settleAll is settle for a cluster that may be on its way out.
func (m *limitModel) settleAll() ecp.ClusterRecord {
	if m.rec().Deleting {
		m.settleGone()
		return m.rec()
	}
	return m.settle()
}
