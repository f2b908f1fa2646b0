package sqlstore

import (
	"context"
	"time"
)

// How soon after a write the database's file itself has what was written: when
// nobody has written for a moment, and after a while in any case. Until then the
// log beside it has.
const (
	checkpointIdle  = time.Second
	checkpointAtAll = 10 * time.Second
)

// checkpoints puts what was written into the database's own file, so that a copy
// of that file alone is recent, until the Store is closed.
func (s *Store) checkpoints(ctx context.Context) {
	for {
		select {
		case <-s.closing:
			return
		case <-s.wrote:
		}
		if !s.untilIdle() {
			return
		}
		if err := s.checkpoint(ctx); err != nil {
			s.log.Warn("the database's log could not be taken over into its file; it is tried again after the next "+
				"write", "file", s.file, "error", err)
		}
	}
}

// untilIdle waits for a moment without writes; false when the Store is closed.
func (s *Store) untilIdle() bool {
	atAll := time.NewTimer(checkpointAtAll)
	defer atAll.Stop()
	idle := time.NewTimer(checkpointIdle)
	defer idle.Stop()
	for {
		select {
		case <-s.closing:
			return false
		case <-s.wrote:
			idle.Reset(checkpointIdle)
		case <-idle.C:
			return true
		case <-atAll.C:
			return true
		}
	}
}

// checkpoint takes over as much of the log as no reader still needs. It waits
// for nobody but the writer whose turn it is.
func (s *Store) checkpoint(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-s.closing:
		return nil
	}
	defer func() { <-s.turn }()
	var busy, logged, taken int
	if err := s.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &logged, &taken); err != nil {
		return err
	}
	if taken < logged { // a reader needed the rest
		select {
		case s.wrote <- struct{}{}:
		default:
		}
	}
	return nil
}
