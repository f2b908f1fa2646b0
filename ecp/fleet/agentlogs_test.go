package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/memstore"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/emqxlog"
	"github.com/stretchr/testify/require"
)

// logFiles are the logs on the host of an agent; the mark of a line is its number.
type logFiles struct {
	mu      sync.Mutex
	lines   []ecp.AgentLogLine // guarded by mu, as all below
	changed chan struct{}      // closed when lines or broken change
	broken  error              // ends all streams
	asked   []ecp.AgentLogQuery
	sent    int // lines that were handed over
}

// files are those beside agents, by agent.
type files map[ecp.AgentID]*logFiles

func (f files) read(ctx context.Context, agent ecp.AgentID, q ecp.AgentLogQuery) iter.Seq2[ecp.AgentLogLine, error] {
	l := f[agent]
	l.mu.Lock()
	l.asked = append(l.asked, q)
	l.mu.Unlock()
	return func(yield func(ecp.AgentLogLine, error) bool) {
		n, _ := strconv.Atoi(q.After)
		if l.open() == nil && !yield(ecp.AgentLogLine{Passed: true, Mark: q.After}, nil) {
			return
		}
		for tail := q.Tail; ; tail = 0 {
			lines, changed, err := l.since(n)
			n += len(lines)
			for _, line := range wanted(lines, q, tail) {
				if !yield(line, nil) {
					return
				}
			}
			if err != nil {
				yield(ecp.AgentLogLine{}, err)
				return
			}
			if !q.Follow {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// wanted filters as an agent does: whole entries.
func wanted(lines []ecp.AgentLogLine, q ecp.AgentLogQuery, tail int) (out []ecp.AgentLogLine) {
	keep, last := true, ""
	for _, l := range lines {
		if e := emqxlog.Parse(l.Text); e.Level != "" {
			keep = e.Level.AtLeast(emqxlog.Level(q.Level)) && strings.Contains(strings.ToLower(l.Text), q.Text)
		}
		if last = l.Mark; keep || l.Gap != "" {
			out, last = append(out, l), ""
		}
	}
	if tail > 0 {
		out = newest(out, tail)
	}
	if last != "" {
		out = append(out, ecp.AgentLogLine{Passed: true, Mark: last})
	}
	return out
}

// newest are the lines of the last entries.
func newest(lines []ecp.AgentLogLine, entries int) []ecp.AgentLogLine {
	for i := len(lines) - 1; i >= 0; i-- {
		if emqxlog.Parse(lines[i].Text).Level != "" {
			if entries--; entries == 0 {
				return lines[i:]
			}
		}
	}
	return lines
}

func (l *logFiles) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

func (l *logFiles) since(n int) ([]ecp.AgentLogLine, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	if l.broken != nil {
		return nil, l.changed, l.broken
	}
	l.sent += len(l.lines) - n
	return slices.Clone(l.lines[n:]), l.changed, nil
}

// write adds lines.
func (l *logFiles) write(at time.Time, texts ...string) {
	l.change(func() {
		for _, text := range texts {
			l.lines = append(l.lines, ecp.AgentLogLine{At: at, Text: text, Mark: strconv.Itoa(len(l.lines) + 1)})
		}
	})
}

func (l *logFiles) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	if l.changed != nil {
		close(l.changed)
	}
	l.changed = make(chan struct{})
}

func (l *logFiles) breaks(err error) { l.change(func() { l.broken = err }) }

// orchard is a Manager with an adopted cluster of some nodes, each with an agent.
type orchard struct {
	*rig
	t      *testing.T // of the bubble
	link   *fleet.FakeLink
	id     ecp.ID
	agents []ecp.AgentID
	files  files
}

func nodeName(n int) string { return fmt.Sprintf("emqx@10.0.0.%d", n+1) }

func inOrchard(t *testing.T, agents int, test func(o *orchard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &orchard{rig: &rig{t: t}, t: t, link: &fleet.FakeLink{}, files: files{}}
		o.link.Files = o.files.read
		var err error
		o.m, err = fleet.New(t.Context(), fleet.Config{
			Store:        memstore.New(),
			Link:         o.link,
			Adapters:     []ecp.Adapter{emqxv5.New(emqxv5.Config{})},
			AgentAddress: "https://ecp:1",
		})
		require.NoError(t, err)
		info, _, err := o.m.Create(asSystem(),
			fleet.CreateRequest{Mode: ecp.Adopted, Name: "a", Spec: ecp.Spec{Adopted: &ecp.AdoptedSpec{}}})
		require.NoError(t, err)
		o.id = info.ID
		for n := range agents {
			agent := registered(o.t, o.m, o.id)
			o.agents = append(o.agents, agent)
			o.files[agent] = &logFiles{}
			o.shows(n, true, ecp.AgentReport{Logs: "/opt/emqx/log"})
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- o.m.Run(ctx) }()
		synctest.Wait()
		test(o)
		cancel()
		require.NoError(t, <-ran)
	})
}

// shows lets an agent be seen so.
func (o *orchard) shows(n int, connected bool, r ecp.AgentReport) {
	r.At, r.Node = time.Now(), nodeName(n)
	r.Description = ecp.Description{
		Version: "5.8.9",
		Nodes:   []ecp.BrokerNode{{Name: nodeName(n), Status: ecp.NodeRunning}},
	}
	o.link.Show(o.id, ecp.AgentObservation{Agent: o.agents[n], Connected: connected, Since: time.Now(), Report: &r})
}

// logged is a line as EMQX writes it.
func logged(at time.Time, level, text string) string {
	return at.UTC().Format("2006-01-02T15:04:05.000000Z07:00") + " [" + level + "] " + text
}

func raws(lines []ecp.LogLine) (out []string) {
	for _, l := range lines {
		_, text, _ := strings.Cut(l.Raw, "] ")
		out = append(out, l.Node[len("emqx@10.0.0."):]+" "+text+l.Gap)
	}
	return out
}

// TestLogsOfAdopted: the newest lines of all agents by time; what is not wanted stays on
// their hosts.
func TestLogsOfAdopted(t *testing.T) {
	inOrchard(t, 2, func(o *orchard) {
		at := time.Now().Add(-time.Hour)
		second := func(n int) time.Time { return at.Add(time.Duration(n) * time.Second) }
		for n := range 20 {
			level := []string{"info", "error"}[n/2%2]
			o.files[o.agents[n%2]].write(second(n), logged(second(n), level, strconv.Itoa(n)), "  of it")
		}
		all := o.readLogs(o.id, ecp.LogQuery{})
		require.Len(t, all, 20)
		require.Equal(t, "1 0\n  of it", raws(all)[0])
		require.Equal(t, "2 19\n  of it", raws(all)[19])
		require.True(t, slices.IsSortedFunc(all, func(a, b ecp.LogLine) int { return a.At.Compare(b.At) }))
		require.Equal(t, []string{"2 19\n  of it"}, raws(o.readLogs(o.id, ecp.LogQuery{Limit: 1})), "the newest")
		require.Equal(t, []string{"1 18\n  of it", "2 19\n  of it"},
			raws(o.readLogs(o.id, ecp.LogQuery{Level: "error", Query: "1", Since: second(16)})))
		require.Equal(t, []string{"1 4\n  of it"},
			raws(o.readLogs(o.id, ecp.LogQuery{Node: nodeName(0), Until: second(5), Since: second(3)})))

		f := o.files[o.agents[0]]
		o.readLogs(o.id, ecp.LogQuery{Level: "error", Query: "NOT there", Until: second(5), Limit: 7})
		require.Equal(t, ecp.AgentLogQuery{Level: "error", Text: "not there", Until: second(5), Tail: 7},
			f.asked[len(f.asked)-1])
	})
}

// TestLogsFollowOfAdopted: each entry comes once and whole over an agent that drops,
// nobody is told of a connection that comes back, and what is lost is told.
func TestLogsFollowOfAdopted(t *testing.T) {
	inOrchard(t, 1, func(o *orchard) {
		f := o.files[o.agents[0]]
		f.write(time.Now(), logged(time.Now(), "error", "a"), " a2")
		log := o.followLogs(asSystem(), o.id, ecp.LogQuery{})
		require.Equal(t, []string{"1 a\n a2"}, raws(log.until("a", says("", "a2"))))

		synctest.Wait()
		f.write(time.Now(), logged(time.Now(), "error", "b"), " b2")
		synctest.Wait()
		f.breaks(&ecp.Error{Code: ecp.CodeUnavailable, Message: "not connected"})
		synctest.Wait()
		f.write(time.Now(), " b3", logged(time.Now(), "info", "c"))
		f.breaks(nil)
		require.Equal(t, []string{"1 b\n b2\n b3", "1 c"}, raws(log.until("c", says("", "] c"))),
			"the agent was away for less than a second")

		o.shows(0, false, ecp.AgentReport{})
		f.breaks(&ecp.Error{Code: ecp.CodeUnavailable, Message: "not connected"})
		came := log.until("that it is away", func(l ecp.LogLine) bool { return l.Gap != "" })
		require.Len(t, came, 1)
		require.Contains(t, came[0].Gap, "is not connected: its log goes on once it is")
		f.write(time.Now(), logged(time.Now(), "info", "d"))
		f.change(func() {
			f.lines = append(f.lines,
				ecp.AgentLogLine{At: time.Now(), Gap: "files were removed", Mark: strconv.Itoa(len(f.lines) + 1)})
		})
		f.write(time.Now(), logged(time.Now(), "info", "e"))
		<-time.After(time.Minute)
		f.breaks(nil)
		o.shows(0, true, ecp.AgentReport{Logs: "/opt/emqx/log"})
		require.Equal(t, []string{"1 d", "1 files were removed", "1 e"}, raws(log.until("e", says("", "] e"))),
			"it is told once that it is away")
		log.stop()
		require.NoError(t, <-log.ended)
	})
}

// TestLogsFollowBehindWhatWasNotWanted: reading goes on behind what the filter has left
// out, and does not begin again.
func TestLogsFollowBehindWhatWasNotWanted(t *testing.T) {
	inOrchard(t, 1, func(o *orchard) {
		f := o.files[o.agents[0]]
		for n := range 1000 {
			f.write(time.Now(), logged(time.Now(), "info", strconv.Itoa(n)))
		}
		log := o.followLogs(asSystem(), o.id, ecp.LogQuery{Level: "error"})
		synctest.Wait()
		f.write(time.Now(), logged(time.Now(), "error", "x"))
		require.Equal(t, []string{"1 x"}, raws(log.until("x", says("", "] x"))))
		require.Equal(t, 1001, f.sent)
		require.Equal(t, "1000", f.asked[1].After)
		log.stop()
		require.NoError(t, <-log.ended)
	})
}

// TestLogsOfAdoptedNodes: each node is read through one agent, also while its broker
// does not answer, and the others say why they cannot be read.
func TestLogsOfAdoptedNodes(t *testing.T) {
	inOrchard(t, 4, func(o *orchard) {
		for n, agent := range o.agents {
			o.files[agent].write(time.Now(), logged(time.Now(), "info", "of "+strconv.Itoa(n)))
			require.NoError(t, o.m.Agents.Note(o.t.Context(), agent,
				ecp.AgentNote{Node: nodeName(n), Hostname: "host-" + strconv.Itoa(n)}))
		}
		o.link.Show(o.id, ecp.AgentObservation{
			Agent:     o.agents[0],
			Connected: true,
			Report:    &ecp.AgentReport{Logs: "/l", Errors: []ecp.AgentError{{Stage: ecp.AgentStageNode}}},
		})
		o.shows(1, false, ecp.AgentReport{})
		o.files[o.agents[2]].breaks(&ecp.Error{Code: ecp.CodeUnsupported, Message: "too old"})
		got := raws(o.readLogs(o.id, ecp.LogQuery{}))
		require.Len(t, got, 4)
		require.Equal(t, []string{"1 of 0", "4 of 3"}, got[:2])
		require.Regexp(t, `2 agent agt-\S+ \(host-1, emqx@10.0.0.2\) is not connected`, got[2])
		require.Equal(t, "3 too old", got[3])

		twin := registered(o.t, o.m, o.id)
		o.files[twin] = &logFiles{}
		o.link.Show(o.id, ecp.AgentObservation{
			Agent:     twin,
			Connected: true,
			Conflict:  "the node is served by another",
			Report:    &ecp.AgentReport{Node: nodeName(3), Logs: "/l"},
		})
		require.Equal(t, got, raws(o.readLogs(o.id, ecp.LogQuery{})), "each line once")
		nameless := registered(o.t, o.m, o.id)
		o.link.Show(o.id, ecp.AgentObservation{Agent: nameless, Connected: true})
		all := o.readLogs(o.id, ecp.LogQuery{})
		require.Contains(t, all[2].Gap, string(nameless)+" has not found out yet which node is beside it")
		require.Empty(t, all[2].Node)
		_, err := o.m.Logs.Read(asSystem(), o.id, ecp.LogQuery{Node: "emqx@elsewhere"})
		require.ErrorIs(t, err, ecp.ErrNotFound)
	})
}

// TestLogsOfAdoptedRefused: why there are none, as the feature says it.
func TestLogsOfAdoptedRefused(t *testing.T) {
	inOrchard(t, 1, func(o *orchard) {
		why := func(want error) string {
			t.Helper()
			_, err := o.m.Logs.Read(asSystem(), o.id, ecp.LogQuery{})
			require.ErrorIs(t, err, want)
			info, getErr := o.m.Cluster(o.id).Get(asSystem())
			require.NoError(t, getErr)
			i := slices.IndexFunc(info.Features, func(f ecp.FeatureInfo) bool { return f.Feature == ecp.FeatureLogs })
			require.False(t, info.Features[i].Available)
			return info.Features[i].Why
		}
		o.shows(0, true, ecp.AgentReport{})
		require.Contains(t, why(ecp.ErrUnsupported), "run `emqxee-agent register --emqx-log-collection-enabled`")
		o.shows(0, true, ecp.AgentReport{Errors: []ecp.AgentError{{
			Stage:   ecp.AgentStageLogs,
			Code:    "auth_failed",
			Message: "/opt/emqx/log cannot be read",
		}}})
		require.Equal(t, "the agent cannot read EMQX's log files: /opt/emqx/log cannot be read",
			why(ecp.ErrUnavailable))
		o.shows(0, false, ecp.AgentReport{Logs: "/opt/emqx/log"})
		require.Equal(t, "needs a connected agent", why(ecp.ErrUnavailable))
		o.shows(0, true, ecp.AgentReport{Logs: "/opt/emqx/log"})
		require.Empty(t, o.readLogs(o.id, ecp.LogQuery{}))
	})
}

// TestLogsOfAdoptedAreBounded: an agent that sends without end fills no memory, and one
// that lies about time keeps nobody's place.
func TestLogsOfAdoptedAreBounded(t *testing.T) {
	inOrchard(t, 2, func(o *orchard) {
		text := strings.Repeat("x", 60<<10)
		o.link.Files = func(
			_ context.Context, agent ecp.AgentID, _ ecp.AgentLogQuery,
		) iter.Seq2[ecp.AgentLogLine, error] {
			return func(yield func(ecp.AgentLogLine, error) bool) {
				for n := range 2000 {
					if !yield(ecp.AgentLogLine{
						At:   time.Now(),
						Text: fmt.Sprintf("%s %d %s", agent, n, text),
						Mark: strconv.Itoa(n),
						Cut:  true,
					}, nil) {
						return
					}
				}
				yield(ecp.AgentLogLine{}, errors.New("password=secret"))
			}
		}
		size := 0
		for _, l := range o.readLogs(o.id, ecp.LogQuery{Limit: ecp.MaxLogLimit}) {
			size += len(l.Raw)
			require.True(t, l.Cut || l.Gap != "")
			require.NotContains(t, l.Gap, "secret")
		}
		require.LessOrEqual(t, size, 16<<20)
	})
}
