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

// door is a listener of a node that the program opens.
type door struct {
	node, what     string
	user, password string
	handler        http.Handler
	listener       net.Listener
}

// serve runs the cluster until ctx ends.
func serve(ctx context.Context, o options, stdout io.Writer) (err error) {
	doors := o.doors(o.cluster())
	defer func() {
		for _, d := range doors {
			if d.listener != nil {
				_ = d.listener.Close()
			}
		}
	}()
	port := o.port
	for i := range doors {
		address := net.JoinHostPort(o.host, strconv.Itoa(port))
		if doors[i].listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			return fmt.Errorf("open %s for the %s of %s: %w", address, doors[i].what, doors[i].node, err)
		}
		if port != 0 {
			port++
		}
	}
	for _, d := range doors {
		if _, err := fmt.Fprintf(stdout, "%s %s http://%s %s:%s\n", d.node, d.what, d.listener.Addr(), d.user, d.password); err != nil {
			return err
		}
	}
	return serveDoors(ctx, o.version, doors)
}

// serveDoors serves every door until ctx ends or one of them breaks.
func serveDoors(ctx context.Context, version string, doors []door) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	var servers []*http.Server
	for _, d := range doors {
		s := emqxsim.NewServer(version, d.handler)
		servers = append(servers, s)
		running.Go(func() {
			if err := s.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("serve the %s of %s: %w", d.what, d.node, err))
			}
		})
	}
	<-ctx.Done()
	end, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer done()
	for _, s := range servers {
		if s.Shutdown(end) != nil {
			_ = s.Close() // somebody waits for a slow answer: no more
		}
	}
	running.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// patience is how long answers that are under way may take at the end.
const patience = 2 * time.Second
