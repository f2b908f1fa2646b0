package ecp

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

// The patience and the measures of reading logs.
const (
	logPatience  = 20 * time.Second       // for the history of one node, and for a log to be opened
	logMemory    = 32 << 20               // bytes of all history together
	spareLines   = 64                     // read beyond the limit: several lines may be one entry
	logQuiet     = 200 * time.Millisecond // after which an entry has no more lines
	logNodesLook = 2 * time.Second        // between looks at which nodes there are
	logRetry     = time.Second            // before a log is opened again; grows
	logRetryMost = 10 * time.Second
)

// logs is one reading of a cluster's logs.
type logs struct {
	m        *Manager
	op       string
	id       ID
	q        LogQuery
	platform Provisioner
	reader   LogReader
}

// source is one node's log.
type source struct {
	mark bookmark
	told string // of the last gap; "" = it can be read
}

// nodes are those that are asked for and have a pod.
func (r *logs) nodes(ctx context.Context) ([]NodeObservation, error) {
	o, err := r.platform.Observe(ctx, r.id)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(o.Nodes, func(n NodeObservation) bool { return r.q.Node != "" && n.Name != r.q.Node }), nil
}

// read yields the history and, where it is asked for, what comes.
func (r *logs) read(ctx context.Context, nodes []NodeObservation, yield func(LogLine, error) bool) {
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
		yield(LogLine{}, explain(r.op, ctx.Err(), "", ""))
	}
}

// histories reads what there is of all nodes at once, and gives the newest
// lines by time, and then what could not be read.
func (r *logs) histories(ctx context.Context, nodes []NodeObservation, sources map[string]*source) (out []LogLine) {
	kept := make([]recent, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		s := &source{}
		sources[n.Name] = s
		kept[i] = recent{most: r.q.Limit, room: logMemory / len(nodes)}
		group.Go(func() {
			if err := r.history(ctx, n, &kept[i], &s.mark); err != nil {
				s.told = MessageOf(err)
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
			out = append(out, r.gap(n.Name, "older lines are left out: they would take too much memory; ask for fewer, or for a shorter time"))
		}
		if why := sources[n.Name].told; why != "" && ctx.Err() == nil {
			out = append(out, r.gap(n.Name, why))
		}
	}
	return out
}

func (r *logs) gap(node, why string) LogLine {
	return LogLine{At: r.m.now().UTC(), Node: node, Gap: why}
}

// follow yields lines as they come. One goroutine looks which nodes there are,
// and each node has two: one that reads, one that hands over. All have ended
// when it returns.
func (r *logs) follow(ctx context.Context, sources map[string]*source, yield func(LogLine, error) bool) {
	following, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	lines, refused := make(chan LogLine), make(chan error, 1)
	group.Go(func() { r.attend(following, &group, sources, lines, refused) })
	for {
		select {
		case l := <-lines:
			if !yield(l, nil) {
				return
			}
		case err := <-refused:
			yield(LogLine{}, err)
			return
		case <-ctx.Done():
			return
		}
	}
}

// attend has every node followed that there is, and looks now and then whether
// the actor may still read the cluster.
func (r *logs) attend(ctx context.Context, group *sync.WaitGroup, sources map[string]*source, lines chan<- LogLine, refused chan<- error) {
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
	for tick := time.NewTicker(logNodesLook); ; {
		nodes, err := r.nodes(ctx)
		for _, n := range nodes {
			begin(n.Name)
		}
		if err == nil {
			_, err = r.m.readable(ctx, r.op, RightRead, r.id)
		}
		_, _, ended := r.m.standing(ctx)
		over := errors.Is(ended, errOtherRights)
		if over || err == nil {
			err = ended
		}
		if err != nil && (over || CodeOf(err) != CodeUnavailable) && ctx.Err() == nil {
			refused <- explain(r.op, err, "", "")
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

// followNode reads a node's log until ctx ends, of whatever pod it then has.
func (r *logs) followNode(ctx context.Context, name string, s *source, lines chan<- LogLine) {
	wait := logRetry
	for ctx.Err() == nil {
		read, err := r.session(ctx, name, s, lines)
		if read {
			wait = logRetry
		}
		if why := MessageOf(err); err != nil && ctx.Err() == nil && why != s.told {
			s.told = why
			r.hand(ctx, lines, r.gap(name, why))
		}
		timer := time.NewTimer(wait)
		wait = min(2*wait, logRetryMost)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// hand gives a line to whoever reads, or gives up with ctx.
func (r *logs) hand(ctx context.Context, lines chan<- LogLine, l LogLine) bool {
	if l.Gap == "" && !r.q.wants(l) {
		return true
	}
	select {
	case lines <- l:
		return true
	case <-ctx.Done():
		return false
	}
}

// session reads a node's log from where it was read to, until it ends. read
// says whether it could be opened.
func (r *logs) session(ctx context.Context, name string, s *source, lines chan<- LogLine) (read bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opening := time.AfterFunc(logPatience, cancel)
	body, err := r.open(ctx, name, s)
	if !opening.Stop() && err == nil {
		_ = body.Close()
		err = fail(CodeUnavailable, r.op, "the log was not there in time; it is tried again")
	}
	if err != nil {
		return false, err
	}
	s.told = ""
	taken := make(chan takenLine)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(taken)
		err = takeLines(body, func(l takenLine) bool {
			select {
			case taken <- l:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	r.pass(ctx, name, &s.mark, taken, lines)
	cancel()
	_ = body.Close()
	group.Wait()
	if err != nil {
		err = &Error{Code: CodeUnavailable, Op: r.op, Message: "the log broke off; it is opened again", Cause: err}
	}
	return true, err
}

// pass makes entries of lines and hands them over. An entry ends with the next
// one, or when nothing more comes for a moment.
func (r *logs) pass(ctx context.Context, name string, mark *bookmark, taken <-chan takenLine, lines chan<- LogLine) {
	join := logJoin{node: name, now: r.m.now}
	hand := func(l LogLine, ok bool) bool { return !ok || r.hand(ctx, lines, l) }
	quiet := time.NewTimer(logQuiet)
	defer quiet.Stop()
	for going := true; going; {
		select {
		case l, more := <-taken:
			switch {
			case !more:
				hand(join.flush())
				return
			case mark.passes(l):
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

// open opens the log of a node's present pod where it was read to: of a pod
// that is new, from its beginning.
func (r *logs) open(ctx context.Context, name string, s *source) (io.ReadCloser, error) {
	nodes, err := r.nodes(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(nodes, func(n NodeObservation) bool { return n.Name == name })
	if i < 0 {
		return nil, fail(CodeNotFound, r.op, "the node has no pod now")
	}
	o := LogOptions{Follow: true}
	s.mark.opened(nodes[i].PodUID)
	if o.Since = s.mark.at; o.Since.IsZero() {
		o.Since, o.Tail = r.q.Since, r.q.Limit
	}
	return r.body(ctx, name, o)
}
