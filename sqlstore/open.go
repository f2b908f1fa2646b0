package sqlstore

import (
	"context"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
)

const opening = "open store"

// Config is what a Store is made of. Kinds is required, and one of Dir and URL.
type Config struct {
	// Dir is the folder of an SQLite database, made if it is not there. It MUST be
	// on a local disk: locks of network file systems do not hold.
	Dir string
	// URL is that of a PostgreSQL database (15 or later), as libpq and pgx
	// understand it: postgres://USER@HOST:PORT/NAME?sslmode=verify-full, with several
	// hosts, passfile= and the like. Its tables are in a schema of their own,
	// openecp, which Open makes. A password in it is in no error and no log.
	URL string
	// Postgres is what there is to set about a database at URL.
	Postgres Postgres
	// Kinds knows the payloads of the records that are kept: fleet.Kinds for those of
	// a Manager, with kinds of an embedder's own copied into it; see [ecp.CodecOf].
	Kinds ecp.Codec
	// Platform is what the clusters in the database are made on. A database that
	// was made for another is refused; "" = any is taken.
	Platform Platform
	// Unmarked is the platform of a database of an earlier build, which kept none.
	Unmarked Platform
	// Logger gets what operators need; nil = nothing is logged.
	Logger *slog.Logger
	// Now is the clock of At; nil = time.Now.
	Now func() time.Time

	mustExist bool // a database that is not there is not made
}

// absent says that there is no database where one has to be.
func absent(place string) error {
	return &ecp.Error{Code: ecp.CodeNotFound, Op: opening, Message: "there is no database of OpenECP in " + place}
}

// Open opens a database for this process, bringing its tables up to date. Whatever
// is wrong is said in one line, and then nothing is held. It starts nothing that
// Close does not end. One that another process has is a conflict; of PostgreSQL
// it is free a while after that process has ended: see [Postgres].
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{kinds: c.Kinds, log: c.Logger, now: c.Now, turn: make(chan struct{}, 1), closing: make(chan struct{}),
		replays: make(chan struct{}, replaysAtOnce)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	switch {
	case c.Kinds == nil:
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: opening,
			Message: "Config.Kinds is missing: it knows the payloads of records, such as fleet.Kinds() for those of " +
				"a Manager"}
	case c.Dir != "" && c.URL != "":
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: opening,
			Message: "both Config.Dir and Config.URL are given: a database is in a folder or on a server"}
	case c.URL != "":
		s.engine, err = openPostgres(ctx, s, c)
	case c.Dir != "":
		s.engine, err = openSQLite(ctx, s, c)
	default:
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: opening,
			Message: "Config.Dir is missing: the folder to keep the database in"}
	}
	if err != nil {
		return nil, err
	}
	if err := s.follow(ctx); err != nil {
		return nil, err
	}
	s.engine.work(context.WithoutCancel(ctx), s)
	return s, nil
}
