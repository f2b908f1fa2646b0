package emqxsim

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

var loginBody = []input{
	{name: "username", required: true, expected: "binary()", ok: isString}, {name: "password", required: true,
		expected: "binary()", ok: isString},
	{name: "mfa_token"},
}

func login5(q *request) answer {
	in, bad := q.object("", loginBody)
	if bad != nil {
		return *bad
	}
	u, locked := q.db.login(in.text("username"), in.text("password"), has(q.n.version, sinceLock), q.now)
	switch {
	case locked:
		// Words not recorded
		return fail5(http.StatusUnauthorized, "LOGIN_LOCKED", "Login failed too many times. Please try again later")
	case u == nil:
		return fail5(http.StatusUnauthorized, "BAD_USERNAME_OR_PWD", "Auth failed")
	}
	edition := "ee"
	if !q.c.licensed(q.n.version) {
		edition = "ce"
	}
	return asJSON(obj{
		"token": q.db.newToken(u, q.now), "role": u.role, "version": q.n.version, "license": obj{"edition": edition},
	})
}

// logout5 ends the token of the request, if it belongs to the user that the body names.
func logout5(q *request) answer {
	in, bad := q.object("", []input{{name: "username", required: true, expected: "binary()", ok: isString}})
	if bad != nil {
		return *bad
	}
	if in.text("username") != q.user.name {
		// Words not recorded
		return fail5(http.StatusUnauthorized, "WRONG_TOKEN_OR_USERNAME", "Ensure your token & username")
	}
	_, token, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	delete(q.db.tokens, token)
	return empty(http.StatusNoContent)
}

func user5(u *user) obj {
	return obj{"username": u.name, "role": u.role, "description": u.desc, "backend": "local"}
}

func users5(q *request) answer {
	out := []obj{}
	for _, u := range q.db.users {
		out = append(out, user5(u))
	}
	return asJSON(out)
}

func createUser5(q *request) answer {
	in, bad := q.object("", append(slices.Clone(loginBody), input{name: "description"}, input{name: "role"}))
	if bad != nil {
		return *bad
	}
	name, password := in.text("username"), in.text("password")
	switch {
	case q.db.user(name) != nil:
		return bad5("username_already_exists")
	case len(password) < 8 || len(password) > 64:
		return bad5("The range of password length is 8~64")
	}
	u := &user{name: name, password: password, desc: in.text("description"), role: roleOr(in.text("role"))}
	q.db.users = append(q.db.users, u)
	return asJSON(user5(u))
}

func roleOr(role string) string {
	if role == "" {
		return roleAdministrator
	}
	return role
}

func ofUser(do func(q *request, u *user) answer) func(*request) answer {
	return func(q *request) answer {
		u := q.db.user(q.params["username"])
		if u == nil {
			return fail5(http.StatusNotFound, "USER_NOT_FOUND", "User not found") // words not recorded
		}
		return do(q, u)
	}
}

func updateUser5(q *request, u *user) answer {
	in, bad := q.object("", []input{{name: "description"}, {name: "role"}})
	if bad != nil {
		return *bad
	}
	u.desc, u.role = in.text("description"), roleOr(in.text("role"))
	return asJSON(user5(u))
}

// deleteUser5 refuses to delete the user that a broker starts with.
func deleteUser5(q *request, u *user) answer {
	if u.name == "admin" {
		return fail5(http.StatusBadRequest, "NOT_ALLOWED", "Cannot delete admin") // words not recorded
	}
	q.db.users = slices.DeleteFunc(q.db.users, func(o *user) bool { return o == u })
	return empty(http.StatusNoContent)
}

func key5(q *request, k *apiKey) obj {
	expires := "infinity"
	if !k.expires.IsZero() {
		expires = seconds3339(k.expires)
	}
	o := obj{
		"name": k.name, "api_key": k.id, "desc": k.desc, "enable": k.enable, "role": k.role,
		"created_at": seconds3339(k.created),
		"expired_at": expires, "expired": !k.expires.IsZero() && !q.now.Before(k.expires),
	}
	if k.scopes != nil && has(q.n.version, sinceScopes) {
		o["scopes"] = k.scopes
	}
	return o
}

func keys5(q *request) answer {
	out := []obj{}
	for _, k := range q.db.keys {
		out = append(out, key5(q, k))
	}
	return asJSON(out)
}

