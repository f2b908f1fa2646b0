package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// Bounds of the cache: enough that a change is encoded once for all streams that are up
// to date, and little compared with what one stream costs.
const (
	eventCacheCount = 256
	eventCacheBytes = 4 << 20
)

// eventCache encodes changes as server-sent events. Every stream sends the same text
// for the same change, so it is encoded once and shared. Only a few are encoded at the
// same time: a thousand streams that begin at old changes must leave the processor to
// the rest of the program.
type eventCache struct {
	encoders chan struct{} // holds a value for each change that is being encoded

	mu    sync.Mutex
	texts map[int64][]byte // by the number of the change; nil if it is not shown; guarded by mu, as all below
	order []int64          // oldest first
	bytes int
}

func newEventCache() *eventCache {
	return &eventCache{encoders: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), texts: map[int64][]byte{}}
}

// of returns the text of a change, which must not be modified. It returns nil for a
// change that is not shown.
func (e *eventCache) of(ctx context.Context, c ecp.Change) ([]byte, error) {
	if text, ok := e.kept(c.Seq); ok {
		return text, nil
	}
	select {
	case e.encoders <- struct{}{}:
		defer func() { <-e.encoders }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if text, ok := e.kept(c.Seq); ok { // another stream encoded it meanwhile
		return text, nil
	}
	v, shown := viewEvent(c)
	if !shown {
		e.keep(c.Seq, nil)
		return nil, nil
	}
	text, err := eventText(strconv.FormatInt(c.Seq, 10), string(c.Kind), v)
	if err == nil {
		e.keep(c.Seq, text)
	}
	return text, err
}

func (e *eventCache) kept(seq int64) (text []byte, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, ok = e.texts[seq]
	return text, ok
}

// keep stores a text, and drops the oldest ones that there is no room for.
func (e *eventCache) keep(seq int64, text []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.texts[seq]; ok {
		return
	}
	e.texts[seq] = text
	e.order = append(e.order, seq)
	e.bytes += len(text)
	for len(e.order) > 1 && (len(e.order) > eventCacheCount || e.bytes > eventCacheBytes) {
		e.bytes -= len(e.texts[e.order[0]])
		delete(e.texts, e.order[0])
		e.order = e.order[1:]
	}
}

// eventText encodes one server-sent event. An empty id means that it has none.
func eventText(id, name string, data any) ([]byte, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, text)
	return b.Bytes(), nil
}
