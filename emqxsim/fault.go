package emqxsim

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Fault makes a cluster's HTTP answers go wrong. Where several apply the one
// added first counts. What it does is said by the fields below When; those of
// zero value do nothing.
type Fault struct {
	// When it applies: to one node (its name; "" = every), to one method ("" =
	// every), to the escaped paths that path.Match takes ("" = every; a final
	// "**" stands for any rest), so many times (0 = until removed).
	Node, Method, Path string
	Times              int
	// Up and Down make it come and go by the clock: for Up it does nothing, then
	// for Down it applies, and so on from when it was added. Down 0 = always.
	Up, Down time.Duration

	Latency     time.Duration // of real time before the answer
	Hang        bool          // until the caller gives up
	Refuse      bool          // the connection, as a node that is down does
	Status      int           // instead of the answer; with Body
	Body        string
	ContentType string // instead of the right one
	Half        bool   // half the body, then the connection ends
	Size        int    // the body is filled up with spaces to so many bytes
}

type fault struct {
	Fault
	added time.Time
	left  int // times; -1 = for ever
}

// AddFault adds a fault; call remove to end it.
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

// acts says whether the fault is there at t.
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

// faultFor takes the fault of a request; the zero one if there is none.
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

// refuses says whether a fault keeps every connection to the node out.
func (n *Node) refuses(t time.Time) bool {
	return slices.ContainsFunc(n.c.faults, func(f *fault) bool {
		return f.Refuse && f.Path == "" && f.Method == "" && f.left < 0 && (f.Node == "" || f.Node == n.name) && f.acts(t)
	})
}

// alter makes of an answer what the fault wants.
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
