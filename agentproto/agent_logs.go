package agentproto

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// LogSource reads the log files of the broker beside an agent. It is called by several
// goroutines at once.
type LogSource interface {
	// ReadLogs returns what a query asks for, oldest first: what there is, and where the
	// query says so what is written from then on, until ctx ends. Of the last line that
	// was read the mark must be told, also where that was not wanted (see
	// [LogLine].Passed). The source reads no faster than lines are taken. An error in
	// place of a sequence refuses the query, and one in it ends it; a [*LogError] is told
	// to the server, anything else as [LogUnreadable].
	ReadLogs(ctx context.Context, q LogQuery) (iter.Seq2[LogLine, error], error)
}

// sendLogs writes a page of the log.
func (s *served) sendLogs(w http.ResponseWriter, r *http.Request) {
	q, err := parseLogQuery(r.URL.Query())
	if err != nil {
		refuseLogs(w, &LogError{Code: LogBadQuery, Message: err.Error()})
		return
	}
	select {
	case s.agent.logs <- struct{}{}:
		defer func() { <-s.agent.logs }()
	default:
		refuseLogs(w, &LogError{Code: LogBusy, Message: "the agent sends " + strconv.Itoa(maxLogReaders) + " logs already"})
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	watching.Go(func() {
		select {
		case <-s.stop:
			cancel(&LogError{Code: LogStopped, Message: "the agent stops"})
		case <-ctx.Done():
		}
	})
	lines, err := s.agent.cfg.Logs.ReadLogs(ctx, q)
	if err != nil {
		refuseLogs(w, asLogError(err))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := &logWriter{to: w, control: http.NewResponseController(w)}
	defer out.close()
	out.page(ctx, q, lines)
}

// page writes lines until it is full or they end.
func (o *logWriter) page(ctx context.Context, q LogQuery, lines iter.Seq2[LogLine, error]) {
	if !o.write(logMessage{LogLine: LogLine{Passed: true, Mark: q.After}}) || !o.flush() { // the log could be opened
		return
	}
	for l, err := range lines {
		if err != nil {
			o.write(logMessage{Error: asLogError(err)})
			return
		}
		if !o.write(logMessage{LogLine: l.bounded()}) {
			return
		}
		if o.sent >= logPage && l.Mark != "" {
			o.write(logMessage{End: logMore})
			return
		}
	}
	if err := context.Cause(ctx); err != nil {
		o.write(logMessage{Error: asLogError(err)})
		return
	}
	o.write(logMessage{End: logDone})
}

// asLogError returns what the server is told of an error.
func asLogError(err error) *LogError {
	if e, ok := errors.AsType[*LogError](err); ok {
		return e.cleaned()
	}
	return (&LogError{Code: LogUnreadable, Message: err.Error()}).cleaned()
}

// logStatuses are those of an answer that refuses.
var logStatuses = map[LogCode]int{
	LogDisabled: http.StatusForbidden, LogBusy: http.StatusServiceUnavailable, LogStopped: http.StatusServiceUnavailable,
	LogBadQuery: http.StatusBadRequest, LogUnsupported: http.StatusNotFound,
}

func refuseLogs(w http.ResponseWriter, e *LogError) {
	status, known := logStatuses[e.Code]
	if !known {
		status = http.StatusBadGateway
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) //nolint:errchkjson // who asked may have gone
}

// logDelay is how long lines wait for others: many travel together, and few are not
// waited for by anybody.
const logDelay = 20 * time.Millisecond

// logBatch is how many bytes of lines travel together.
const logBatch = 32 << 10

// logWriter sends messages, several at a time. What has not been taken by the
// connection holds up write.
type logWriter struct {
	to      http.ResponseWriter
	control *http.ResponseController
	sent    int // bytes of messages; only write's goroutine uses it

	mu      sync.Mutex
	pending bytes.Buffer // guarded by mu, as all below
	timer   *time.Timer
	waiting bool // the timer runs
	closed  bool // nothing may be sent any more
}

// write takes one message; false = nobody takes it.
func (o *logWriter) write(m logMessage) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.pending.Len()
	if o.closed || m.encode(&o.pending) != nil {
		return false
	}
	o.sent += o.pending.Len() - before
	switch {
	case o.pending.Len() >= logBatch:
		return o.flushLocked()
	case o.waiting:
	case o.timer == nil:
		o.timer, o.waiting = time.AfterFunc(logDelay, func() { o.flush() }), true
	default:
		o.timer.Reset(logDelay)
		o.waiting = true
	}
	return true
}

func (o *logWriter) flush() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.flushLocked()
}

// flushLocked sends what waits.
func (o *logWriter) flushLocked() bool {
	if o.closed {
		return false
	}
	o.waiting = false
	_, err := o.to.Write(o.pending.Bytes())
	o.pending.Reset()
	if err == nil {
		err = o.control.Flush()
	}
	o.closed = err != nil
	return err == nil
}

// close sends what waits; nothing is sent after it.
func (o *logWriter) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
}

// query is what asks for a page.
func (q LogQuery) query() string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("after", q.After)
	set("level", q.Level)
	set("text", q.Text)
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	if q.Tail > 0 {
		set("tail", strconv.Itoa(q.Tail))
	}
	if q.Follow {
		set("follow", "true")
	}
	return v.Encode()
}

func parseLogQuery(v url.Values) (q LogQuery, err error) {
	q = LogQuery{After: v.Get("after"), Level: v.Get("level"), Text: v.Get("text")}
	if len(q.After) > maxLogMark || len(q.Text) > maxLogSought || len(q.Level) > maxID {
		return q, errors.New("after, text or level is too long")
	}
	for name, at := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := v.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return q, errors.New(name + " has to be a time of RFC 3339")
			}
		}
	}
	if text := v.Get("tail"); text != "" {
		if q.Tail, err = strconv.Atoi(text); err != nil || q.Tail < 0 {
			return q, errors.New("tail has to be a whole number")
		}
	}
	if text := v.Get("follow"); text != "" {
		if q.Follow, err = strconv.ParseBool(text); err != nil {
			return q, errors.New("follow has to be true or false")
		}
	}
	return q, nil
}
