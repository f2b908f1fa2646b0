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

// LogSource reads the log files of the broker beside an agent. Several goroutines may call
// it at once.
type LogSource interface {
	// ReadLogs returns the lines that a query selects, oldest first. If the query follows
	// the log, the sequence goes on with new lines until ctx ends. It must contain the
	// mark of the last line that was read, even if the query does not select that line;
	// see [LogLine].Passed. Lines must be read no faster than they are taken. An error of
	// ReadLogs refuses the query, and an error in the sequence ends it. A [*LogError] is
	// sent to the server, any other error as [LogUnreadable].
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
		refuseLogs(w, &LogError{Code: LogBusy, Message: "the agent sends " + strconv.Itoa(maxLogReaders) +
			" logs already"})
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

// page writes lines until the page is full or the lines end.
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

// asLogError returns the error that is sent to the server.
func asLogError(err error) *LogError {
	if e, ok := errors.AsType[*LogError](err); ok {
		return e.cleaned()
	}
	return (&LogError{Code: LogUnreadable, Message: err.Error()}).cleaned()
}

// logStatuses are the HTTP statuses of refused queries.
var logStatuses = map[LogCode]int{
	LogDisabled: http.StatusForbidden, LogBusy: http.StatusServiceUnavailable,
	LogStopped:  http.StatusServiceUnavailable,
	LogBadQuery: http.StatusBadRequest, LogUnsupported: http.StatusNotFound,
}

func refuseLogs(w http.ResponseWriter, e *LogError) {
	status, known := logStatuses[e.Code]
	if !known {
		status = http.StatusBadGateway
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) //nolint:errchkjson // the server may have gone
}

// logDelay is how long a line waits so that others can be sent with it.
const logDelay = 20 * time.Millisecond

// logBatch is how many bytes of lines are sent together.
const logBatch = 32 << 10

// logWriter sends messages, several at a time. Its write waits while the connection takes
// no more.
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

// write sends one message, perhaps a little later. It reports false once nothing can be
// sent any more.
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

// flushLocked sends the pending messages.
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

// close sends the pending messages. Nothing is sent after it.
func (o *logWriter) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
}

// parseLogQuery reads a query, which is untrusted.
func parseLogQuery(v url.Values) (q LogQuery, err error) {
	if err := q.parameters().parse(v); err != nil {
		return q, err
	}
	if len(q.After) > maxLogMark || len(q.Text) > maxLogSought || len(q.Level) > maxID {
		return q, errors.New("after, text or level is too long")
	}
	return q, nil
}
