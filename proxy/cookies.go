package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// Cookies do not know ports: a browser sends those of one dashboard to every
// other on the same host. So each origin has names of its own, and a dashboard's
// own cookies are kept under such names, too.

// cookieNames are those of one origin.
type cookieNames struct {
	session string
	theirs  string // before the names that a dashboard gives
	secure  bool
}

// cookiesOf gives the names for a cluster's origin. Under TLS no other host can
// set the session's, whatever they have in common.
func cookiesOf(id string, secure bool) cookieNames {
	n := cookieNames{session: "ecp-" + id, theirs: "ecp-" + id + "-", secure: secure}
	if secure {
		n.session = "__Host-" + n.session
	}
	return n
}

// set makes the session's cookie: the browser's alone, of this host alone, gone
// with the browser. Lax, not Strict: the way in is a link from elsewhere that
// ends in a redirect, and a Strict cookie would not come along. What Lax lets in
// from elsewhere, opening a page, changes nothing; the rest is told by its origin.
func (n cookieNames) set(secret string) *http.Cookie {
	return &http.Cookie{Name: n.session, Value: secret, Path: "/", HttpOnly: true, Secure: n.secure, SameSite: http.SameSiteLaxMode}
}

// clear takes the session's cookie back.
func (n cookieNames) clear() *http.Cookie {
	c := n.set("")
	c.MaxAge = -1
	return c
}

// secret gives what the session's cookie holds. One that stands twice was put
// there by somebody else as well, and is nobody's.
func (n cookieNames) secret(r *http.Request) string {
	all := r.CookiesNamed(n.session)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// toBroker leaves of a request's cookies those that the dashboard has set, under
// its own names.
func (n cookieNames) toBroker(in, out *http.Request) {
	out.Header.Del("Cookie")
	for _, c := range in.Cookies() {
		if name, ok := strings.CutPrefix(c.Name, n.theirs); ok && name != "" {
			out.AddCookie(&http.Cookie{Name: name, Value: c.Value, Quoted: c.Quoted})
		}
	}
}

// fromBroker keeps a dashboard's cookies to its origin.
func (n cookieNames) fromBroker(res *http.Response) {
	cookies := res.Cookies()
	res.Header.Del("Set-Cookie")
	for _, c := range cookies {
		c.Name, c.Domain, c.Secure, c.Partitioned = n.theirs+c.Name, "", n.secure, false
		if c.SameSite != http.SameSiteStrictMode {
			c.SameSite = http.SameSiteLaxMode
		}
		if text := c.String(); text != "" {
			res.Header.Add("Set-Cookie", text)
		}
	}
}

// own cuts an address of the broker itself down to what stands behind its host;
// false = it is somebody else's.
func own(location string, base *url.URL) (string, bool) {
	u, err := url.Parse(location)
	if err != nil {
		return "", false
	}
	if u.Host == "" && u.Scheme == "" {
		return location, true
	}
	if !strings.EqualFold(u.Host, base.Host) || strings.HasPrefix(u.EscapedPath(), "//") { // cut down, that would name a host
		return "", false
	}
	u.Scheme, u.Host, u.User = "", "", nil
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), true
}
