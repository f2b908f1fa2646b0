package fleet_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

func ptr[T any](v T) *T { return &v }

// Booking more connections and renaming restart nothing.
func TestUpdateOfARunningCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, d := r.running()
		before := r.found(c)
		op := r.do(c, ecp.Update{Name: ptr("b"), Description: ptr("x"), Patch: json.RawMessage(`{"connections":600}`)})
		require.Equal(t, ecp.OpUpdate, op.Kind)
		r.ends(op, ecp.PhaseSucceeded)
		r.settled(c)
		require.Equal(t, "running updating syncing running", d.states())
		info := r.get(c)
		require.Equal(t, []any{"b", "x", 600, 25, int64(2), int64(2)}, []any{
			info.Name, info.Description, info.Spec.Connections(), info.Current.Limit, info.Generation, info.Revision,
		}) // EMQX' own license allows no more
		require.Equal(t, before.Nodes, r.found(c).Nodes, "nothing restarts")
		require.Equal(t, 600, r.pool().UsedConnections)

		require.Zero(t, r.do(c, ecp.Update{Name: ptr("b"), Patch: json.RawMessage(`{"connections":600}`)}), "what holds needs no operation")
		require.EqualValues(t, 2, r.get(c).Revision)
		require.Zero(t, r.do(c, ecp.Update{Name: ptr("c")}), "nor does a name")
		_, err := c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"connections":1001}`)})
		require.ErrorIs(t, err, ecp.ErrQuotaExceeded)
		_, err = c.Plan(asSystem(), ecp.Update{Patch: json.RawMessage(`{"connections":1001}`)})
		require.ErrorIs(t, err, ecp.ErrQuotaExceeded, "a plan says the same")
		require.Equal(t, 600, r.pool().UsedConnections)
		r.ends(r.do(c, ecp.Update{Patch: json.RawMessage(`{"connections":7}`)}), ecp.PhaseSucceeded)
		require.Equal(t, 7, r.pool().UsedConnections)
		r.ends(r.do(c, ecp.Delete{}), ecp.PhaseSucceeded)
		require.Zero(t, r.pool().UsedConnections)
	})
}

func TestRefusedUpdates(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.create("a")
		r.create("taken")
		for name, u := range map[string]struct {
			cmd   ecp.Update
			code  ecp.Code
			field string
		}{
			"name taken":    {ecp.Update{Name: ptr("taken")}, ecp.CodeExists, "name"},
			"no name":       {ecp.Update{Name: ptr("")}, ecp.CodeInvalid, "name"},
			"other mode":    {ecp.Update{Spec: &ecp.Spec{Adopted: &ecp.AdoptedSpec{}}}, ecp.CodeInvalid, "spec"},
			"both ways":     {ecp.Update{Spec: &ecp.Spec{}, Patch: json.RawMessage(`{}`)}, ecp.CodeInvalid, ""},
			"no JSON":       {ecp.Update{Patch: json.RawMessage(`{`)}, ecp.CodeInvalid, ""},
			"two values":    {ecp.Update{Patch: json.RawMessage(`{} {}`)}, ecp.CodeInvalid, ""},
			"no object":     {ecp.Update{Patch: json.RawMessage(`[]`)}, ecp.CodeInvalid, "spec"},
			"unknown field": {ecp.Update{Patch: json.RawMessage(`{"colour":1}`)}, ecp.CodeInvalid, "spec.colour"},
			"wrong type":    {ecp.Update{Patch: json.RawMessage(`{"connections":"5"}`)}, ecp.CodeInvalid, "spec.connections"},
			"not whole":     {ecp.Update{Patch: json.RawMessage(`{"connections":1.5}`)}, ecp.CodeInvalid, "spec.connections"},
			"too few":       {ecp.Update{Patch: json.RawMessage(`{"connections":0}`)}, ecp.CodeInvalid, "spec.connections"},
			"no way in":     {ecp.Update{Patch: json.RawMessage(`{"network":null}`)}, ecp.CodeInvalid, "spec.network"},
			"no type":       {ecp.Update{Patch: json.RawMessage(`{"network":{"type":null}}`)}, ecp.CodeInvalid, "spec.network.type"},
			"taken away":    {ecp.Update{Patch: json.RawMessage(`{"connections":null}`)}, ecp.CodeInvalid, "spec.connections"},
			"power":         {ecp.Update{Patch: json.RawMessage(`{"power":"off"}`)}, ecp.CodeInvalid, "spec.power"},
			"target":        {ecp.Update{Patch: json.RawMessage(`{"target":"other"}`)}, ecp.CodeInvalid, "spec.target"},
			"storage":       {ecp.Update{Patch: json.RawMessage(`{"storage":"fast"}`)}, ecp.CodeInvalid, "spec.storage"},
			"config":        {ecp.Update{Patch: json.RawMessage(`{"config":{"node.cookie":"2MB"}}`)}, ecp.CodeInvalid, "spec.config[node.cookie]"},
			"no such value": {ecp.Update{
				Patch: json.RawMessage(`{"config":{"mqtt.max_packet_size":"[redacted]"}}`),
			}, ecp.CodeInvalid, "spec.config[mqtt.max_packet_size]"},
			"too many":     {ecp.Update{Patch: json.RawMessage(`{"nodes":8}`)}, ecp.CodeInvalid, "spec.nodes"},
			"no image":     {ecp.Update{Patch: json.RawMessage(`{"image":"nine"}`)}, ecp.CodeInvalid, "spec.image"},
			"other major":  {ecp.Update{Patch: json.RawMessage(`{"image":"emqx-ee-4.4.24"}`)}, ecp.CodeUnsupported, "spec.image"},
			"no size":      {ecp.Update{Patch: json.RawMessage(`{"size":"huge"}`)}, ecp.CodeInvalid, "spec.size"},
			"old revision": {ecp.Update{Name: ptr("b"), IfRevision: 7}, ecp.CodePrecondition, ""},
		} {
			before := r.get(c)
			_, err := c.Do(asSystem(), u.cmd)
			require.Equal(t, u.code, ecp.CodeOf(err), "%s: %v", name, err)
			var e *ecp.Error
			require.ErrorAs(t, err, &e)
			if u.field != "" {
				require.Equal(t, u.field, e.Fields[0].Field, name)
			}
			require.Equal(t, before, r.get(c), name)
		}
		for _, cmd := range []ecp.Command{
			ecp.Start{IfRevision: 9}, ecp.Stop{IfRevision: 9}, ecp.Restart{IfRevision: 9}, ecp.Repair{IfRevision: 9},
			ecp.Transfer{Project: "default/other", IfRevision: 9}, ecp.Delete{IfRevision: 9},
		} {
			_, err := c.Do(asSystem(), cmd)
			require.ErrorIs(t, err, ecp.ErrPrecondition, "%T", cmd)
		}
		_, err := c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"image":null,"size":null,"config":{},"evacuation":{"rate":100}}`), IfRevision: 1})
		require.NoError(t, err, "what is left to the default stays")
	})
}

