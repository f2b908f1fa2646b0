package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// Cookies ignore ports: a browser sends those of one dashboard to every other one on
// the same host. So each origin has names of its own, and the cookies of a dashboard
// are stored under such names, too.

// cookieNames are the names of one origin.
type cookieNames struct {
	session string
	prefix  string // before the names that the dashboard sets
	secure  bool
}

// cookiesOf returns the names for a cluster's origin. Under TLS no other host can set
// the session's cookie, whatever domain they share.
func cookiesOf(id string, secure bool) cookieNames {
	n := cookieNames{session: "ecp-" + id, prefix: "ecp-" + id + "-", secure: secure}
	if secure {
		n.session = "__Host-" + n.session
	}
	return n
}

// set makes the session's cookie, which scripts cannot read and which ends with the
// browser. It is Lax and not Strict: a person arrives by a link from elsewhere that
// ends in a redirect, and a browser would not send a Strict cookie with that. Lax
// allows pages of other sites to open a page, which changes nothing; all else is
// refused by its Origin.
func (n cookieNames) set(secret string) *http.Cookie {
	return &http.Cookie{
		Name: n.session, Value: secret, Path: "/", HttpOnly: true, Secure: n.secure, SameSite: http.SameSiteLaxMode,
	}
}

// clear makes the cookie that removes the session's.
func (n cookieNames) clear() *http.Cookie {
	c := n.set("")
	c.MaxAge = -1
	return c
}

// secret returns the value of the session's cookie. If a request has two of the name,
// another site has set one of them, and neither counts.
func (n cookieNames) secret(r *http.Request) string {
	all := r.CookiesNamed(n.session)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// toBroker keeps only the cookies of a request that the dashboard has set, under the
// names that it gave them.
func (n cookieNames) toBroker(in, out *http.Request) {
	out.Header.Del("Cookie")
	for _, c := range in.Cookies() {
		if name, ok := strings.CutPrefix(c.Name, n.prefix); ok && name != "" {
			out.AddCookie(&http.Cookie{Name: name, Value: c.Value, Quoted: c.Quoted})
		}
	}
}

// fromBroker limits a dashboard's cookies to its origin.
func (n cookieNames) fromBroker(res *http.Response) {
	cookies := res.Cookies()
	res.Header.Del("Set-Cookie")
	for _, c := range cookies {
		c.Name, c.Domain, c.Secure, c.Partitioned = n.prefix+c.Name, "", n.secure, false
		if c.SameSite != http.SameSiteStrictMode {
			c.SameSite = http.SameSiteLaxMode
		}
		if text := c.String(); text != "" {
			res.Header.Add("Set-Cookie", text)
		}
	}
}

// localLocation removes scheme and host from an address of the broker itself. ok is
// false if the address is another server's.
func localLocation(location string, base *url.URL) (local string, ok bool) {
	u, err := url.Parse(location)
	if err != nil {
		return "", false
	}
	if u.Host == "" && u.Scheme == "" {
		return location, true
	}
	if !strings.EqualFold(u.Host, base.Host) || strings.HasPrefix(u.EscapedPath(), "//") { // the rest would name a host
		return "", false
	}
	u.Scheme, u.Host, u.User = "", "", nil
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), true
}
