package k8sprovisioner

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// forwardTimeout bounds how long it takes to open a port-forward.
const forwardTimeout = 10 * time.Second

// forwarded returns a transport that opens a port-forward for each connection, to the
// port of a pod that the request names. Connections are not kept after a request.
func (p *Provisioner) forwarded(pod *corev1.Pod) http.RoundTripper {
	return &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: 10 * time.Second,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			_, text, _ := net.SplitHostPort(address)
			port, err := strconv.Atoi(text)
			var c *forwardedConn
			if err == nil {
				c, err = p.forward(ctx, pod, port)
			}
			if err != nil {
				return nil, fmt.Errorf("forward port %s of pod %s: %w", text, pod.Name, err)
			}
			return c, nil
		},
	}
}

// forward opens a stream to a pod's port through the API server.
func (p *Provisioner) forward(ctx context.Context, pod *corev1.Pod, port int) (*forwardedConn, error) {
	over := p.api.config()
	target := p.api.redirect(core(p.client).Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).
		SubResource("portforward").URL())
	overWebSocket, err := portforward.NewSPDYOverWebsocketDialer(target, over)
	if err != nil {
		return nil, err
	}
	round, upgrader, err := spdy.RoundTripperFor(over)
	if err != nil {
		return nil, err
	}
	dialer := portforward.NewFallbackDialer(overWebSocket,
		spdy.NewDialer(upgrader, &http.Client{Transport: round}, http.MethodPost, target), func(err error) bool {
			return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
		})
	type outcome struct {
		conn *forwardedConn
		err  error
	}
	done := make(chan outcome, 1)
	go func() { // the dialer takes no context
		c, err := openStream(dialer, port)
		done <- outcome{c, err}
	}()
	timer := time.NewTimer(forwardTimeout)
	defer timer.Stop()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		return o.conn, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("it is not open after %v", forwardTimeout)
	}
	go func() {
		if o := <-done; o.err == nil {
			_ = o.conn.Close()
		}
	}()
	return nil, err
}

func openStream(dialer httpstream.Dialer, port int) (*forwardedConn, error) {
	conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	errors, err := conn.CreateStream(headers)
	if err == nil {
		headers.Set(corev1.StreamType, corev1.StreamTypeData)
		var data httpstream.Stream
		if data, err = conn.CreateStream(headers); err == nil {
			return newForwardedConn(conn, data, errors), nil
		}
	}
	_ = conn.Close()
	return nil, err
}

// forwardedConn is one port-forward as a connection. It ignores deadlines: the caller
// closes it instead, as net/http does.
type forwardedConn struct {
	httpstream.Stream // data
	conn              httpstream.Connection
	refused           chan struct{} // closed when the error stream has ended
	why               string        // what it said; read after refused is closed
	once              sync.Once
}

// The error stream: how much of it is read, and how long after the data it may end.
const (
	mostRefusal     = 4 << 10
	refusalPatience = time.Second
)

func newForwardedConn(conn httpstream.Connection, data, refusals httpstream.Stream) *forwardedConn {
	c := &forwardedConn{Stream: data, conn: conn, refused: make(chan struct{})}
	_ = refusals.Close() // our half, since we send no errors
	go func() {
		defer close(c.refused)
		b, _ := io.ReadAll(io.LimitReader(refusals, mostRefusal))
		c.why = strings.TrimSpace(string(b))
		if c.why != "" {
			_ = data.Reset() // no data will come: this ends the reader
		}
	}()
	return c
}

// Read reads from the pod. If the other side has refused, the error has the reason.
func (c *forwardedConn) Read(b []byte) (int, error) {
	n, err := c.Stream.Read(b)
	if err == nil || n > 0 {
		return n, nil
	}
	timer := time.NewTimer(refusalPatience)
	defer timer.Stop()
	select {
	case <-c.refused:
		if c.why != "" {
			return 0, fmt.Errorf("the pod's machine says: %s", c.why)
		}
	case <-timer.C:
	}
	return 0, err
}

// Close ends the port-forward and waits for the goroutine that reads errors.
func (c *forwardedConn) Close() error {
	var err error
	c.once.Do(func() {
		_ = c.Stream.Reset()
		err = c.conn.Close()
		<-c.refused
	})
	return err
}

type forwardAddr struct{}

// Network names the kind of address.
func (forwardAddr) Network() string { return "port-forward" }

// String says that there is no address.
func (forwardAddr) String() string { return "port-forward" }

// LocalAddr says that there is none.
func (c *forwardedConn) LocalAddr() net.Addr { return forwardAddr{} }

// RemoteAddr says that there is none.
func (c *forwardedConn) RemoteAddr() net.Addr { return forwardAddr{} }

// SetDeadline does nothing.
func (c *forwardedConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *forwardedConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *forwardedConn) SetWriteDeadline(time.Time) error { return nil }
