package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
	"github.com/openecp/openecp/internal/agent/record"
	"github.com/openecp/openecp/internal/agent/ring"
)

// BufferSettings define how much history is kept while the server is away. If Age or Size
// is zero, none is.
type BufferSettings struct {
	Age  time.Duration
	Size int64 // bytes
}

func (s BufferSettings) on() bool { return s.Age > 0 && s.Size > 0 }

// Limits and defaults of the buffer.
const (
	usualBufferAge  = 6 * time.Hour
	usualBufferSize = 32 << 20
	leastBufferAge  = 10 * time.Minute
	mostBufferAge   = 7 * 24 * time.Hour
	leastBufferSize = 1 << 20
	mostBufferSize  = 1 << 30
	// bufferAgain is the time after which the buffer is opened again when the disk has failed.
	bufferAgain = time.Minute
)

func setBufferAge(s *Settings, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d != 0 && (d < leastBufferAge || d > mostBufferAge) {
		return fmt.Errorf("has to be a time from %s to %s, e.g. 6h, or 0 to keep nothing", leastBufferAge,
			mostBufferAge)
	}
	s.Buffer.Age = d
	return nil
}

func setBufferSize(s *Settings, text string) error {
	n, err := parseSize(text)
	if err != nil || n != 0 && (n < leastBufferSize || n > mostBufferSize) {
		return errors.New("has to be a size from 1MiB to 1GiB, e.g. 32MiB, or 0 to keep nothing")
	}
	s.Buffer.Size = n
	return nil
}

// parseSize reads a number of bytes, with KiB, MiB or GiB behind it or nothing.
func parseSize(text string) (int64, error) {
	unit := int64(1)
	for suffix, of := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = strings.TrimSpace(number), of
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > mostBufferSize {
		return 0, errors.New("not a size")
	}
	return n * unit, nil
}

// buffer keeps the history of the broker on the disk. If the disk fails, records are lost,
// and the status has the reason.
type buffer struct {
	dir string
	now func() time.Time

	mu       sync.Mutex
	settings BufferSettings // guarded by mu, as all below
	ring     *ring.Ring     // nil means off, or not open yet
	recorder *record.Recorder
	failed   error // nil means the last record was written
	retry    time.Time
}

// set changes the settings. If nothing is to be kept, existing records are removed later.
func (b *buffer) set(s BufferSettings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settings = s; b.ring != nil && s.on() {
		b.ring.Limit(s.Age, s.Size)
	}
	b.retry = time.Time{}
}

// take records an observation of the broker. It returns the position of the newest record
// that the server should read.
func (b *buffer) take(ctx context.Context, log *slog.Logger, l record.Observation) agentproto.Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if !b.settings.on() {
		b.closeLocked()
		b.failed = ring.Remove(b.dir)
		return agentproto.Position{}
	}
	if now.Before(b.retry) {
		return agentproto.Position{}
	}
	before := b.failed
	if b.failed = b.recordLocked(now, l); b.failed != nil && before == nil {
		log.WarnContext(ctx, "the buffer cannot be written", "error", b.failed)
	}
	if b.ring == nil {
		b.retry = now.Add(bufferAgain)
		return agentproto.Position{}
	}
	return b.ring.Newest()
}

func (b *buffer) recordLocked(now time.Time, l record.Observation) error {
	if b.ring == nil {
		r, state, err := ring.Open(ring.Config{Dir: b.dir, Age: b.settings.Age, Size: b.settings.Size, Now: b.now,
			Fold: record.Fold})
		if err != nil {
			return err
		}
		b.ring, b.recorder = r, record.Restore(state)
	}
	records, took := b.recorder.Next(now, l)
	news := false
	for _, r := range records {
		news = news || r.Kind != agentproto.HistorySample
	}
	before := b.recorder.State()
	took()
	after := b.recorder.State()
	if len(records) > 0 {
		if err := b.ring.Append(records, after, news); err != nil {
			b.recorder = record.Restore(before) // it is noticed again, when it can be written
			return err
		}
	}
	if bytes.Equal(record.Fold(before, records), after) {
		return nil
	}
	return b.ring.Keep(after) // such as the members that were seen first: a kill must not make them unknown
}

// History returns what is kept; see [agentproto.HistorySource].
func (b *buffer) History(ctx context.Context, q agentproto.HistoryQuery) iter.Seq2[agentproto.HistoryRecord, error] {
	b.mu.Lock()
	r := b.ring
	b.mu.Unlock()
	if r == nil {
		return func(yield func(agentproto.HistoryRecord, error) bool) {
			yield(agentproto.HistoryRecord{}, agentproto.ErrNoHistory)
		}
	}
	return r.History(ctx, q)
}

// BufferStatus describes the history that the agent keeps.
type BufferStatus struct {
	Age   string `json:"age"`  // records are kept for so long; "0s" = none are
	Size  int64  `json:"size"` // bytes of files at most; 0 means none
	Used  int64  `json:"used"` // bytes
	Error string `json:"error,omitempty"`
}

func (b *buffer) status() BufferStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := BufferStatus{Age: b.settings.Age.String(), Size: b.settings.Size}
	if b.ring != nil {
		s.Used = b.ring.Size()
	}
	if b.failed != nil {
		s.Error = fmt.Sprintf("what is kept for a server that is away cannot be written (%v); make room on the "+
			"disk, or "+
			"set openecp.buffer.age to 0", b.failed)
	}
	return s
}

func (b *buffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeLocked()
}

func (b *buffer) closeLocked() {
	if b.ring != nil {
		_ = b.ring.Close()
		b.ring, b.recorder = nil, nil
	}
}
