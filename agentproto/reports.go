package agentproto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Reports returns the reports of an agent after a position: first those that
// the agent has kept, then each new one as it comes. The sequence ends without
// an error when ctx ends, and with one when the connection has ended or the
// agent sends what is not a report; whoever wants to go on asks again after
// the last position. After [Newest] the first is the newest that there is. With
// no connection the only element is [ErrNotConnected].
func (s *Server) Reports(ctx context.Context, agent string, after Position) iter.Seq2[Report, error] {
	return func(yield func(Report, error) bool) {
		sess, ok := s.session(agent)
		if !ok {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", agent, ErrNotConnected))
			return
		}
		for _, path := range []string{pathReports, pathLive} { // streams of their own: a long replay is not in the way of anything else
			if !sess.readReports(ctx, path, &after, yield) {
				return
			}
		}
		if ctx.Err() == nil {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", agent, ErrNotConnected))
		}
	}
}

// KeptReports returns the reports of an agent after a position that it has kept,
// and ends then. [ServerConfig.Reported] is called when there are more:
// unlike with Reports, no goroutine waits for them meanwhile.
func (s *Server) KeptReports(ctx context.Context, agent string, after Position) iter.Seq2[Report, error] {
	return func(yield func(Report, error) bool) {
		sess, ok := s.session(agent)
		if !ok {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", agent, ErrNotConnected))
			return
		}
		sess.readReports(ctx, pathReports, &after, yield)
	}
}

// readReports yields the reports of one stream and moves after. It returns false if
// that ended with an error, or because yield or ctx did.
func (s *session) readReports(ctx context.Context, path string, after *Position, yield func(Report, error) bool) bool {
	for r, err := range s.reports(ctx, path, *after) {
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			yield(Report{}, fmt.Errorf("reports of agent %s: %w", s.info.Agent, err))
			return false
		}
		*after = r.Position()
		if !yield(r, nil) {
			return false
		}
	}
	return true
}

// reports reads one stream of reports to its end.
func (s *session) reports(ctx context.Context, path string, after Position) iter.Seq2[Report, error] {
	return func(yield func(Report, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		req, err := controlGet(ctx, path, positionQuery(after))
		if err != nil {
			yield(Report{}, err)
			return
		}
		resp, err := s.client.RoundTrip(req)
		if err != nil {
			yield(Report{}, err)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			yield(Report{}, errors.New("the agent answered "+resp.Status))
			return
		}
		for r, err := range decodeReports(resp.Body, after) {
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// positionQuery is what asks for the reports after a position.
func positionQuery(after Position) string {
	return url.Values{"epoch": {strconv.FormatUint(after.Epoch, 10)}, "seq": {strconv.FormatUint(after.Seq, 10)}}.Encode()
}

var errReportTooLarge = fmt.Errorf("a report is larger than %d bytes", maxReportBytes)

// decodeReports reads reports, one JSON object a line, until the reader ends or
// a line is none. Reports that do not come after the position, or out of
// order, are an error: an agent numbers them.
func decodeReports(in io.Reader, after Position) iter.Seq2[Report, error] {
	return func(yield func(Report, error) bool) {
		lines := lineReader{in: in, max: maxReportBytes}
		for {
			line, err := lines.next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(Report{}, err)
				}
				return
			}
			r, err := decodeReport(line, after)
			if err != nil {
				yield(Report{}, err)
				return
			}
			after = r.Position()
			if !yield(r, nil) {
				return
			}
		}
	}
}

func decodeReport(line []byte, after Position) (Report, error) {
	var r Report
	if err := r.UnmarshalJSON(line); err != nil { // json.Unmarshal would read all of it once more before
		return Report{}, fmt.Errorf("not a report: %w", err)
	}
	switch {
	case r.Epoch == 0 || r.Seq == 0:
		return Report{}, errors.New("a report has no position")
	case r.Epoch == after.Epoch && r.Seq <= after.Seq:
		return Report{}, fmt.Errorf("report %d comes after report %d", r.Seq, after.Seq)
	}
	return r.cleaned(), nil
}

// lineReader reads lines with a buffer that is as small as they are: one waits
// for the next report of every agent.
type lineReader struct {
	in  io.Reader
	max int
	buf []byte // what was read; its first start bytes have been returned
	end int    // of the line that was returned last
}

const lineBuffer = 512

// next returns the next line without its end. It is valid until the following
// call. An unfinished line at the end is io.ErrUnexpectedEOF.
func (l *lineReader) next() ([]byte, error) {
	l.buf = append(l.buf[:0], l.buf[l.end:]...)
	l.end = 0
	if len(l.buf) == 0 && cap(l.buf) > lineBuffer {
		l.buf = nil
	}
	for scanned := 0; ; {
		if i := bytes.IndexByte(l.buf[scanned:], '\n'); i >= 0 {
			l.end = scanned + i + 1
			return l.buf[:l.end-1], nil
		}
		scanned = len(l.buf)
		if scanned > l.max {
			return nil, errReportTooLarge
		}
		if cap(l.buf)-len(l.buf) < lineBuffer/2 {
			l.buf = append(make([]byte, 0, 2*cap(l.buf)+lineBuffer), l.buf...)
		}
		n, err := l.in.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		if err != nil && len(l.buf) <= l.max && bytes.IndexByte(l.buf[scanned:], '\n') < 0 {
			if errors.Is(err, io.EOF) && len(l.buf) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}
