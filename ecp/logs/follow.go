package logs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/sched"
	"github.com/openecp/openecp/ecp/tenancy"
)

// The patience and the measures of reading logs.
const (
	logPatience   = 20 * time.Second       // for the history of one node, and for a log to be opened
	logMemory     = 32 << 20               // bytes of all history together
	spareLines    = 64                     // read beyond the limit: several lines may be one entry
	logQuiet      = 200 * time.Millisecond // after which an entry has no more lines
	logNodesEvery = 2 * time.Second        // between two lists of which nodes there are
	logRetry      = time.Second            // before a log is opened again; grows
	logRetryMost  = 10 * time.Second
)

// logs is one reading of a cluster's logs.
type logStream struct {
	m    *Reader
	op   string
	id   ecp.ID
	q    ecp.LogQuery
	from logSource
}

// source is one node's log.
type source struct {
	mark  bookmark
	told  string // of the last gap; empty means it can be read
	broke string // why the last session broke off, of which nobody was told
}

// read yields the history and, where it is asked for, what comes.
func (r *logStream) read(ctx context.Context, nodes []logNode, yield func(ecp.LogLine, error) bool) {
	sources := map[string]*source{}
	for _, l := range r.histories(ctx, nodes, sources) {
		if !yield(l, nil) {
			return
		}
	}
	switch {
	case r.q.Follow:
		r.follow(ctx, sources, yield)
	case ctx.Err() != nil:
		yield(ecp.LogLine{}, fault.Wrap(r.op, ctx.Err()))
	}
}

// histories reads what there is of all nodes at once, and gives the newest
// lines by time, and then what could not be read.
func (r *logStream) histories(ctx context.Context, nodes []logNode, sources map[string]*source) (out []ecp.LogLine) {
	kept := make([]recent, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		s := &source{}
		sources[n.name] = s
		kept[i] = recent{most: r.q.Limit, room: logMemory / len(nodes)}
		group.Go(func() {
			if err := r.history(ctx, n, &kept[i], &s.mark); err != nil {
				s.told = ecp.MessageOf(err)
			}
		})
	}
	group.Wait()
	var all []orderedLine
	for _, k := range kept {
		all = append(all, k.lines...)
	}
	slices.SortStableFunc(all, func(a, b orderedLine) int { return a.order.Compare(b.order) })
	for _, l := range all[max(len(all)-r.q.Limit, 0):] {
		out = append(out, l.LogLine)
	}
	for i, n := range nodes {
		if kept[i].lost {
			out = append(out, r.gap(n.name,
				"older lines are left out: they would take too much memory; ask for fewer, or for a shorter time"))
		}
		if why := sources[n.name].told; why != "" && ctx.Err() == nil {
			out = append(out, r.gap(n.name, why))
		}
	}
	return out
}

func (r *logStream) gap(node, why string) ecp.LogLine {
	return ecp.LogLine{At: r.m.observed.Now().UTC(), Node: node, Gap: why}
}

// follow yields lines as they come. One goroutine looks which nodes there are,
// and each node has two: one that reads, one that hands over. All have ended
// when it returns.
func (r *logStream) follow(ctx context.Context, sources map[string]*source, yield func(ecp.LogLine, error) bool) {
	following, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	lines, refused := make(chan ecp.LogLine), make(chan error, 1)
	group.Go(func() { r.attend(following, &group, sources, lines, refused) })
	for {
		select {
		case l := <-lines:
			if !yield(l, nil) {
				return
			}
		case err := <-refused:
			yield(ecp.LogLine{}, err)
			return
		case <-ctx.Done():
			return
		}
	}
}

