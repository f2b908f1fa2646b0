package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// documented are the commands that the documents show, each with what replaces
// the words that stand for something of the reader's own.
var documented = map[string][]string{
	"bin/ecpd serve --data-dir /var/lib/ecpd --kubeconfig ecpd.kubeconfig": {},
	"ecpd serve --listen :18180 --tls-auto --cluster-agent https://ecp.example.com:18180": {
		"ecpd ", "bin/ecpd ",
	},
	"ecpd serve --listen 127.0.0.1:18180 --trusted-proxies 127.0.0.1 --cluster-agent https://ecp.example.com": {
		"ecpd ", "bin/ecpd ",
	},
	"bin/ecpd token create --role system": {},
	"bin/ecpd config check":               {},
	"ecpd config check --config FILE": {
		"ecpd ", "bin/ecpd ", "FILE", "ecpd.yaml",
	},
	"ecpd serve --config FILE": {
		"ecpd ", "bin/ecpd ", "FILE", "ecpd.yaml --kubeconfig ecpd.kubeconfig",
	},
	"bin/ecpd backup /var/backups/ecpd.db":  {},
	"bin/ecpd backup - >ecpd-backup.db":     {}, // inside of a pod
	"bin/ecpd restore /var/backups/ecpd.db": {},
}

var commandForm = regexp.MustCompile("(?m)(?:bin/)?ecpd " +
	"(?:serve|token create|config check|version|backup|restore)(?: [^`,\n]*)?")

// nowhere leads to an API server that does not answer: commands have to work all
// the same.
const nowhere = `{"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "t", "user": "u"}}],
"clusters": [{"name": "t", "cluster": {"server": "https://127.0.0.1:1"}}], "users": [{"name": "u", "user": {"token": "none"}}]}`

// TestDocumentedCommands runs every command of the documents as it stands there,
// defaults included, on a /var/lib of its own.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	own := ownMounts(t)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(built(t), filepath.Join(dir, "bin", "ecpd")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ecpd.kubeconfig"), []byte(nowhere), 0o600))
	shipped, err := os.ReadFile("../../deploy/ecpd.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ecpd.yaml"), shipped, 0o600))

	script := "set -eu\nmount -t tmpfs none /var/lib\nmkdir -p /var/backups\nmount -t tmpfs none /var/backups\n"
	for _, command := range commandsOfTheDocs(t) {
		with, ok := documented[command]
		require.True(t, ok, "%q stands in the documents and is run by no test", command)
		line := strings.NewReplacer(with...).Replace(command)
		if strings.Contains(line, " serve ") {
			script += "rm -f out; " + line + " >out 2>err & pid=$!\n" + // what the one before said is not this one's
				"n=0; until grep -q '^ecpd ready on ' out 2>/dev/null; do n=$((n+1)); if [ $n -gt 300 ] || ! kill -0 " +
				"$pid; then cat err >&2; exit 1; fi; sleep 0.1; done\n" +
				"kill $pid; wait $pid\n"
			continue
		}
		script += line + "\n"
	}
	p := launchProgram(t, "unshare", dir, []string{"ECPD_BOOTSTRAP_TOKEN=0123456789abcdef"},
		append(own, "sh", "-c", script)...)
	require.Zero(t, p.Wait(t, 2*time.Minute), "%s", p.Stderr)
	require.Regexp(t, `(?m)^ecpt_[0-9a-f]{64}$`, p.Stdout.String())
}

// commandsOfTheDocs finds the commands, those that begin a data directory first.
func commandsOfTheDocs(t *testing.T) (first []string) {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	seen := map[string]bool{}
	var others []string
	for _, name := range append(files, "../../README.md", "../../deploy/ecpd.yaml",
		"../../deploy/kubernetes/README.md") {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, c := range commandForm.FindAllString(string(b), -1) {
			c = strings.TrimRight(c, ". ")
			if seen[c] || !strings.Contains(c, " -") && !strings.HasPrefix(c, "bin/") { // prose about a command
				continue
			}
			seen[c] = true
			if strings.Contains(c, " serve ") {
				first = append(first, c)
			} else {
				others = append(others, c)
			}
		}
	}
	require.Len(t, seen, len(documented), "commands that no document shows any more: %v", seen)
	return append(first, others...)
}
