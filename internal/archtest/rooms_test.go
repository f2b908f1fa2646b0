package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No room of ecp that a reader has to be shown around in: more than these lines or files,
// tests not counted.
const (
	roomLines = 6000
	roomFiles = 40
)

func TestRoomsAreSmall(t *testing.T) {
	for _, p := range packages(t) {
		if p.path != "ecp" && !strings.HasPrefix(p.path, "ecp/") || p.path == "ecp/ecptest" {
			continue
		}
		lines, files := 0, 0
		for _, f := range p.files {
			if f.test {
				continue
			}
			src, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(f.path)))
			if err != nil {
				t.Fatal(err)
			}
			lines += strings.Count(string(src), "\n")
			files++
		}
		if lines > roomLines || files > roomFiles {
			t.Errorf("%s has %d lines in %d files; at most %d in %d: move what belongs together to a room of its own",
				p.path, lines, files, roomLines, roomFiles)
		}
	}
}
