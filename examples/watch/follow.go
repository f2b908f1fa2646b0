package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// watcher follows the stream of events over as many connections as it takes.
type watcher struct {
	api     *api
	project string
	print   printer
	notes   io.Writer     // learns of trouble
	last    string        // id of the last event that was printed; "" = begin with what there is
	retry   time.Duration // the pause the server asks for; 0 = it has not yet
	silence time.Duration // without a sign of life before a connection counts as dead
}

// follow prints changes until ctx ends, or until asking again cannot help.
func (w *watcher) follow(ctx context.Context) error {
	for failures := 0; ; failures++ {
		lived, err := w.connect(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to end: what that broke is no error
		}
		if lived {
			failures = 0
		}
		var r *refusal
		wait := pause(failures, w.retry, rand.Float64())
		if errors.As(err, &r) {
			if r.final() {
				return err
			}
			if r.status == http.StatusGone {
				w.last = ""
			}
			wait = max(wait, r.after)
		}
		if errors.Is(err, errPrint) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return err
		}
		fmt.Fprintf(w.notes, "watch: %v; trying again in %v\n", err, wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// pause is how long to wait after so many failures in a row: up to twice as
// long each time, by chance, so that many clients do not come back at once.
func pause(failures int, retry time.Duration, chance float64) time.Duration {
	const longest = 30 * time.Second
	if retry <= 0 {
		retry = time.Second
	}
	most := min(retry<<min(failures, 10), longest)
	return most/2 + time.Duration(chance*float64(most/2))
}

var errPrint = errors.New("print a change")

// connect follows over one connection until it ends. lived says that something
// came.
func (w *watcher) connect(ctx context.Context) (lived bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	query, header := url.Values{}, http.Header{"Accept": {"text/event-stream"}}
	if w.project != "" {
		query.Set("project", w.project)
	}
	if w.last != "" {
		header.Set("Last-Event-ID", w.last)
	}
	res, err := w.api.get(ctx, "/api/v1/events", query, header)
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }() // there is nothing to save of a stream
	dead := time.AfterFunc(w.silence, func() { cancel(fmt.Errorf("nothing came for %v", w.silence)) })
	defer dead.Stop()
	for stream := newEvents(res.Body); ; lived = true {
		e, err := stream.next()
		if errors.Is(err, io.EOF) {
			return lived, errors.New("the connection ended")
		}
		if err != nil {
			return lived, errors.Join(err, context.Cause(ctx))
		}
		dead.Reset(w.silence)
		if err := w.take(ctx, e); err != nil {
			return true, err
		}
	}
}

// take prints an event and remembers it. The first thing in a stream is the
// position it begins at: whoever has none lists then what there is, and misses
// nothing.
func (w *watcher) take(ctx context.Context, e event) error {
	if e.retry > 0 {
		w.retry = e.retry
	}
	switch {
	case e.name == "problem":
		var problem struct{ Detail string }
		if err := json.Unmarshal([]byte(e.data), &problem); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		return fmt.Errorf("the API ends the stream: %s", problem.Detail)
	case e.data != "":
		var c change
		if err := json.Unmarshal([]byte(e.data), &c); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		if err := w.print.change(c); err != nil {
			return fmt.Errorf("%w: %w", errPrint, err)
		}
	case e.id != "" && w.last == "":
		if err := w.list(ctx); err != nil {
			return err
		}
	}
	if e.id != "" {
		w.last = e.id
	}
	return nil
}

// list prints what there is.
func (w *watcher) list(ctx context.Context) error {
	var failed error
	err := w.api.clusters(ctx, w.project, func(c cluster) { failed = errors.Join(failed, w.print.present(c)) })
	if failed != nil {
		return fmt.Errorf("%w: %w", errPrint, failed)
	}
	return err
}
