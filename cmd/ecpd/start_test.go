package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refuses runs the program, which must end at once with one line that says
// what is wrong, and gives that line.
func refuses(t *testing.T, code int, environ []string, args ...string) string {
	t.Helper()
	p := launch(t, t.TempDir(), environ, args...)
	require.Equal(t, code, p.Wait(t, 20*time.Second), p.Stderr.String())
	line := p.Stderr.String()
	require.Equal(t, 1, strings.Count(line, "\n"), "stderr is one line: %q", line)
	require.True(t, strings.HasPrefix(line, "ecpd: "), line)
	require.Empty(t, p.Stdout.String())
	return line
}

func TestVersion(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), nil, "version")
	require.Zero(t, p.Wait(t, 20*time.Second))
	assert.Regexp(t, `^ecpd \S+ commit \S+ go1\.\d+\S*\n$`, p.Stdout.String())
	assert.Empty(t, p.Stderr.String())

	p = launch(t, t.TempDir(), nil, "version", "--json")
	require.Zero(t, p.Wait(t, 20*time.Second))
	var b struct {
		Version, Commit, Go, OS, Arch string
		Modules                       []struct{ Path, Version string }
	}
	require.NoError(t, json.Unmarshal([]byte(p.Stdout.String()), &b), p.Stdout.String())
	assert.NotContains(t, []string{b.Version, b.Commit, b.Go}, "")
	assert.Equal(t, runtime.GOOS+"/"+runtime.GOARCH, b.OS+"/"+b.Arch)
	assert.Contains(t, p.Stdout.String(), `"path": "k8s.io/client-go"`)
	assert.NotEmpty(t, b.Modules)
}

func TestHelpNamesFlagsAndVariables(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), nil, "serve", "--help")
	require.Zero(t, p.Wait(t, 20*time.Second))
	for _, want := range []string{"--listen", "127.0.0.1:18180", "--kubernetes-reach", "ECPD_DATA_DIR",
		"ECPD_BOOTSTRAP_TOKEN"} {
		assert.Contains(t, p.Stdout.String(), want)
	}
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	assert.Contains(t, refuses(t, 2, nil, "--nonsense"), "--nonsense")
	assert.Contains(t, refuses(t, 2, nil, "nonsense"), "nonsense")
	assert.Contains(t, refuses(t, 1, nil, "--dev", "--listen", "0.0.0.0:0"), "loopback")
	short := "only15charsLong"
	line := refuses(t, 1, []string{"ECPD_BOOTSTRAP_TOKEN=" + short}, "--dev")
	assert.Contains(t, line, "ECPD_BOOTSTRAP_TOKEN has 15 characters")
	assert.NotContains(t, line, short)
}

func TestNothingIsBegunWithoutKubernetes(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/var/run/secrets/kubernetes.io/serviceaccount/token"); err == nil {
		t.Skip("this is a pod with a service account: here it would start")
	}
	data := filepath.Join(t.TempDir(), "data")
	assert.Contains(t, refuses(t, 1, nil, "--data-dir", data), "no Kubernetes")

	missing := filepath.Join(t.TempDir(), "missing")
	assert.Contains(t, refuses(t, 1, nil, "--data-dir", data, "--kubeconfig", missing), missing)

	nonsense := filepath.Join(t.TempDir(), "nonsense")
	require.NoError(t, os.WriteFile(nonsense, []byte("clusters: 7\n"), 0o600))
	assert.Contains(t, refuses(t, 1, nil, "--data-dir", data, "--kubeconfig", nonsense), nonsense)
	assert.NoDirExists(t, data)
}

func TestDataDirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.Contains(t, refuses(t, 1, nil, "--dev", "--data-dir", filepath.Join(file, "below")), file)
	assert.Contains(t, refuses(t, 1, nil, "--dev", "--data-dir", file), file)
}

func TestOccupiedPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	data := filepath.Join(t.TempDir(), "data")
	line := refuses(t, 1, nil, "--dev", "--data-dir", data, "--listen", l.Addr().String())
	assert.Contains(t, line, l.Addr().String())
	assert.Contains(t, line, "in use")
	assert.NoFileExists(t, filepath.Join(data, "token"), "a start that fails mints no token")

	d := dev(t, data) // nothing is left behind that hinders the next one
	line = refuses(t, 1, nil, "--dev", "--data-dir", filepath.Join(t.TempDir(), "x"), "--listen", "127.0.0.1:0",
		"--metrics-listen", strings.TrimPrefix(d.url, "http://"))
	assert.Contains(t, line, "--metrics-listen")
}

func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	d := dev(t, data)
	assert.Contains(t, refuses(t, 1, nil, "--dev", "--data-dir", data, "--listen", "127.0.0.1:0"), data)
	d.call(t, "GET", "/api/v1/clusters", "", nil, 200)
}

func TestBootstrapToken(t *testing.T) {
	t.Parallel()
	const given, other = "given-by-the-environment", "given-at-the-second-start"
	data := filepath.Join(t.TempDir(), "data")
	for i, token := range []string{given, other} {
		p := launch(t, t.TempDir(), []string{"ECPD_BOOTSTRAP_TOKEN=" + token}, "--dev", "--data-dir", data, "--listen",
			"127.0.0.1:0")
		d := &daemon{process: p, url: p.Line(t, readyLine),
			http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, token: given}
		d.call(t, "GET", "/api/v1/clusters", "", nil, 200)
		d.token = other
		d.call(t, "GET", "/api/v1/clusters", "", nil, 401)
		if i > 0 {
			assert.NotContains(t, p.Stdout.String(), "token")
		}
		code, _ := p.Terminate(t)
		require.Zero(t, code)
		for _, secret := range []string{given, other} {
			assert.NotContains(t, p.Stderr.String(), secret)
		}
	}
}

func TestUnknownVariableIsAWarning(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), []string{"ECPD_LISTENN=127.0.0.1:1", "ECPD_LOG_FORMAT=json"}, "--dev", "--listen",
		"127.0.0.1:0")
	p.Line(t, readyLine)
	p.Logs(t, "the variable ECPD_LISTENN is not known")
}
