package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
)

// sessionKeeper keeps links and sessions by the hashes of their secrets. An error is one
// of the store; that a secret is not known is none.
type sessionKeeper interface {
	// addLink returns the secret of a new link. ok is false if there are too many links
	// that nobody has used.
	addLink(ctx context.Context, id ecp.ID, a ecp.Actor, now time.Time) (
		secret string, expires time.Time, ok bool, err error)
	// redeem uses up a link. A link that was opened on the origin of another cluster stays
	// valid for its own.
	redeem(ctx context.Context, secret string, id ecp.ID, now time.Time) (t ticket, ok bool, err error)
	// begin opens a session for the ticket of a redeemed link, in place of the session that
	// the browser had. ok is false if there are too many sessions.
	begin(ctx context.Context, t ticket, previous string, now time.Time) (secret string, ok bool, err error)
	// find returns the ticket of a session with a cluster.
	find(ctx context.Context, secret string, id ecp.ID, now time.Time) (t ticket, ok bool, err error)
	// setNode records which node serves a session.
	setNode(ctx context.Context, secret, node string) error
	// end ends a session, or takes back a link that was given to nobody.
	end(ctx context.Context, secret string) error
}

// inMemory keeps them in this program.
type inMemory struct{ *sessions }

func (m inMemory) addLink(
	_ context.Context, id ecp.ID, a ecp.Actor, now time.Time,
) (secret string, expires time.Time, ok bool, err error) {
	secret, expires, ok = m.sessions.addLink(id, a, now)
	return secret, expires, ok, nil
}

func (m inMemory) redeem(_ context.Context, secret string, id ecp.ID, now time.Time) (t ticket, ok bool, err error) {
	t, ok = m.sessions.redeem(secret, id, now)
	return t, ok, nil
}

func (m inMemory) begin(
	_ context.Context, t ticket, previous string, now time.Time,
) (secret string, ok bool, err error) {
	secret, ok = m.sessions.begin(t, previous, now)
	return secret, ok, nil
}

func (m inMemory) find(_ context.Context, secret string, id ecp.ID, now time.Time) (t ticket, ok bool, err error) {
	t, ok = m.sessions.find(secret, id, now)
	return t, ok, nil
}

func (m inMemory) setNode(_ context.Context, secret, node string) error {
	m.sessions.setNode(secret, node)
	return nil
}

func (m inMemory) end(_ context.Context, secret string) error {
	m.sessions.end(secret)
	m.removeLink(secret)
	return nil
}

// storedSessions keeps them in a Store that several programs share. What has expired is
// removed when there is one more.
type storedSessions struct{ store ecp.Store }

// storedTicket is the record of a ticket.
type storedTicket struct {
	Hash       string      `json:"hash"` // hex SHA-256 of the secret
	Session    bool        `json:"session,omitempty"`
	Cluster    ecp.ID      `json:"cluster"`
	Name       string      `json:"name"`                 // of the actor
	Grants     []ecp.Grant `json:"grants,omitempty"`     // of the actor
	Credential string      `json:"credential,omitempty"` // of the actor
	Node       string      `json:"node,omitempty"`
	Began      time.Time   `json:"began"`
	Expires    time.Time   `json:"expires"`
}

// Kinds returns the codec of the records that this package stores.
func Kinds() ecp.Codec { return ecp.CodecOf(storedTicket{}) }

// Describe implements [ecp.Payload].
func (s storedTicket) Describe() (ecp.Kind, string, ecp.Index) {
	return ecp.KindDashboard, s.Hash, ecp.Index{}
}

