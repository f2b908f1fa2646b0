package ecp

import (
	"cmp"
	"log/slog"
	"time"
)

// Directory keeps organisations, projects, quotas, users, API tokens and sessions:
// who may do what. It needs no Manager; all methods may be called at once.
type Directory struct {
	changes *Writer
	store   Store
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

// directoryConfig is what a Directory is made of. Changes is required.
type directoryConfig struct {
	// Changes makes the changes that actors ask for; the Directory keeps its records
	// in the same store.
	Changes *Writer
	// Hasher makes what is stored of passwords. With nil nobody can log in.
	Hasher PasswordHasher
	// SessionLife is how long a login is good for. 0 means an hour.
	SessionLife time.Duration
	// ProjectsPerOrg and Projects bound how many projects there may be in an
	// organisation and in all. 0 means 100 and 1,000.
	ProjectsPerOrg, Projects int
}

// newDirectory returns a Directory. It starts nothing.
func newDirectory(c directoryConfig) *Directory {
	return &Directory{
		changes: c.Changes, store: c.Changes.store, now: c.Changes.now, log: c.Changes.log,
		projectsPerOrg: cmp.Or(c.ProjectsPerOrg, 100), projects: cmp.Or(c.Projects, 1000),
		hasher: c.Hasher, sessionLife: cmp.Or(c.SessionLife, time.Hour), logins: newLoginRefusals(), nobodyTurn: make(chan struct{}, 1),
	}
}

// directoryKinds returns the codec of the records of a directory.
func directoryKinds() Codec {
	return CodecOf(Org{}, Project{}, Quota{}, User{}, Token{}, passwordHash{}, storedSession{}, loginOrigins{})
}
