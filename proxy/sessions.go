package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openecp/openecp/ecp"
)

// Bounds of what is kept of links and sessions.
const (
	linkLife      = time.Minute
	sessionLife   = 8 * time.Hour
	linksOfOne    = 10   // of one actor, not yet used
	linksInAll    = 1000 // the same of everybody
	sessionsOfOne = 20   // of one actor; the oldest ends when there is one more
	sessionsInAll = 2000
	longestSecret = 64 // bytes; anything longer is none of ours
	secretBytes   = 32
)

// digest is a secret as it is kept.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func newSecret() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// pass is a link that was not used yet, or a session: who may see the dashboard
// of which cluster, until when.
type pass struct {
	cluster ecp.ID
	actor   ecp.Actor
	node    string // EMQX name of the node that shows it; "" = not known
	began   time.Time
	expires time.Time
}

func (p pass) who() string { return whoIs(p.actor) }

// whoIs tells actors apart. A user who logs in again is the same one; tokens are
// not, whatever they are called.
func whoIs(a ecp.Actor) string {
	if strings.HasPrefix(a.Credential, "session/") {
		return "user " + a.Name
	}
	return a.Name + "\x00" + a.Credential
}

// book keeps links and sessions, in memory and as hashes.
type book struct {
	mu       sync.Mutex
	links    map[digest]pass // guarded by mu
	sessions map[digest]pass // guarded by mu
}

func newBook() *book { return &book{links: map[digest]pass{}, sessions: map[digest]pass{}} }

// mint gives the secret of a new link; false = there are too many already.
func (b *book) mint(id ecp.ID, a ecp.Actor, now time.Time) (secret string, expires time.Time, ok bool) {
	p := pass{cluster: id, actor: a, began: now, expires: now.Add(linkLife)}
	b.mu.Lock()
	defer b.mu.Unlock()
	sweep(b.links, now)
	if len(b.links) >= linksInAll || count(b.links, p.who()) >= linksOfOne {
		return "", time.Time{}, false
	}
	secret = newSecret()
	b.links[digestOf(secret)] = p
	return secret, p.expires, true
}

// forget takes a link back that nobody was told of.
func (b *book) forget(secret string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.links, digestOf(secret))
}

// redeem takes a link, which is then used up; one that was shown at another
// cluster's dashboard stays good for its own.
func (b *book) redeem(secret string, id ecp.ID, now time.Time) (pass, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.links[digestOf(secret)]
	if !ok || p.cluster != id {
		return pass{}, false
	}
	delete(b.links, digestOf(secret))
	return p, now.Before(p.expires)
}

// begin opens a session for who has redeemed a link, in place of the one that the
// browser had; false = there are too many already.
func (b *book) begin(p pass, instead string, now time.Time) (secret string, ok bool) {
	p.began, p.expires = now, now.Add(sessionLife)
	b.mu.Lock()
	defer b.mu.Unlock()
	sweep(b.sessions, now)
	if old, known := b.sessions[digestOf(instead)]; known && old.cluster == p.cluster {
		delete(b.sessions, digestOf(instead))
	}
	if count(b.sessions, p.who()) >= sessionsOfOne {
		delete(b.sessions, oldest(b.sessions, p.who()))
	}
	if len(b.sessions) >= sessionsInAll {
		return "", false
	}
	secret = newSecret()
	b.sessions[digestOf(secret)] = p
	return secret, true
}

// session finds a session of a cluster.
func (b *book) session(secret string, id ecp.ID, now time.Time) (pass, bool) {
	if secret == "" || len(secret) > longestSecret {
		return pass{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.sessions[digestOf(secret)]
	return p, ok && p.cluster == id && now.Before(p.expires)
}

// stay keeps which node shows a session its dashboard.
func (b *book) stay(secret, node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p, ok := b.sessions[digestOf(secret)]; ok {
		p.node = node
		b.sessions[digestOf(secret)] = p
	}
}

// end ends a session.
func (b *book) end(secret string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, digestOf(secret))
}

// uses says whether anybody may still come to a cluster's dashboard.
func (b *book) uses(id ecp.ID, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range []map[digest]pass{b.links, b.sessions} {
		for _, p := range m {
			if p.cluster == id && now.Before(p.expires) {
				return true
			}
		}
	}
	return false
}

// sweep forgets what is over.
func sweep(m map[digest]pass, now time.Time) {
	for d, p := range m {
		if !now.Before(p.expires) {
			delete(m, d)
		}
	}
}

func count(m map[digest]pass, who string) (n int) {
	for _, p := range m {
		if p.who() == who {
			n++
		}
	}
	return n
}

// oldest is the first that somebody has begun.
func oldest(m map[digest]pass, who string) digest {
	var theirs []digest
	for d, p := range m {
		if p.who() == who {
			theirs = append(theirs, d)
		}
	}
	return slices.MinFunc(theirs, func(a, b digest) int { return m[a].began.Compare(m[b].began) })
}
