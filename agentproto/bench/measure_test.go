package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const mib = 1 << 20

// measureTraffic takes every figure of one candidate that needs one agent.
func (s *running) measureTraffic(ctx context.Context, j job, r *result) error {
	transport := s.carrier.transport(agentID(0))
	var err error
	if r.One, _, err = throughput(ctx, transport, 1, j); err != nil {
		return fmt.Errorf("one stream: %w", err)
	}
	if r.Eight, r.CPU, err = throughput(ctx, transport, 8, j); err != nil {
		return fmt.Errorf("eight streams: %w", err)
	}
	if r.Alone, err = small(ctx, transport, j); err != nil {
		return fmt.Errorf("small requests: %w", err)
	}
	bulk := startBulk(ctx, transport, 1)
	defer bulk.cancel()
	if !sleepUntil(ctx, time.Now().Add(j.Warm)) {
		return ctx.Err()
	}
	before, began := bulk.bytes.Load(), time.Now()
	if r.Busy, err = small(ctx, transport, j); err != nil {
		return fmt.Errorf("small requests beside bulk: %w", err)
	}
	r.BusyBulk = float64(bulk.bytes.Load()-before) / mib / time.Since(began).Seconds()
	return bulk.stop()
}

// bulk is a number of downloads that never end by themselves.
type bulk struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
	bytes  atomic.Int64
	mu     sync.Mutex
	err    error
}

func startBulk(ctx context.Context, transport http.RoundTripper, streams int) *bulk {
	ctx, cancel := context.WithCancel(ctx)
	b := &bulk{cancel: cancel}
	for range streams {
		b.group.Go(func() {
			if err := b.download(ctx, transport); err != nil && ctx.Err() == nil {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.err = err
			}
		})
	}
	return b
}

func (b *bulk) download(ctx context.Context, transport http.RoundTripper) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/bulk?n="+strconv.Itoa(1<<40),
		http.NoBody)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := response.Body.Read(buf)
		b.bytes.Add(int64(n))
		if err != nil {
			return err
		}
	}
}

func (b *bulk) stop() error {
	b.cancel()
	b.group.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// throughput returns MiB/s over the streams together and the server's CPU
// seconds per GiB.
func throughput(ctx context.Context, transport http.RoundTripper, streams int, j job) (rate, cpu float64, err error) {
	b := startBulk(ctx, transport, streams)
	defer b.cancel()
	if !sleepUntil(ctx, time.Now().Add(j.Warm)) {
		return 0, 0, ctx.Err()
	}
	bytes, used, began := b.bytes.Load(), cpuTime(), time.Now()
	if !sleepUntil(ctx, began.Add(j.For)) {
		return 0, 0, ctx.Err()
	}
	took := time.Since(began)
	bytes, used = b.bytes.Load()-bytes, cpuTime()-used
	if err := b.stop(); err != nil {
		return 0, 0, err
	}
	if bytes == 0 {
		return 0, 0, errors.New("no byte arrived")
	}
	return float64(bytes) / mib / took.Seconds(), used.Seconds() / (float64(bytes) / (1 << 30)), nil
}

// small sends small requests one after the other: on a slow link by four
// workers, since there too few would fit into the time.
func small(ctx context.Context, transport http.RoundTripper, j job) (latency, error) {
	workers := 1
	if !j.Link.plain() {
		workers = 4
	}
	ctx, cancel := context.WithTimeout(ctx, j.For+time.Minute)
	defer cancel()
	end := time.Now().Add(j.For)
	took := make([][]time.Duration, workers)
	failed := make([]error, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() { took[i], failed[i] = smallUntil(ctx, transport, end) })
	}
	group.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	if err := errors.Join(failed...); err != nil {
		return latency{}, err
	}
	return latency{P50: all[len(all)/2], P99: all[len(all)*99/100], Count: len(all)}, nil
}

func smallUntil(ctx context.Context, transport http.RoundTripper, end time.Time) ([]time.Duration, error) {
	var took []time.Duration
	for warm := 0; time.Now().Before(end) || len(took) == 0; warm++ {
		began := time.Now()
		if err := smallOnce(ctx, transport); err != nil {
			return nil, err
		}
		if warm >= 3 { // the first ones open streams and connections
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

func smallOnce(ctx context.Context, transport http.RoundTripper) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/small", http.NoBody)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// memory is what a process holds once it has given back what it does not need.
type memory struct {
	rss, heap  int // KiB
	goroutines int
}

func readMemory() memory {
	for range 3 {
		runtime.GC() // the second empties what pools kept through the first; stacks shrink as well
	}
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return memory{rss: residentKiB(), heap: int(stats.HeapInuse+stats.StackInuse) >> 10,
		goroutines: runtime.NumGoroutine()}
}

func residentKiB() int {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// measureIdle sends each agent one request, waits until nothing moves, and
// divides what the server has grown by.
func (s *running) measureIdle(ctx context.Context, j job, r *result) error {
	if j.Candidate != reference { // which has opened its connections by hand
		for i := range j.Idle {
			transport := s.carrier.transport(agentID(i))
			if err := smallOnce(ctx, transport); err != nil {
				return fmt.Errorf("agent %d: %w", i, err)
			}
			if closer, ok := transport.(interface{ CloseIdleConnections() }); ok {
				closer.CloseIdleConnections()
			}
		}
	}
	if !sleepUntil(ctx, time.Now().Add(2*time.Second)) {
		return ctx.Err()
	}
	now := readMemory()
	n := float64(j.Idle)
	r.RSS = float64(now.rss-s.base.rss) / n
	r.Heap = float64(now.heap-s.base.heap) / n
	r.Goroutines = float64(now.goroutines-s.base.goroutines) / n
	return nil
}
