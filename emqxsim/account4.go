package emqxsim

import (
	"slices"
	"strings"
	"time"
)

// EMQX 4.4 knows two kinds of accounts. Applications (id and secret) use the management
// listener on port 8081. Users of the dashboard (name and password) use port 18083, and
// only there can both kinds be managed.

// authorised checks the credentials of a call: a user's on the dashboard's listener, an
// application's on the other.
func (c *call4) authorised() bool {
	name, password, ok := c.BasicAuth()
	if c.port == dashboard {
		u := c.db.user(name)
		return ok && u != nil && u.password == password
	}
	return ok && c.db.key(name, password, c.now) != nil
}

// login4 checks a name and a password. EMQX 4.4 has no tokens.
func login4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	if u, _ := c.db.login(text(in["username"]), text(in["password"]), false, c.now); u == nil {
		return message4("Username/Password error")
	}
	return done4()
}

func apps4(c *call4) answer {
	list := []obj{}
	for _, k := range c.db.keys {
		o := showApp4(k)
		delete(o, "secret") // only the call for one application returns it
		list = append(list, o)
	}
	return data4(list)
}

// showApp4 shows an application. Its expiry is in seconds since 1970; an application from
// the bootstrap file never expires, which the broker expresses in another way.
func showApp4(k *apiKey) obj {
	o := obj{"app_id": k.id, "secret": k.secret, "name": k.name, "desc": k.desc, "status": k.enable, "expired": nil}
	switch {
	case !k.expires.IsZero():
		o["expired"] = k.expires.Unix()
	case strings.HasPrefix(k.name, "from_bootstrap_file"):
		o["name"], o["expired"] = "bootstraped", "undefined" // the broker's spelling
	}
	return o
}

// app returns the application with an id, or nil.
func (c *call4) app(id string) *apiKey {
	i := slices.IndexFunc(c.db.keys, func(k *apiKey) bool { return k.id == id })
	if i < 0 {
		return nil
	}
	return c.db.keys[i]
}

// app4 shows one application. The answer for an unknown one is an empty object.
func app4(c *call4) answer {
	k := c.app(c.params["appid"])
	if k == nil {
		return data4(obj{})
	}
	return data4(showApp4(k))
}

func addApp4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	k := &apiKey{
		id: text(in["app_id"]), secret: text(in["secret"]), enable: true, role: roleAdministrator, created: c.now,
	}
	switch {
	case k.id == "":
		return code4(107, "missing mandatory params: ['app_id']")
	case c.app(k.id) != nil:
		return message4("already_existed")
	}
	changeApp4(k, in)
	if k.secret == "" {
		k.secret = hexOf("secret "+k.id+c.db.id(), 32)
	}
	c.db.keys = append(c.db.keys, k)
	return data4(obj{"secret": k.secret})
}

// changeApp4 applies the fields of the body to an application.
func changeApp4(k *apiKey, in obj) {
	for key, field := range map[string]*string{"name": &k.name, "desc": &k.desc} {
		if v, ok := in[key].(string); ok {
			*field = v
		}
	}
	if v, ok := in["status"].(bool); ok {
		k.enable = v
	}
	if v, ok := in["expired"].(float64); ok {
		k.expires = time.Unix(int64(v), 0)
	}
}

func updateApp4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	k := c.app(c.params["appid"])
	if k == nil {
		return message4("not_found")
	}
	changeApp4(k, in)
	return done4()
}

func deleteApp4(c *call4) answer {
	c.db.keys = slices.DeleteFunc(c.db.keys, func(k *apiKey) bool { return k.id == c.params["appid"] })
	return done4()
}

func users4(c *call4) answer {
	list := []obj{}
	for _, u := range c.db.users {
		list = append(list, obj{"username": u.name, "tags": u.desc})
	}
	return data4(list)
}

func createUser4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	u := &user{
		name: text(in["username"]), password: text(in["password"]), desc: text(in["tags"]), role: roleAdministrator,
	}
	switch {
	case u.name == "" || u.password == "":
		return code4(104, "Username or password undefined")
	case len(u.password) < 8:
		return message4("The range of password length is 8~64") // words and length not recorded
	case c.db.user(u.name) != nil:
		return code4(113, "User already exist")
	}
	c.db.users = append(c.db.users, u)
	return done4()
}

func deleteUser4(c *call4) answer {
	if c.params["name"] == "admin" {
		return code4(106, "Cannot delete admin")
	}
	if c.db.user(c.params["name"]) == nil {
		return message4("Username Not Found") // words not recorded
	}
	c.db.users = slices.DeleteFunc(c.db.users, func(u *user) bool { return u.name == c.params["name"] })
	return done4()
}

func changePassword4(c *call4) answer {
	in, bad := c.object()
	if in == nil {
		return bad
	}
	u := c.db.user(c.params["username"])
	switch {
	case u == nil:
		return message4("Username Not Found") // words not recorded
	case u.password != text(in["old_pwd"]):
		return code4(114, "Old password error")
	}
	u.password = text(in["new_pwd"])
	return done4()
}
