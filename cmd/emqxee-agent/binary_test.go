package main_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/internal/processtest"
)

func itoa(n int) string { return strconv.Itoa(n) }

const largestProgram = 20 << 20 // bytes

// checkProgram looks at a program as it ships: small, and static.
func checkProgram(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(largestProgram))
	program, err := elf.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, program.Close()) }()
	for _, segment := range program.Progs {
		assert.NotEqual(t, elf.PT_INTERP, segment.Type, "it needs a dynamic linker")
	}
}

func TestProgramIsSmallAndStatic(t *testing.T) {
	t.Parallel()
	checkProgram(t, built(t))
}

// The other architectures run, as far as an emulator shows it.
func TestOtherArchitectures(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("building for other architectures takes long")
	}
	for _, c := range []struct{ arch, emulator string }{{"arm", "qemu-arm"}, {"arm64", "qemu-aarch64"}} {
		t.Run(c.arch, func(t *testing.T) {
			if _, err := exec.LookPath(c.emulator); err != nil {
				t.Skipf("%s is not here: apt-get install qemu-user", c.emulator)
			}
			file := processtest.Agent(t, c.arch)
			checkProgram(t, file)
			p := newPlace(t)
			p.program, p.wrap = file, []string{c.emulator}
			assert.Contains(t, p.ok("version").Stdout, "linux/"+c.arch)
			p.fails(3, "does not run", "status")
			p.fails(3, `"phase": "stopped"`, "status", "--json")
		})
	}
}
