package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/processtest"
)

// patience is how long a script waits for something, on a busy machine.
const patience = 100 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){
		"ecpctl": ecpctl, "kubectl-openecp": ecpctl, "kubectl_complete-openecp": ecpctl})
}

func ecpctl() { os.Exit(program()) }

// leakless runs the tests and then says which goroutines are left.
type leakless struct{ m *testing.M }

func (l leakless) Run() int {
	code := l.m.Run()
	processtest.Clean()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// TestScripts runs sessions as people have them, each with a daemon of its own that
// simulates clusters.
//
//	ecpd [FLAG...]          start the daemon, or start it again; $SERVER is where it is
//	kubernetes [UID]        be a Kubernetes of that uid, or one that does not say which; ecpd then works with it
//	agents                  have an agent and a simulated EMQX: $AGENTS/emqxee-agent, $AGENTS/emqxsim
//	ecpd-stop               end it
//	backup, restore         copy its database; put the copy back and start it again
//	until TEXT COMMAND...   run a command again and again until it prints a text
//	fleet N                 start a server of N clusters that only lists; $SERVER is where it is
//	pages MOST              that server was asked for so many pages at most
//	[long]                  the long drills are run
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts a daemon; run without -short")
	}
	s := scripts{ecpd: processtest.Program(t, "./cmd/ecpd"), others: []string{
		processtest.Program(t, "./cmd/emqxee-agent"), processtest.Program(t, "./emqxsim/cmd/emqxsim")}}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			for name, value := range map[string]string{
				"HOME": e.WorkDir, "ECPCTL_CONFIG": filepath.Join(e.WorkDir, "contexts.yaml"), "LANG": "C.UTF-8",
				"TZ": "UTC",
			} {
				e.Setenv(name, value)
			}
			e.Values[daemonKey{}] = &daemon{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agents": s.agents, "kubernetes": kubernetes, "ecpd": s.start, "ecpd-stop": stop,
			"backup": s.backup, "restore": s.restore,
			"until": until, "fleet": fleet, "pages": pages,
		},
		Condition: func(word string) (bool, error) {
			if word != "long" {
				return false, fmt.Errorf("the scripts know no condition %q", word)
			}
			return os.Getenv("OPENECP_LONG") == "1", nil
		},
	})
}

// scripts has the programs that sessions run beside ecpctl.
type scripts struct {
	ecpd   string
	others []string
}

func (s scripts) agents(ts *testscript.TestScript, _ bool, _ []string) {
	dir := ts.MkAbs("agents")
	ts.Check(os.MkdirAll(dir, 0o750))
	for _, program := range s.others {
		ts.Check(os.Symlink(program, filepath.Join(dir, filepath.Base(program))))
	}
	for _, arch := range []string{"amd64", "arm", "arm64"} { // what ecpd serves: only their checksums matter
		ts.Check(os.Symlink("emqxee-agent", filepath.Join(dir, "emqxee-agent-linux-"+arch)))
	}
	ts.Setenv("AGENTS", dir)
}

type daemonKey struct{}

// daemon is what a script has started.
type daemon struct {
	process    *processtest.Process
	address    string
	pages      atomic.Int64
	kubernetes *processtest.Kubernetes // nil = the daemon simulates clusters
}

func of(ts *testscript.TestScript) *daemon {
	d, _ := ts.Value(daemonKey{}).(*daemon)
	return d
}

func (s scripts) start(ts *testscript.TestScript, _ bool, args []string) {
	d := of(ts)
	listen := "127.0.0.1:0"
	if d.address != "" {
		listen = d.address[strings.LastIndex(d.address, "/")+1:]
	}
	data := ts.MkAbs("data")
	token, platform := filepath.Join(data, "token"), []string{"--dev"}
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + ts.MkAbs(".")}
	if d.kubernetes != nil {
		token, platform = ts.MkAbs("token"), []string{"--kubeconfig", ts.MkAbs("kubeconfig")}
		const word = "only-for-tests-0123456789abcdef"
		ts.Check(os.WriteFile(token, []byte(word), 0o600))
		environ = append(environ, "ECPD_BOOTSTRAP_TOKEN="+word)
	}
	cmd := exec.CommandContext(context.Background(), s.ecpd, append(append([]string{
		"serve", "--data-dir", data, "--listen", listen}, platform...), args...)...)
	cmd.Env = environ
	p, err := processtest.Begin(cmd)
	ts.Check(err)
	ts.Defer(p.Kill)
	d.process = p
	poll(ts, "the daemon is ready", func() bool {
		for _, line := range p.Stdout.Lines() {
			if at, ok := strings.CutPrefix(line, "ecpd ready on "); ok {
				d.address = at
				return true
			}
		}
		if p.Ended() {
			ts.Fatalf("%s", p)
		}
		return false
	})
	ts.Setenv("SERVER", d.address)
	ts.Setenv("TOKEN_FILE", token)
}

func kubernetes(ts *testscript.TestScript, _ bool, args []string) {
	d, uid := of(ts), strings.Join(args, " ")
	if d.kubernetes != nil {
		d.kubernetes.Become(uid)
		return
	}
	d.kubernetes = processtest.NewKubernetes(uid)
	ts.Defer(d.kubernetes.Close)
	ts.Check(os.WriteFile(ts.MkAbs("kubeconfig"), d.kubernetes.Kubeconfig(), 0o600))
}

// backup copies the database of the daemon, and restore puts the copy back in its place.
func (s scripts) backup(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Exec(s.ecpd, "backup", ts.MkAbs("backup.db"), "--data-dir", ts.MkAbs("data")))
}

func (s scripts) restore(ts *testscript.TestScript, _ bool, _ []string) {
	stop(ts, false, nil)
	ts.Check(ts.Exec(s.ecpd, "restore", ts.MkAbs("backup.db"), "--data-dir", ts.MkAbs("data")))
	s.start(ts, false, nil)
}

func stop(ts *testscript.TestScript, _ bool, _ []string) { of(ts).process.End(syscall.SIGTERM) }

// poll asks until it is so.
func poll(ts *testscript.TestScript, what string, is func() bool) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			ts.Fatalf("not after %v: %s", patience, what)
		}
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	poll(ts, strings.Join(args, " "), func() bool {
		_ = ts.Exec(args[1], args[2:]...) // what it prints says whether it went well
		return strings.Contains(ts.ReadFile("stdout"), args[0]) != neg
	})
}

// fleet serves a list of clusters, page by page.
func fleet(ts *testscript.TestScript, _ bool, args []string) {
	all, err := strconv.Atoi(args[0])
	ts.Check(err)
	d := of(ts)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.pages.Add(1)
		from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		items := []any{}
		for i := from; i < min(from+limit, all); i++ {
			items = append(items, map[string]any{"id": fmt.Sprintf("emqx-%08x", i), "name": fmt.Sprint("cluster ", i),
				"mode": "hosted", "status": map[string]any{"state": "running"}})
		}
		next := ""
		if from+limit < all {
			next = strconv.Itoa(from + limit)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items, "next": next})
	}))
	ts.Defer(server.Close)
	ts.Setenv("SERVER", server.URL)
}

func pages(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	if n := of(ts).pages.Swap(0); n > most {
		ts.Fatalf("%d pages were asked for, not %d", n, most)
	}
}
