package adopt_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	sampleToken = "0123456789abcdef0123456789abcdef"
	sampleCA    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

func request(method adopt.Method, arch string) adopt.GuideRequest {
	return adopt.GuideRequest{
		URL: "https://ecp.example.com:8443", CASHA256: sampleCA, Token: sampleToken, ExpiresAt: time.Date(2026, 3, 4, 5,
			6, 7,
			0, time.UTC),
		Method: method, Arch: arch, Cluster: "emqx-01234567",
		Checksums: map[string]string{"amd64": strings.Repeat("1", 64), "arm64": strings.Repeat("2", 64),
			"arm": strings.Repeat("3", 64)},
	}
}

// TestGuide compares every guide, in both languages, with its golden file.
func TestGuide(t *testing.T) {
	for _, method := range adopt.Methods() {
		t.Run(string(method), func(t *testing.T) {
			g, err := adopt.NewGuide(request(method, ""))
			require.NoError(t, err)
			require.Len(t, g.Steps, 3)
			var b strings.Builder
			for _, s := range g.Steps {
				fmt.Fprintf(&b, "%d. %s / %s\n\n%s\n\n%s\n\n%s\n\n", s.Number, s.Title.ZH, s.Title.EN, s.Text.ZH,
					s.Text.EN,
					s.Command)
			}
			file := filepath.Join("testdata", "guide-"+string(method)+".golden")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), b.String(), "go test ./adopt -run TestGuide -update writes it anew")
		})
	}
}

// TestGuideParses lets a shell read every command, and a YAML parser the manifest.
func TestGuideParses(t *testing.T) {
	for _, method := range adopt.Methods() {
		for _, arch := range adopt.Architectures() {
			g, err := adopt.NewGuide(request(method, arch))
			require.NoError(t, err)
			for _, s := range g.Steps {
				cmd := exec.CommandContext(t.Context(), "sh", "-n")
				cmd.Stdin = strings.NewReader(s.Command + "\n")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s\n%s", s.Command, out)
			}
			for _, doc := range strings.Split(g.Manifest, "\n---\n") {
				var v map[string]any
				require.NoError(t, yaml.UnmarshalStrict([]byte(doc), &v), doc)
			}
		}
	}
}

// TestGuideQuotes runs the step that registers with a stand-in for the agent: what a
// careless quotation would run, or match against files, arrives as it is.
func TestGuideQuotes(t *testing.T) {
	const url = "https://[2001:db8::1]:8443"
	for _, method := range []adopt.Method{adopt.MethodBinary, adopt.MethodContainer} {
		r := request(method, "arm")
		r.URL, r.Token = url, "to'ken $(touch pwned)"
		g, err := adopt.NewGuide(r)
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "emqxee-agent"),
			[]byte("#!/bin/sh\nprintf '%s\\n' \"$@\" \"$EMQXEE_AGENT_REGISTRATION_TOKEN\"\n"), 0o755))
		cmd := exec.CommandContext(t.Context(), "sh")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(g.Steps[2].Command+"\n")
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, []string{"register", "--url", url, "--ca-sha256", sampleCA, "to'ken $(touch pwned)", ""},
			strings.Split(string(out), "\n"))
		require.NoFileExists(t, filepath.Join(dir, "pwned"))
	}
}

