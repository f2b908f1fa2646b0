package kubelab

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNetworks(t *testing.T) {
	n := network{octet: 70}
	cidr, _ := n.pods()
	for got, want := range map[string]string{
		n.route(): "10.70.0.0/16", cidr: "10.70.0.0/17", n.node(): "10.70.255.1", n.loopback(): "127.70.0.1",
		n.prefix(): "10.70",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	services := netip.MustParsePrefix(serviceCIDR)
	for i := range networkCount {
		n := network{octet: firstOctet + i}
		cidr, _ := n.pods()
		route, pods := netip.MustParsePrefix(n.route()), netip.MustParsePrefix(cidr)
		if route.Overlaps(services) || pods.Contains(netip.MustParseAddr(n.node())) ||
			!route.Contains(netip.MustParseAddr(n.node())) {
			t.Errorf("network %d: pods %s, node %s and services %s overlap", n.octet, pods, n.node(), services)
		}
	}
	used := []netip.Prefix{netip.MustParsePrefix("10.70.3.0/24"), netip.MustParsePrefix("192.168.0.0/16")}
	if !overlapsAny("10.70.0.0/16", used) || overlapsAny("10.71.0.0/16", used) {
		t.Error("a network that a machine's interface has must not be taken, its neighbour may")
	}
}

// TestContentKey: a build is named by everything that goes into it.
func TestContentKey(t *testing.T) {
	dir := t.TempDir()
	key := func(goVersion string) string {
		t.Helper()
		k, err := contentKey(dir, goVersion)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.go", "1")
	seen := map[string]string{key("go1"): "at first"}
	for _, c := range []struct {
		what, goVersion string
		change          func()
	}{
		{"another Go", "go2", func() {}},
		{"another text", "go1", func() { write("a.go", "2") }},
		{"another file", "go1", func() { write("sub/b.go", "") }},
		{"another name", "go1", func() {
			if err := os.Rename(filepath.Join(dir, "a.go"), filepath.Join(dir, "c.go")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		c.change()
		k := key(c.goVersion)
		if was, ok := seen[k]; ok {
			t.Errorf("%s: the key is the same as %s", c.what, was)
		}
		if k != key(c.goVersion) {
			t.Errorf("%s: two keys for one content", c.what)
		}
		seen[k] = c.what
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); !errors.Is(err, errLocked) {
		t.Errorf("a held lock: got %v", err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("enough"))
	defer cancel()
	if _, err := waitLock(ctx, path); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("waiting for a held lock: got %v", err)
	}
	got := make(chan error, 1)
	go func() {
		l, err := waitLock(t.Context(), path)
		if err == nil {
			l.unlock()
		}
		got <- err
	}()
	first.unlock()
	if err := <-got; err != nil {
		t.Errorf("waiting for a lock that is given back: %v", err)
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv(CacheEnv, "relative")
	if dir, err := CacheDir(); err != nil || !filepath.IsAbs(dir) || filepath.Base(dir) != "relative" {
		t.Errorf("got %s, %v", dir, err)
	}
	t.Setenv(CacheEnv, "")
	t.Setenv("XDG_CACHE_HOME", "/somewhere")
	if dir, err := CacheDir(); err != nil || dir != "/somewhere/openecp" {
		t.Errorf("got %s, %v", dir, err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := CacheDir(); err == nil || !strings.Contains(err.Error(), CacheEnv) {
		t.Errorf("without a home: got %v, want what to set", err)
	}
}

func TestAvailableSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Available(); err == nil || !strings.Contains(err.Error(), "apt-get install iproute2") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if got := tail(path); !strings.Contains(got, "no such file") {
		t.Errorf("of no file: %q", got)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 500)+"last\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	got := tail(path)
	if lines := strings.Split(got, "\n"); len(lines) != 12 || lines[11] != "last" {
		t.Errorf("got %d lines ending %q", len(lines), got[max(0, len(got)-20):])
	}
}

// TestSweepSparesTheLiving: only what nobody holds is removed.
func TestSweepSparesTheLiving(t *testing.T) {
	labs := t.TempDir()
	for _, name := range []string{"living", "dead", "broken"} {
		if err := os.Mkdir(filepath.Join(labs, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	held, err := tryLock(filepath.Join(labs, "living", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.unlock()
	if err := os.WriteFile(filepath.Join(labs, "broken", "owner.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	(&Lab{log: logger(nil)}).sweep(t.Context(), labs)
	left, err := os.ReadDir(labs)
	if err != nil || len(left) != 1 || left[0].Name() != "living" {
		t.Errorf("left: %v, %v; want the living one", left, err)
	}
}

// TestRoutesOfTheDead: a range of addresses is free again when its lab has ended without a
// word, though nobody finds the lab's folder; those of the living and of others stay.
func TestRoutesOfTheDead(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	ctx := t.Context()
	take := func() (network, io.Closer) {
		t.Helper()
		n, held, err := claim(ctx, false, func(network) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			held.Close()
			if err := n.release(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
		})
		return n, held
	}
	living, _ := take()
	dead, killed := take()
	other, gone := take()
	if err := errors.Join(killed.Close(), gone.Close(), other.release(ctx),
		ip(ctx, "route", "add", "local", other.route(), "dev", "lo")); err != nil {
		t.Fatal(err)
	}
	(&Lab{log: logger(nil)}).sweep(ctx, t.TempDir())
	out, err := exec.CommandContext(ctx, "ip", "route", "show", "table", "local").Output()
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[network]bool{living: true, dead: false, other: true} {
		if strings.Contains(string(out), "local "+n.route()) != want {
			t.Errorf("is %s to be there? %v:\n%s", n.route(), want, out)
		}
	}
}

// TestDeadLabWhoseRangeIsTaken: what a dead lab has written down does not take the range
// from the lab that has it now.
func TestDeadLabWhoseRangeIsTaken(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	n, held, err := claim(t.Context(), false, func(network) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	defer func() {
		if err := n.release(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	labs := t.TempDir()
	dir := filepath.Join(labs, "dead")
	if err := errors.Join(os.Mkdir(dir, 0o700),
		writeOwner(dir, owner{1, n.octet, netNamespace(), time.Now()})); err != nil {
		t.Fatal(err)
	}
	(&Lab{log: logger(nil)}).sweep(t.Context(), labs)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is there: %v", err)
	}
	if err := n.addRoutes(t.Context()); err == nil || !strings.Contains(err.Error(), "File exists") {
		t.Errorf("the living lab has lost its route: %v", err)
	}
}
