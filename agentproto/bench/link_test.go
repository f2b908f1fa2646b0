package bench

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// linkSpec describes the network between agent and server. The zero value is
// the loopback interface as it is, without a proxy in between.
type linkSpec struct {
	Name  string
	Delay time.Duration // one way, in each direction
	Rate  int           // bytes per second in each direction; zero is unlimited
	Queue int           // bytes that wait at the bottleneck before the sender is held back
}

// plain reports whether the link needs no proxy.
func (s linkSpec) plain() bool { return s.Delay == 0 && s.Rate == 0 }

const (
	linkChunk      = 16 << 10
	linkKernelRead = 64 << 10 // receive buffer of a rate-limited link: what the kernel holds is queue, too
)

// link is a TCP proxy that delays what passes, and limits its rate with a
// token bucket. The kernel's own netem is not on every machine.
type link struct {
	spec     linkSpec
	target   string
	listener net.Listener
	cancel   context.CancelFunc
	group    sync.WaitGroup
}

// newLink listens on a free port of the loopback interface and passes each
// connection on to target. Close ends it and waits for its goroutines.
func newLink(ctx context.Context, spec linkSpec, target string) (*link, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &link{spec: spec, target: target, listener: listener, cancel: cancel}
	l.group.Go(func() { l.accept(ctx) })
	return l, nil
}

// Addr returns the address to dial instead of the target's.
func (l *link) Addr() string { return l.listener.Addr().String() }

// Close ends all connections and returns when the last goroutine has ended.
func (l *link) Close() error {
	l.cancel()
	err := l.listener.Close()
	l.group.Wait()
	return err
}

func (l *link) accept(ctx context.Context) {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.group.Go(func() { l.serve(ctx, conn) })
	}
}

// serve joins one connection to the target until either side ends it.
func (l *link) serve(ctx context.Context, near net.Conn) {
	defer near.Close()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", l.target)
	if err != nil {
		return
	}
	defer far.Close()
	stop := context.AfterFunc(ctx, func() {
		near.Close()
		far.Close()
	})
	defer stop()
	if l.spec.Rate > 0 {
		for _, conn := range []net.Conn{near, far} {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetReadBuffer(linkKernelRead) // the default is a larger queue than the link is meant to have
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { l.carry(ctx, far, near) })
	both.Go(func() { l.carry(ctx, near, far) })
	both.Wait()
}

// parcel is a piece of the stream and the time at which it may arrive.
type parcel struct {
	data []byte
	due  time.Time
}

// carry copies one direction: a reader takes bytes no faster than the token
// bucket allows, and a writer hands them on when their delay is over.
func (l *link) carry(ctx context.Context, to, from net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parcels := make(chan parcel, l.parcels())
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(parcels)
		l.read(ctx, from, parcels)
	})
	for p := range parcels {
		if !sleepUntil(ctx, p.due) {
			break
		}
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	cancel()
	halfClose(to)
	// The reader may be blocked in Read: nobody takes its bytes any more.
	if err := from.SetReadDeadline(time.Now()); err != nil {
		from.Close()
	}
	reader.Wait()
}

// parcels is how many pieces may be under way: enough for 2 GiB/s over the
// delay when the rate is not limited, since the link itself must not be the limit.
func (l *link) parcels() int {
	bytes := 2 << 30
	if l.spec.Rate > 0 {
		bytes = l.spec.Rate
	}
	inFlight := int(float64(bytes) * l.spec.Delay.Seconds())
	return 4 + (inFlight+l.spec.Queue)/linkChunk
}

func (l *link) read(ctx context.Context, from net.Conn, parcels chan<- parcel) {
	bucket := tokenBucket{rate: l.spec.Rate}
	size := linkChunk
	if l.spec.Rate > 0 {
		size = min(size, max(1500, l.spec.Rate/1000)) // about a millisecond of the link each
	}
	buf := make([]byte, size)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			sent := bucket.take(time.Now(), n)
			p := parcel{data: append([]byte(nil), buf[:n]...), due: sent.Add(l.spec.Delay)}
			select {
			case parcels <- p:
			case <-ctx.Done():
				return
			}
			// Reading stops while more than the queue is waiting for tokens.
			if ahead := bucket.queue(l.spec.Queue); l.spec.Rate > 0 && !sleepUntil(ctx, sent.Add(-ahead)) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// tokenBucket says when bytes have passed a link of the given rate. It holds
// no burst: a link that was idle does not owe anything.
type tokenBucket struct {
	rate int
	free time.Time // when the link has sent all that was taken
}

// take books n bytes at now and returns the time at which the last of them has been sent.
func (b *tokenBucket) take(now time.Time, n int) time.Time {
	if b.rate <= 0 {
		return now
	}
	if b.free.Before(now) {
		b.free = now
	}
	b.free = b.free.Add(time.Duration(float64(n) / float64(b.rate) * float64(time.Second)))
	return b.free
}

// queue returns how long it takes to send that many bytes.
func (b *tokenBucket) queue(bytes int) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	return time.Duration(float64(bytes) / float64(b.rate) * float64(time.Second))
}

// sleepUntil waits and reports whether the context is still alive.
func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return !errors.Is(ctx.Err(), context.Canceled)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// halfClose tells the peer that no more will come, as the sender did.
func halfClose(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		return
	}
	conn.Close()
}
