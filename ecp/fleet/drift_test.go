package fleet_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/ecptest"
	"github.com/openecp/openecp/emqxsim"
	"github.com/stretchr/testify/require"
)

const zone5 = "/api/v5/configs/global_zone"

// drift is how the settings of a cluster differ, in words: key, kind, wanted, and what each node has where that is
// another.
func (r *rig) drift(c ecp.Cluster) (out []string) {
	r.t.Helper()
	got, err := r.m.SettingsDrift(asSystem(), c.ID())
	require.NoError(r.t, err)
	require.Empty(r.t, got.Unanswered)
	for _, d := range got.Settings {
		line := d.Key + " " + string(d.Kind)
		if d.Wanted != nil {
			line += " " + *d.Wanted
		}
		for _, n := range d.Nodes {
			require.NotNil(r.t, n.Value)
			if n.Differs {
				line += " " + *n.Value
			}
		}
		out = append(out, line)
	}
	return out
}

// drifts changes two settings in the dashboard, one that is asked for and one that is not. A node that starts again has
// those of the spec.
func (r *rig) drifts(c ecp.Cluster) {
	r.t.Helper()
	r.ends(r.change(c, `{"config":{"mqtt.max_packet_size":"2MB","force_shutdown":"{\"max_mailbox_size\":9}"}}`),
		ecp.PhaseSucceeded)
	r.configured(c, ecp.True, ecp.ReasonAsExpected)
	require.Empty(r.t, r.drift(c))
	r.inDashboard(c, http.MethodPut, zone5, `{"mqtt":{"max_packet_size":"3MB","max_inflight":12}}`)
	require.NoError(r.t, r.sim.DeletePod(c.ID(), 2))
	<-time.After(5 * time.Minute)
	r.reaches(c, ecp.Running)
	told := r.configured(c, ecp.False, ecp.ReasonSettingsDiffer)
	require.Contains(r.t, told.Message, "mqtt.max_packet_size (on ")
	require.NotContains(r.t, told.Message, "3MB")
	require.Equal(r.t, []string{"mqtt.max_inflight unasked 12 12 12", "mqtt.max_packet_size differs 2MB 3MB 3MB"},
		r.drift(c), "cluster.hocon reaches the node that starts, but for what its own file has")
}

// What a person has changed in the dashboard is told with its values, and put back as one operation: no node is
// replaced.
func TestSettingsArePutBack(t *testing.T) {
	for _, v := range []divides{five, ten, six} {
		t.Run(v.image, func(t *testing.T) {
			v.runs(t, func(r *rig, c ecp.Cluster, d *diary) {
				r.drifts(c)
				ran := pods(r.found(c))
				all := ecp.EndDrift{IfRevision: r.get(c).Revision}
				plan, err := c.Plan(asSystem(), all)
				require.NoError(t, err)
				require.Equal(t, []string{"settings-set", "objects", "nodes", "members"}, plan.Steps)
				require.Empty(t, plan.Nodes.Replaced)
				require.Contains(t, notes(plan), "told these settings of the spec again, on all nodes at once and "+
					"while it runs: mqtt.max_packet_size")
				require.Contains(t, notes(plan), "EMQX gets its own values of these settings, which the spec does not "+
					"have: mqtt.max_inflight")

				one := ecp.EndDrift{Keys: []string{"mqtt.max_packet_size"}}
				ctx := ecp.WithIdempotencyKey(asSystem(), "once")
				op, err := c.Do(ctx, one)
				require.NoError(t, err)
				ended := r.ends(op, ecp.PhaseSucceeded)
				require.Equal(t, "settings-set 1/1 objects 1/1 nodes 3/3 members 3/3 ", done(ended))
				require.Equal(t, "2MB 12", r.inForce(c, "mqtt.max_packet_size", "mqtt.max_inflight"))
				again, err := c.Do(ctx, one)
				require.NoError(t, err)
				require.Equal(t, op.ID, again.ID, "asked twice with one key")
				_, err = c.Do(asSystem(), all)
				require.Equal(t, ecp.CodePrecondition, ecp.CodeOf(err))

				r.ends(r.do(c, ecp.EndDrift{}), ecp.PhaseSucceeded)
				require.Empty(t, r.drift(c))
				require.Equal(t, "2MB 32", r.inForce(c, "mqtt.max_packet_size", "mqtt.max_inflight"))
				require.Equal(t, ran, pods(r.found(c)))
				require.Equal(t, map[string]string{
					"mqtt.max_packet_size": "2MB", "force_shutdown": `{"max_mailbox_size":9}`,
				}, r.appliedSettings())
				r.configured(c, ecp.True, ecp.ReasonAsExpected)
				require.Zero(t, r.do(c, ecp.EndDrift{}), "nothing differs")
				require.Contains(t, d.states(), "running updating syncing running updating syncing running")
			})
		})
	}
}

