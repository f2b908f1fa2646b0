package podsim_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openecp/openecp/internal/kubelab/labtest"
	"github.com/openecp/openecp/internal/kubelab/podsim"
)

// benchPods is how many pods the benchmark has: a hundred clusters of three.
const benchPods = 300

// BenchmarkPods measures what the simulation itself takes: the time until 300
// pods made at once are ready, then this process's share of one core while
// nothing happens but probes, its goroutines and its heap.
func BenchmarkPods(b *testing.B) {
	lab := labtest.Start(b)
	admin, err := podsim.Admin(lab)
	if err != nil {
		b.Fatal(err)
	}
	sim, err := podsim.New(podsim.Config{REST: admin, Factory: new(web).make})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	for b.Loop() {
		ns := labtest.Namespace(b, lab)
		begun := time.Now()
		status, answer, err := lab.Do(b.Context(), http.MethodPost, "/apis/apps/v1/namespaces/"+ns+"/statefulsets",
			[]byte(fmt.Sprintf(`{
			"metadata":{"name":"s"},"spec":{"replicas":%d,"podManagementPolicy":"Parallel","selector":{"matchLabels":{%[2]q:"b"}},
			"template":{"metadata":{"labels":{%[2]q:"b"}},"spec":{"containers":[`+container+`]}}}}`, benchPods, podsim.Label, "")))
		if err != nil || status != http.StatusCreated {
			b.Fatalf("%d %s %v", status, answer, err)
		}
		labtest.Eventually(b, 3*time.Minute, "all pods are ready", func(ctx context.Context) (bool, string) {
			_, body, err := lab.Do(ctx, http.MethodGet, "/apis/apps/v1/namespaces/"+ns+"/statefulsets/s", nil)
			return strings.Contains(string(body), fmt.Sprintf(`"readyReplicas":%d,`, benchPods)),
				fmt.Sprintf("%s %v", body, err)
		})
		b.ReportMetric(time.Since(begun).Seconds(), "s-until-ready")
		idle(b)
	}
}

// idle reports what the process takes in five seconds.
func idle(b *testing.B) {
	const window = 5 * time.Second
	before := cpu(b)
	<-time.After(window)
	b.ReportMetric(100*float64(cpu(b)-before)/float64(window), "%core-idle")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc+m.StackInuse)/(1<<20), "MB")
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
