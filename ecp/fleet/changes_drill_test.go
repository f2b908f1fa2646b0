package fleet_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// changes are what a cluster may be asked for at any moment.
var changes = []ecp.Command{
	patched(`{"nodes":1}`), patched(`{"nodes":2}`), patched(`{"nodes":3}`), patched(`{"nodes":5}`),
	patched(`{"image":"first"}`), patched(`{"image":"near"}`), patched(`{"image":"later"}`),
	patched(`{"size":"1C1G"}`), patched(`{"size":"more"}`), patched(`{"size":"fast"}`),
	patched(`{"network":{"type":"NodePort"}}`), patched(`{"network":{"type":"ClusterIP"}}`),
	patched(`{"network":{"certificate":"shops"}}`), patched(`{"network":{"certificate":null}}`),
	patched(`{"connections":30}`), patched(`{"connections":600}`),
	patched(`{"config":{"mqtt.max_packet_size":"2MB"}}`), patched(`{"config":{"mqtt.max_packet_size":null}}`),
	patched(`{"config":{"conn_congestion.enable_alarm":"false"}}`),
	patched(`{"config":{"conn_congestion.enable_alarm":null}}`),
	patched(`{"replicants":{"nodes":2}}`), patched(`{"replicants":{"nodes":1}}`), patched(`{"replicants":null}`),
	patched(`{"evacuation":{"rate":1}}`), patched(`{"evacuation":{"rate":500}}`),
	ecp.Restart{}, ecp.Stop{}, ecp.Start{}, ecp.Start{}, ecp.Repair{},
}

// TestTwentyChanges: of changes that come at any moment the last one counts, and the cluster
// is what one would be that was created so.
func TestTwentyChanges(t *testing.T) {
	runs := 6
	if long() {
		runs = 200
	}
	for i := range runs {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			t.Parallel()
			dice := dice(t)
			var spec ecp.Spec
			var got string
			inDrillOf(t, operation{cmd: ecp.Restart{}}, func(r *drilled) {
				r.through(r.gate("", 0))
				tale := r.change20(dice)
				spec = r.get(r.c).Spec
				r.end = ecp.Running
				if spec.Hosted.Power == ecp.PowerOff {
					r.end = ecp.Stopped
				}
				got = r.finishAs(tale)
				c := ecp.ConditionOf(r.get(r.c).Status.Conditions, ecp.CondConfigured)
				if c.Status == ecp.False && c.Reason == ecp.ReasonSettingsLinger { // taken away while it was stopped
					_, err := r.c.Do(asSystem(), ecp.EndDrift{})
					require.NoError(r.t, err)
					got = r.finishAs(tale)
				}
			})
			inDrillOf(t, operation{}, func(r *drilled) { r.same(withoutPast(r.made(spec)), withoutPast(got)) })
		})
	}
}

// withoutPast leaves out whether settings are as asked for: what was taken away may linger in
// EMQX, which only a cluster with a past has to tell.
func withoutPast(shape string) string {
	return regexp.MustCompile(`(?m)^Configured: .*\n`).ReplaceAllString(shape, "")
}

// change20 asks for twenty changes, and tells which were taken. Some are taken back.
func (r *drilled) change20(dice *rand.Rand) (tale string) {
	began := time.Now()
	for range 20 {
		pause := time.Duration(dice.IntN(4000)) * time.Millisecond
		if dice.IntN(3) == 0 {
			pause = time.Duration(dice.IntN(60)) * time.Second
		}
		<-time.After(pause)
		cmd := changes[dice.IntN(len(changes))]
		what := fmt.Sprintf("%s %+v", cmd.Kind(), cmd)
		op := r.record().Status.Operation
		var err error
		if op != "" && dice.IntN(5) == 0 {
			what = "cancel"
			_, err = r.m.CancelOperation(asSystem(), op)
		} else {
			_, err = r.c.Do(asSystem(), cmd)
		}
		tale += fmt.Sprintf("%s %s: %s\n", time.Since(began), what, ecp.MessageOf(err))
		if err != nil && !errors.Is(err, ecp.ErrConflict) && !errors.Is(err, ecp.ErrUnsupported) {
			require.NoError(r.t, err, tale)
		}
	}
	return tale
}

// finishAs waits until nothing is left to do, and returns what there is then.
func (r *drilled) finishAs(tale string) string {
	r.t.Helper()
	for range 7200 {
		if r.over() {
			break
		}
		<-time.After(500 * time.Millisecond)
	}
	require.True(r.t, r.over(), "it never ends: %s%+v", tale, r.record().Status)
	if r.end == ecp.Running {
		r.until("clients are back", func() bool { return r.sim.Cluster(r.id).Usage().Connected == drillClients },
			func() any { return fmt.Sprint(tale, r.sim.Cluster(r.id).Usage()) })
	}
	<-time.After(time.Minute)
	writes := r.sim.Writes()
	<-time.After(time.Minute)
	require.Equal(r.t, writes, r.sim.Writes(), "something is still written\n%s", tale)
	require.True(r.t, r.over(), "it did not stay so: %s%+v", tale, r.record().Status)
	kinds := map[ecp.OperationKind]int{}
	for _, o := range r.operations() {
		require.True(r.t, o.Phase.Final(), "%+v", o)
		kinds[o.Kind]++
	}
	if r.t.Failed() {
		r.t.Log(tale)
	}
	return r.shape()
}

// made creates the cluster of a spec, and returns what there is then.
func (r *drilled) made(spec ecp.Spec) string {
	r.t.Helper()
	r.through(r.gate("", 0))
	power := spec.Hosted.Power
	spec = spec.Clone()
	for key, value := range spec.Hosted.Config {
		if strings.HasPrefix(value, "sealed:") { // it is the one of the other cluster
			spec.Hosted.Config[key] = "false"
		}
	}
	_, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Hosted, Name: "a", Spec: spec})
	require.NoError(r.t, err)
	r.named()
	r.end = ecp.Running
	if power == ecp.PowerOff {
		r.end = ecp.Stopped
	}
	if r.end == ecp.Running {
		r.reaches(r.c, ecp.Running)
		r.clients(r.c, drillClients)
	}
	return r.finishAs("created")
}