// What EMQX has becomes the spec's: nothing differs any more, no node is replaced, and nodes that start have it.
func TestSettingsAreTakenOver(t *testing.T) {
	five.runs(t, func(r *rig, c ecp.Cluster, _ *diary) {
		r.drifts(c)
		ran := pods(r.found(c))
		r.ends(r.do(c, ecp.EndDrift{TakeOver: true}), ecp.PhaseSucceeded)
		require.Empty(t, r.drift(c))
		require.Equal(t, ran, pods(r.found(c)))
		require.Equal(t, map[string]string{
			"mqtt.max_packet_size": "3MB", "mqtt.max_inflight": "12", "force_shutdown": `{"max_mailbox_size":9}`,
		}, r.appliedSettings())
		r.configured(c, ecp.True, ecp.ReasonAsExpected)
		r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		require.Equal(t, "3MB 12", r.inForce(c, "mqtt.max_packet_size", "mqtt.max_inflight"))
		require.Empty(t, r.drift(c))
	})
}

// A setting that nodes get when they start is not put back while they run: a restart is offered, and does it.
func TestSettingsThatNeedARestart(t *testing.T) {
	five.runs(t, func(r *rig, c ecp.Cluster, _ *diary) {
		r.ends(r.change(c, `{"config":{"force_shutdown":"{\"max_mailbox_size\":9}"}}`), ecp.PhaseSucceeded)
		r.inDashboard(c, http.MethodPut, zone5, `{"force_shutdown":{"max_mailbox_size":99}}`)
		require.Equal(t, []string{"force_shutdown.max_mailbox_size differs 9 99 99 99"}, r.drift(c))
		for _, keys := range [][]string{nil, {"force_shutdown"}, {"force_shutdown.max_mailbox_size"}} {
			_, err := c.Do(asSystem(), ecp.EndDrift{Keys: keys})
			require.Equal(t, ecp.CodeUnsupported, ecp.CodeOf(err))
			require.Contains(t, fieldsOf(t, err)[0].Message, "a restart of the cluster replaces the nodes")
		}
		plan, err := c.Plan(asSystem(), ecp.EndDrift{Keys: []string{"force_shutdown"}, TakeOver: true})
		require.NoError(t, err)
		require.Empty(t, plan.Nodes.Replaced, "the one value is taken while EMQX runs")
		r.ends(r.do(c, ecp.Restart{}), ecp.PhaseSucceeded)
		require.Empty(t, r.drift(c))
		r.configured(c, ecp.True, ecp.ReasonAsExpected)
	})
}

// What EMQX refuses fails the operation with EMQX's words, and leads nowhere else: taking over what it has leads out.
func TestPutBackThatIsRefused(t *testing.T) {
	five.runs(t, func(r *rig, c ecp.Cluster, _ *diary) {
		r.drifts(c)
		remove := r.sim.Cluster(c.ID()).AddFault(emqxsim.Fault{
			Method: http.MethodPut, Path: "/api/v5/configs", Status: 400, ContentType: "text/plain",
			Body: `{"errors":{"mqtt":{"path":"mqtt.max_packet_size","reason":"no"}}}`,
		})
		op := r.ends(r.do(c, ecp.EndDrift{Keys: []string{"mqtt.max_packet_size"}}), ecp.PhaseFailed)
		require.Contains(t, op.Error, `"reason":"no"`)
		require.Equal(t, ecp.Abnormal, r.get(c).Status.State)
		remove()
		r.ends(r.do(c, ecp.EndDrift{TakeOver: true}), ecp.PhaseSucceeded)
		r.reaches(c, ecp.Running)
		require.Empty(t, r.drift(c))
	})
}

