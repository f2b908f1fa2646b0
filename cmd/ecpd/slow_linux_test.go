package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

const gib = 1 << 30

// slow is an EMQX whose answers are large, trickle, or do not begin.
func slow(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/large"), strings.HasSuffix(r.URL.Path, "/endless"):
		if strings.HasSuffix(r.URL.Path, "/large") {
			w.Header().Set("Content-Length", strconv.Itoa(gib))
		}
		piece := make([]byte, 64<<10)
		for n := 0; n < gib; n += len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	case strings.HasSuffix(r.URL.Path, "/trickle"):
		for tick := time.NewTicker(200 * time.Millisecond); r.Context().Err() == nil; <-tick.C {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		}
	default:
		_, _ = io.WriteString(w, "here")
	}
}

// residentMiB is how many MiB of memory a process has of its own.
func residentMiB(t *testing.T, pid int) int { t.Helper(); return memoryOf(t, pid, "VmRSS") >> 10 }

// agentProcess registers and runs the agent's program, beside the witness.
func (d *tunnelled) agentProcess(t *testing.T) *process {
	t.Helper()
	binary := processtest.Agent(t, runtime.GOARCH)
	var made struct{ ID string }
	d.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"process"}`, &made, 201)
	var guide struct{ Token string }
	d.call(t, "POST", "/api/v1/clusters/"+made.ID+"/setup", `{"method":"binary","arch":"amd64"}`, &guide, 201)
	dir := filepath.Join(t.TempDir(), "agent")
	register := processtest.Run(t,
		exec.Command(binary, "register", "--home", dir, "--url", d.url, "--registration-token", guide.Token,
			"--emqx-dashboard-url", d.witness.URL,
			"--emqx-api-url", d.witness.URL, "--emqx-dashboard-username", "admin", "--emqx-dashboard-password",
			"public"))
	require.Zero(t, register.Code, "%s", register)
	p := launchProgram(t, binary, t.TempDir(), nil, "run", "--home", dir)
	d.id = made.ID
	d.reaches(t, made.ID, "running")
	return p
}

// TestSlowOnes measures what readers that have stopped, a broker that trickles, large
// answers and 200 people with dashboards cost those who make small calls meanwhile,
// and in memory.
func TestSlowOnes(t *testing.T) {
	if os.Getenv("OPENECP_LONG") != "1" {
		t.Skip("takes a minute; run with OPENECP_LONG=1")
	}
	programs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(programs, "emqxee-agent-linux-amd64"),
		[]byte("\x7fELF: guides tell its sum"), 0o755))
	d := &tunnelled{daemon: dev(t, filepath.Join(t.TempDir(), "data"), "--agents-dir", programs),
		witness: newWitness(t, "5.8.9", slow)}
	a := d.agentProcess(t)
	before := [2]int{residentMiB(t, d.PID()), residentMiB(t, a.PID())}
	small := *d.asUser(t)
	stop, over := make(chan struct{}), make(chan struct{})
	var peak [2]int
	var took []time.Duration
	var refused atomic.Int32
	go func() { // a person who asks for little
		defer close(over)
		for {
			select {
			case <-stop:
				return
			default:
			}
			began := time.Now()
			got, err := small.try("GET", d.calls()+"/api/v5/nodes", "")
			if err != nil || got.status != 200 {
				refused.Add(1)
			}
			took = append(took, time.Since(began))
			for i, pid := range []int{d.PID(), a.PID()} {
				peak[i] = max(peak[i], residentMiB(t, pid))
			}
		}
	}()
	figures := func(what string) {
		t.Helper()
		t.Logf("%s: peak of ecpd %d MiB (%d before), of the agent %d MiB (%d before)", what, peak[0], before[0],
			peak[1], before[1])
	}

	host, cookie := d.dashboard(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/own/large", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Cookie", cookie)
	began := time.Now()
	res, err := d.http.Do(r)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.EqualValues(t, gib, n)
	t.Logf("1 GiB through the dashboard's way in %s", time.Since(began).Round(time.Millisecond))
	require.Contains(t, string(d.call(t, "GET", d.calls()+"/api/v5/own/large", "", nil, 502).body),
		"larger than 256 MiB")
	cut, err := d.try("GET", d.calls()+"/api/v5/own/endless", "")
	require.Error(t, err, "an answer that is cut off does not end")
	require.Len(t, cut.body, 256<<20)
	cut.body = nil
	figures("large answers")

	var conns []net.Conn
	open := func(host, head string, n int) {
		for range n {
			conn, err := net.Dial("tcp", host)
			require.NoError(t, err)
			conns = append(conns, conn)
			_, err = io.WriteString(conn, head)
			require.NoError(t, err)
		}
	}
	api := strings.TrimPrefix(d.url, "http://")
	for _, what := range []string{"endless", "trickle"} {
		open(api, "GET "+d.calls()+"/api/v5/own/"+what+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+d.token+
			"\r\n\r\n", 60)
		open(host, "GET /own/"+what+" HTTP/1.1\r\nHost: "+host+"\r\nCookie: "+cookie+"\r\n\r\n", 60)
	}
	<-time.After(15 * time.Second) // some are moved on, and the others are ended
	figures("240 readers that have stopped or are kept waiting")

	var people sync.WaitGroup
	var pages, failed atomic.Int32
	for range 10 {
		somebody := tunnelled{daemon: d.asUserNamed(t, fmt.Sprintf("reader-%d", pages.Add(1))), id: d.id}
		for range 20 {
			host, cookie := somebody.dashboard(t)
			people.Go(func() {
				for _, path := range []string{"/", "/static/app.js", "/own/a", "/own/b", "/own/c", "/own/d"} {
					r, err := http.NewRequest(http.MethodGet, "http://"+host+path, http.NoBody)
					if err != nil {
						failed.Add(1)
						continue
					}
					r.Header.Set("Cookie", cookie)
					res, err := d.http.Do(r)
					if err != nil || res.StatusCode != http.StatusOK {
						failed.Add(1)
					}
					if err == nil {
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
				}
			})
		}
	}
	people.Wait()
	figures("200 people with dashboards beside them")
	close(stop)
	<-over
	for _, conn := range conns {
		_ = conn.Close()
	}
	slices.Sort(took)
	t.Logf("%d small calls meanwhile: p50 %s, p99 %s, longest %s; %d not answered; %d of 1200 pages not shown",
		len(took),
		took[len(took)/2].Round(10*time.Microsecond), took[len(took)*99/100].Round(
			10*time.Microsecond), took[len(took)-1].Round(10*time.Microsecond), refused.Load(), failed.Load())
	require.Zero(t, refused.Load())
	require.Zero(t, failed.Load())
	require.Less(t, peak[0], 1024, "MiB of ecpd")
	require.Less(t, peak[1], 256, "MiB of the agent")
	d.reaches(t, d.id, "running")
}
