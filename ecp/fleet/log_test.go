package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/stretchr/testify/require"
)

// readLogs reads a query that ends by itself.
func (r *rig) readLogs(id ecp.ID, q ecp.LogQuery) (out []ecp.LogLine) {
	r.t.Helper()
	lines, err := r.m.Logs.Read(asSystem(), id, q)
	require.NoError(r.t, err)
	for l, err := range lines {
		require.NoError(r.t, err)
		out = append(out, l)
	}
	return out
}

// follower reads logs in the background.
type follower struct {
	r     *rig
	stop  func()
	lines chan ecp.LogLine
	ended chan error // nil = with its context
}

func (r *rig) followLogs(ctx context.Context, id ecp.ID, q ecp.LogQuery) *follower {
	r.t.Helper()
	q.Follow = true
	ctx, cancel := context.WithCancel(ctx)
	lines, err := r.m.Logs.Read(ctx, id, q)
	require.NoError(r.t, err)
	f := &follower{r: r, stop: cancel, lines: make(chan ecp.LogLine), ended: make(chan error, 1)}
	go func() {
		var last error
		for l, err := range lines {
			if last = err; err != nil {
				break
			}
			select {
			case f.lines <- l:
			case <-ctx.Done():
			}
		}
		f.ended <- last
	}()
	r.t.Cleanup(cancel)
	return f
}

// until reads lines until one holds, and gives what came before it, too.
func (f *follower) until(what string, holds func(ecp.LogLine) bool) (all []ecp.LogLine) {
	f.r.t.Helper()
	late := time.After(10 * time.Minute)
	for {
		select {
		case l := <-f.lines:
			if all = append(all, l); holds(l) {
				return all
			}
		case err := <-f.ended:
			require.FailNow(f.r.t, "the log ended", "before %s: %v", what, err)
		case <-late:
			require.FailNow(f.r.t, "never: "+what, "%d lines: %+v", len(all), all)
		}
	}
}

func says(node, text string) func(ecp.LogLine) bool {
	return func(l ecp.LogLine) bool { return (node == "" || l.Node == node) && strings.Contains(l.Raw+l.Gap, text) }
}

