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

// What is kept of the texts of events: enough that a change is written out once
// for all who follow, and little beside what one stream costs.
const (
	eventTextsKept  = 256
	eventTextsBytes = 4 << 20
)

// eventTexts writes out changes as server-sent events. Every stream has the same
// text for the same change, so that it is made once and shared. Few are made at
// the same time: a thousand streams that begin at old changes must leave the
// processor to the rest of the program.
type eventTexts struct {
	turns chan struct{} // held while one is made

	mu    sync.Mutex
	texts map[int64][]byte // by the number of the change; nil = it is not shown; guarded by mu, as all below
	order []int64          // oldest first
	bytes int
}

func newEventTexts() *eventTexts {
	return &eventTexts{turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), texts: map[int64][]byte{}}
}

// of returns the text of a change, which is not to be written to; nil for one
// that is not shown.
func (e *eventTexts) of(ctx context.Context, c ecp.Change) ([]byte, error) {
	if text, ok := e.kept(c.Seq); ok {
		return text, nil
	}
	select {
	case e.turns <- struct{}{}:
		defer func() { <-e.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if text, ok := e.kept(c.Seq); ok { // somebody else had the turn before
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

func (e *eventTexts) kept(seq int64) (text []byte, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, ok = e.texts[seq]
	return text, ok
}

// keep remembers a text, and forgets the oldest ones that there is no room for.
func (e *eventTexts) keep(seq int64, text []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.texts[seq]; ok {
		return
	}
	e.texts[seq] = text
	e.order = append(e.order, seq)
	e.bytes += len(text)
	for len(e.order) > 1 && (len(e.order) > eventTextsKept || e.bytes > eventTextsBytes) {
		e.bytes -= len(e.texts[e.order[0]])
		delete(e.texts, e.order[0])
		e.order = e.order[1:]
	}
}

// eventText writes one server-sent event; id "" = it has none.
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