// TestUpdateOfAnAdoptedCluster: what has not to be carried out is no new generation,
// and nothing is booked that nobody enforces.
func TestUpdateOfAnAdoptedCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		_, _, err := r.m.Create(asSystem(), fleet.CreateRequest{
			Mode: ecp.Adopted,
			Name: "a",
			Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{Connections: 5}},
		})
		requireLimitRefused(t, err, "once an agent has reported")
		info, _, err := r.m.Create(asSystem(), fleet.CreateRequest{Mode: ecp.Adopted, Name: "a"})
		require.NoError(t, err)
		c := r.m.Cluster(info.ID)
		name := "b"
		require.Zero(t, r.do(c, ecp.Update{Name: &name, Patch: json.RawMessage(`{"serviceAddress":"https://x"}`)}))
		got := r.get(c)
		require.Equal(t, ecp.AdoptedSpec{ServiceAddress: "https://x"}, *got.Spec.Adopted)
		require.EqualValues(t, 1, got.Generation, "nothing has to be carried out")
		require.EqualValues(t, 2, got.Revision)
		_, err = c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"connections":30}`)})
		requireLimitRefused(t, err, "AgentAddressNotConfigured")
		_, err = c.Plan(asSystem(), ecp.Update{Spec: &ecp.Spec{Adopted: &ecp.AdoptedSpec{Connections: 30}}})
		requireLimitRefused(t, err, "AgentAddressNotConfigured")
		require.Zero(t, r.pool().UsedConnections)
	})
}

func requireLimitRefused(t *testing.T, err error, why string) {
	t.Helper()
	require.ErrorIs(t, err, ecp.ErrUnsupported)
	var e *ecp.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "spec.connections", e.Fields[0].Field)
	require.Contains(t, e.Fields[0].Message, why)
}

// A name can be changed at any time but while the cluster is being deleted.
func TestNoUpdateOfWhatIsDeleted(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.create("a")
		r.do(c, ecp.Delete{})
		for _, u := range []ecp.Update{{Name: ptr("b")}, {Patch: json.RawMessage(`{"connections":5}`)}} {
			_, err := c.Do(asSystem(), u)
			require.ErrorIs(t, err, ecp.ErrConflict)
		}
	})
}

// A stopped cluster's nodes start with the limit that is booked by then.
func TestUpdateOfAStoppedCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		r.ends(r.do(c, ecp.Update{Patch: json.RawMessage(`{"connections":77}`)}), ecp.PhaseSucceeded)
		require.Equal(t, ecp.Stopped, r.get(c).Status.State)
		require.Equal(t, 77, r.get(c).Resolved.Connections)
		r.ends(r.do(c, ecp.Start{}), ecp.PhaseSucceeded)
		require.Equal(t, 77, r.get(c).Resolved.Connections)
		require.Equal(t, "26 26 26", r.limits(c))
	})
}

// What a project has booked goes along with the cluster.
func TestUsageFollowsTheCluster(t *testing.T) {
	inBubble(t, func(r *rig) {
		theirs := ecp.WithActor(context.Background(),
			ecp.Actor{Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/other"}}})
		usage := func(ctx context.Context) map[string]fleet.Usage {
			u, err := r.m.UsageByProject(ctx)
			require.NoError(t, err)
			return u
		}
		c, _ := r.create("a")
		r.create("b")
		require.Equal(t, map[string]fleet.Usage{"default/default": {Clusters: 2, Connections: 20}}, usage(asSystem()))
		require.Empty(t, usage(theirs))
		r.do(c, ecp.Update{Patch: json.RawMessage(`{"connections":30}`)})
		r.do(c, ecp.Transfer{Project: "default/other"})
		require.Equal(t, map[string]fleet.Usage{
			"default/default": {Clusters: 1, Connections: 10},
			"default/other":   {Clusters: 1, Connections: 30},
		}, usage(asSystem()))
		require.Equal(t, map[string]fleet.Usage{"default/other": {Clusters: 1, Connections: 30}}, usage(theirs))
		require.Equal(t, 40, r.pool().UsedConnections)
	})
}

// Who watches the project that a cluster leaves learns that it left, and
// nothing of what follows.
func TestTransferIsSeenFromBothSides(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		var mu sync.Mutex
		seen := map[string][]ecp.Change{} // guarded by mu
		stop := map[string]func(){}
		for _, project := range []string{"default/default", "default/other"} {
			ctx, cancel := context.WithCancel(ecp.WithActor(context.Background(),
				ecp.Actor{Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: project}}}))
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for ch, err := range r.m.Watch(ctx, -1) {
					if err == nil && ch.Kind != ecp.KindPool { // the pool is everybody's
						mu.Lock()
						seen[project] = append(seen[project], ch)
						mu.Unlock()
					}
				}
			}()
			stop[project] = func() { cancel(); <-ended }
		}
		lost := make(chan ecp.Change, 100)
		go func() { // one who may see the first project only
			defer close(lost)
			for ch, err := range c.Watch(ecp.WithActor(context.Background(),
				ecp.Actor{Name: "u", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}})) {
				if err == nil {
					lost <- ch
				}
			}
		}()
		synctest.Wait()
		r.do(c, ecp.Transfer{Project: "default/other"})
		r.do(c, ecp.Update{Name: ptr("renamed there")})
		r.ends(r.do(c, ecp.Delete{}), ecp.PhaseSucceeded)
		synctest.Wait()
		for _, s := range stop {
			s()
		}
		require.Len(t, seen["default/default"], 1)
		left := seen["default/default"][0]
		require.Equal(t, ecp.KindTransferNotice, left.Kind)
		d := left.Payload.(ecp.TransferNotice)
		require.Equal(t, []any{c.ID(), "a", "default/default"}, []any{d.Cluster, d.Name, d.Project})
		require.NotEmpty(t, seen["default/other"])
		var last ecp.Change
		for ch := range lost {
			last = ch
		}
		require.Equal(t, ecp.KindTransferNotice, last.Kind, "that watch has ended")
	})
}
