package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// agentsJob is what the agents' process reads from its standard input. It
// writes an agentsReady and runs until its input ends.
type agentsJob struct {
	Candidate string
	Count     int
	Pair      certificate
}

type agentsReady struct{ Origin, Direct string }

// agentsOrder is the second line: where to dial. The proxy of a slow link can
// only be made when the addresses of the first answer are known.
type agentsOrder struct{ Server string }

// bulkChunk is what bodies are copied through, as in the real agent.
const bulkChunk = 64 << 10

// originHandler is the HTTP service beside the agent, as a broker's API is.
func originHandler() http.Handler {
	mux := http.NewServeMux()
	small := []byte(
		`{"data":[{"node":"emqx@10.0.0.1","node_status":"running","version":"5.8.6","uptime":86400000,"connections":1234}]}`)
	mux.HandleFunc("GET /small", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(small)
	})
	mux.HandleFunc("GET /bulk", func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
		if err != nil {
			http.Error(w, "n: not a number", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		chunk := make([]byte, bulkChunk)
		for size > 0 {
			n, err := w.Write(chunk[:min(size, bulkChunk)])
			if err != nil {
				return
			}
			size -= int64(n)
		}
	})
	return mux
}

func reverseProxy(origin string) http.Handler {
	target := &url.URL{Scheme: "http", Host: origin}
	return &httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:  &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ReadBufferSize: 32 << 10},
		BufferPool: &bufferPool{},
		ErrorLog:   silent(),
	}
}

type bufferPool struct{ pool sync.Pool }

// Get returns a buffer.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, bulkChunk)
}

// Put takes it back.
func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }

// runAgents is the main function of the agents' process.
func runAgents(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := json.NewDecoder(in)
	var job agentsJob
	if err := lines.Decode(&job); err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	origin, stopOrigin, err := listenHTTP(ctx, &http.Server{Handler: originHandler(), ErrorLog: silent()}, &group)
	if err != nil {
		return err
	}
	defer stopOrigin()
	ready := agentsReady{Origin: origin}
	config, err := job.Pair.server()
	if err != nil {
		return err
	}
	direct, stopDirect, err := listenHTTP(ctx,
		&http.Server{Handler: reverseProxy(origin), TLSConfig: config, ErrorLog: silent()}, &group)
	if err != nil {
		return err
	}
	defer stopDirect()
	ready.Direct = direct
	if err := json.NewEncoder(out).Encode(ready); err != nil {
		return err
	}
	var order agentsOrder
	if err := lines.Decode(&order); err != nil {
		return fmt.Errorf("read where to dial: %w", err)
	}
	if err := dialAll(ctx, job, order.Server, origin, &group); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in) // lives as long as its parent
	cancel()
	return nil
}

// listenHTTP serves on a free port, over TLS if the server has a TLSConfig.
func listenHTTP(ctx context.Context, server *http.Server, group *sync.WaitGroup) (string, func(), error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	group.Go(func() {
		if server.TLSConfig != nil {
			_ = server.ServeTLS(listener, "", "")
		} else {
			_ = server.Serve(listener)
		}
	})
	return listener.Addr().String(), func() { _ = server.Close() }, nil
}

const dialAtOnce = 16 // a crowd would measure the handshakes' queue

func dialAll(ctx context.Context, job agentsJob, server, origin string, group *sync.WaitGroup) error {
	c, err := findCandidate(job.Candidate)
	if err != nil || c.agent == nil {
		return err
	}
	config, err := job.Pair.client()
	if err != nil {
		return err
	}
	env := &agentEnv{server: server, tls: config, origin: origin, handler: reverseProxy(origin), pair: job.Pair}
	slots := make(chan struct{}, dialAtOnce)
	for i := range job.Count {
		slots <- struct{}{}
		time.AfterFunc(10*time.Millisecond, func() { <-slots })
		group.Go(func() {
			if err := c.agent(ctx, env, agentID(i)); err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
				fmt.Fprintf(os.Stderr, "agent %s: %v\n", agentID(i), err)
			}
		})
	}
	return nil
}

func agentID(i int) string { return fmt.Sprintf("agent-%05d", i) }