// attend has every node followed that there is, and looks now and then whether
// the actor may still read the cluster.
func (r *logStream) attend(ctx context.Context, group *sync.WaitGroup, sources map[string]*source,
	lines chan<- ecp.LogLine, refused chan<- error) {
	followed := map[string]bool{}
	begin := func(name string) {
		if followed[name] {
			return
		}
		followed[name] = true
		s := sources[name]
		if s == nil {
			s = &source{}
		}
		group.Go(func() { r.followNode(ctx, name, s, lines) })
	}
	for name := range sources {
		begin(name)
	}
	for tick := time.NewTicker(logNodesEvery); ; {
		nodes, err := r.from.nodes(ctx)
		for _, n := range nodes {
			begin(n.name)
		}
		if err == nil {
			_, err = r.m.observed.LoadReadable(ctx, r.op, ecp.RightRead, r.id)
		}
		_, _, ended := r.m.accounts.Standing(ctx)
		over := errors.Is(ended, tenancy.ErrRightsChanged)
		if over || err == nil {
			err = ended
		}
		if err != nil && (over || ecp.CodeOf(err) != ecp.CodeUnavailable) && ctx.Err() == nil {
			refused <- fault.Wrap(r.op, err)
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// followNode reads a node's log until ctx ends, of whatever pod it then has and through
// whatever agent is then beside it.
func (r *logStream) followNode(ctx context.Context, name string, s *source, lines chan<- ecp.LogLine) {
	var backoff sched.Backoff
	longest := logRetryMost
	if r.from.exact() { // an agent that is away is not asked: whether it is back is known here
		longest = logNodesEvery
	}
	for ctx.Err() == nil {
		read, err := r.session(ctx, name, s, lines)
		if read {
			backoff = sched.Backoff{}
		}
		why := ecp.MessageOf(err)
		switch {
		case err == nil || ctx.Err() != nil || why == s.told:
		case read && r.from.exact() && why != s.broke: // nothing is lost, if it can be opened again
			s.broke = why
		default:
			s.told = why
			r.hand(ctx, lines, r.gap(name, why))
		}
		timer := time.NewTimer(backoff.Fail(time.Now(), 0, logRetry, longest))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// hand passes a line to whoever reads, or gives up with ctx.
func (r *logStream) hand(ctx context.Context, lines chan<- ecp.LogLine, l ecp.LogLine) bool {
	if l.Gap == "" && !wanted(r.q, l) {
		return true
	}
	select {
	case lines <- l:
		return true
	case <-ctx.Done():
		return false
	}
}

// errLogLate ends the opening of a log that takes too long.
var errLogLate = errors.New("the log was not there in time")

// session reads a node's log from where it was read to, until it ends. read
// says whether it could be opened.
func (r *logStream) session(ctx context.Context, name string, s *source,
	lines chan<- ecp.LogLine) (read bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	node, err := r.node(ctx, name)
	if err != nil {
		return false, err
	}
	opening := time.AfterFunc(logPatience, func() { cancel(errLogLate) })
	defer opening.Stop()
	opened := func() {
		if opening.Stop() {
			read, s.told = true, ""
		}
	}
	taken := make(chan takenLine)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(taken)
		err = r.from.read(ctx, node, logReading{r.q, &s.mark, true}, opened, func(l takenLine) bool {
			select {
			case taken <- l:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	r.pass(ctx, name, s, taken, lines)
	cancel(nil)
	group.Wait()
	if !read && errors.Is(context.Cause(ctx), errLogLate) {
		err = ecp.NewError(ecp.CodeUnavailable, r.op, errLogLate.Error()+"; it is tried again")
	}
	return read, err
}

// node finds a node as it is now.
func (r *logStream) node(ctx context.Context, name string) (logNode, error) {
	nodes, err := r.from.nodes(ctx)
	if err != nil {
		return logNode{}, err
	}
	i := slices.IndexFunc(nodes, func(n logNode) bool { return n.name == name })
	if i < 0 {
		return logNode{}, ecp.NewError(ecp.CodeNotFound, r.op, "the node has no pod or agent now")
	}
	return nodes[i], nil
}

// pass makes entries of lines and hands them over. An entry ends with the next
// one, or when nothing more comes for a moment. Where lines have marks, one that has not
// ended when the log breaks off is read again as a whole.
func (r *logStream) pass(ctx context.Context, name string, s *source, taken <-chan takenLine,
	lines chan<- ecp.LogLine) {
	join := logJoin{node: name, now: r.m.observed.Now}
	hand := func(l ecp.LogLine, ok bool) bool {
		if !ok {
			return true
		}
		if !r.hand(ctx, lines, l) {
			return false
		}
		s.mark.handed(l.Mark)
		return true
	}
	quiet := time.NewTimer(logQuiet)
	defer quiet.Stop()
	for going := true; going; {
		select {
		case l, more := <-taken:
			switch {
			case !more:
				if !r.from.exact() {
					hand(join.flush())
				}
				return
			case l.apart():
				going = hand(join.flush()) && hand(l.alone(name, r.m.observed.Now), l.gap != "")
				s.mark.handed(l.mark)
			case s.mark.passes(l):
				s.broke = ""
				going = hand(join.add(l))
				quiet.Reset(logQuiet)
			}
		case <-quiet.C:
			going = hand(join.flush())
		case <-ctx.Done():
			return
		}
	}
}