// TestLogs: who may read a cluster reads its logs, narrowed as asked.
func TestLogs(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		sim := r.sim.Cluster(c.ID())
		names := []string{}
		for _, n := range r.found(c).Nodes {
			names = append(names, n.Name)
		}
		<-time.After(time.Second)
		sim.Node(names[1]).RaiseAlarm("drill", "Only A Drill", nil)
		<-time.After(time.Second)
		sim.Node(names[0]).RaiseAlarm("later", "much later", nil)

		all := r.readLogs(c.ID(), ecp.LogQuery{})
		require.True(t, slices.IsSortedFunc(all, func(a, b ecp.LogLine) int {
			// lines tell microseconds, the platform more
			return a.At.Truncate(time.Millisecond).Compare(b.At.Truncate(time.Millisecond))
		}))
		for _, name := range names {
			require.True(t, slices.ContainsFunc(all, says(name, "is running now!")), "of every node")
		}
		last := all[len(all)-1]
		require.Equal(t, "alarm_is_activated", last.Message)
		require.Equal(t, ecp.LogLevel("warning"), last.Level)
		require.Equal(t, map[string]string{"name": "later", "message": "much later"}, last.Fields)
		require.Equal(t, time.UTC, last.At.Location())

		of := func(q ecp.LogQuery) string {
			var out []string
			for _, l := range r.readLogs(c.ID(), q) {
				out = append(out, l.Fields["name"]+"@"+l.Node[5:6])
			}
			return strings.Join(out, " ")
		}
		require.Equal(t, "drill@e", of(ecp.LogQuery{Query: "only a drill"}))
		require.Equal(t, "later@e", of(ecp.LogQuery{Query: "ALARM", Limit: 1}), "the newest")
		require.Equal(t, "later@e", of(ecp.LogQuery{Query: "alarm", Node: names[0]}))
		require.Equal(t, "", of(ecp.LogQuery{Query: "alarm", Level: "critical"}))
		require.Equal(t, "drill@e later@e", of(ecp.LogQuery{Level: "warning", Query: "alarm"}))
		require.Equal(t, "later@e", of(ecp.LogQuery{Since: last.At}))
		require.Equal(t, "drill@e", of(ecp.LogQuery{Since: last.At.Add(-time.Second), Until: last.At}))
		require.Len(t, r.readLogs(c.ID(), ecp.LogQuery{Limit: 7}), 7)

		as := func(project string) *ecp.Actor {
			return &ecp.Actor{
				Name:   "somebody",
				Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/" + project}},
			}
		}
		adopted, _, err := r.m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Adopted, Name: "theirs", Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
		require.NoError(t, err)
		for name, c := range map[string]struct {
			actor *ecp.Actor // nil = none
			id    ecp.ID
			q     ecp.LogQuery
			code  ecp.Code
			field string
		}{
			"no actor":   {id: c.ID(), code: ecp.CodeDenied},
			"reader":     {actor: as("default"), id: c.ID()},
			"stranger":   {actor: as("other"), id: c.ID(), code: ecp.CodeNotFound},
			"no cluster": {actor: &ecp.System, id: "emqx-00000000", code: ecp.CodeNotFound},
			"adopted":    {actor: &ecp.System, id: adopted.ID, code: ecp.CodeConflict},
			"no node": {
				actor: &ecp.System,
				id:    c.ID(),
				q:     ecp.LogQuery{Node: "emqx@elsewhere"},
				code:  ecp.CodeNotFound,
			},
			"no level": {
				actor: &ecp.System,
				id:    c.ID(),
				q:     ecp.LogQuery{Level: "loud"},
				code:  ecp.CodeInvalid,
				field: "level",
			},
			"below no line": {
				actor: &ecp.System,
				id:    c.ID(),
				q:     ecp.LogQuery{Limit: -1},
				code:  ecp.CodeInvalid,
				field: "limit",
			},
			"too many": {
				actor: &ecp.System,
				id:    c.ID(),
				q:     ecp.LogQuery{Limit: ecp.MaxLogLimit + 1},
				code:  ecp.CodeInvalid,
				field: "limit",
			},
			"follow until": {
				actor: &ecp.System,
				id:    c.ID(),
				q:     ecp.LogQuery{Until: last.At, Follow: true},
				code:  ecp.CodeInvalid,
				field: "until",
			},
			"until the future": {
				actor: &ecp.System,
				id:    c.ID(),
				q:     ecp.LogQuery{Since: last.At, Until: last.At.Add(-1)},
				code:  ecp.CodeInvalid,
				field: "until",
			},
		} {
			ctx := context.Background()
			if c.actor != nil {
				ctx = ecp.WithActor(ctx, *c.actor)
			}
			_, err := r.m.Logs.Read(ctx, c.id, c.q)
			require.Equal(t, c.code, ecp.CodeOf(err), "%s: %v", name, err)
			var e *ecp.Error
			if errors.As(err, &e) && c.field != "" {
				require.Equal(t, c.field, e.Fields[0].Field, name)
			}
		}
	})
}

// TestLogsFollow: what is written arrives once, whatever becomes of the pods,
// until the cluster is gone.
func TestLogsFollow(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		sim := r.sim.Cluster(c.ID())
		first := r.found(c).Nodes[0].Name
		f := r.followLogs(asSystem(), c.ID(), ecp.LogQuery{})
		raise := func(name string) {
			t.Helper()
			sim.Node(first).RaiseAlarm(name, "alarm "+name, nil)
			came := f.until(name, says(first, "alarm "+name))
			require.Equal(t, 1, count(came, says("", "alarm "+name)))
		}
		raise("one")
		raise("two")

		require.NoError(t, r.sim.DeletePod(c.ID(), 0))
		came := f.until("the new pod's start", says(first, "running now"))
		require.Zero(t, count(came, says("", "alarm one")), "nothing comes twice: %v", came)
		raise("three")

		r.sim.SetUnreachable(true)
		f.until("it is told that nothing can be read", func(l ecp.LogLine) bool { return l.Gap != "" })
		sim.Node(first).RaiseAlarm("meanwhile", "alarm meanwhile", nil)
		<-time.After(time.Minute)
		r.sim.SetUnreachable(false)
		came = f.until("what was written meanwhile", says(first, "alarm meanwhile"))
		require.Zero(t, count(came, says("", "alarm three")), "nothing comes twice: %v", came)
		require.LessOrEqual(t, count(came, func(l ecp.LogLine) bool { return l.Gap != "" }), 5,
			"three nodes say that it broke off, and once why it cannot be opened")
		raise("four")

		r.do(c, ecp.Delete{})
		for late := time.After(time.Hour); ; {
			select {
			case <-f.lines:
			case err := <-f.ended:
				require.ErrorIs(t, err, ecp.ErrNotFound)
				return
			case <-late:
				require.FailNow(t, "the log of a cluster that is gone goes on")
			}
		}
	})
}

