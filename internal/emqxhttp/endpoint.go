package emqxhttp

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/openecp/openecp/ecp"
)

// rule is a requirement on an endpoint.
type rule struct {
	field   string
	ok      func(u *url.URL, c ecp.Credentials) bool
	message string
}

// rules are checked in order. No message repeats the input, since a wrong URL may contain a
// password.
var rules = []rule{
	{"baseURL", func(u *url.URL, _ ecp.Credentials) bool { return u != nil }, "is not a URL; give scheme, host and " +
		"port, e.g. http://10.1.2.3:18083"},
	{"baseURL", func(u *url.URL, _ ecp.Credentials) bool { return u.Scheme == "http" || u.Scheme == "https" },
		"must begin with http:// or https://"},
	{"baseURL", func(u *url.URL, _ ecp.Credentials) bool { return u.Hostname() != "" }, "has no host"},
	{"baseURL", func(u *url.URL, _ ecp.Credentials) bool { return u.User == nil },
		"has user information in it; give the credentials apart from the URL"},
	{"baseURL", func(u *url.URL, _ ecp.Credentials) bool { return u.Path == "" || u.Path == "/" },
		"has a path; give scheme, host and port only"},
	{"baseURL", func(u *url.URL, _ ecp.Credentials) bool {
		return u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
	}, "has a query or a fragment; give scheme, host and port only"},
	{"baseURL", func(u *url.URL, _ ecp.Credentials) bool { return portOK(u.Port()) }, "has a port outside 1 to 65535"},
	{"credentials", func(_ *url.URL, c ecp.Credentials) bool { return !strings.Contains(c.Username, ":") },
		"have a user name with a colon in it, which Basic authentication cannot carry"},
}

// baseOf returns the scheme and host of an endpoint, or an error that names the wrong
// field.
func baseOf(e ecp.Endpoint) (string, error) {
	u, err := url.Parse(e.BaseURL)
	if err != nil {
		u = nil // the error quotes the URL
	}
	for _, r := range rules {
		if !r.ok(u, e.Credentials) {
			return "", &ecp.Error{
				Code: ecp.CodeInvalid, Op: "open broker", Message: "endpoint",
				Fields: []ecp.FieldError{{Field: r.field, Message: r.message}},
			}
		}
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String(), nil // escapes the zone of an IPv6 address
}

func portOK(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n > 0 && n < 1<<16
}
