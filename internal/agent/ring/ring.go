package ring

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/agentproto"
)

// Config says where a ring is and what it keeps. All fields are required but Now and
// Fold.
type Config struct {
	Dir  string        // its own; made if it is missing
	Age  time.Duration // records are kept for so long, and up to a twelfth longer
	Size int64         // bytes of all files together, at most
	Now  func() time.Time
	// Fold returns what holds after records, of what held before them, which is nil
	// where nothing is known; it is called for what an earlier run has left. nil means no
	// state is kept.
	Fold func(state json.RawMessage, records []agentproto.HistoryRecord) json.RawMessage
}

// Ring is open for appending by one process. Its methods may be called by many
// goroutines at once.
type Ring struct {
	cfg   Config
	epoch uint64
	root  *os.Root

	mu       sync.Mutex      // also guards cfg.Age and cfg.Size
	segments []*segment      // oldest first; guarded by mu, as all below
	file     *os.File        // the last segment, open for appending; nil means a new one has to be begun
	number   int             // of the newest segment
	state    json.RawMessage // what holds after the newest record; nil means nothing is known
	last     uint64          // number of the newest record; 0 means none in this run
	newest   agentproto.Position
	lost     time.Time // since when records could not be written; zero means all were
	closed   bool
}

// segment is one file.
type segment struct {
	number int
	size   int64     // of whole lines
	begun  time.Time // by our clock, which nobody sets: it has a monotonic reading
	until  time.Time // when the newest record was written, by the same clock
}

// A ring is dropped in pieces: a segment has at most such a part of its size and age.
const (
	bySize = 16
	byAge  = 12
)

// Open opens a ring and begins a run of its own. Where an earlier run has left records
// the first of this one is a gap that begins where they end. state is what held then;
// nil means nothing is known.
func Open(c Config) (r *Ring, state json.RawMessage, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Fold == nil {
		c.Fold = func(json.RawMessage, []agentproto.HistoryRecord) json.RawMessage { return nil }
	}
	r = &Ring{cfg: c, epoch: drawEpoch()}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(c.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	if r.root, err = os.OpenRoot(c.Dir); err != nil {
		return nil, nil, err
	}
	left, err := r.scan()
	if err == nil {
		if left.state != nil || len(left.records) > 0 {
			state = c.Fold(left.state, left.records)
		}
		r.state = state
		err = r.begin(left.last)
	}
	if err != nil {
		_ = r.Close()
		return nil, nil, err
	}
	return r, state, nil
}

// begin begins this run behind the last one.
func (r *Ring) begin(last time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resumeLocked()
	if last.IsZero() {
		return nil
	}
	now := r.cfg.Now()
	gap := agentproto.Gap{From: last, Until: now, Why: agentproto.GapNotRunning}
	return r.appendLocked([]agentproto.HistoryRecord{{At: now, Kind: agentproto.HistoryGap, Gap: &gap}}, r.state, true)
}

// drawEpoch returns a number from 1 to 2^53.
func drawEpoch() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])>>11 + 1
}

// Append adds records, all or none: it fills in their positions, and the time of those
// that have none. state is what holds after them. With sync they outlive a power failure when Append returns. The error
// is the disk's; the next call tries again, and tells of a gap.
func (r *Ring) Append(records []agentproto.HistoryRecord, state json.RawMessage, sync bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fs.ErrClosed
	}
	if !r.lost.IsZero() {
		now := r.cfg.Now()
		gap := agentproto.HistoryRecord{At: now, Kind: agentproto.HistoryGap,
			Gap: &agentproto.Gap{From: r.lost, Until: now, Why: agentproto.GapDamaged}}
		records = slices.Concat([]agentproto.HistoryRecord{gap}, records)
	}
	err := r.appendLocked(records, state, sync)
	switch {
	case err == nil:
		r.lost = time.Time{}
	case r.lost.IsZero():
		r.lost = r.cfg.Now()
	}
	return err
}

// Keep writes what holds where no record tells of it, so that whoever is killed behind
// it knows it all the same.
func (r *Ring) Keep(state json.RawMessage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fs.ErrClosed
	}
	if err := r.roomLocked(int64(len(state)) + headerRoom); err != nil {
		return err
	}
	now := r.cfg.Now()
	if err := r.writeHeaderLocked(now, state); err != nil {
		return err
	}
	r.segments[len(r.segments)-1].until = now
	r.state = state
	return nil
}