func count(lines []ecp.LogLine, holds func(ecp.LogLine) bool) (n int) {
	for _, l := range lines {
		if holds(l) {
			n++
		}
	}
	return n
}

// TestLogsFollowNewNodes: nodes that were not there are followed once they are.
func TestLogsFollowNewNodes(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		r.ends(r.do(c, ecp.Stop{}), ecp.PhaseSucceeded)
		require.Empty(t, r.readLogs(c.ID(), ecp.LogQuery{}))
		f := r.followLogs(asSystem(), c.ID(), ecp.LogQuery{Query: "RUNNING now"})
		r.do(c, ecp.Start{})
		seen := map[string]bool{}
		f.until("all three", func(l ecp.LogLine) bool { seen[l.Node] = l.Gap == ""; return len(seen) == 3 })
	})
}

// TestLogsFollowOnlyWhatOneMaySee: who may not read the cluster any more is
// told so, and reads no more.
func TestLogsFollowOnlyWhatOneMaySee(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		user := ecp.WithActor(context.Background(),
			ecp.Actor{Name: "uma", Grants: []ecp.Grant{{Role: ecp.RoleUser, Project: "default/default"}}})
		f := r.followLogs(user, c.ID(), ecp.LogQuery{})
		f.until("it begins", says("", "running now"))
		r.do(c, ecp.Transfer{Project: "default/other"})
		for late := time.After(time.Minute); ; {
			select {
			case <-f.lines:
			case err := <-f.ended:
				require.ErrorIs(t, err, ecp.ErrNotFound)
				return
			case <-late:
				require.FailNow(t, "it goes on")
			}
		}
	})
}

// TestLogsSlowReader: who does not read holds up nobody, and leaves nothing
// behind (the bubble would not end).
func TestLogsSlowReader(t *testing.T) {
	inBubble(t, func(r *rig) {
		c, _ := r.running()
		first := r.found(c).Nodes[0].Name
		slow := r.followLogs(asSystem(), c.ID(), ecp.LogQuery{})
		quick := r.followLogs(asSystem(), c.ID(), ecp.LogQuery{})
		synctest.Wait() // slow has a line that nobody takes
		r.sim.Cluster(c.ID()).Node(first).RaiseAlarm("drill", "alarm drill", nil)
		quick.until("the alarm", says(first, "alarm drill"))
		slow.stop()
		require.NoError(t, <-slow.ended)
		quick.stop()
		require.NoError(t, <-quick.ended)
	})
}

// scripted is a platform whose logs are what a test says.
type scripted struct {
	*appliedTo
	logs func(ctx context.Context, node string, o ecp.LogOptions) (io.ReadCloser, error)
}

func (s *scripted) Logs(ctx context.Context, _ ecp.ID, node string, o ecp.LogOptions) (io.ReadCloser, error) {
	return s.logs(ctx, node, o)
}

// scripted gives a cluster of three nodes whose logs are scripted.
func (r *rig) scripted(logs func(ctx context.Context, ordinal string, o ecp.LogOptions) (io.ReadCloser, error)) ecp.ID {
	r.make(r.store, &scripted{
		appliedTo: &r.applied,
		logs: func(ctx context.Context, node string, o ecp.LogOptions) (io.ReadCloser, error) {
			_, rest, _ := strings.Cut(node, "-emqx-")
			return logs(ctx, rest[:1], o)
		},
	})
	c, _ := r.running()
	return c.ID()
}

func text(s string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }

// hung is a log that never comes.
type hung struct{ done <-chan struct{} }

func (h hung) Read([]byte) (int, error) { <-h.done; return 0, io.ErrUnexpectedEOF }
func (h hung) Close() error             { return nil }

