package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/openecp/openecp/emqxsim"
)

// listener is a listener of a node.
type listener struct {
	node, what     string
	user, password string
	handler        http.Handler
	listener       net.Listener
}

// serve runs the cluster until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer) (err error) {
	all := o.listeners(o.cluster())
	defer func() {
		for _, d := range all {
			if d.listener != nil {
				_ = d.listener.Close()
			}
		}
	}()
	port := o.port
	for i := range all {
		address := net.JoinHostPort(o.host, strconv.Itoa(port))
		if all[i].listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			return fmt.Errorf("open %s for the %s of %s: %w", address, all[i].what, all[i].node, err)
		}
		if port != 0 {
			port++
		}
	}
	for _, d := range all {
		if _, err := fmt.Fprintf(stdout, "%s %s http://%s %s:%s\n", d.node, d.what, d.listener.Addr(), d.user,
			d.password); err != nil {
			return err
		}
	}
	return serveAll(ctx, o.version, all)
}

// serveAll serves every listener until ctx ends or one of them fails.
func serveAll(ctx context.Context, version string, all []listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	var servers []*http.Server
	for _, d := range all {
		s := emqxsim.NewServer(version, d.handler)
		servers = append(servers, s)
		running.Go(func() {
			if err := s.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("serve the %s of %s: %w", d.what, d.node, err))
			}
		})
	}
	<-ctx.Done()
	end, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer done()
	for _, s := range servers {
		if s.Shutdown(end) != nil {
			_ = s.Close() // a client still waits for a slow answer
		}
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// shutdownTimeout is how long the last answers may take at the end.
const shutdownTimeout = 2 * time.Second
