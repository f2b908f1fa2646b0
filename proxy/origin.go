package proxy

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/openecp/openecp/ecp"
)

// Every dashboard has an origin of its own, never the API's: EMQX' dashboards keep
// what logs people in per origin, and whatever a broker serves must not run where
// somebody else's is kept.

// Domain gives each cluster a host name: its id, a dot, and Host.
type Domain struct {
	Scheme string // "https", or "http"
	Host   string // e.g. "dash.example.com"; with a port where browsers need one
}

// Ports give each cluster a port of one host, from when a dashboard of it is first
// asked for. Which one may be another after a restart.
type Ports struct {
	Scheme string // "https", or "http"
	Host   string // name or address under which browsers reach the ports
	// First and Last bound the ports; both 0 = any that are free.
	First, Last int
	// Open serves h on a port, 0 = any free one, until the program ends, and says
	// which it is. It returns at once.
	Open func(ctx context.Context, port int, h http.Handler) (int, error)
}

// freePorts is how many ports are opened where any will do.
const freePorts = 64

// defaultPorts are those that do not stand in an origin.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// origin of a cluster, as browsers write it.
func (d Domain) origin(id ecp.ID) *url.URL {
	return &url.URL{Scheme: d.Scheme, Host: shortHost(d.Scheme, string(id)+"."+d.Host)}
}

// cluster gives the id in a host, as a request names it, whatever the port: what
// is in front of the program may have another. false = it is not one of the
// domain's.
func (d Domain) cluster(host string) (ecp.ID, bool) {
	id, domain, _ := strings.Cut(bareHost(host), ".")
	return ecp.ID(id), domain == bareHost(d.Host) && ecp.ID(id).Valid()
}

// Covers says whether a host, as a request names it, belongs to dashboards, also
// where there is no such cluster.
func (d Domain) Covers(host string) bool {
	host, domain := bareHost(host), bareHost(d.Host)
	return host == domain || strings.HasSuffix(host, "."+domain)
}

func bareHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.Trim(strings.ToLower(host), "[]"), ".")
}

// shortHost leaves the port out where browsers do.
func shortHost(scheme, host string) string {
	return strings.TrimSuffix(host, ":"+defaultPorts[scheme])
}

// quay is the ports that are open, and whose each is.
type quay struct {
	Ports
	mu    sync.Mutex
	of    map[ecp.ID]int // guarded by mu
	whose map[int]ecp.ID // guarded by mu; every open port is in it
	tried map[int]bool   // guarded by mu; could not be opened lately: somebody else has them
}

func newQuay(p Ports) *quay {
	return &quay{Ports: p, of: map[ecp.ID]int{}, whose: map[int]ecp.ID{}, tried: map[int]bool{}}
}

// errNoPort says that all ports are in use.
var errNoPort = errors.New("every port for dashboards is in use")

// berth gives a cluster's port, opened where it is not yet; idle says whether
// nobody comes to a cluster's dashboard any more, so that its port can be
// another's.
func (q *quay) berth(ctx context.Context, id ecp.ID, serve func(port int) http.Handler, idle func(ecp.ID) bool) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if port, ok := q.of[id]; ok {
		return port, nil
	}
	port, err := q.openLocked(ctx, id, serve)
	if errors.Is(err, errNoPort) {
		for p, other := range q.whose {
			if idle(other) {
				delete(q.of, other)
				port, err = p, nil
				break
			}
		}
	}
	if err != nil {
		return 0, err
	}
	q.of[id], q.whose[port] = port, id
	return port, nil
}

// openLocked opens one more port. A cluster begins its search where its id says,
// so that it mostly has the same after a restart.
func (q *quay) openLocked(ctx context.Context, id ecp.ID, serve func(port int) http.Handler) (int, error) {
	if q.First == 0 {
		if len(q.whose) >= freePorts {
			return 0, errNoPort
		}
		var port int
		ready := make(chan struct{}) // the port is known after it is open
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-ready
			serve(port).ServeHTTP(w, r)
		})
		defer close(ready)
		var err error
		port, err = q.Open(ctx, 0, h)
		return port, err
	}
	last := errNoPort
	n := q.Last - q.First + 1
	first := int(crc32.ChecksumIEEE([]byte(id)) % uint32(n))
	for i := range n {
		port := q.First + (first+i)%n
		if _, open := q.whose[port]; open || q.tried[port] {
			continue
		}
		if _, err := q.Open(ctx, port, serve(port)); err != nil {
			q.tried[port] = true
			last = fmt.Errorf("%w; the last one that was tried: %w", errNoPort, err)
			continue
		}
		return port, nil
	}
	clear(q.tried) // whoever has them may have gone when it is asked again
	return 0, last
}

// cluster says whose a port is.
func (q *quay) cluster(port int) (ecp.ID, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	id, ok := q.whose[port]
	return id, ok
}

// origin of a port, as browsers write it.
func (q *quay) origin(port int) *url.URL {
	return &url.URL{Scheme: q.Scheme, Host: shortHost(q.Scheme, net.JoinHostPort(q.Host, strconv.Itoa(port)))}
}