// TestLogsOfNodesThatFail: a node whose log cannot be read, breaks off or never
// comes is told, in bounded time, and what there is of all is shown in order.
func TestLogsOfNodesThatFail(t *testing.T) {
	inBubble(t, func(r *rig) {
		id := r.scripted(func(ctx context.Context, node string, _ ecp.LogOptions) (io.ReadCloser, error) {
			switch node {
			case "0":
				return nil, errors.New("password=secret")
			case "1":
				return io.NopCloser(io.MultiReader(strings.NewReader("unable to retrieve it\n2026-01-01T00:00:02Z "+
					"b\n2026-01-01T00:00:04.5+01:00 a\n"), hung{done: ctx.Done()})), nil
			}
			return text("2026-01-01T00:00:01Z 2026-01-01T00:00:03Z [error] c\n" +
				"2026-01-01T00:00:01Z   of c\n" +
				"no time at all\n" +
				"2026-01-01T00:00:05Z 2020-01-01 00:00:00 [error] a clock on the wall\n" +
				"2026-01-01T00:00:06Z printed later")
		})
		began := time.Now()
		lines := r.readLogs(id, ecp.LogQuery{})
		require.Equal(t, "unable to retrieve it", lines[0].Raw, "against the promise, without a time")
		require.False(t, lines[0].At.IsZero())
		lines = lines[1:]
		require.LessOrEqual(t, time.Since(began), 30*time.Second)
		var got []string
		for _, l := range lines {
			got = append(got, strings.TrimPrefix(l.At.Format("15:04:05 "), "00:00:0")+l.Raw+l.Gap)
			require.NotContains(t, l.Gap, "secret")
		}
		require.Equal(t, []string{
			"2 b", "23:00:04 a", "3 2026-01-01T00:00:03Z [error] c\n  of c\nno time at all",
			"5 2020-01-01 00:00:00 [error] a clock on the wall", "6 printed later",
		}, got[:5],
			"the lines of one node stay in their order")
		require.Len(t, got, 7)
		require.Contains(t, got[5], "internal error")
		require.Contains(t, got[6], "broke off")
	})
}

// TestLogsAreBounded: more than fits is left out at its beginning, and told.
func TestLogsAreBounded(t *testing.T) {
	inBubble(t, func(r *rig) {
		line := strings.Repeat("x", 70<<10)
		id := r.scripted(func(_ context.Context, node string, o ecp.LogOptions) (io.ReadCloser, error) {
			if node != "0" {
				return text("")
			}
			var b strings.Builder
			for i := range 400 {
				fmt.Fprintf(&b, "2026-01-01T00:00:01.%06dZ %d %s\n", i, i, line)
			}
			return text(b.String())
		})
		lines := r.readLogs(id, ecp.LogQuery{})
		size := 0
		for _, l := range lines {
			size += len(l.Raw)
			require.True(t, l.Cut || l.Gap != "")
		}
		require.LessOrEqual(t, size, 16<<20)
		require.Contains(t, lines[len(lines)-1].Gap, "left out")
		require.True(t, strings.HasPrefix(lines[len(lines)-2].Raw, "399 "))
	})
}

// TestLogsReadOn: a log that breaks off is opened again where it was read to,
// also where several lines have one time and the platform goes back a second.
func TestLogsReadOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		const at = "2026-01-01T00:00:01.5Z "
		opened := []time.Time{}
		id := r.scripted(func(ctx context.Context, node string, o ecp.LogOptions) (io.ReadCloser, error) {
			if node != "0" {
				return text("")
			}
			if !o.Follow {
				return text(at + "a\n" + at + "b\n")
			}
			opened = append(opened, o.Since)
			log := at + "a\n" + at + "b\n" + at + "c\n"
			if len(opened) > 1 {
				log += "2026-01-01T00:00:01.6Z d\n"
			}
			return io.NopCloser(io.MultiReader(strings.NewReader(log), breaks(len(opened) < 3, ctx))), nil
		})
		f := r.followLogs(asSystem(), id, ecp.LogQuery{})
		var raw []string
		for _, l := range f.until("d", func(l ecp.LogLine) bool { return l.Raw == "d" }) {
			if l.Gap == "" {
				raw = append(raw, l.Raw)
			}
		}
		require.Equal(t, []string{"a", "b", "c", "d"}, raw)
		f.stop()
		require.NoError(t, <-f.ended)
		require.Equal(t, "2026-01-01T00:00:01.5Z", opened[0].Format(time.RFC3339Nano))
	})
}

func breaks(now bool, ctx context.Context) io.Reader {
	if now {
		done := make(chan struct{})
		close(done)
		return hung{done: done}
	}
	return hung{done: ctx.Done()}
}
