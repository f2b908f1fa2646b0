package faulttest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/openecp/openecp/internal/processtest"
)

// worldEnv names the variable with the folder of the built programs; where it is
// set, the process is in a world of its own.
const worldEnv = "OPENECP_FAULT_WORLD"

// noWorld says why there is none; tests are skipped then.
var noWorld string

// TestMain builds the programs and begins again in namespaces of its own: mounts,
// network and processes. Everything that is started ends with them.
func TestMain(m *testing.M) {
	flag.Parse()
	dir := os.Getenv(worldEnv)
	switch {
	case testing.Short():
		noWorld = "builds the programs and breaks networks; run without -short"
	case dir == "":
		noWorld = enterWorld().Error() // it returns only where that failed
	default:
		if err := makeWorld(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot make the network of the tests:", err)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// enterWorld makes this process one in namespaces of its own. The first process in
// there is a shell, which waits for whatever loses its parent.
func enterWorld() error {
	flags := []string{"unshare", "-mnpf", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		flags = append(flags, "-Ur")
	}
	if out, err := exec.Command("unshare", append(flags[1:], "ip", "link", "add", "br0", "type",
		"bridge")...).CombinedOutput(); err != nil {
		return fmt.Errorf("no namespaces of our own: %w %s", err, out)
	}
	dir, err := buildPrograms()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	unshare, err := exec.LookPath(flags[0])
	if err != nil {
		return err
	}
	args := append(flags, "bash", "-c", `"$0" "$@"; exit $?`)
	return syscall.Exec(unshare, append(args, os.Args...), append(os.Environ(), worldEnv+"="+dir))
}

// buildPrograms builds the daemon and the agent as users get them, without the race
// detector. There is no network in the world that they could be fetched from.
func buildPrograms() (string, error) {
	dir, err := os.MkdirTemp("", "faulttest-")
	if err != nil {
		return "", err
	}
	if err := errors.Join(processtest.BuildProgram(dir, "./cmd/ecpd"),
		processtest.BuildAgents(dir+"/agents", runtime.GOARCH)); err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

func daemonFile() string { return filepath.Join(os.Getenv(worldEnv), "ecpd") }
func agentFile() string {
	return filepath.Join(os.Getenv(worldEnv), "agents", "emqxee-agent-linux-"+runtime.GOARCH)
}

// serverAddress is the daemon's in the world; hosts are in the same network.
const serverAddress = "10.77.0.1"

// makeWorld makes the network that hosts are plugged into.
func makeWorld() error {
	return sh(context.Background(), `ip link set lo up
mount -t tmpfs none /run && mkdir -p /run/netns
ip link add br0 address 02:00:00:00:00:01 type bridge && ip addr add `+serverAddress+`/16 dev br0 && ip link set br0 up`)
}

// sh runs a script of the shell.
func sh(ctx context.Context, script string) error {
	if out, err := exec.CommandContext(ctx, "sh", "-euc", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s\n%s", err, script, out)
	}
	return nil
}

var hosts atomic.Int32

// host is a host with a network of its own, where an EMQX node runs.
type host struct {
	t    *testing.T
	name string
	plug string // the world's end of its cable
	addr string
	dir  string // its own
}

func newHost(t *testing.T) *host {
	t.Helper()
	n := hosts.Add(1)
	h := &host{t: t, name: fmt.Sprintf("host-%d", n), plug: fmt.Sprintf("plug%d", n),
		addr: fmt.Sprintf("10.77.1.%d", n),
		dir:  t.TempDir()}
	h.sh(`ip netns add ` + h.name + `
ip link add ` + h.plug + ` type veth peer name eth0 netns ` + h.name + `
ip link set ` + h.plug + ` master br0 up
ip -n ` + h.name + ` link set lo up
ip -n ` + h.name + ` addr add ` + h.addr + `/16 dev eth0
ip -n ` + h.name + ` link set eth0 up`)
	return h
}

func (h *host) sh(script string) {
	h.t.Helper()
	require.NoError(h.t, sh(h.t.Context(), script))
}

// cut takes the cable out, without a word to either end's programs.
func (h *host) cut() { h.t.Helper(); h.sh("ip link set " + h.plug + " nomaster") }

func (h *host) mend() { h.t.Helper(); h.sh("ip link set " + h.plug + " master br0") }

// forget lets the way of one connection lead nowhere, in both directions, as a
// middlebox does that has forgotten it; new connections get through.
func (h *host) forget(port int) {
	h.t.Helper()
	h.sh(fmt.Sprintf("ip -n %[1]s rule add pref 10 ipproto tcp sport %[2]d blackhole; ip -n %[1]s rule add pref 11 "+
		"iif "+
		"eth0 ipproto tcp dport %[2]d blackhole", h.name, port))
}

// command is a program that runs on the host.
func (h *host) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	enter := []string{"--net=/run/netns/" + h.name, "unshare", "--uts", "sh", "-c",
		`echo "$0" >/proc/sys/kernel/hostname; exec "$@"`, h.name, program}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.Dir, cmd.Env = h.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// listen opens a listener of the test's on the host's loopback.
func (h *host) listen(address string) net.Listener {
	h.t.Helper()
	var l net.Listener
	err := inNetwork("/run/netns/"+h.name, func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	require.NoError(h.t, err)
	return l
}

// sysSetns is the number of setns(2), which package syscall lacks.
var sysSetns = map[string]uintptr{"amd64": 308, "arm64": 268, "arm": 375}

// inNetwork runs f on a thread that is in another network meanwhile.
func inNetwork(name string, f func() error) error {
	runtime.LockOSThread() // unlocked where the thread is back: else it ends with its goroutine
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	other, err := os.Open(name)
	if err != nil {
		return err
	}
	defer other.Close()
	if _, _, no := syscall.RawSyscall(sysSetns[runtime.GOARCH], other.Fd(), syscall.CLONE_NEWNET, 0); no != 0 {
		return no
	}
	err = f()
	if _, _, no := syscall.RawSyscall(sysSetns[runtime.GOARCH], own.Fd(), syscall.CLONE_NEWNET, 0); no != 0 {
		return no
	}
	runtime.UnlockOSThread()
	return err
}

// listenHere opens a listener in the world itself.
func listenHere(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}
