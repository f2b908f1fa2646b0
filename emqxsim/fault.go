package emqxsim

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Fault makes HTTP answers of a cluster go wrong. If several faults apply, the first one that
// was added counts. The first fields say when a fault applies, the others what it does; those
// with their zero value do nothing.
type Fault struct {
	// When a fault applies: on one node (an empty Node means every node), for one method
	// (empty means every method), for escaped paths that match the pattern Path as in
	// path.Match, where a final "**" matches any rest (empty means every path), and as
	// often as Times says (0 means until it is removed).
	Node, Method, Path string
	Times              int
	// Up and Down switch the fault by the clock: from the time it was added it does nothing
	// for Up, applies for Down, and so on. If Down is 0 it always applies.
	Up, Down time.Duration

	Latency     time.Duration // real time before the answer
	Hang        bool          // until the caller gives up
	Refuse      bool          // refuse the connection, as a node that is down does
	Status      int           // replaces the answer, together with Body
	Body        string
	ContentType string // replaces the right one
	Half        bool   // send half of the body, then close the connection
	Size        int    // fill the body up with spaces to so many bytes
}

type fault struct {
	Fault
	added time.Time
	left  int // how often it still applies; -1 means without limit
}

// AddFault adds a fault. Calling remove ends it.
func (c *Cluster) AddFault(f Fault) (remove func()) {
	own := &fault{Fault: f, left: -1}
	if f.Times > 0 {
		own.left = f.Times
	}
	c.change(func(t time.Time) {
		own.added = t
		c.faults = append(c.faults, own)
	})
	return func() {
		c.change(func(time.Time) {
			c.faults = slices.DeleteFunc(c.faults, func(o *fault) bool { return o == own })
		})
	}
}

// acts reports whether the fault applies at t.
func (f *fault) acts(t time.Time) bool {
	return f.left != 0 && (f.Down <= 0 || t.Sub(f.added)%(f.Up+f.Down) >= f.Up)
}

func (f *fault) fits(n *Node, r *http.Request) bool {
	p := r.URL.EscapedPath()
	ok := f.Path == ""
	if before, found := strings.CutSuffix(f.Path, "**"); found {
		ok = strings.HasPrefix(p, before)
	} else if !ok {
		ok, _ = path.Match(f.Path, p)
	}
	return ok && (f.Node == "" || f.Node == n.name) && (f.Method == "" || f.Method == r.Method)
}

// faultFor returns the fault for a request and counts it. It is zero if none applies.
func (n *Node) faultFor(r *http.Request, t time.Time) Fault {
	for _, f := range n.c.faults {
		if f.acts(t) && f.fits(n, r) {
			if f.left > 0 {
				f.left--
			}
			return f.Fault
		}
	}
	return Fault{}
}

// refuses reports whether a fault refuses every connection to the node.
func (n *Node) refuses(t time.Time) bool {
	return slices.ContainsFunc(n.c.faults, func(f *fault) bool {
		return f.Refuse && f.Path == "" && f.Method == "" && f.left < 0 && (f.Node == "" || f.Node == n.name) &&
			f.acts(t)
	})
}

// alter changes an answer as the fault says.
func (f Fault) alter(a answer) answer {
	if f.Status != 0 {
		a = answer{status: f.Status, contentType: a.contentType, body: f.Body}
	}
	if f.ContentType != "" {
		a.contentType = f.ContentType
	}
	if n := f.Size - len(a.body); n > 0 {
		a.body += strings.Repeat(" ", n)
	}
	return a
}