func (r *Ring) appendLocked(records []agentproto.HistoryRecord, state json.RawMessage, sync bool) error {
	var out []byte
	seq, newest := r.last, r.newest
	for _, rec := range records {
		seq++
		rec.Epoch, rec.Seq = r.epoch, seq
		if rec.At.IsZero() {
			rec.At = r.cfg.Now()
		}
		text, err := agentproto.EncodeHistory(rec)
		if err != nil {
			return fmt.Errorf("write a record of kind %s: %w", rec.Kind, err)
		}
		out = appendLine(out, text)
		if rec.Kind != agentproto.HistorySample {
			newest = rec.Position()
		}
	}
	if err := r.roomLocked(int64(len(out))); err != nil {
		return err
	}
	if err := r.writeLocked(out, sync); err != nil {
		return err
	}
	r.segments[len(r.segments)-1].until = r.cfg.Now()
	r.last, r.newest, r.state = seq, newest, state
	return nil
}

// headerRoom is more than a header has beside its state, in bytes.
const headerRoom = 256

// roomLocked drops what is too old or too much, and begins another segment where the
// last one is full.
func (r *Ring) roomLocked(need int64) error {
	now := r.cfg.Now()
	if n := len(r.segments); n > 0 && r.file != nil {
		s := r.segments[n-1]
		if s.size+need > r.cfg.Size/bySize && s.size > 0 || now.Sub(s.begun) > r.cfg.Age/byAge {
			r.leaveLocked()
		}
	}
	total := need
	if r.file == nil {
		total += int64(len(r.state)) + headerRoom
	}
	for _, s := range r.segments {
		total += s.size
	}
	for len(r.segments) > 0 && (r.file == nil || len(r.segments) > 1) {
		first := r.segments[0]
		if total <= r.cfg.Size && now.Sub(first.until) <= r.cfg.Age {
			break
		}
		if err := r.root.Remove(first.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= first.size
		r.segments = r.segments[1:]
	}
	if r.file == nil {
		return r.newSegmentLocked(now)
	}
	return nil
}

// newSegmentLocked begins a segment with a header.
func (r *Ring) newSegmentLocked(now time.Time) error {
	r.number++ // also where it fails: whoever reads must not meet two files of one name
	s := &segment{number: r.number, begun: now, until: now}
	f, err := r.root.OpenFile(s.name(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	r.segments, r.file = append(r.segments, s), f
	if err := r.writeHeaderLocked(now, r.state); err != nil {
		r.leaveLocked()
		_ = r.root.Remove(s.name())
		r.segments = r.segments[:len(r.segments)-1]
		return err
	}
	return nil
}

func (r *Ring) writeHeaderLocked(now time.Time, state json.RawMessage) error {
	text, err := json.Marshal(header{Ring: formOfRing, Epoch: r.epoch, Next: r.last + 1, At: now, State: state})
	if err != nil {
		return err
	}
	if len(text) > longestLine/2 { // nobody could read it
		return r.writeHeaderLocked(now, nil)
	}
	return r.writeLocked(appendLine(nil, text), true) // rarely: with the power no run is lost whole
}

// writeLocked writes whole lines at the end of the last segment, or none.
func (r *Ring) writeLocked(out []byte, sync bool) error {
	s := r.segments[len(r.segments)-1]
	_, err := r.file.WriteAt(out, s.size)
	if err == nil && sync {
		err = r.file.Sync()
	}
	if err != nil {
		if r.file.Truncate(s.size) != nil {
			r.leaveLocked()
		}
		return err
	}
	s.size += int64(len(out))
	return nil
}

// leaveLocked ends writing to the last segment.
func (r *Ring) leaveLocked() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}

// Limit sets other limits; they count with the next record.
func (r *Ring) Limit(age time.Duration, size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cfg.Age, r.cfg.Size = age, size
}

// Newest returns the position of the newest record that is no sample; zero before the
// first.
func (r *Ring) Newest() agentproto.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest
}

// Size returns how many bytes the files have.
func (r *Ring) Size() (total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.segments {
		total += s.size
	}
	return total
}

// Close ends appending. Reading goes on until it is through.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.file != nil {
		_ = r.file.Sync()
	}
	r.leaveLocked()
	return r.root.Close()
}

// Remove removes a ring that is not wanted any more; what is not there is well.
func Remove(dir string) error { return os.RemoveAll(dir) }
