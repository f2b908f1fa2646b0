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
func (e *sqliteEngine) checkpoints(ctx context.Context) {
	for {
		select {
		case <-e.closing:
			return
		case <-e.wrote:
		}
		if !e.untilIdle() {
			return
		}
		if err := e.checkpoint(ctx); err != nil {
			e.log.Warn("the database's log could not be taken over into its file; it is tried again after the next "+
				"write", "file", e.file, "error", err)
		}
	}
}

// untilIdle waits for a moment without writes; false when the Store is closed.
func (e *sqliteEngine) untilIdle() bool {
	atAll := time.NewTimer(checkpointAtAll)
	defer atAll.Stop()
	idle := time.NewTimer(checkpointIdle)
	defer idle.Stop()
	for {
		select {
		case <-e.closing:
			return false
		case <-e.wrote:
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
func (e *sqliteEngine) checkpoint(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
	case <-e.closing:
		return nil
	}
	defer func() { <-e.turn }()
	var busy, logged, taken int
	if err := e.writer.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &logged, &taken); err != nil {
		return err
	}
	if taken < logged { // a reader needed the rest
		select {
		case e.wrote <- struct{}{}:
		default:
		}
	}
	return nil
}
