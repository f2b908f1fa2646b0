package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/proxy"
	"github.com/openecp/openecp/sqlstore"
)

// standbyPoll is how often a daemon that waits for the database looks whether it is free.
const standbyPoll = time.Second

// storeConfig is which database the configuration names, and with what in it.
func (c *config) storeConfig(log *slog.Logger) sqlstore.Config {
	s := sqlstore.Config{Kinds: fleet.Kinds(), Logger: log}
	maps.Copy(s.Kinds, proxy.Kinds())
	if c.database == "" {
		s.Dir = c.dataDir
		return s
	}
	s.URL = c.database
	s.Postgres.Connections, s.Postgres.Timeout = c.databaseConnections, c.databaseTimeout
	if c.databasePasswordFile == "" {
		return s
	}
	s.Postgres.Password = func(context.Context) (string, error) { return c.databasePassword() }
	return s
}

// databasePassword reads the password of the database from its file.
func (c *config) databasePassword() (string, error) {
	b, err := os.ReadFile(c.databasePasswordFile)
	if err != nil {
		return "", err
	}
	word := strings.TrimRight(string(b), "\r\n")
	if word == "" {
		return "", fmt.Errorf("%s is empty", c.databasePasswordFile)
	}
	return word, nil
}

// checkDatabase says what is wrong with the URL of a database, and nothing that stands
// in it where that may be a password.
func (c *config) checkDatabase(bad report) {
	if c.database == "" {
		if c.databasePasswordFile != "" {
			bad("database-password-file", "is of no use without --database")
		}
		return
	}
	u, err := url.Parse(c.database)
	switch {
	case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql":
		bad("database", "is no URL of a PostgreSQL database, as postgres://USER@HOST:PORT/NAME?sslmode=verify-full")
		return
	case hasPassword(u):
		bad("database", "has a password in it, which others can see; put it into the file of --database-password-file")
	}
	if c.databasePasswordFile == "" {
		return
	}
	if _, err := c.databasePassword(); err != nil {
		bad("database-password-file", "cannot be used: %v", err)
	}
}

func hasPassword(u *url.URL) bool {
	_, set := u.User.Password()
	return set || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// openStore opens the database. One that another daemon has, or whose server is away, is
// waited for: until then requests are answered with 503, and /healthz as ever.
func (d *daemon) openStore(ctx context.Context) (*sqlstore.Store, error) {
	store, err := d.tryStore(ctx)
	if d.config.database == "" || !errors.Is(err, sqlstore.ErrHeld) && !errors.Is(err, sqlstore.ErrAway) {
		return store, err
	}
	return d.standBy(ctx, err)
}

// tryStore opens the database once.
func (d *daemon) tryStore(ctx context.Context) (*sqlstore.Store, error) {
	c := d.config.storeConfig(d.log)
	c.Postgres.Shared = d.config.shares()
	c.Platform, c.Unmarked = platformOf(d.config), unmarked(d.config)
	return sqlstore.Open(ctx, c)
}

// standBy waits for the database. What is wrong with the settings was found by the first
// try, unless the server was away then; it is waited for, too: where the server has been
// away, a setting is seldom what has to be changed.
func (d *daemon) standBy(ctx context.Context, first error) (_ *sqlstore.Store, err error) {
	if err := os.MkdirAll(d.config.dataDir, 0o700); err != nil {
		return nil, err
	}
	if err := d.secure(ctx); err != nil {
		return nil, err
	}
	var why atomic.Pointer[error]
	s, err := listen(ctx, d.config.at("listen"), d.config.listen, d.certificate, standbyPages(&why), d.log)
	if err != nil {
		return nil, err
	}
	why.Store(&first)
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	defer func() {
		s.shut(context.WithoutCancel(ctx))
		err = errors.Join(err, <-served)
	}()
	said := d.logWait(ctx, "", first)
	d.tell(ctx, notifyReady, "standing by")
	for tick := time.NewTicker(standbyPoll); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil, errEndedStandingBy
		case <-tick.C:
		}
		store, err := d.tryStore(ctx)
		switch {
		case err == nil:
			tick.Stop()
			d.log.InfoContext(ctx, "the database can be used, and the start goes on")
			return store, nil
		case !errors.Is(err, ecp.ErrUnavailable) && !errors.Is(err, sqlstore.ErrHeld) && ctx.Err() == nil:
			tick.Stop()
			return nil, err
		}
		why.Store(&err)
		said = d.logWait(ctx, said, err)
	}
}

// logWait logs what the database is waited for, unless said is that already, and returns it.
func (d *daemon) logWait(ctx context.Context, said string, why error) string {
	message := "the database cannot be used: it is tried again until it can"
	level := slog.LevelWarn
	switch {
	case ctx.Err() != nil:
		return said
	case errors.Is(why, sqlstore.ErrHeld):
		message, level = "standing by: another daemon has the database", slog.LevelInfo
	case errors.Is(why, sqlstore.ErrAway):
		message = "waiting for the database, which is away"
	}
	if message != said {
		d.log.Log(ctx, level, message, "reason", ecp.MessageOf(why))
	}
	return message
}

// errEndedStandingBy is no failure: there was nothing to end.
var errEndedStandingBy = errors.New("ended while it stood by")

// standbyPages answers while another daemon has the database.
func standbyPages(why *atomic.Pointer[error]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"type": "about:blank", "title": "this daemon stands by", "status": http.StatusServiceUnavailable,
			"code": ecp.CodeUnavailable, "detail": ecp.MessageOf(*why.Load()),
		})
	})
	return mux
}

// lost says why this daemon may not write to the database any more; nil = it may.
func (d *daemon) lost() error {
	why := d.store.LostReason()
	if why == nil || errors.Is(why, sqlstore.ErrNewer) {
		return why
	}
	return errLost
}

var errLost = errors.New("another daemon has taken the database over, because this one did not renew its hold in " +
	"time; nothing was written since: start it again to stand by")

// watchStore ends with an error when this daemon may not write to the database any more.
func (d *daemon) watchStore(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.store.Lost():
		return d.lost()
	}
}
