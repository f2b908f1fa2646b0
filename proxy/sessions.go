package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Bounds of what is kept of links and sessions.
const (
	linkLifetime        = time.Minute
	sessionLifetime     = 8 * time.Hour
	maxLinksPerActor    = 10 // that are not used yet
	maxLinks            = 1000
	maxSessionsPerActor = 20 // the oldest ends when there is one more
	maxSessions         = 2000
	maxSecretLength     = 64 // in bytes; a longer text is no secret of this package
	secretBytes         = 32
)

// digest is a secret as it is kept.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func newSecret() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ticket is the right of an actor to see the dashboard of a cluster: a link that was
// not used yet, or a session.
type ticket struct {
	cluster ecp.ID
	actor   ecp.Actor
	node    string // EMQX name of the node that serves it; empty until that is known
	began   time.Time
	expires time.Time
}

// sessions keeps links and sessions in memory, by the hashes of their secrets.
type sessions struct {
	mu    sync.Mutex
	links map[digest]ticket // guarded by mu
	open  map[digest]ticket // guarded by mu
}

func newSessions() *sessions {
	return &sessions{links: map[digest]ticket{}, open: map[digest]ticket{}}
}

// addLink returns the secret of a new link. ok is false if there are too many links
// that nobody has used.
func (s *sessions) addLink(id ecp.ID, a ecp.Actor, now time.Time) (secret string, expires time.Time, ok bool) {
	t := ticket{cluster: id, actor: a, began: now, expires: now.Add(linkLifetime)}
	s.mu.Lock()
	defer s.mu.Unlock()
	removeExpired(s.links, now)
	if len(s.links) >= maxLinks || len(ticketsOf(s.links, a)) >= maxLinksPerActor {
		return "", time.Time{}, false
	}
	secret = newSecret()
	s.links[digestOf(secret)] = t
	return secret, t.expires, true
}

// removeLink removes a link that was given to nobody.
func (s *sessions) removeLink(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, digestOf(secret))
}

// redeem uses up a link. A link that was opened on the origin of another cluster
// stays valid for its own.
func (s *sessions) redeem(secret string, id ecp.ID, now time.Time) (ticket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.links[digestOf(secret)]
	if !ok || t.cluster != id {
		return ticket{}, false
	}
	delete(s.links, digestOf(secret))
	return t, now.Before(t.expires)
}

// begin opens a session for the ticket of a redeemed link, in place of the session
// that the browser had. ok is false if there are too many sessions.
func (s *sessions) begin(t ticket, previous string, now time.Time) (secret string, ok bool) {
	t.began, t.expires = now, now.Add(sessionLifetime)
	s.mu.Lock()
	defer s.mu.Unlock()
	removeExpired(s.open, now)
	if old, known := s.open[digestOf(previous)]; known && old.cluster == t.cluster {
		delete(s.open, digestOf(previous))
	}
	if theirs := ticketsOf(s.open, t.actor); len(theirs) >= maxSessionsPerActor {
		oldest := slices.MinFunc(theirs, func(a, b digest) int { return s.open[a].began.Compare(s.open[b].began) })
		delete(s.open, oldest)
	}
	if len(s.open) >= maxSessions {
		return "", false
	}
	secret = newSecret()
	s.open[digestOf(secret)] = t
	return secret, true
}

// find returns the ticket of a session with a cluster.
func (s *sessions) find(secret string, id ecp.ID, now time.Time) (ticket, bool) {
	if secret == "" || len(secret) > maxSecretLength {
		return ticket{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.open[digestOf(secret)]
	return t, ok && t.cluster == id && now.Before(t.expires)
}

// setNode records which node serves a session.
func (s *sessions) setNode(secret, node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.open[digestOf(secret)]; ok {
		t.node = node
		s.open[digestOf(secret)] = t
	}
}

// end ends a session.
func (s *sessions) end(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, digestOf(secret))
}

// hasAny reports whether there is a valid link to a cluster's dashboard, or a session
// with it.
func (s *sessions) hasAny(id ecp.ID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range []map[digest]ticket{s.links, s.open} {
		for _, t := range m {
			if t.cluster == id && now.Before(t.expires) {
				return true
			}
		}
	}
	return false
}

func removeExpired(m map[digest]ticket, now time.Time) {
	for d, t := range m {
		if !now.Before(t.expires) {
			delete(m, d)
		}
	}
}

func ticketsOf(m map[digest]ticket, a ecp.Actor) (out []digest) {
	for d, t := range m {
		if t.actor.Identity() == a.Identity() {
			out = append(out, d)
		}
	}
	return out
}
