package emqxsim

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// lookForLines is how often a log that is followed is looked at.
const lookForLines = 200 * time.Millisecond

// Logs gives what the node has written, at most the last two thousand lines,
// as [ecp.LogReader] says. It survives restarts of the node.
func (n *Node) Logs(ctx context.Context, o ecp.LogOptions) io.ReadCloser {
	return readLog(ctx, n.c, func() *Node { return n }, o, time.Time{}, func() error { return nil })
}

// readLog reads lines that are not older than from, of a node that find gives,
// once there is one. there says whether the log goes on: io.EOF = it has ended
// for good.
func readLog(ctx context.Context, c *Cluster, find func() *Node, o ecp.LogOptions, from time.Time, there func() error) *logReader {
	r := &logReader{c: c, find: find, from: from, there: there, follow: o.Follow, done: ctx.Done(), why: ctx.Err, closed: make(chan struct{})}
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

// news are the lines that were written since it was asked last.
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

// logReader is a node's log being read. It holds no goroutine: whoever reads
// waits.
type logReader struct {
	c      *Cluster
	find   func() *Node // called with the cluster locked; nil = it is not there yet
	from   time.Time
	there  func() error
	follow bool
	done   <-chan struct{} // of the context it was opened with
	why    func() error    // it has ended
	next   int             // number of the line that comes next
	text   []byte          // read, and not taken yet

	once   sync.Once
	closed chan struct{}
}

func (r *logReader) take(lines []logLine) {
	for _, l := range lines {
		r.text = l.at.AppendFormat(r.text, time.RFC3339Nano)
		r.text = append(append(append(r.text, ' '), l.text...), '\n')
	}
}

// Read gives lines, and waits for some where the log is followed.
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
		if err := r.look(); err != nil {
			return 0, err
		}
	}
}

// look takes what is new, or waits a while.
func (r *logReader) look() error {
	end := r.there() // asked first: what was written until then is there
	lines := r.news()
	if r.take(lines); len(lines) > 0 || end != nil {
		if len(lines) > 0 {
			return nil
		}
		return end
	}
	timer := time.NewTimer(lookForLines)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.done:
	case <-r.closed:
	}
	return nil
}

// Close ends a Read that waits.
func (r *logReader) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

// Logs gives the log of a node's pod: that of an earlier pod has gone with it.
// A cluster that was not looked at since the program began starts its log then.
func (p *Provisioner) Logs(ctx context.Context, id ecp.ID, node string, o ecp.LogOptions) (io.ReadCloser, error) {
	op := "read log of " + node
	if err := p.reach(ctx, op); err != nil {
		return nil, err
	}
	now := p.now()
	st := p.at(id, now)
	i := slices.IndexFunc(st.Pods, func(q pod) bool { return names{id, st.version()}.node(q.Ordinal) == node })
	if i < 0 {
		return nil, &ecp.Error{Code: ecp.CodeNotFound, Op: op, Message: "there is no pod of that node now"}
	}
	found := st.Pods[i]
	if found.Broken != "" {
		return nil, &ecp.Error{Code: ecp.CodeUnavailable, Op: op, Message: "its container has not started: " + found.Broken}
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
		if q := now.pod(found.Ordinal); q == nil || q.UID != found.UID {
			return io.EOF
		}
		return nil
	}
	return readLog(ctx, sim, func() *Node { return sim.any(node) }, o, found.Made, there), nil
}
