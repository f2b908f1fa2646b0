package sqlstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/openecp/openecp/ecp"
)

// probeSize is what is written to see whether a disk takes anything, in bytes:
// more than a transaction usually does.
const probeSize = 256 << 10

// Writable reports why nothing can be stored: the last write failed, and nothing
// can be written still. It is nil otherwise. The error is the operator's: it
// names the database.
func (s *Store) Writable(ctx context.Context) error {
	failed := s.failed.Load()
	if failed == nil {
		return nil
	}
	if err := s.engine.probe(ctx); err != nil {
		return &ecp.Error{Code: ecp.CodeUnavailable, Op: "write to " + s.engine.place(),
			Message: ecp.MessageOf(*failed),
			Cause:   errors.Join(*failed, err)}
	}
	return nil
}

// probe writes a file where the database is, and removes it.
func (e *sqliteEngine) probe(context.Context) (err error) {
	f, err := os.CreateTemp(filepath.Dir(e.file), ".probe-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, probeSize)); err != nil {
		return err
	}
	return f.Sync()
}

// note remembers how a write ended: broken is a fault of the database, nil
// where there was none. The log tells when that changes.
func (s *Store) note(ctx context.Context, broken error) {
	if errors.Is(broken, context.Canceled) || errors.Is(broken, context.DeadlineExceeded) {
		return
	}
	var now *error
	if broken != nil {
		now = &broken
	}
	was := s.failed.Swap(now)
	switch {
	case broken != nil && (was == nil || ecp.MessageOf(*was) != ecp.MessageOf(broken)):
		s.log.ErrorContext(ctx, "the database cannot be written", "database", s.engine.place(), ecp.ErrorAttr(broken))
	case broken == nil && was != nil:
		s.log.InfoContext(ctx, "the database can be written again", "database", s.engine.place())
	}
}