// TestGuideHidesToken holds that no command puts the token where the list of
// processes shows it.
func TestGuideHidesToken(t *testing.T) {
	for _, method := range adopt.Methods() {
		g, err := adopt.NewGuide(request(method, ""))
		require.NoError(t, err)
		seen := false
		for _, s := range g.Steps {
			require.NotContains(t, s.Text.ZH+s.Text.EN, sampleToken)
			for _, line := range strings.Split(s.Command, "\n") {
				if strings.Contains(line, sampleToken) {
					seen = true
					require.Regexp(t, `^ +EMQXEE_AGENT_REGISTRATION_TOKEN(=|: )`, line)
				}
			}
		}
		require.True(t, seen)
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", request("", ""), request("", ""), request("", "")), sampleToken)
}

func TestGuideWithoutOwnAuthority(t *testing.T) {
	for _, method := range adopt.Methods() {
		r := request(method, "")
		r.CASHA256 = ""
		g, err := adopt.NewGuide(r)
		require.NoError(t, err)
		for _, s := range g.Steps {
			for _, word := range []string{"ca-sha256", "curl -fsSk"} {
				require.NotContains(t, s.Command+s.Text.EN+s.Text.ZH, word)
			}
		}
	}
}

// TestGuideAddress takes the address as the product's own page prints it.
func TestGuideAddress(t *testing.T) {
	for _, given := range []string{"https://ecp.example.com:8443", "https://ecp.example.com:8443/",
		"https://ecp.example.com:8443/api", "https://ecp.example.com:8443/api/"} {
		r := request("", "")
		r.URL = given
		g, err := adopt.NewGuide(r)
		require.NoError(t, err)
		require.Contains(t, g.Steps[0].Command, " https://ecp.example.com:8443/dl/emqxee-agent-linux-amd64 ", given)
	}
}

func TestGuideRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*adopt.GuideRequest)
		code  ecp.Code
		says  string
	}{
		"no address":       {func(r *adopt.GuideRequest) { r.URL = "" }, ecp.CodeInvalid, "url"},
		"another scheme":   {func(r *adopt.GuideRequest) { r.URL = "ftp://x" }, ecp.CodeInvalid, "url"},
		"a password in it": {func(r *adopt.GuideRequest) { r.URL = "https://a:b@x" }, ecp.CodeInvalid, "url"},
		"a query":          {func(r *adopt.GuideRequest) { r.URL = "https://x?a=b" }, ecp.CodeInvalid, "url"},
		"unknown method":   {func(r *adopt.GuideRequest) { r.Method = "snap" }, ecp.CodeInvalid, "method"},
		"unknown machine":  {func(r *adopt.GuideRequest) { r.Arch = "s390x" }, ecp.CodeInvalid, "arch"},
		"no token":         {func(r *adopt.GuideRequest) { r.Token = "" }, ecp.CodeInvalid, "token"},
		"half a pin":       {func(r *adopt.GuideRequest) { r.CASHA256 = "abc" }, ecp.CodeInvalid, "caSha256"},
		"a strange sum": {func(r *adopt.GuideRequest) { r.Checksums["arm"] = "$(id)" }, ecp.CodeInvalid,
			"checksums.arm"},
		"not built": {func(r *adopt.GuideRequest) { delete(r.Checksums, "amd64") }, ecp.CodeConflict,
			"make agents"},
		"not built for any": {func(r *adopt.GuideRequest) { r.Method, r.Checksums = adopt.MethodKubernetes, nil },
			ecp.CodeConflict, "make agents"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("", "")
			c.spoil(&r)
			_, err := adopt.NewGuide(r)
			var e *ecp.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code, e.Code)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), sampleToken)
		})
	}
}

// TestGuidePod runs what the pod runs, on this host: it takes the program for the
// machine, and nothing that has another checksum.
func TestGuidePod(t *testing.T) {
	for _, c := range []struct {
		machine, served, says string // says: of the failure; empty means it works
	}{
		{"x86_64", "program", ""},
		{"aarch64", "program", ""},
		{"armv7l", "program", ""},
		{"armv6l", "another", "FAILED"},
		{"riscv64", "program", "there is no agent for riscv64"},
	} {
		t.Run(c.machine, func(t *testing.T) {
			r := request(adopt.MethodKubernetes, "")
			for arch := range r.Checksums {
				r.Checksums[arch] = fmt.Sprintf("%x", sha256.Sum256([]byte("program emqxee-agent-linux-"+arch)))
			}
			g, err := adopt.NewGuide(r)
			require.NoError(t, err)
			docs := strings.Split(g.Manifest, "\n---\n")
			var set struct {
				Spec struct {
					Template struct {
						Spec struct{ InitContainers, Containers []struct{ Args []string } }
					}
				}
			}
			require.NoError(t, yaml.Unmarshal([]byte(docs[len(docs)-1]), &set))
			dir := t.TempDir()
			for name, script := range map[string]string{
				"uname": "echo " + c.machine,
				"curl": `while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done; printf %s "` + c.served +
					` ${1##*/}" > "$out"`,
			} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
			}
			program := filepath.Join(dir, "program")
			require.NoError(t, os.Mkdir(program, 0o755))
			script := strings.ReplaceAll(set.Spec.Template.Spec.InitContainers[0].Args[0], "cd /program", "cd "+program)
			cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "LC_ALL=C"}
			out, err := cmd.CombinedOutput()
			if c.says != "" {
				require.Error(t, err)
				require.Contains(t, string(out), c.says)
				return
			}
			require.NoError(t, err, "%s", out)
			info, err := os.Stat(filepath.Join(program, "emqxee-agent"))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o755), info.Mode().Perm())
			out, err = exec.CommandContext(t.Context(), "sh", "-nc",
				set.Spec.Template.Spec.InitContainers[1].Args[0]).CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
}
