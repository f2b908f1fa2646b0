package emqxsim

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// pollInterval is how often a followed log is checked for new lines.
const pollInterval = 200 * time.Millisecond

// Logs returns the log of the node, at most its last two thousand lines. See
// [ecp.LogReader]. The log survives restarts of the node.
func (n *Node) Logs(ctx context.Context, o ecp.LogOptions) io.ReadCloser {
	return readLog(ctx, n.c, func() *Node { return n }, o, time.Time{}, func() error { return nil })
}

// readLog reads the lines not older than from of the node that find returns, as soon as
// there is one. there returns io.EOF when the log has ended for good.
func readLog(ctx context.Context, c *Cluster, find func() *Node, o ecp.LogOptions, from time.Time,
	there func() error) *logReader {
	r := &logReader{
		c: c, find: find, from: from, there: there, follow: o.Follow, done: ctx.Done(), why: ctx.Err,
		closed: make(chan struct{}),
	}
	if o.Since.After(from) {
		r.from = o.Since
	}
	lines := r.news()
	if o.Tail > 0 && len(lines) > o.Tail {
		lines = lines[len(lines)-o.Tail:]
	}
	r.take(lines)
	return r
}

// news returns the lines that were written since the last call.
func (r *logReader) news() (out []logLine) {
	r.c.change(func(time.Time) {
		n := r.find()
		if n == nil {
			return
		}
		for _, l := range n.log.lines {
			if l.n >= r.next && !l.at.Before(r.from) {
				out = append(out, l)
			}
		}
		r.next = n.log.next
	})
	return out
}

// logReader reads the log of a node. It has no goroutine: the reader itself waits.
type logReader struct {
	c      *Cluster
	find   func() *Node // called with the cluster locked; returns nil while there is no node
	from   time.Time
	there  func() error
	follow bool
	done   <-chan struct{} // of the context that it was opened with
	why    func() error    // the reason why done is closed
	next   int             // number of the next line
	text   []byte          // lines that Read has not returned yet

	once   sync.Once
	closed chan struct{}
}

func (r *logReader) take(lines []logLine) {
	for _, l := range lines {
		r.text = l.at.AppendFormat(r.text, time.RFC3339Nano)
		r.text = append(append(append(r.text, ' '), l.text...), '\n')
	}
}

// Read returns lines. It waits for the next ones if the log is followed.
func (r *logReader) Read(b []byte) (int, error) {
	for {
		select {
		case <-r.done:
			return 0, r.why()
		case <-r.closed:
			return 0, io.ErrClosedPipe
		default:
		}
		if len(r.text) > 0 {
			n := copy(b, r.text)
			r.text = r.text[n:]
			return n, nil
		}
		if !r.follow {
			return 0, io.EOF
		}
		if err := r.poll(); err != nil {
			return 0, err
		}
	}
}

// poll takes new lines, or waits a while.
func (r *logReader) poll() error {
	end := r.there() // checked first, so that the lines before the end are read
	lines := r.news()
	if r.take(lines); len(lines) > 0 || end != nil {
		if len(lines) > 0 {
			return nil
		}
		return end
	}
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.done:
	case <-r.closed:
	}
	return nil
}

// Close ends a waiting Read.
func (r *logReader) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

// Logs returns the log of a node's present pod. The log of an earlier pod is gone. The log
// of a cluster begins when the cluster is first observed after a start of the program.
func (p *Provisioner) Logs(ctx context.Context, id ecp.ID, node string, o ecp.LogOptions) (io.ReadCloser, error) {
	op := "read log of " + node
	if err := p.checkReachable(ctx, op); err != nil {
		return nil, err
	}
	now := p.now()
	st := p.at(id, now)
	found := st.podOf(node)
	if found == nil {
		return nil, &ecp.Error{Code: ecp.CodeNotFound, Op: op, Message: "there is no pod of that node now"}
	}
	if found.Broken != "" {
		return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "its container has not started: " +
			found.Broken}
	}
	sim := p.Cluster(id)
	if sim == nil {
		return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "the cluster is on its way out"}
	}
	there := func() error {
		if p.unreachable.Load() {
			return io.ErrUnexpectedEOF
		}
		now := p.at(id, p.now())
		if q := now.podOf(node); q == nil || q.UID != found.UID {
			return io.EOF
		}
		return nil
	}
	return readLog(ctx, sim, func() *Node { return sim.findAny(node) }, o, found.Made, there), nil
}