var (
	keyBody = []input{
		{name: "name", expected: "binary()", ok: isString}, {name: "enable", expected: "boolean()", ok: isBool},
		{name: "desc", expected: "binary()", ok: isString},
		{name: "expired_at"}, {name: "role", expected: "binary()", ok: isString}, {name: "scopes", expected: "array()",
			ok: isNames},
		{name: "api_key"}, {name: "created_at"}, {name: "expired"},
	}
	keyName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,255}$`)
	roles   = []string{roleAdministrator, roleViewer, rolePublisher}
)

// mostKeys is how many keys there may be.
const mostKeys = 100

// expiryOf reads expired_at, which is a time, seconds since 1970, or a word for never.
func expiryOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, true
	case float64:
		return time.Unix(int64(v), 0).UTC(), true
	case string:
		if v == "infinity" || v == "undefined" {
			return time.Time{}, true
		}
		t, err := time.Parse(time.RFC3339, v)
		return t.UTC(), err == nil
	}
	return time.Time{}, false
}

func createKey5(q *request) answer {
	in, bad := q.object("", keyBody)
	if bad != nil {
		return *bad
	}
	name, role := in.text("name"), roleOr(in.text("role"))
	expires, ok := expiryOf(in["expired_at"])
	switch {
	case in["name"] == nil:
		return missing("name")
	case !keyName.MatchString(name):
		// Not recorded
		return bad5("{\"value\":\"" + name + "\",\"reason\":\"Invalid " +
			"name\",\"path\":\"name\",\"kind\":\"validation_error\"}")
	case !ok:
		return invalid(in["expired_at"], "rfc3339 | epoch second | infinity", "expired_at") // not recorded
	case !slices.Contains(roles, role):
		return bad5("Role does not exist") // not recorded
	case in["desc"] == nil: // the broker crashes; its message is longer
		return fail5(http.StatusInternalServerError, "INTERNAL_ERROR", fmt.Sprintf(
			"error, {badmatch,#{<<\"enable\">> => %v,<<\"expired_at\">> => infinity,<<\"name\">> => "+
				"<<%q>>,<<\"role\">> "+
				"=> <<%q>>}}", in.flag("enable", true), name, role))
	case q.db.keyNamed(name) != nil:
		return bad5("name_already_existed")
	case len(q.db.keys) >= mostKeys:
		return bad5("Maximum ApiKey") // words not recorded
	}
	seed := q.db.id() + name + q.now.String()
	k := &apiKey{
		name: name, id: hexOf("key "+seed, 16), secret: hexOf("secret "+seed, 46), desc: in.text("desc"), role: role,
		enable: in.flag("enable", true), expires: expires, created: q.now,
	}
	if _, given := in["scopes"]; given {
		k.scopes = in.names("scopes")
	}
	q.db.keys = append(q.db.keys, k)
	o := key5(q, k)
	o["api_secret"] = k.secret
	return asJSON(o)
}

func ofKey(do func(q *request, k *apiKey) answer) func(*request) answer {
	return func(q *request) answer {
		k := q.db.keyNamed(q.params["name"])
		if k == nil {
			return notFound5("NOT_FOUND") // words not recorded
		}
		return do(q, k)
	}
}

// updateKey5 makes a key an administrator's if the body names no role, as the recorded
// broker does.
func updateKey5(q *request, k *apiKey) answer {
	in, bad := q.object("", keyBody)
	if bad != nil {
		return *bad
	}
	expires, ok := expiryOf(in["expired_at"])
	if !ok {
		return invalid(in["expired_at"], "rfc3339 | epoch second | infinity", "expired_at")
	}
	if in["expired_at"] != nil {
		k.expires = expires
	}
	if in["desc"] != nil {
		k.desc = in.text("desc")
	}
	k.enable, k.role = in.flag("enable", k.enable), roleOr(in.text("role"))
	if _, given := in["scopes"]; given {
		k.scopes = in.names("scopes")
	}
	return asJSON(key5(q, k))
}

func deleteKey5(q *request, k *apiKey) answer {
	q.db.keys = slices.DeleteFunc(q.db.keys, func(o *apiKey) bool { return o == k })
	return empty(http.StatusNoContent)
}
