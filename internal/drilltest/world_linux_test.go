package drilltest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/emqxv5"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/openecp/openecp/sqlstore"
	"github.com/stretchr/testify/require"
)

const (
	token   = "drill-token-0123456789"
	project = "default/default"

	poolConnections  = 900 // what all clusters may book
	quotaConnections = 400 // what those of the project may
)

// patience is how long a drill waits for what has to happen.
const patience = 2 * time.Minute

// world is a database, a platform, and seats on which daemons run.
type world struct {
	t         testing.TB
	url       string               // of the database
	reached   string               // how daemons reach it, but for the wire
	sim       *emqxsim.Provisioner // nil where there is no platform
	direct    *sqlstore.Store      // the test's own way to the database
	addresses []string             // of the daemons
	seats     []*seat
	notes     notes
}

// newWorld makes a world on a database of its own, and starts a daemon on every seat.
// through makes of the URL of the database the one that daemons use; nil = the same.
func newWorld(t testing.TB, server *pgtest.Server, seats int, through func(string) string) *world {
	t.Helper()
	sim, err := emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{BootTime: 500 * time.Millisecond})
	require.NoError(t, err)
	w := &world{t: t, url: server.Database(t), sim: sim}
	w.notes.sim = sim
	w.reached = w.url
	if through != nil {
		w.reached = through(w.url)
	}
	w.direct = w.open(w.url, time.Now)
	t.Cleanup(func() { require.NoError(t, w.direct.Close()) })
	w.seed()
	_, rest, _ := strings.Cut(w.reached, "@")
	host, _, _ := strings.Cut(rest, "/")
	for i := range seats {
		address := processtest.FreeAddress(t)
		w.seats = append(w.seats, &seat{
			world: w, name: string(rune('a' + i)), address: address, wire: newWire(t, host),
		})
		w.addresses = append(w.addresses, address)
	}
	t.Cleanup(func() {
		for _, s := range w.seats {
			s.kill()
		}
	})
	for _, s := range w.seats {
		w.begin(s)
	}
	w.until("the fleet is shared", w.shared)
	return w
}

// begin starts a daemon on a seat. On a loaded machine the database may not answer in time.
func (w *world) begin(s *seat) {
	w.t.Helper()
	w.until("a daemon begins", func() (bool, string) {
		err := s.start()
		return err == nil, fmt.Sprint(err)
	})
}

// open opens the database at a URL with connections of their own, for the test.
func (w *world) open(url string, now func() time.Time) *sqlstore.Store {
	w.t.Helper()
	s, err := openStore(url, now, patience)
	require.NoError(w.t, err)
	return s
}

func openStore(url string, now func() time.Time, timeout time.Duration) (*sqlstore.Store, error) {
	return sqlstore.Open(context.Background(), sqlstore.Config{
		URL: url, Kinds: fleet.Kinds(), Now: now,
		Postgres: sqlstore.Postgres{Shared: true, Timeout: timeout},
	})
}

// answers is how long the database may take to answer a daemon.
func answers() time.Duration {
	if long() {
		return 5 * time.Second
	}
	return 0 // as daemons have it: the machine is not the test's alone
}

// newManager makes a Manager as every daemon has one.
func newManager(c fleet.Config) (*fleet.Manager, error) {
	c.Adapters = []ecp.Adapter{emqxv5.New(emqxv5.Config{})}
	c.Timings = ecp.Timings{Notice: time.Second, Takeover: time.Second}
	c.Defaults = fleet.Defaults{
		Projects: []string{project}, Pool: &ecp.Pool{Connections: poolConnections, Clusters: 200},
	}
	return fleet.New(context.Background(), c)
}

// seed fills the database with what a first daemon makes, a token and a quota.
func (w *world) seed() {
	w.t.Helper()
	_, err := newManager(fleet.Config{Store: w.direct})
	require.NoError(w.t, err)
	sum := sha256.Sum256([]byte(token))
	require.NoError(w.t, w.direct.Write(w.t.Context(), func(tx ecp.Tx) error {
		t := ecp.Token{ID: "drill", Name: "drill", Role: ecp.RoleSystem, Hash: hex.EncodeToString(sum[:])}
		if err := ecp.Put(tx, t, 0); err != nil {
			return err
		}
		return ecp.Put(tx, ecp.Quota{Of: project, Connections: quotaConnections, Revision: 1}, 0)
	}))
}

// until waits for something.
func (w *world) until(what string, holds func() (bool, string)) {
	w.t.Helper()
	waitFor(w.t, patience, what, holds)
}

func waitFor(t testing.TB, most time.Duration, what string, holds func() (bool, string)) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(most); ; <-tick.C {
		ok, saw := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(t, "never: "+what, "last seen: %s", saw)
		}
	}
}

// shared reports whether the daemons that run, and no others, share the fleet evenly.
func (w *world) shared() (bool, string) {
	var run []*daemon
	for _, s := range w.seats {
		if d := s.runs(); d != nil {
			run = append(run, d)
		}
	}
	if len(run) == 0 {
		return false, "no daemon runs"
	}
	ctx, cancel := context.WithTimeout(asSystem(), 5*time.Second)
	defer cancel()
	all, err := run[0].manager.Daemons(ctx)
	if err != nil {
		return false, err.Error()
	}
	saw := ""
	for _, d := range all {
		saw += fmt.Sprintf("%s has %d; ", d.Host, d.Shards)
		if d.Shards < 256/len(run) || d.Shards > 256/len(run)+1 {
			return false, saw
		}
	}
	return len(all) == len(run), saw
}

func asSystem() context.Context { return ecp.WithActor(context.Background(), ecp.System) }
