package agentproto

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memoryLog is a log in memory; the mark of a line is its number.
type memoryLog struct {
	mu      sync.Mutex
	lines   []string      // guarded by mu
	changed chan struct{} // guarded by mu; closed by add
	refuse  error

	read atomic.Int64 // bytes of lines that were taken
	open atomic.Int64 // readers there are
}

func newMemoryLog(lines ...string) *memoryLog {
	return &memoryLog{lines: lines, changed: make(chan struct{})}
}

func (m *memoryLog) add(lines ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, lines...)
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memoryLog) since(n int) ([]string, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lines[min(n, len(m.lines)):], m.changed
}

func (m *memoryLog) ReadLogs(ctx context.Context, q LogQuery) (iter.Seq2[LogLine, error], error) {
	if m.refuse != nil {
		return nil, m.refuse
	}
	return func(yield func(LogLine, error) bool) {
		m.open.Add(1)
		defer m.open.Add(-1)
		n, _ := strconv.Atoi(q.After)
		if all, _ := m.since(0); q.Tail > 0 {
			n = max(n, len(all)-q.Tail)
		}
		for {
			lines, changed := m.since(n)
			for _, text := range lines {
				n++
				l := LogLine{At: time.Date(2026, 11, 29, 8, 0, 0, n, time.UTC), Text: text, Mark: strconv.Itoa(n)}
				if !strings.Contains(text, q.Text) {
					l = LogLine{Passed: true, Mark: l.Mark}
				}
				if !yield(l, nil) {
					return
				}
				m.read.Add(int64(len(text)))
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
	}, nil
}

// sends lets an agent send a log.
func sends(l LogSource) func(*AgentConfig) { return func(c *AgentConfig) { c.Logs = l } }

// texts reads what a query yields until enough says so, or its end.
func (r *rig) texts(ctx context.Context, agent string, q LogQuery,
	enough func(texts []string, mark string) bool) (texts []string, mark string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for l, err := range r.server.Logs(ctx, agent, q) {
		if err != nil {
			return texts, mark, err
		}
		if mark = l.Mark; !l.Passed {
			texts = append(texts, l.Text)
		}
		if enough != nil && enough(texts, mark) {
			return texts, mark, nil
		}
	}
	return texts, mark, ctx.Err()
}

func numbered(from, to int, beside string) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprintf("%s %06d", beside, n))
	}
	return out
}

// A log is read to its end, in pages, and followed; each line comes once.
func TestLogs(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		all := numbered(0, 30_000, strings.Repeat("x", 60))
		log := newMemoryLog(all...)
		run := r.connected(tunnel, sends(log))
		got, mark, err := r.texts(t.Context(), run.id, LogQuery{}, nil)
		require.NoError(t, err)
		require.Equal(t, all, got, "more than four pages")
		require.Equal(t, "30000", mark)

		got, _, err = r.texts(t.Context(), run.id, LogQuery{Tail: 20_000}, nil)
		require.NoError(t, err)
		require.Equal(t, all[10_000:], got, "the last lines are counted once, not on each page")

		more := numbered(30_000, 30_003, "late")
		go log.add(more[0])
		got, _, err = r.texts(t.Context(), run.id, LogQuery{After: mark, Follow: true},
			func(texts []string, _ string) bool {
				if len(texts) == 1 {
					log.add(more[1:]...)
				}
				return len(texts) == 3
			})
		require.NoError(t, err)
		require.Equal(t, more, got)
		r.eventually("the agent stops reading", func() bool { return log.open.Load() == 0 })

		got, mark, err = r.texts(t.Context(), run.id, LogQuery{Text: "late 030001"}, nil)
		require.NoError(t, err)
		require.Equal(t, more[1:2], got)
		require.Equal(t, "30003", mark, "what was not wanted was passed all the same")
	})
}

// Who does not take lines holds up the reading of the file: one page is under way.
func TestLogsOfAReaderThatStops(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		line := strings.Repeat("y", 1000)
		all := make([]string, 20_000) // 20 MB
		for i := range all {
			all[i] = line
		}
		log := newMemoryLog(all...)
		run := r.connected(tunnel, sends(log))
		stopped, goOn := make(chan struct{}), make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			n := 0
			for l, err := range r.server.Logs(t.Context(), run.id, LogQuery{Follow: true}) {
				if err != nil {
					ended <- err
					return
				}
				if !l.Passed {
					n++
				}
				if n == 1 {
					close(stopped)
					<-goOn
				}
				if n == len(all) {
					break
				}
			}
			ended <- nil
		}()
		<-stopped
		r.eventually("the page was sent, and nobody reads on", func() bool { return log.open.Load() == 0 })
		require.LessOrEqual(t, log.read.Load(), int64(logPage+logBatch), "bytes that were read of the log")
		got, _, err := r.texts(t.Context(), run.id, LogQuery{Tail: 3}, nil)
		require.NoError(t, err)
		require.Len(t, got, 3, "others are not held up")
		close(goOn)
		require.NoError(t, <-ended)
	})
}

