package console_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

// scenarios are the files in e2e/, the longest first. What life shows with a mouse, keyboard
// shows once more.
var scenarios = []struct {
	name string
	long bool // in test-long only
}{
	{"many", false},
	{"pages", false},
	{"keyboard", true},
	{"life", false},
	{"settings", false},
	{"restored", true},
	{"adopt", false},
	{"restart", false},
	{"signin", false},
	{"rights", false},
	{"text", false},
	{"prefix", false},
}

// patience is how long one scenario may take, on a busy machine without a graphics card.
const patience = 8 * time.Minute

// TestInBrowser runs what people do with the console in a real browser, each scenario with
// a daemon of its own: node is given the console's address, a token of an administrator,
// and the programs that it may start itself.
func TestInBrowser(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	modules(t)
	ecpd := processtest.Program(t, "./cmd/ecpd")
	sim := processtest.Program(t, "./emqxsim/cmd/emqxsim")
	agent := processtest.Agent(t, runtime.GOARCH)
	chain, key := certificate(t)
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			if s.long && os.Getenv("OPENECP_LONG") == "" {
				t.Skip("takes half a minute or more; run with OPENECP_LONG=1")
			}
			t.Parallel()
			dir := t.TempDir()
			daemon := processtest.Start(t, exec.Command(ecpd, "serve", "--dev", "--listen", "127.0.0.1:0",
				"--data-dir", dir))
			url := daemon.Line(t, "ecpd ready on ")
			token, err := os.ReadFile(filepath.Join(dir, "token"))
			require.NoError(t, err)
			node(t, patience, []string{filepath.Join("e2e", s.name+".mjs")}, "CONSOLE_URL="+url+"/console/",
				"CONSOLE_TOKEN="+strings.TrimSpace(string(token)), "CONSOLE_BROWSER="+chromium, "CONSOLE_ECPD="+ecpd,
				"CONSOLE_EMQXSIM="+sim, "CONSOLE_AGENT="+agent, "CONSOLE_CERT="+chain, "CONSOLE_KEY="+key)
		})
	}
}

// certificate makes a certificate that clusters can serve, and its key, in PEM.
func certificate(t *testing.T) (chain, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"mqtt.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestSources: the types of the API are those of its document, the code fits them, the
// tests of pure functions pass, and dist, which is part of the program, is what the sources
// build.
func TestSources(t *testing.T) {
	t.Parallel()
	modules(t)
	t.Run("types", func(t *testing.T) {
		node(t, 5*time.Minute, []string{"node_modules/typescript/bin/tsc", "--noEmit"})
	})
	t.Run("lint", func(t *testing.T) {
		node(t, 5*time.Minute, []string{"node_modules/@biomejs/biome/bin/biome", "lint", "--error-on-warnings"})
	})
	t.Run("schema", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "schema.d.ts")
		node(t, 5*time.Minute,
			[]string{"node_modules/openapi-typescript/bin/cli.js", "../httpapi/openapi.json", "-o", out})
		want, err := os.ReadFile(out)
		require.NoError(t, err)
		got, err := os.ReadFile("src/schema.d.ts")
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "the API is another by now: npm run types in console/, and commit")
	})
	t.Run("pure functions", func(t *testing.T) {
		node(t, 5*time.Minute, []string{"node_modules/vitest/vitest.mjs", "run"})
	})
	t.Run("dist", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "dist")
		node(t, 5*time.Minute, []string{"node_modules/vite/bin/vite.js", "build", "--outDir", out, "--emptyOutDir"})
		require.Equal(t, filesOf(t, out), filesOf(t, "dist"), "run make console, and commit console/dist")
	})
}

// filesOf returns the names and sizes of files; names have the hashes of what is in them.
func filesOf(t *testing.T, dir string) map[string]int {
	t.Helper()
	files := map[string]int{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = len(b)
		return err
	}))
	return files
}

// node runs a script in console/ and logs what it printed.
func node(t *testing.T, limit time.Duration, args []string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends the browser, too
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	t.Logf("%s\n%s", strings.Join(args, " "), &out)
	require.NoError(t, err)
}

// browser returns the browser's program.
func browser(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		skip(t, "OPENECP_REQUIRE_BROWSER", "chromium is missing; on Debian: apt-get install chromium")
	}
	return program
}

// fetching is held while modules are fetched: tests that run at the same time want the same ones.
var fetching sync.Mutex

// modules fetches what the console is built and tested with, unless that was done.
func modules(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs node and its modules; run without -short")
	}
	if os.Getenv("OPENECP_WITHOUT_NODE") != "" {
		t.Skip("there is no node, or npm's registry cannot be reached: see the beginning of the run")
	}
	if !newEnough(t) {
		skip(t, "OPENECP_REQUIRE_NODE", "node 20.19 or newer is missing; https://nodejs.org, on Debian 13: apt-get "+
			"install nodejs npm")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	fetching.Lock()
	defer fetching.Unlock()
	out, err := exec.CommandContext(ctx, "../tools/console.sh", "deps").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func newEnough(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	parts := strings.Split(strings.TrimPrefix(strings.TrimSpace(string(out)), "v"), ".")
	if err != nil || len(parts) < 2 {
		return false
	}
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	return major > 20 || major == 20 && minor >= 19
}

// skip ends a test for want of a program: as a failure where the variable is set.
func skip(t *testing.T, required, why string) {
	t.Helper()
	if os.Getenv(required) != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
