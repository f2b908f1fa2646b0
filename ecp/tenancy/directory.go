package tenancy

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// Directory keeps organisations, projects, quotas, users, API tokens and sessions:
// who may do what. It needs no Manager; all methods may be called at once.
type Directory struct {
	changes *change.Writer
	store   ecp.Store
	now     func() time.Time
	log     *slog.Logger

	projectsPerOrg, projects int // how many there may be

	hasher      PasswordHasher // nil = nobody can log in
	sessionLife time.Duration
	logins      loginRefusals // bounds what is written of refused logins
	attempts    attempts      // slows down who guesses passwords
	uses        uses          // of tokens

	nobodyTurn chan struct{} // of one
	nobodyHash string        // of no password; guarded by nobodyTurn
}

// Config is what a Directory is made of. Changes is required.
type Config struct {
	// Changes makes the changes that actors ask for; the Directory keeps its records
	// in the same store.
	Changes *change.Writer
	// Hasher makes what is stored of passwords. With nil nobody can log in.
	Hasher PasswordHasher
	// SessionLife is how long a login is good for. 0 means an hour.
	SessionLife time.Duration
	// ProjectsPerOrg and Projects bound how many projects there may be in an
	// organisation and in all. 0 means 100 and 1,000.
	ProjectsPerOrg, Projects int
}

// New returns a Directory. It starts nothing.
func New(c Config) *Directory {
	return &Directory{
		changes: c.Changes, store: c.Changes.Store, now: c.Changes.Now, log: c.Changes.Log,
		projectsPerOrg: cmp.Or(c.ProjectsPerOrg, 100), projects: cmp.Or(c.Projects, 1000),
		hasher: c.Hasher, sessionLife: cmp.Or(c.SessionLife, time.Hour), logins: newLoginRefusals(), nobodyTurn: make(chan struct{}, 1),
	}
}

// Kinds returns the codec of the records of a directory.
func Kinds() ecp.Codec {
	return ecp.CodecOf(ecp.Org{}, ecp.Project{}, ecp.Quota{}, ecp.User{}, ecp.Token{}, passwordHash{}, StoredSession{}, loginOrigins{})
}
