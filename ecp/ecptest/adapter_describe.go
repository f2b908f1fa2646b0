package ecptest

import (
	"cmp"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/openecp/openecp/ecp"
)

func testMajor(t *testing.T, s AdapterSuite) {
	v, ok := ecp.ParseVersion(s.Want.Version)
	if v.Major == 6 { // it has the management API of EMQX 5
		v.Major = 5
	}
	if !ok || v.Major != s.Adapter.Major() {
		t.Errorf("Major() = %d, but it describes a cluster of version %q", s.Adapter.Major(), s.Want.Version)
	}
}

func testOpenRefuses(t *testing.T, s AdapterSuite) {
	login := ecp.Credentials{Username: "user-4c1f", Password: "word-93ab"}
	for _, c := range []struct {
		url   string
		login ecp.Credentials
	}{
		{url: ""}, {url: "10.1.2.3"}, {url: "10.1.2.3:18083"}, {url: "//10.1.2.3:18083"},
		{url: "http://"}, {url: "http://:18083"}, {url: "ftp://10.1.2.3"}, {url: "://10.1.2.3"},
		{url: "http://10.1.2.3:18083/api/v5"}, {url: "http://10.1.2.3:18083?x=1"}, {url: "http://10.1.2.3:18083#x"},
		{url: "http://10.1.2.3:port"}, {url: "http://10.1.2.3:70000"}, {url: "http://10.1.2.3\x7f"},
		{url: "http://user-4c1f:word-93ab@10.1.2.3:18083"}, {url: "user-4c1f:word-93ab@10.1.2.3:18083"},
		{url: "http://user-4c1f:word-93ab@10.1.2.3:port"}, {url: "http://user-4c1f@10.1.2.3"},
		{url: "http://10.1.2.3:18083/user-4c1f/word-93ab"},
	} {
		b, err := s.Adapter.Open(ecp.Endpoint{BaseURL: c.url, Credentials: login})
		if err == nil {
			b.Close()
			t.Errorf("Open(%q): no error; want invalid", c.url)
			continue
		}
		if !errors.Is(err, ecp.ErrInvalid) || ecp.MessageOf(err) == "" {
			t.Errorf("Open(%q): %v, code %s; want invalid, saying what is wrong", c.url, err, ecp.CodeOf(err))
		}
		checkSecret(t, err, secretsOf(login))
	}
}

func testOpenDoesNoIO(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	e.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("Open asked for %s", r.URL.Path)
		return nil, errors.New("no I/O in Open")
	})
	open(t, s, e).Close()
}

func testDescribe(t *testing.T, s AdapterSuite) {
	b := open(t, s, s.Open(t))
	for range 2 {
		d, err := b.Describe(t.Context())
		if err != nil {
			t.Fatalf("Describe: %v (cause: %v)", err, errors.Unwrap(err))
		}
		checkDescription(t, d, s.Want)
	}
}

func testDescribeConcurrently(t *testing.T, s AdapterSuite) {
	b := open(t, s, s.Open(t))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			d, err := b.Describe(t.Context())
			if err != nil {
				t.Errorf("Describe: %v (cause: %v)", err, errors.Unwrap(err))
				return
			}
			checkDescription(t, d, s.Want)
		})
	}
	all.Wait()
}

// testCredentials authenticates through the endpoint, then through the transport.
func testCredentials(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	login, through := e.Credentials, transportOf(e)
	for _, own := range []ecp.Credentials{login, {}} {
		e.Credentials, e.Authenticated = own, own == (ecp.Credentials{})
		e.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			user, password, sent := r.BasicAuth()
			if got := (ecp.Credentials{Username: user, Password: password}); sent && got != own {
				t.Errorf("%s was sent with other credentials than the endpoint's", r.URL.Path)
			}
			if own == (ecp.Credentials{}) {
				if sent {
					t.Errorf("%s was sent with credentials; the endpoint has none", r.URL.Path)
				}
				r = r.Clone(r.Context())
				r.SetBasicAuth(login.Username, login.Password)
			}
			return through.RoundTrip(r)
		})
		d, err := open(t, s, e).Describe(t.Context())
		if err != nil {
			t.Fatalf("Describe: %v (cause: %v)", err, errors.Unwrap(err))
		}
		checkDescription(t, d, s.Want)
	}
}

// open opens a broker and closes it with the test.
func open(t *testing.T, s AdapterSuite, e ecp.Endpoint) ecp.Broker {
	t.Helper()
	b, err := s.Adapter.Open(e)
	if err != nil {
		t.Fatalf("Open(%q): %v", e.BaseURL, err)
	}
	t.Cleanup(b.Close)
	return b
}

// checkDescription compares a description with the wanted one.
func checkDescription(t *testing.T, got, want ecp.Description) {
	t.Helper()
	if !slices.IsSortedFunc(got.Nodes, func(a, b ecp.BrokerNode) int { return cmp.Compare(a.Name, b.Name) }) {
		t.Errorf("nodes are not sorted by name: %+v", got.Nodes)
	}
	got.Nodes = slices.Clone(got.Nodes)
	for i := range min(len(got.Nodes), len(want.Nodes)) {
		g, w := &got.Nodes[i], want.Nodes[i]
		if w.Uptime == 0 {
			g.Uptime = 0
		}
		if w.MemoryUsed == 0 {
			g.MemoryUsed = 0
		}
		if w.MemoryTotal == 0 {
			g.MemoryTotal = 0
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Describe gives\n%+v, want\n%+v", got, want)
	}
}
