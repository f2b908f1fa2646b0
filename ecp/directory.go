package ecp

import (
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
	limits  Limits

	hasher      PasswordHasher // nil = nobody can log in
	sessionLife time.Duration
	logins      loginRefusals // bounds what is written of refused logins
	attempts    attempts      // slows down who guesses passwords
	uses        uses          // of tokens

	nobodyTurn chan struct{} // of one
	nobodyHash string        // of no password; guarded by nobodyTurn
}

func newDirectory(changes *Writer, limits Limits, hasher PasswordHasher, sessionLife time.Duration) *Directory {
	if sessionLife <= 0 {
		sessionLife = time.Hour
	}
	return &Directory{
		changes: changes, store: changes.store, now: changes.now, log: changes.log, limits: limits.withDefaults(),
		hasher: hasher, sessionLife: sessionLife, logins: newLoginRefusals(), nobodyTurn: make(chan struct{}, 1),
	}
}
