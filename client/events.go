package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
)

const eventStream = "text/event-stream"

// maxEvent bounds one event of a stream, in bytes.
const maxEvent = 4 << 20

// silence is how long a stream may be silent before it counts as broken. The server sends
// a sign of life every 15 seconds.
const silence = 45 * time.Second

// Event is one change of the fleet. An event without a Kind is no change: it marks that the
// stream is open from its Seq on, at the beginning and after each reconnect. A list that is
// read then, and the events that follow, together miss nothing.
type Event struct {
	Seq     int64           `json:"seq"` // grows; where to resume
	At      time.Time       `json:"at"`
	Kind    ecp.Kind        `json:"kind"`
	Key     string          `json:"key"`     // id or name of the record
	Project string          `json:"project"` // empty for what belongs to none
	Parent  string          `json:"parent"`  // the cluster of an operation or agent
	State   string          `json:"state"`   // of a cluster; of an operation its phase
	Deleted bool            `json:"deleted"` // Object is how it was last
	Object  json.RawMessage `json:"object"`
}

// EventOptions choose events.
type EventOptions struct {
	Project string // only of org/project; empty means all that one may read
	Since   string // Seq of the last event that was seen, "0" for all that is kept; empty means from now on
}

// Events yields the changes of the fleet until the context ends. A stream that breaks is
// resumed where it was, as often as needed, with growing pauses. The sequence ends with an
// error that resuming cannot help: the token is not valid, a right is missing, or the
// position is not kept any more (ecp.ErrGone: list again, then follow from now on). A
// server that cannot be reached is such an error only at the first attempt.
func (c *Client) Events(ctx context.Context, o EventOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		query := url.Values{}
		if o.Project != "" {
			query.Set("project", o.Project)
		}
		if o.Since != "" {
			query.Set("since", o.Since)
		}
		follow(ctx, c, Request{Path: "/api/v1/events", Query: query}, yield, func(f frame) (Event, bool, error) {
			return readEvent(f, query)
		})
	}
}

// readEvent reads one event and moves the position in the query on.
func readEvent(f frame, query url.Values) (Event, bool, error) {
	var e Event
	if f.data != "" {
		if err := json.Unmarshal([]byte(f.data), &e); err != nil {
			return e, false, fmt.Errorf("read event %s: %w", f.id, err)
		}
	}
	if f.id == "" {
		return e, false, nil
	}
	n, err := strconv.ParseInt(f.id, 10, 64)
	if err != nil {
		return e, false, fmt.Errorf("the id of an event is %q, which is no number", f.id)
	}
	e.Seq = n
	query.Set("since", f.id)
	return e, true, nil
}

// follow yields what read makes of the frames of a stream, and opens it again when it
// breaks: read changes the query of the request as it goes on.
func follow[T any](
	ctx context.Context, c *Client, r Request, yield func(T, error) bool, read func(frame) (T, bool, error),
) {
	var none T
	r.Accept = eventStream
	for attempt := 0; ; attempt++ {
		opened, done, err := stream(ctx, c, r, func(f frame) (bool, error) {
			v, ok, err := read(f)
			return err == nil && ok && !yield(v, nil), err
		})
		switch {
		case done:
			return
		case ctx.Err() != nil:
			yield(none, context.Cause(ctx))
			return
		case final(err) || !opened && attempt == 0:
			yield(none, err)
			return
		}
		if opened {
			attempt = 0
		}
		if !pause(ctx, min(shortestWait<<min(attempt, 6), longestWait), err) {
			yield(none, context.Cause(ctx))
			return
		}
	}
}

// final reports whether an error would come again.
func final(err error) bool {
	var p *Problem
	if !errors.As(err, &p) {
		return errors.Is(err, errLong)
	}
	passes := []ecp.Code{ecp.CodeUnavailable, ecp.CodeThrottled, ecp.CodeInternal, ""}
	return !slices.Contains(passes, p.Code) || p.Status/100 == 4 && p.RetryAfter == 0
}

// pause waits before the next attempt, as long as the server wants if that is more. It
// returns false if the context has ended.
func pause(ctx context.Context, wait time.Duration, err error) bool {
	var p *Problem
	if errors.As(err, &p) && p.RetryAfter > wait {
		wait = p.RetryAfter
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// stream opens a stream and hands its frames on. done means that take wants no more.
func stream(
	ctx context.Context, c *Client, r Request, take func(frame) (done bool, err error),
) (opened, done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := c.Open(ctx, r)
	if err != nil {
		return false, false, err
	}
	defer func() { _ = body.Close() }() // nothing more is read
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	frames := bufio.NewReader(body)
	for {
		f, err := nextFrame(frames)
		if err != nil {
			return true, false, c.unreachable(ctx, err)
		}
		watchdog.Reset(silence)
		if f.name == "problem" {
			p := &Problem{}
			if err := json.Unmarshal([]byte(f.data), p); err != nil {
				return true, false, fmt.Errorf("read the end of a stream: %w", err)
			}
			return true, false, p
		}
		if done, err := take(f); done || err != nil {
			return true, done, err
		}
	}
}

// frame is one of a stream of server-sent events. What is empty was not there.
type frame struct{ id, name, data string }

var errLong = errors.New("an event is longer than it may be")

// nextFrame reads one frame. One that is cut short is dropped: it comes again.
func nextFrame(r *bufio.Reader) (frame, error) {
	var f frame
	var data []string
	for size := 0; ; {
		line, err := nextLine(r, maxEvent-size)
		if err != nil {
			return frame{}, err
		}
		if line == "" {
			f.data = strings.Join(data, "\n")
			return f, nil
		}
		size += len(line)
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			f.id = value
		case "event":
			f.name = value
		case "data":
			data = append(data, value)
		}
	}
}

// nextLine reads to the end of a line of at most so many bytes.
func nextLine(r *bufio.Reader, most int) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(b)+len(part) > most {
			return "", errLong
		}
		b = append(b, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		default:
			return strings.TrimRight(string(b), "\r\n"), nil
		}
	}
}
