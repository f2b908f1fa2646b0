//go:build unix

package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outlived is a browser whose children go on writing to the profile after it has
// ended, for a moment or until it is gone.
const outlived = `#!/bin/sh
for a; do case $a in --user-data-dir=*) dir=${a#*=}/Default;; esac; done
mkdir "$dir"
for child in 1 2 3 4; do
	(
		i=0
		while [ $i -lt 4000 ] && : >"$dir/$child.$i"; do i=$((i + 1)); done
	) >/dev/null 2>&1 &
done
while [ ! -e "$dir/4.0" ]; do :; done
`

func TestChildrenThatOutliveTheBrowser(t *testing.T) {
	bin := t.TempDir()
	//nolint:gosec // it is run
	require.NoError(t, os.WriteFile(filepath.Join(bin, "chromium"), []byte(outlived), 0o755))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	var dir string
	t.Run("browser", func(t *testing.T) {
		cmd := Command(t.Context(), t)
		for _, a := range cmd.Args {
			if d, is := strings.CutPrefix(a, "--user-data-dir="); is {
				dir = d
			}
		}
		require.NoError(t, cmd.Run())
	})
	require.NotEmpty(t, dir)
	require.NoDirExists(t, dir)
}
