package tenancy

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/change"
)

// Accounts keeps users, API tokens and sessions, and finds out who a caller is. All
// methods may be called at once. Those that read or change accounts need an actor in
// their context ([ecp.WithActor]); Login, Authenticate and Bootstrap do not.
type Accounts struct {
	changes *change.Writer
	store   ecp.Store
	now     func() time.Time
	log     *slog.Logger

	hasher      PasswordHasher // nil: nobody can log in
	sessionLife time.Duration
	logins      loginRefusals // limits what is written about refused logins
	attempts    attempts      // slows down guessing of passwords
	uses        uses          // of tokens

	nobodyTurn chan struct{} // a mutex that can be waited for with a context
	nobodyHash string        // of no password; guarded by nobodyTurn
}

// AccountsConfig is what [Accounts] are made of. Changes is required.
type AccountsConfig struct {
	// Changes carries out the changes. The records are kept in its store.
	Changes *change.Writer
	// Hasher hashes passwords. Without one nobody can log in; tokens work.
	Hasher PasswordHasher
	// SessionLife is how long a session is valid after its login. Zero means an hour.
	SessionLife time.Duration
	// Programs is how many programs share the Store now, this one among them: each lets
	// through its part of the wrong passwords that are let through, see [Accounts.Login].
	// Nil means that this one is alone.
	Programs func() int
}

// NewAccounts returns Accounts. It starts nothing.
func NewAccounts(c AccountsConfig) *Accounts {
	return &Accounts{
		changes: c.Changes, store: c.Changes.Store, now: c.Changes.Now, log: c.Changes.Log,
		hasher: c.Hasher, sessionLife: cmp.Or(c.SessionLife,
			time.Hour), logins: newLoginRefusals(), nobodyTurn: make(chan struct{}, 1),
		attempts: attempts{programs: c.Programs},
	}
}
