package ecptest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrCrashed is wrapped by the error of every call through a [NewFaultyStore]
// or [NewFaultyProvisioner] that the crash cut off or that came after it.
var ErrCrashed = errors.New("the process has crashed (a test's doing)")

// The boundaries, as [Crasher.Points] names them. A crash before one means
// that it was not done; a crash after one that it was done, and that the
// caller never learns.
const (
	BeforeWrite   = "before write" // fn has run, nothing is committed
	AfterWrite    = "after write"
	BeforeApply   = "before apply"
	AfterApply    = "after apply"
	BeforeDelete  = "before delete"
	AfterDelete   = "after delete"
	BeforeObserve = "before observe"
	AfterObserve  = "after observe"
)

// Crasher makes a process seem to be killed between two lines. Every boundary
// that a call crosses is counted; at the chosen one the process is dead: that
// call and all others fail from then on and touch nothing.
//
// Run a scenario once without arming to learn its boundaries, then once for
// each of them:
//
//	for n := 1; n <= len(points); n++ {
//		c := ecptest.NewCrasher()
//		c.Arm(n)
//		… run until <-c.Crashed(), then end the Manager's Run and go on with a
//		new Manager on the store and the provisioner inside …
//	}
//
// A call that another goroutine had begun on the inner store or provisioner
// when the crash came may still be carried out there, but its caller gets
// [ErrCrashed]; it is over when that caller is. So wait for Run before looking
// at what is left.
type Crasher struct {
	crashed chan struct{}

	mu     sync.Mutex
	points []string // guarded by mu
	at     int      // length of points at which to crash, 0 = never; guarded by mu
}

// NewCrasher returns a Crasher that counts and never crashes.
func NewCrasher() *Crasher { return &Crasher{crashed: make(chan struct{})} }

// Arm makes the n-th boundary from now, counted from 1, the last one. n <= 0
// takes that back.
func (c *Crasher) Arm(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = 0
	if n > 0 {
		c.at = len(c.points) + n
	}
}

// Crashed is closed when the crash comes.
func (c *Crasher) Crashed() <-chan struct{} { return c.crashed }

// Points returns the boundaries crossed until now, in order; after a crash the
// last one is where it came.
func (c *Crasher) Points() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.points)
}

// cross counts a boundary; the error says that the process is dead.
func (c *Crasher) cross(point string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.dead(point); err != nil {
		return err
	}
	c.points = append(c.points, point)
	if len(c.points) == c.at {
		close(c.crashed)
	}
	return c.dead(point)
}

// dead returns an error if the process is dead.
func (c *Crasher) dead(doing string) error {
	select {
	case <-c.crashed:
		return fmt.Errorf("%s: %w", doing, ErrCrashed)
	default:
		return nil
	}
}

// bound returns a context that the crash ends too. The caller calls the function
// when it is done.
func (c *Crasher) bound(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-c.crashed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-over
	}
}
