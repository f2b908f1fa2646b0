package fleet

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/derive"
	"github.com/openecp/openecp/ecp/internal/sched"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var patient = ecp.Timings{}.WithDefaults()

// aRecord is a dispatched hosted cluster of three nodes in a state.
func aRecord(s ecp.State) ecp.ClusterRecord {
	rec := ecp.ClusterRecord{
		ID: "emqx-0a1b2c3d", Name: "a", Project: "default/default", Mode: ecp.Hosted, Generation: 1, Revision: 1,
		Spec:     ecp.Spec{Hosted: &ecp.HostedSpec{Nodes: 3, Connections: 10, Power: ecp.PowerOn, Target: "default"}},
		Resolved: ecp.Resolved{Image: ecp.Image{Version: "5.8.9"}},
		Status: ecp.Status{
			State: s, Since: t0, Dispatched: true, Seen: true, Applied: 1, Auth: "auth-1",
			Volumes: map[int]string{0: "v0", 1: "v1", 2: "v2"},
		},
	}
	if s.Unsteady() {
		rec.Status.Deadline = t0.Add(time.Minute)
	}
	if s == ecp.Stopping || s == ecp.Stopped {
		rec.Spec.Hosted.Power = ecp.PowerOff
	}
	return rec
}

func nodeName(i int) string { return fmt.Sprintf("emqx@n%d", i) }

// aLook sees the first `ready` of `pods` nodes ready and members of one cluster.
func aLook(pods, ready int) derive.Snapshot {
	f := ecp.Observation{Exists: true, Replicas: 3, Converged: ready == 3 && pods == 3, Auth: "auth-1"}
	var members []derive.Member
	for i := range 3 {
		f.Volumes = append(f.Volumes,
			ecp.VolumeObservation{Ordinal: i, Name: fmt.Sprintf("data-%d", i), UID: fmt.Sprintf("v%d", i), Bound: true})
		if i >= pods {
			continue
		}
		f.Nodes = append(f.Nodes,
			ecp.NodeObservation{Ordinal: i, Name: nodeName(i), Pod: fmt.Sprintf("n%d", i), Ready: i < ready})
		if i < ready {
			members = append(members, derive.Member{Name: nodeName(i), Version: "5.8.9"})
		}
	}
	l := derive.Snapshot{At: t0, Found: f}
	if ready > 0 {
		l.Views = map[string][]derive.Member{nodeName(0): members}
	}
	return l
}

// last gives the record after a step.
func last(t *testing.T, s derive.Result) ecp.ClusterRecord {
	t.Helper()
	require.NotEmpty(t, s.Transitions)
	return s.Transitions[len(s.Transitions)-1]
}

// take gives what the queue hands out at once; "" = nothing waits.
func take(q *sched.Queue) ecp.ID {
	if q.Depth() == 0 {
		return ""
	}
	id, _ := q.Get(context.Background())
	return id
}

func aKey(id string, n byte) ecp.Key { return ecp.Key{ID: id, Secret: bytes.Repeat([]byte{n}, 32)} }

// queued takes everything that waits in a queue.
func queued(q *sched.Queue) map[ecp.ID]bool {
	out := map[ecp.ID]bool{}
	for id := take(q); id != ""; id = take(q) {
		out[id] = true
		q.Done(id)
	}
	return out
}
