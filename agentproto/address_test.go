package agentproto

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseServerURL(t *testing.T) {
	good := []struct{ in, want, dial string }{
		{"https://ecp.example.com", "https://ecp.example.com", "ecp.example.com:443"},
		{" https://ecp.example.com/\n", "https://ecp.example.com", "ecp.example.com:443"},
		{"https://ECP.Example.com.:443", "https://ecp.example.com", "ecp.example.com:443"},
		{"HTTPS://ecp.example.com:8443", "https://ecp.example.com:8443", "ecp.example.com:8443"},
		{"https://ecp.example.com:08443", "https://ecp.example.com:8443", "ecp.example.com:8443"},
		{"https://ecp.example.com/api", "https://ecp.example.com", "ecp.example.com:443"},
		{"https://ecp.example.com:8443/api/", "https://ecp.example.com:8443", "ecp.example.com:8443"},
		{"https://ecp.example.com/api/v1", "https://ecp.example.com", "ecp.example.com:443"},
		{"https://10.0.0.1:8443/api", "https://10.0.0.1:8443", "10.0.0.1:8443"},
		{"https://[2001:DB8::1]", "https://[2001:db8::1]", "[2001:db8::1]:443"},
		{"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443"},
		{"http://localhost:8080", "http://localhost:8080", "localhost:8080"},
		{"http://127.1.2.3", "http://127.1.2.3", "127.1.2.3:80"},
		{"http://[::1]:8080/api", "http://[::1]:8080", "[::1]:8080"},
		{"https://my_host", "https://my_host", "my_host:443"},
	}
	for _, tt := range good {
		u, err := ParseServerURL(tt.in)
		if assert.NoError(t, err, tt.in) {
			assert.Equal(t, tt.want, u.String(), tt.in)
			assert.Equal(t, tt.dial, hostPort(u), tt.in)
		}
	}

	bad := []struct{ in, want string }{
		{"", "is empty"},
		{"ecp.example.com", "does not begin with https://"},
		{"ecp.example.com:8443", "does not begin with https://"},
		{"ws://ecp.example.com", "does not begin with https://"},
		{"https:ecp.example.com", "does not begin with https://"},
		{"https://", "no valid host"},
		{"https:///api", "no valid host"},
		{"https://a b", "cannot be read"},
		{"https://ecp..example.com", "no valid host"},
		{"https://bücher.example", "no valid host"},
		{"https://ecp.example.com:", "no port behind it"},
		{"https://ecp.example.com:0", "ports are 1 to 65535"},
		{"https://ecp.example.com:70000", "ports are 1 to 65535"},
		{"https://ecp.example.com:https", "cannot be read"},
		{"https://ecp.example.com/agents", "has the path /agents"},
		{"https://ecp.example.com/api/v2", "has the path /api/v2"},
		{"https://ecp.example.com/%61pi", "has the path"},
		{"https://ecp.example.com/?", "has a query"},
		{"https://ecp.example.com/api#x", "has a query or a fragment"},
		{"http://ecp.example.com", "in the clear"},
		{"http://10.0.0.1", "in the clear"},
		{"https://user:canary@ecp.example.com", "has a user or password"},
		{"https://user:can ary@ecp.example.com", "cannot be read"},
		{"https://ecp.example.com/?token=canary", "has a query"},
		{"https://canary%zz@ecp.example.com", "cannot be read"},
		{"user:canary@ecp.example.com", "does not begin with"},
		{"https://ecp.example.com/#canary", "has a query or a fragment"},
	}
	for _, tt := range bad {
		_, err := ParseServerURL(tt.in)
		f, ok := errors.AsType[*Failure](err)
		if assert.True(t, ok, "%s: %v", tt.in, err) {
			assert.Contains(t, f.Message, tt.want, tt.in)
			assert.NotContains(t, f.Error(), "canary", tt.in)
			assert.NotEmpty(t, f.Hint, tt.in)
			assert.Equal(t, FailedAddress, f.Code)
		}
	}
}

func FuzzParseServerURL(f *testing.F) {
	for _, s := range []string{"https://ecp.example.com/api", "http://[::1]:80", "https://u:p@h", "https://h:1/?q#f",
		"https://[fe80::1%25eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseServerURL(s)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\x00\n") {
				t.Fatalf("control characters in %q", err)
			}
			return
		}
		again, err := ParseServerURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Fatalf("%q became %q, which becomes %v (%v)", s, u, again, err)
		}
		if *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) || u.Hostname() == "" || u.Scheme != "https" &&
			!isLoopback(u.Hostname()) {
			t.Fatalf("%q became %#v", s, u)
		}
	})
}
