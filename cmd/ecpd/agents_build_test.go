package main_test

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
)

// makeAgents builds agents as make does, with another cache of compiled packages
// where one is named.
func makeAgents(t *testing.T, cache string, arches ...string) (dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	dir = t.TempDir()
	cmd := exec.CommandContext(ctx, "tools/agents.sh", append([]string{dir}, arches...)...)
	cmd.Dir, cmd.Env = "../..", os.Environ()
	if cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+cache, "TZ=Asia/Kolkata", "LC_ALL=C")
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// TestAgentsAreReproducible builds the agents twice, the second time with nothing of
// the first: the checksums in guides stay true when somebody builds them again.
func TestAgentsAreReproducible(t *testing.T) {
	if os.Getenv("OPENECP_LONG") != "1" {
		t.Skip("builds everything twice; run with OPENECP_LONG=1")
	}
	dir := makeAgents(t, "")
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	require.NoError(t, err)
	for _, arch := range adopt.Architectures() {
		name := filepath.Join(dir, adopt.BinaryName(arch))
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Contains(t, string(sums), fmt.Sprintf("%x  %s\n", sha256.Sum256(content), adopt.BinaryName(arch)))
		require.Less(t, len(content), 20<<20, arch)

		program, err := elf.Open(name)
		require.NoError(t, err)
		for _, p := range program.Progs {
			require.NotEqual(t, elf.PT_INTERP, p.Type, "%s is not static", arch)
		}
		require.Equal(t, map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64}[arch], program.Machine)
		require.NoError(t, program.Close())
		info, err := buildinfo.ReadFile(name)
		require.NoError(t, err)
		for _, s := range info.Settings {
			if s.Key == "GOARM" {
				require.Equal(t, "6", s.Value, "boards of the first years have no newer one")
			}
		}
	}
	again, err := os.ReadFile(filepath.Join(makeAgents(t, t.TempDir(), "amd64"), "SHA256SUMS"))
	require.NoError(t, err)
	require.NotEmpty(t, again)
	require.Contains(t, string(sums), string(again))
}
