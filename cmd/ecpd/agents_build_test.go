package main_test

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/internal/processtest"
)

// TestAgentsAreReproducible builds the agents twice, the second time with nothing of
// the first: the checksums in guides stay true when somebody builds them again.
func TestAgentsAreReproducible(t *testing.T) {
	if os.Getenv("OPENECP_LONG") != "1" {
		t.Skip("builds everything twice; run with OPENECP_LONG=1")
	}
	dir := t.TempDir()
	require.NoError(t, processtest.BuildAgents(dir))
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
		require.Equal(t, map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm": elf.EM_ARM,
			"arm64": elf.EM_AARCH64}[arch], program.Machine)
		require.NoError(t, program.Close())
		info, err := buildinfo.ReadFile(name)
		require.NoError(t, err)
		for _, s := range info.Settings {
			if s.Key == "GOARM" {
				require.Equal(t, "6", s.Value, "boards of the first years have no newer one")
			}
		}
	}
	for name, value := range map[string]string{"GOCACHE": t.TempDir(), "TZ": "Asia/Kolkata", "LC_ALL": "C"} {
		t.Setenv(name, value)
	}
	second := t.TempDir()
	require.NoError(t, processtest.BuildAgents(second, "amd64"))
	again, err := os.ReadFile(filepath.Join(second, "SHA256SUMS"))
	require.NoError(t, err)
	require.NotEmpty(t, again)
	require.Contains(t, string(sums), string(again))
}
