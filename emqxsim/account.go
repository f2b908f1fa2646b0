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
	expires                      time.Time // a zero time means that it never expires
	created                      time.Time
	scopes                       []string // nil allows everything that the role does
}

func (k *apiKey) valid(t time.Time) bool {
	return k.enable && (k.expires.IsZero() || t.Before(k.expires))
}

// user is a user of the dashboard.
type user struct {
	name, password, desc, role string
	failures                   []time.Time // failed logins of the last minutes
	locked                     time.Time   // the account is locked until then
}

// token is what a login returned.
type token struct {
	user    string
	expires time.Time
}

// A token lives an hour after its last use. From 5.9 on, five failed logins within five
// minutes lock the user out for ten minutes.
const (
	tokenLife    = time.Hour
	lockFailures = 5
	lockWindow   = 5 * time.Minute
	lockTime     = 10 * time.Minute
	sinceLock    = "5.9.0"
)

// APIKey is a key to add to a cluster with [Cluster.AddAPIKey].
type APIKey struct {
	Name, Key, Secret string
	Role              string    // administrator, which is also what "" means, viewer or publisher
	Expires           time.Time // a zero time means never
	Disabled          bool
	Scopes            []string // nil allows all of them; scopes count from 5.10.4 on
}

// AddAPIKey adds a key, which EMQX 4 calls an application. It replaces a key of the same
// name.
func (c *Cluster) AddAPIKey(k APIKey) {
	c.change(func(t time.Time) {
		if k.Role == "" {
			k.Role = roleAdministrator
		}
		c.db.keys = slices.DeleteFunc(c.db.keys, func(o *apiKey) bool { return o.name == k.Name })
		c.db.keys = append(c.db.keys, &apiKey{
			name: k.Name, id: k.Key, secret: k.Secret, role: k.Role, enable: !k.Disabled, expires: k.Expires,
			created: t,
			scopes:  k.Scopes,
		})
	})
}

// AddUser adds a user of the dashboard whose role is administrator or viewer. It replaces a
// user of the same name. Every cluster starts with the user admin, whose password is
// public.
func (c *Cluster) AddUser(name, password, role string) {
	c.change(func(time.Time) {
		c.db.users = slices.DeleteFunc(c.db.users, func(u *user) bool { return u.name == name })
		c.db.users = append(c.db.users, &user{name: name, password: password, role: role})
	})
}

// EndLogins makes every login token invalid, as a restart of all nodes does.
func (c *Cluster) EndLogins() { c.change(func(time.Time) { clear(c.db.tokens) }) }

// key returns the key that these credentials belong to and that is in force at t, or nil.
func (d *database) key(id, secret string, t time.Time) *apiKey {
	i := slices.IndexFunc(d.keys, func(k *apiKey) bool { return k.id == id && k.secret == secret && id != "" })
	if i < 0 || !d.keys[i].valid(t) {
		return nil
	}
	return d.keys[i]
}

// bootstrap adds the key that a node finds when it starts. What was there stays.
func (d *database) bootstrap(a auth, t time.Time) {
	name := "from_bootstrap_file_" + hexOf("name "+a.Username, 16)
	if k := d.keyNamed(name); k != nil {
		k.id, k.secret = a.Username, a.Password
		return
	}
	d.keys = append(d.keys, &apiKey{
		name: name, id: a.Username, secret: a.Password, desc: "Bootstrapped From File", enable: true,
		role: roleAdministrator, created: t,
	})
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

// login checks a password. locks reports whether repeated failures lock the account.
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

// newToken returns a token of the shape that the broker's have. It is only looked up, never
// verified.
func (d *database) newToken(u *user, t time.Time) string {
	enc := base64.RawURLEncoding.EncodeToString
	head := enc([]byte(`{"alg":"HS256","typ":"JWT"}`))
	claims := enc(fmt.Appendf(nil, `{"exp":%d,"iss":"EMQX"}`, t.Add(tokenLife).UnixMilli()))
	sum := sha256.Sum256([]byte("token " + d.id() + u.name + t.String()))
	s := head + "." + claims + "." + enc(sum[:])
	d.tokens[s] = &token{u.name, t.Add(tokenLife)}
	return s
}

// hexOf returns n hexadecimal digits that are derived from s.
func hexOf(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:n]
}
