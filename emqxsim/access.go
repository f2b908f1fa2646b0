package emqxsim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// The roles of keys and users.
const (
	roleAdministrator = "administrator"
	roleViewer        = "viewer"    // may look at everything
	rolePublisher     = "publisher" // a key that may publish only
)

// apiKey is a key of EMQX 5, or an application of EMQX 4.
type apiKey struct {
	name, id, secret, desc, role string
	enable                       bool
	expires                      time.Time // zero = never
	created                      time.Time
	scopes                       []string // nil = everything the role may do
}

func (k *apiKey) valid(t time.Time) bool {
	return k.enable && (k.expires.IsZero() || t.Before(k.expires))
}

// user is one of the dashboard.
type user struct {
	name, password, desc, role string
	failures                   []time.Time // of logins
	locked                     time.Time   // until then
}

// token is what a login gave.
type token struct {
	user    string
	expires time.Time
}

// How logins go: a token lives an hour after its last use; from 5.9 on five
// failures within five minutes lock the user out for ten.
const (
	tokenLife    = time.Hour
	lockFailures = 5
	lockWindow   = 5 * time.Minute
	lockTime     = 10 * time.Minute
	sinceLock    = "5.9.0"
)

// APIKey is a key to add to a cluster, see [Cluster.AddAPIKey].
type APIKey struct {
	Name, Key, Secret string
	Role              string    // administrator (""), viewer or publisher
	Expires           time.Time // zero = never
	Disabled          bool
	Scopes            []string // nil = all; counts from 5.10.4
}

// AddAPIKey adds a key (EMQX 4: an application). One of the same name is
// replaced.
func (c *Cluster) AddAPIKey(k APIKey) {
	c.change(func(t time.Time) {
		if k.Role == "" {
			k.Role = roleAdministrator
		}
		c.db.keys = slices.DeleteFunc(c.db.keys, func(o *apiKey) bool { return o.name == k.Name })
		c.db.keys = append(c.db.keys, &apiKey{
			name: k.Name, id: k.Key, secret: k.Secret, role: k.Role, enable: !k.Disabled, expires: k.Expires, created: t, scopes: k.Scopes,
		})
	})
}

// AddUser adds a user of the dashboard: role administrator or viewer. One of
// the same name is replaced. There is admin with password public already.
func (c *Cluster) AddUser(name, password, role string) {
	c.change(func(time.Time) {
		c.db.users = slices.DeleteFunc(c.db.users, func(u *user) bool { return u.name == name })
		c.db.users = append(c.db.users, &user{name: name, password: password, role: role})
	})
}

// EndLogins makes every login token invalid, as a restart of all nodes does.
func (c *Cluster) EndLogins() { c.change(func(time.Time) { clear(c.db.tokens) }) }

// key finds the key that lets in; nil = none does.
func (d *database) key(id, secret string, t time.Time) *apiKey {
	i := slices.IndexFunc(d.keys, func(k *apiKey) bool { return k.id == id && k.secret == secret && id != "" })
	if i < 0 || !d.keys[i].valid(t) {
		return nil
	}
	return d.keys[i]
}

func (d *database) keyNamed(name string) *apiKey {
	i := slices.IndexFunc(d.keys, func(k *apiKey) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	return d.keys[i]
}

func (d *database) user(name string) *user {
	i := slices.IndexFunc(d.users, func(u *user) bool { return u.name == name })
	if i < 0 {
		return nil
	}
	return d.users[i]
}

// login checks a password. locks says whether failures lock.
func (d *database) login(name, password string, locks bool, t time.Time) (u *user, locked bool) {
	u = d.user(name)
	if u == nil {
		return nil, false
	}
	if locks && t.Before(u.locked) {
		return nil, true
	}
	if u.password == password {
		u.failures = nil
		return u, false
	}
	u.failures = slices.DeleteFunc(u.failures, func(f time.Time) bool { return t.Sub(f) > lockWindow })
	u.failures = append(u.failures, t)
	if locks && len(u.failures) >= lockFailures {
		u.locked, u.failures = t.Add(lockTime), nil
	}
	return nil, false
}

// newToken is shaped as the broker's, which signs what it looks up anyway.
func (d *database) newToken(u *user, t time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	head := enc([]byte(`{"alg":"HS256","typ":"JWT"}`))
	claims := enc(fmt.Appendf(nil, `{"exp":%d,"iss":"EMQX"}`, t.Add(tokenLife).UnixMilli()))
	sum := sha256.Sum256([]byte("token " + d.id() + u.name + t.String()))
	s := head + "." + claims + "." + enc(sum[:])
	d.tokens[s] = &token{u.name, t.Add(tokenLife)}
	return s
}

// hexOf gives n hexadecimal digits that follow from s.
func hexOf(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:n]
}
