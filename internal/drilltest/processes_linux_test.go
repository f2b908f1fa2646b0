package drilltest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/pgtest"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// process is a place where ecpd runs, and is started again where it ends by itself.
type process struct {
	name    string
	program string // that is started from now on
	command func() *exec.Cmd
	wire    *wire
	running sync.WaitGroup

	mu      sync.Mutex
	wanted  bool                   // guarded by mu
	is      *processtest.Process   // guarded by mu; nil before the first
	by      int                    // guarded by mu; how often it has ended by itself
	printed []*processtest.Process // guarded by mu; those that have ended by themselves
}

func (p *process) label() string      { return p.name }
func (p *process) link() *wire        { return p.wire }
func (p *process) skew(time.Duration) {}

func (p *process) start() error {
	p.mu.Lock()
	p.wanted = true
	p.mu.Unlock()
	begun := make(chan error, 1)
	p.running.Go(func() {
		for {
			p.mu.Lock()
			if !p.wanted { // since it has ended by itself
				p.mu.Unlock()
				return
			}
			is, err := processtest.Begin(p.command())
			p.is = is
			p.mu.Unlock()
			select {
			case begun <- err:
			default:
			}
			if err != nil {
				return
			}
			is.End(0) // which no process notices
			p.mu.Lock()
			wanted := p.wanted
			if wanted {
				p.by++
				p.printed = append(p.printed, is)
			}
			p.mu.Unlock()
			if !wanted {
				return
			}
			<-time.After(300 * time.Millisecond)
		}
	})
	return <-begun
}

// stop ends it with a signal.
func (p *process) stop(s syscall.Signal) {
	p.mu.Lock()
	p.wanted = false
	is := p.is
	p.mu.Unlock()
	if is != nil {
		is.End(s)
	}
	p.running.Wait()
}

// endedBy returns how often it has ended by itself, and what it said when it did so first.
func (p *process) endedBy() (times int, said string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by > 0 {
		said = p.printed[0].Stderr.String()
	}
	return p.by, said
}

func (p *process) kill() { p.stop(syscall.SIGKILL) }
func (p *process) end()  { p.stop(syscall.SIGTERM) }

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.is.Cmd.Process.Signal(s) // it may have ended
}

func (p *process) suspend() { p.signal(syscall.SIGSTOP) }
func (p *process) wake()    { p.signal(syscall.SIGCONT) }

// ofProcesses are the faults of daemons that are processes.
var ofProcesses = []string{"killed", "killed", "ended", "suspended", "suspended", "cut off", "lost", "muffled",
	"killed while suspended"}

// newProcesses starts a program, some ecpd, at so many places, on a database of its own, without a platform:
// clusters are adopted ones, whose agents never come.
func newProcesses(t *testing.T, server *pgtest.Server, n int, program string) (*world, []*process) {
	t.Helper()
	w := &world{t: t, url: server.Database(t)}
	keys := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(keys, []byte("first:"+strings.Repeat("A", 43)+"=\n"), 0o600))
	_, rest, _ := strings.Cut(w.url, "@")
	host, _, _ := strings.Cut(rest, "/")
	var all []*process
	for i := range n {
		address := processtest.FreeAddress(t)
		w.addresses = append(w.addresses, address)
		p := &process{name: string(rune('a' + i)), wire: newWire(t, host), program: program}
		data, url := t.TempDir(), strings.Replace(w.url, host, p.wire.address(), 1)
		p.command = func() *exec.Cmd {
			cmd := exec.Command(p.program, "serve", "--listen", address, "--data-dir", data, "--database", url,
				"--peer-listen", "127.0.0.1:0", "--secrets-key-file", keys, "--cluster-agent", "http://127.0.0.1:18180")
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + data, "ECPD_BOOTSTRAP_TOKEN=" + token}
			return cmd
		}
		all = append(all, p)
		require.NoError(t, p.start())
		t.Cleanup(func() {
			p.kill()
			if t.Failed() {
				for _, ended := range append(p.printed, p.is) {
					t.Log(ended)
				}
			}
		})
	}
	w.ready()
	w.direct = w.open(w.url, time.Now)
	t.Cleanup(func() { require.NoError(t, w.direct.Close()) })
	return w, all
}

// ready waits until every daemon says that it works.
func (w *world) ready() {
	w.t.Helper()
	for _, address := range w.addresses {
		w.until(address+" is ready", func() (bool, string) {
			c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := c.Get("http://" + address + "/readyz")
			if err != nil {
				return false, err.Error()
			}
			return resp.StatusCode == http.StatusOK, fmt.Sprint(resp.StatusCode, resp.Body.Close())
		})
	}
}

// TestAnyOrderOfProcesses is as TestAnyOrder with ecpd itself, which is killed and stopped by
// signals. There are no clusters to be worked on: what it shows is what the API promises.
func TestAnyOrderOfProcesses(t *testing.T) {
	if !long() {
		t.Skip("a long drill; OPENECP_LONG=1 runs it")
	}
	t.Parallel()
	seed, lasts := diceOf(t), min(runTime(t), 3*time.Minute)
	server := pgtest.Start(t, "max_connections=100")
	w, all := newProcesses(t, server, 3, processtest.Program(t, "./cmd/ecpd"))
	require.NoError(t, w.direct.Write(t.Context(), func(tx ecp.Tx) error {
		pool, version, err := ecp.Get[ecp.Pool](tx, ecp.PoolKey)
		if err != nil {
			return err
		}
		pool.Clusters = 16 // so that some are refused
		return ecp.Put(tx, pool, version)
	}))
	n := &nemesis{world: w, server: server, faults: ofProcesses}
	for _, p := range all {
		n.places = append(n.places, p)
	}
	n.run(t, seed, lasts, func() {
		w.ready()
		w.until("no operation is left", func() (bool, string) {
			left := ""
			err := w.direct.Read(t.Context(), func(tx ecp.Tx) error {
				for r, err := range ecp.List[ecp.ClusterRecord](tx, ecp.Query{}) {
					if err != nil {
						return err
					}
					if r.Deleting || r.Status.Operation != "" {
						left += string(r.ID) + " "
					}
				}
				return nil
			})
			return err == nil && left == "", fmt.Sprint(left, err)
		})
	})
	for _, p := range all {
		t.Logf("%s ended by itself %d times", p.name, p.by)
		said := map[string]int{}
		for _, ended := range p.printed {
			if lines := strings.Split(strings.TrimSpace(ended.Stderr.String()), "\n"); len(lines) > 0 {
				said[lines[len(lines)-1]]++
			}
		}
		for line, n := range said {
			t.Logf("%d times its last words were: %s", n, line)
		}
	}
}