// A connection that breaks ends the reading with an error; after the last mark nothing
// is lost and nothing comes twice.
func TestLogsOverABrokenConnection(t *testing.T) {
	eachCarrier(t, func(t *testing.T, tunnel TunnelMode) {
		r := newRig(t)
		l := newLink(t, r.addr)
		log := newMemoryLog(numbered(0, 500, "a")...)
		id := r.identity()
		id.Server = "https://" + l.Addr().String()
		run := r.agent(id, tunnel, sends(log))
		r.waitBoth(run)
		var got []string
		mark := ""
		for breaks := 0; len(got) < 1500; {
			var texts []string
			var err error
			texts, last, err := r.texts(t.Context(), run.id, LogQuery{After: mark, Follow: true},
				func(texts []string, _ string) bool {
					if len(texts) == 500 && breaks < 2 {
						breaks++
						l.cut()
						log.add(numbered(500*breaks, 500*(breaks+1), "a")...)
					}
					return len(got)+len(texts) == 1500
				})
			if got = append(got, texts...); last != "" {
				mark = last
			}
			if len(got) < 1500 {
				require.ErrorIs(t, err, ErrNotConnected)
				r.waitBoth(run)
			}
		}
		require.Equal(t, numbered(0, 1500, "a"), got)
	})
}

// An agent says why it does not send a log.
func TestLogsRefused(t *testing.T) {
	r := newRig(t)
	code := func(agent string, q LogQuery) LogCode {
		t.Helper()
		_, _, err := r.texts(t.Context(), agent, q, nil)
		e, ok := errors.AsType[*LogError](err)
		require.True(t, ok, "%v", err)
		require.NotEmpty(t, e.Message)
		return e.Code
	}
	require.Equal(t, LogUnsupported, code(r.connected(TunnelDirect).id, LogQuery{}),
		"an agent that knows nothing of logs")

	log := newMemoryLog("a")
	log.refuse = &LogError{Code: LogDisabled, Message: "say --emqx-log-collection-enabled"}
	run := r.connected(TunnelDirect, sends(log))
	require.Equal(t, LogDisabled, code(run.id, LogQuery{}))
	log.refuse = errors.New("the disk\nis gone")
	_, _, err := r.texts(t.Context(), run.id, LogQuery{}, nil)
	require.ErrorContains(t, err, "the disk is gone")
	require.Equal(t, LogUnreadable, code(run.id, LogQuery{}))
	log.refuse = nil
	require.Equal(t, LogBadQuery, code(run.id, LogQuery{After: strings.Repeat("m", maxLogMark+1)}))

	_, _, err = r.texts(t.Context(), "agent-77", LogQuery{}, nil)
	require.ErrorIs(t, err, ErrNotConnected)

	var readers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range maxLogReaders {
		readers.Go(func() { _, _, _ = r.texts(ctx, run.id, LogQuery{Follow: true}, nil) })
	}
	r.eventually("all places are taken", func() bool { return log.open.Load() == maxLogReaders })
	require.Equal(t, LogBusy, code(run.id, LogQuery{}))
	cancel()
	readers.Wait()
	r.eventually("a place is free", func() bool {
		got, _, err := r.texts(t.Context(), run.id, LogQuery{}, nil)
		return err == nil && len(got) == 1
	})

	ended := make(chan error, 1)
	go func() {
		_, _, err := r.texts(t.Context(), run.id, LogQuery{Follow: true}, nil)
		ended <- err
	}()
	r.eventually("the log is followed", func() bool { return log.open.Load() == 1 })
	run.stop()
	require.Error(t, <-ended, "the end of the agent is not the end of the log")
}

// A query travels as it is, and what cannot be understood is refused.
func TestLogQuery(t *testing.T) {
	q := LogQuery{After: "7:1&x=2", Since: time.Unix(5, 6).UTC(), Until: time.Unix(7, 8).UTC(), Tail: 9, Level: "error",
		Text: "a b+c%", Follow: true}
	u, err := http.NewRequest(http.MethodGet, "http://control"+pathLogs+"?"+q.parameters().encode(), http.NoBody)
	require.NoError(t, err)
	got, err := parseLogQuery(u.URL.Query())
	require.NoError(t, err)
	require.Equal(t, q, got)
	for _, bad := range []string{"since=yesterday", "until=1", "tail=-1", "tail=x", "follow=perhaps"} {
		u.URL.RawQuery = bad
		_, err := parseLogQuery(u.URL.Query())
		require.Error(t, err, bad)
	}
}
