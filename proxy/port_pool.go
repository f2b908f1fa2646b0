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
	"sync"

	"github.com/openecp/openecp/ecp"
)

// maxFreePorts is how many ports are opened where any free one is used.
const maxFreePorts = 64

// portPool assigns ports to clusters.
type portPool struct {
	Ports
	mu     sync.Mutex
	of     map[ecp.ID]int // guarded by mu
	owner  map[int]ecp.ID // guarded by mu; every open port is in it
	failed map[int]bool   // guarded by mu; another program has these
}

func newPortPool(p Ports) *portPool {
	return &portPool{Ports: p, of: map[ecp.ID]int{}, owner: map[int]ecp.ID{}, failed: map[int]bool{}}
}

// errNoPort means that all ports are in use.
var errNoPort = errors.New("every port for dashboards is in use")

// assign returns a cluster's port, and opens one if it has none. If all are in use, it
// takes the port of a cluster for which unused reports that nobody comes there any
// more.
func (p *portPool) assign(
	ctx context.Context, id ecp.ID, serve func(port int) http.Handler, unused func(ecp.ID) bool,
) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if port, ok := p.of[id]; ok {
		return port, nil
	}
	port, err := p.openLocked(ctx, id, serve)
	if errors.Is(err, errNoPort) {
		for taken, other := range p.owner {
			if unused(other) {
				delete(p.of, other)
				port, err = taken, nil
				break
			}
		}
	}
	if err != nil {
		return 0, err
	}
	p.of[id], p.owner[port] = port, id
	return port, nil
}

// openLocked opens one more port.
func (p *portPool) openLocked(ctx context.Context, id ecp.ID, serve func(port int) http.Handler) (int, error) {
	if p.First == 0 {
		return p.openAnyLocked(ctx, serve)
	}
	last := errNoPort
	n := p.Last - p.First + 1
	first := int(crc32.ChecksumIEEE([]byte(id)) % uint32(n)) // so a cluster mostly has the same port after a restart
	for i := range n {
		port := p.First + (first+i)%n
		if _, open := p.owner[port]; open || p.failed[port] {
			continue
		}
		if _, err := p.Open(ctx, port, serve(port)); err != nil {
			p.failed[port] = true
			last = fmt.Errorf("%w; the last one that was tried: %w", errNoPort, err)
			continue
		}
		return port, nil
	}
	clear(p.failed) // they may be free at the next try
	return 0, last
}

func (p *portPool) openAnyLocked(ctx context.Context, serve func(port int) http.Handler) (port int, err error) {
	if len(p.owner) >= maxFreePorts {
		return 0, errNoPort
	}
	opened := make(chan struct{}) // the port is known only after requests can arrive
	defer close(opened)
	port, err = p.Open(ctx, 0, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-opened
		serve(port).ServeHTTP(w, r)
	}))
	return port, err
}

// cluster returns the cluster that has a port now.
func (p *portPool) cluster(port int) (ecp.ID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.owner[port]
	return id, ok
}

// origin returns the origin of a port as browsers write it.
func (p *portPool) origin(port int) *url.URL {
	return &url.URL{Scheme: p.Scheme, Host: withoutDefaultPort(p.Scheme, net.JoinHostPort(p.Host, strconv.Itoa(port)))}
}
