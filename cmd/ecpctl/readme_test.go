package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// TestReadme runs the sessions of README.md against a daemon that `make run` could have
// started: with the programs that it builds, in a folder of its own. Other than there, ports
// are free ones, and what asks is told to go on.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts programs; run without -short")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the agent that README.md starts runs on Linux")
	}
	session := readmeSession(t)
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	require.NoError(t, os.MkdirAll(filepath.Join(bin, "agents"), 0o755))
	for name, pkg := range map[string]string{"ecpctl": "./cmd/ecpctl", "ecpd": "./cmd/ecpd",
		"emqxee-agent": "./cmd/emqxee-agent", "emqxsim": "./emqxsim/cmd/emqxsim",
		"agents/emqxee-agent-linux-" + runtime.GOARCH: "./cmd/emqxee-agent"} {
		// A link of the file: ecpd looks for agents where its program is.
		require.NoError(t, os.Link(processtest.Program(t, pkg), filepath.Join(bin, name)))
	}

	data := filepath.Join(home, ".cache", "dev")
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8"}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ecpd"), "serve", "--dev", "--data-dir", data,
		"--listen", "127.0.0.1:0")
	cmd.Env = env
	daemon := processtest.Start(t, cmd)
	server := daemon.Line(t, "ecpd ready on ")
	// As tools/dev-context.sh does it.
	context := exec.CommandContext(t.Context(), filepath.Join(bin, "ecpctl"), "context", "set", "dev",
		"--server", server, "--token-file", filepath.Join(data, "token"))
	context.Env = append(env, "ECPCTL_CONFIG="+filepath.Join(data, "ecpctl.yaml"))
	out, err := context.CombinedOutput()
	require.NoError(t, err, "%s", out)

	for here, there := range map[string]string{
		"http://127.0.0.1:18180": server, "127.0.0.1:18083": processtest.FreeAddress(t),
		"go run ./emqxsim/cmd/emqxsim": "emqxsim",
	} {
		require.Contains(t, session, here)
		session = strings.ReplaceAll(session, here, there)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-euxo", "pipefail", "-c", prelude+session)
	shell.Dir, shell.Env = home, env
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := processtest.Start(t, shell)
	require.Zero(t, p.Wait(t, 2*patience), "%s", p)
	printed := p.Stdout.String() + p.Stderr.String()
	for _, want := range []string{
		`(?m)^sensors +emqx-\S+ +running +3/3 `, "nodes added: 3 4", "update of sensors succeeded",
		"Registered as agent", `(?m)^connections +\d`, `(?m)^http://127\.0\.0\.1:\d+/`, "The agent is stopped",
	} {
		require.Regexp(t, want, printed)
	}
}

// prelude answers the questions of ecpctl, for there is nobody to ask, and ends with the
// session what it has started.
const prelude = `
trap 'emqxee-agent stop >/dev/null 2>&1; kill $(jobs -p)' EXIT
ecpctl() {
	case "$1 $2" in
	"cluster scale" | "apply -f") command ecpctl "$@" --yes ;;
	*) command ecpctl "$@" ;;
	esac
}
`

// TestNewcomer goes the whole way from a clean clone to an upgraded cluster, with the ports
// that make run takes, and shows how long each step took.
func TestNewcomer(t *testing.T) {
	if os.Getenv("OPENECP_LONG") != "1" || runtime.GOOS != "linux" {
		t.Skip("clones and builds everything, for a minute or two; set OPENECP_LONG=1")
	}
	cmd := exec.CommandContext(t.Context(), "../../tools/newcomer.sh")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	require.Contains(t, string(out), "upgraded to 5.8.9")
}

// readmeSession returns what a reader types into a shell, of all blocks of README.md.
func readmeSession(t *testing.T) (script string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)\n```console\n(.*?)\n```\n").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		for line := range strings.Lines(block[1] + "\n") {
			script += strings.TrimPrefix(line, "$ ")
		}
	}
	return script
}
