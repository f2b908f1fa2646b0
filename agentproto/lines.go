package agentproto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// requestLines asks the control host of an agent and yields what decode makes of the lines
// of its answer. The context ends the stream, and so does a caller that has had enough.
// trip sends the request; refused returns the error for an answer other than 200.
func requestLines[T any](ctx context.Context, path string, p parameters,
	trip func(*http.Request) (*http.Response, error),
	refused func(*http.Response) error, decode func(io.Reader) iter.Seq2[T, error],
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var none T
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(HostControl)+path+"?"+p.encode(),
			http.NoBody)
		if err != nil {
			yield(none, err)
			return
		}
		resp, err := trip(req)
		if err != nil {
			yield(none, err)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			yield(none, refused(resp))
			return
		}
		for v, err := range decode(resp.Body) {
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func unexpectedStatus(resp *http.Response) error {
	return errors.New("the agent answered " + resp.Status)
}

// decodeLines yields what decode makes of each line, until the reader ends or decode
// fails. A line of more than max bytes is an error.
func decodeLines[T any](in io.Reader, max int, decode func(line []byte) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		lines := lineReader{in: in, max: max}
		for {
			line, err := lines.next()
			if errors.Is(err, io.EOF) {
				return
			}
			var v T
			if err == nil {
				v, err = decode(line)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
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
			return nil, fmt.Errorf("a line is larger than %d bytes", l.max)
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
