package ecptest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
)

// AdapterSuite is an Adapter under test and a broker for it to speak to.
type AdapterSuite struct {
	// Adapter is what is tested. Give it little patience: each case in which
	// the far side never ends lasts as long as it has.
	Adapter ecp.Adapter
	// Open gives the way to a healthy cluster, with the credentials that it
	// takes. It is called once in each case that needs one.
	Open func(t *testing.T) ecp.Endpoint
	// Want is what Describe says of that cluster. A node's uptime and memory
	// are compared only where they are not zero here.
	Want ecp.Description
	// Bound is how long any call may take, whatever the far side does; 0 = 15 s.
	Bound time.Duration
}

// TestAdapter checks that an Adapter keeps what [ecp.Adapter] and [ecp.Broker]
// promise: it describes a healthy cluster, and it ends in bounded time and
// memory with an error of the right code, free of credentials, where the far
// side is anything else.
func TestAdapter(t *testing.T, s AdapterSuite) {
	s.Bound = cmp.Or(s.Bound, 15*time.Second)
	for _, c := range adapterCases {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
	for _, f := range faults {
		t.Run("far side "+f.name, func(t *testing.T) {
			t.Parallel() // some last as long as the adapter's patience
			testFault(t, s, f)
		})
	}
}

var adapterCases = []struct {
	name string
	run  func(t *testing.T, s AdapterSuite)
}{
	{"Major is that of the cluster it describes", testMajor},
	{"Open refuses what is no endpoint and never repeats it", testOpenRefuses},
	{"Open does no I/O", testOpenDoesNoIO},
	{"Describe says who the members are", testDescribe},
	{"Describe may run several times at once", testDescribeConcurrently},
	{"Describe only reads", testDescribeOnlyReads},
	{"credentials are sent, and none where the transport has them", testCredentials},
	{"credentials that are wrong are denied", testWrongCredentials},
	{"a context that has ended ends the call", testContextEnded},
	{"a context that ends ends the call", testContextEnds},
	{"a redirect to another host is not followed", testRedirectElsewhere},
	{"nobody listens", testNobodyListens},
	{"Close may be called again and gives idle connections back", testClose},
}

func testMajor(t *testing.T, s AdapterSuite) {
	v, ok := ecp.ParseVersion(s.Want.Version)
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
		checkSecret(t, err, login)
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

func testDescribeOnlyReads(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	through := transportOf(e)
	e.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("Describe sent %s %s", r.Method, r.URL.Path)
		}
		return through.RoundTrip(r)
	})
	if _, err := open(t, s, e).Describe(t.Context()); err != nil {
		t.Errorf("Describe: %v (cause: %v)", err, errors.Unwrap(err))
	}
}

// testCredentials lets the endpoint authenticate, then the transport.
func testCredentials(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	login, through := e.Credentials, transportOf(e)
	for _, own := range []ecp.Credentials{login, {}} {
		e.Credentials = own
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

func testWrongCredentials(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	e.Credentials = ecp.Credentials{Username: "user-4c1f", Password: "word-93ab"}
	_, err := open(t, s, e).Describe(t.Context())
	checkFailure(t, err, e.Credentials, ecp.CodeDenied)
}

func testContextEnded(t *testing.T, s AdapterSuite) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	_, err := open(t, s, s.Open(t)).Describe(ctx)
	checkEnded(t, err, context.Canceled, time.Since(start))
}

func testContextEnds(t *testing.T, s AdapterSuite) {
	asked := make(chan struct{}, 64)
	e := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	b := open(t, s, e)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var gone time.Time
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-asked:
		case <-ctx.Done():
		}
		gone = time.Now()
		cancel()
	})
	_, err := b.Describe(ctx)
	cancel()
	waiting.Wait()
	checkEnded(t, err, context.Canceled, time.Since(gone))

	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = b.Describe(ctx)
	end, _ := ctx.Deadline()
	checkEnded(t, err, context.DeadlineExceeded, time.Since(end))
}

func testRedirectElsewhere(t *testing.T, s AdapterSuite) {
	elsewhere := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host was asked for %s", r.URL.Path)
	})
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.BaseURL+r.URL.Path, http.StatusFound)
	})
	_, err := open(t, s, e).Describe(t.Context())
	checkFailure(t, err, e.Credentials, ecp.CodeUnsupported, ecp.CodeUnavailable)
}

func testNobodyListens(t *testing.T, s AdapterSuite) {
	e := s.Open(t)
	e.Transport, e.BaseURL = nil, "http://"+deadAddress(t)
	start := time.Now()
	_, err := open(t, s, e).Describe(t.Context())
	checkFailure(t, err, e.Credentials, ecp.CodeUnavailable)
	checkBound(t, s, start)
}

func testClose(t *testing.T, s AdapterSuite) {
	e, connections := front(t, s.Open(t))
	b := open(t, s, e)
	if _, err := b.Describe(t.Context()); err != nil {
		t.Fatalf("Describe: %v (cause: %v)", err, errors.Unwrap(err))
	}
	b.Close()
	b.Close()
	connections.wait(t, 0)
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

// checkDescription compares what is described with what should be.
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