// Copy implements [ecp.Payload].
func (s storedTicket) Copy() ecp.Payload {
	s.Grants = slices.Clone(s.Grants)
	return s
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func recordOf(secret string, session bool, t ticket) storedTicket {
	return storedTicket{
		Hash: hashOf(secret), Session: session, Cluster: t.cluster, Name: t.actor.Name, Grants: t.actor.Grants,
		Credential: t.actor.Credential, Node: t.node, Began: t.began, Expires: t.expires,
	}
}

func (s storedTicket) ticket() ticket {
	return ticket{
		cluster: s.Cluster, actor: ecp.Actor{Name: s.Name, Grants: s.Grants, Credential: s.Credential}, node: s.Node,
		began: s.Began, expires: s.Expires,
	}
}

// read returns a ticket of a kind.
func readTicket(tx ecp.Tx, secret string, session bool) (storedTicket, bool, error) {
	if secret == "" || len(secret) > maxSecretLength {
		return storedTicket{}, false, nil
	}
	s, _, err := ecp.Get[storedTicket](tx, hashOf(secret))
	if errors.Is(err, ecp.ErrNotFound) {
		return s, false, nil
	}
	return s, err == nil && s.Session == session, err
}

// alike removes what has expired, and returns all tickets of a kind, and those of an
// actor, oldest first.
func alike(tx ecp.Tx, session bool, a ecp.Actor, now time.Time) (all int, theirs []storedTicket, _ error) {
	var over []string
	for s, err := range ecp.List[storedTicket](tx, ecp.Query{}) {
		switch {
		case err != nil:
			return 0, nil, err
		case !now.Before(s.Expires):
			over = append(over, s.Hash)
		case s.Session == session:
			all++
			if s.ticket().actor.Identity() == a.Identity() {
				theirs = append(theirs, s)
			}
		}
	}
	for _, hash := range over {
		if err := tx.Delete(ecp.KindDashboard, hash); err != nil {
			return 0, nil, err
		}
	}
	slices.SortFunc(theirs, func(a, b storedTicket) int { return a.Began.Compare(b.Began) })
	return all, theirs, nil
}

func (k storedSessions) addLink(
	ctx context.Context, id ecp.ID, a ecp.Actor, now time.Time,
) (secret string, expires time.Time, ok bool, err error) {
	secret = newSecret()
	t := ticket{cluster: id, actor: a, began: now, expires: now.Add(linkLifetime)}
	err = k.store.Write(ctx, func(tx ecp.Tx) error {
		all, theirs, err := alike(tx, false, a, now)
		if ok = err == nil && all < maxLinks && len(theirs) < maxLinksPerActor; !ok {
			return err
		}
		return ecp.Put(tx, recordOf(secret, false, t), 0)
	})
	return secret, t.expires, ok, err
}

func (k storedSessions) redeem(
	ctx context.Context, secret string, id ecp.ID, now time.Time,
) (t ticket, ok bool, err error) {
	err = k.store.Write(ctx, func(tx ecp.Tx) error {
		s, found, err := readTicket(tx, secret, false)
		if ok = found && s.Cluster == id; !ok {
			return err
		}
		t, ok = s.ticket(), now.Before(s.Expires)
		return tx.Delete(ecp.KindDashboard, s.Hash)
	})
	return t, ok && err == nil, err
}

func (k storedSessions) begin(
	ctx context.Context, t ticket, previous string, now time.Time,
) (secret string, ok bool, err error) {
	t.began, t.expires = now, now.Add(sessionLifetime)
	secret = newSecret()
	err = k.store.Write(ctx, func(tx ecp.Tx) error {
		old, found, err := readTicket(tx, previous, true)
		if err == nil && found && old.Cluster == t.cluster {
			err = tx.Delete(ecp.KindDashboard, old.Hash)
		}
		if err != nil {
			return err
		}
		all, theirs, err := alike(tx, true, t.actor, now)
		if err == nil && len(theirs) >= maxSessionsPerActor {
			err = tx.Delete(ecp.KindDashboard, theirs[0].Hash)
			all--
		}
		if ok = err == nil && all < maxSessions; !ok {
			return err
		}
		return ecp.Put(tx, recordOf(secret, true, t), 0)
	})
	return secret, ok, err
}

func (k storedSessions) find(
	ctx context.Context, secret string, id ecp.ID, now time.Time,
) (t ticket, ok bool, err error) {
	err = k.store.Read(ctx, func(tx ecp.Tx) error {
		s, found, err := readTicket(tx, secret, true)
		t, ok = s.ticket(), found && s.Cluster == id && now.Before(s.Expires)
		return err
	})
	return t, ok, err
}

func (k storedSessions) setNode(ctx context.Context, secret, node string) error {
	return k.store.Write(ctx, func(tx ecp.Tx) error {
		s, found, err := readTicket(tx, secret, true)
		if err != nil || !found {
			return err
		}
		s.Node = node
		return ecp.Put(tx, s, ecp.AnyVersion)
	})
}

func (k storedSessions) end(ctx context.Context, secret string) error {
	return k.store.Write(ctx, func(tx ecp.Tx) error {
		if secret == "" || len(secret) > maxSecretLength {
			return nil
		}
		if err := tx.Delete(ecp.KindDashboard, hashOf(secret)); !errors.Is(err, ecp.ErrNotFound) {
			return err
		}
		return nil
	})
}
