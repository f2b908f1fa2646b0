package fleet_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/stretchr/testify/require"
)

// refusingSetting is a platform whose EMQX refuses a setting: a node that is made with it
// does not start.
type refusingSetting struct {
	scripted
	reads atomic.Int32
	bad   atomic.Pointer[map[string]string] // settings that are refused
	first atomic.Pointer[map[string]bool]   // UIDs of the pods that were made before
}

func (p *refusingSetting) Observe(ctx context.Context, id ecp.ID) (ecp.Observation, error) {
	o, err := p.scripted.Observe(ctx, id)
	if first := p.first.Load(); first != nil && p.bad.Load() != nil {
		o.Converged = false
		for i := range o.Nodes {
			if n := &o.Nodes[i]; !(*first)[n.PodUID] && !n.Outdated {
				n.Ready, n.Broken, n.Restarts, n.Reason, n.Message = false, true, 3, "CrashLoopBackOff", "back-off 40s"
			}
		}
	}
	return o, err
}

// TestRefusedSettingStopsOneNode: one node takes a changed setting first; where EMQX
// refuses it the others stay as they are, EMQX's own words are told without secrets,
// and the operation can be cancelled.
func TestRefusedSettingStopsOneNode(t *testing.T) {
	inBubble(t, func(r *rig) {
		p := &refusingSetting{scripted: scripted{appliedTo: &r.applied}}
		p.logs = func(context.Context, string, ecp.LogOptions) (io.ReadCloser, error) {
			p.reads.Add(1)
			return text(strings.Join([]string{
				`2026-01-01T00:00:01Z 2026-01-01T00:00:01Z [error] something else`,
				`2026-01-01T00:00:02Z 2026-01-01T00:00:02Z [error] #{kind => validation_error,path => "mqtt",reason => unknown_fields,unknown => "no_such_key hush-value"}`,
				`2026-01-01T00:00:03Z ERROR: call_hocon_failed`,
			}, "\n"))
		}
		r.sealer = aRing(t, "a")
		r.make(r.store, p)
		c, _ := r.running()
		first := map[string]bool{}
		for _, n := range r.found(c).Nodes {
			first[n.PodUID] = true
		}
		p.first.Store(&first)
		p.bad.Store(&map[string]string{})
		op, err := c.Do(asSystem(), ecp.Update{Patch: json.RawMessage(`{"config":{"conn_congestion.no_such_key":"1","a.b":"hush-value"}}`)})
		require.NoError(t, err)
		r.until("EMQX's words", func() bool { return strings.Contains(waitsOf(r.get(c)), "validation_error") },
			func() any { return waitsOf(r.get(c)) })
		r.looked(30)
		said := waitsOf(r.get(c))
		require.Contains(t, said, `EMQX says: #{kind => validation_error,path => "mqtt",reason => unknown_fields`)
		require.NotContains(t, said, "hush")
		require.EqualValues(t, 1, p.reads.Load(), "the log is read once for each end")
		stay := 0
		for _, n := range r.found(c).Nodes {
			if first[n.PodUID] {
				stay++
			}
		}
		require.Equal(t, 2, stay, "the others are left alone")
		back, err := r.m.CancelOperation(asSystem(), op.ID)
		require.NoError(t, err)
		p.bad.Store(nil)
		r.ends(back, ecp.PhaseSucceeded)
	})
}

// waitsOf is all that a cluster says of what it waits for.
func waitsOf(i ecp.Info) string {
	text := i.Waits + i.Status.Message
	for _, n := range i.Nodes {
		text += n.Message
	}
	return text
}