// Nobody is asked where there is nobody to be asked, and nothing is ended while nodes may differ.
func TestDriftThatIsNotKnown(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		_, err := c.Plan(context.Background(), ecp.EndDrift{})
		require.Equal(t, ecp.CodeDenied, ecp.CodeOf(err))
		op := r.do(c, ecp.Restart{})
		_, err = c.Do(asSystem(), ecp.EndDrift{})
		require.Equal(t, ecp.CodeConflict, ecp.CodeOf(err))
		r.ends(op, ecp.PhaseSucceeded)
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		_, err = r.m.SettingsDrift(asSystem(), c.ID())
		require.Equal(t, ecp.CodeConflict, ecp.CodeOf(err))
		require.ErrorContains(t, err, "the cluster is stopped")
	})
}

// EMQX 4.4 cannot be asked, and that is said.
func TestDriftOf4(t *testing.T) {
	four.runs(t, func(r *rig, c ecp.Cluster, _ *diary) {
		_, err := r.m.SettingsDrift(asSystem(), c.ID())
		require.Equal(t, ecp.CodeUnsupported, ecp.CodeOf(err))
		require.ErrorContains(t, err, "whether they were changed in its dashboard is not known")
		_, err = c.Do(asSystem(), ecp.EndDrift{})
		require.Equal(t, ecp.CodeUnsupported, ecp.CodeOf(err))
	})
}

// A process that dies while it puts settings back leaves that to the next one, wherever it died.
func TestPutBackOverACrash(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 8} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				c, _ := r.running()
				r.ends(r.change(c, `{"config":{"mqtt.max_packet_size":"2MB"}}`), ecp.PhaseSucceeded)
				r.inDashboard(c, http.MethodPut, zone5, `{"mqtt":{"max_packet_size":"3MB"}}`)
				r.configured(c, ecp.False, ecp.ReasonSettingsDiffer)
				r.stop()

				crasher := ecptest.NewCrasher()
				r.make(ecptest.NewFaultyStore(r.store, crasher), ecptest.NewFaultyProvisioner(&r.applied, crasher))
				c = r.m.Cluster(c.ID())
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- r.m.Run(ctx) }()
				r.until("asked", func() bool { _, err := r.m.SettingsDrift(asSystem(), c.ID()); return err == nil },
					func() any { return nil })
				op, err := c.Do(asSystem(), ecp.EndDrift{})
				require.NoError(t, err)
				crasher.Arm(n)
				<-crasher.Crashed()
				cancel()
				t.Log("how it ended:", <-ended)
				r.make(r.store, &r.applied)
				r.run()
				c = r.m.Cluster(c.ID())
				r.ends(op, ecp.PhaseSucceeded)
				require.Equal(t, "2MB", r.inForce(c, "mqtt.max_packet_size"))
				r.reaches(c, ecp.Running)
				r.configured(c, ecp.True, ecp.ReasonAsExpected)
				<-time.After(time.Minute)
				require.Empty(t, r.drift(c))
			})
		})
	}
}

// A put-back cannot be cancelled: nothing else was wanted before it.
func TestPutBackIsNotCancelled(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.inDashboard(c, http.MethodPut, zone5, `{"mqtt":{"max_inflight":12}}`)
		op := r.do(c, ecp.EndDrift{})
		_, err := r.m.CancelOperation(asSystem(), op.ID)
		require.Equal(t, ecp.CodeConflict, ecp.CodeOf(err))
		require.ErrorContains(t, err, "nothing to go back to")
		r.ends(op, ecp.PhaseSucceeded)
	})
}
