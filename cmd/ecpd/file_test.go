package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// settingsFile writes a file of settings.
func settingsFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ecpd.yaml")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

// Every error names file, line and key.
func TestWrongFiles(t *testing.T) {
	for _, row := range []struct {
		name, content string
		want          string // FILE stands for the file's name
	}{
		{"unknown key", "\nlissten: x\n", "FILE:2: the key lissten is not known; did you mean listen?"},
		{"spelled as the flag", "data-dir: x\n", "FILE:1: the key data-dir is not known; did you mean dataDir?"},
		{"flag of a section", "log-level: info\n", "did you mean log.level?"},
		{"in a section", "log:\n  # fine\n  lvel: info\n",
			"FILE:3: the key log.lvel is not known; did you mean log.level?"},
		{"nothing near", "tls:\n  ciphers: x\n",
			"FILE:2: the key tls.ciphers is not known; known here are cert, key, auto, check"},
		{"nothing near at the root", "colour: x\n", "known here are listen, dataDir, database"},
		{"other case", "Listen: x\n", "did you mean listen?"},
		{"number for text", "listen: 18180\n",
			`FILE:1: listen is "18180", which YAML does not take as text; put it in quotes`},
		{"text for truth", "dev: yes\n", `FILE:1: dev is "yes"; true or false is wanted`},
		{"truth in quotes", "dev: \"true\"\n", `true or false is wanted, without them`},
		{"text for number", "workers: many\n", `FILE:1: workers is "many"; a whole number is wanted`},
		{"fraction for number", "workers: 1.5\n", `a whole number is wanted`},
		{"time without unit", "drain: 3\n", `FILE:1: drain is "3"`},
		{"time that is none", "drain: soon\n", `FILE:1: drain is "soon"; a time with its unit is wanted`},
		{"no value", "listen:\n", "FILE:1: listen has no value"},
		{"list for text", "listen:\n- a\n- b\n", "FILE:2: listen takes one value"},
		{"section for text", "listen:\n  host: a\n", "listen takes one value"},
		{"text for section", "log: debug\n", "FILE:1: log is a section; its keys are level, format"},
		{"alias", "listen: &a x\ndataDir: *a\n", "FILE:2: dataDir takes one value, no list, section or alias"},
		{"merge", "log: &a\n  level: info\ntls:\n  <<: *a\n", "FILE:4: the key tls.<< is not known"},
		{"twice", "dev: true\nlisten: x\ndev: false\n", "FILE:3: dev stands in line 1 already"},
		{"section twice", "log:\n  level: info\nlog:\n  format: json\n", "FILE:3: log stands in line 1 already"},
		{"list", "- a\n", "FILE:1: \"key: value\" lines are wanted"},
		{"text", "hello\n", "\"key: value\" lines are wanted"},
		{"two documents", "dev: true\n---\ndev: true\n", "FILE:2: a second document begins"},
		{"no YAML", "dev: true\n\tlisten: x\n", "FILE:2: "},
		{"no YAML from the start", "\tdev: true\n", "FILE:1: found character that cannot start any token"},
		{"control character", "dev: true\nlisten: \x01\n", "FILE:2: control characters are not allowed"},
		{"not UTF-8", "dev: true\n\nlisten: \xff\n", "FILE:3: invalid leading UTF-8 octet"},
		{"unclosed", "listen: [::1]:0\n", "FILE:"},
		{"secret of a wrong kind", "bootstrapToken: 12345678901234567890\n",
			"bootstrapToken is [redacted], which YAML does not take as text"},
		{"huge", strings.Repeat("# a comment\n", 100_000), "FILE is larger than 1 MiB"},
	} {
		t.Run(row.name, func(t *testing.T) {
			name := settingsFile(t, row.content)
			_, err := readSettings(name)
			require.ErrorContains(t, err, strings.ReplaceAll(row.want, "FILE", name))
			assert.Equal(t, 1, len(strings.Split(err.Error(), "\n")), err.Error())
			assert.NotContains(t, err.Error(), "12345678901234567890")
		})
	}
}

func TestFilesThatAreFine(t *testing.T) {
	for _, content := range []string{"", "# only a comment\n", "---\n", "{}\n", "log:\n", "log:\n  # level: debug\n",
		"log: {}\n"} {
		found, err := readSettings(settingsFile(t, content))
		require.NoError(t, err, content)
		require.Empty(t, found)
	}
	found, err := readSettings(settingsFile(t, "listen: :0\nlog: {level: warn}\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]given{"listen": {":0", 1}, "log.level": {"warn", 2}}, found)
}

func FuzzReadSettings(f *testing.F) {
	example, err := os.ReadFile("../../deploy/ecpd.yaml")
	require.NoError(f, err)
	f.Add(string(example))
	f.Add("log: {level: [a]}\n? {x: y}\n: z\n")
	f.Add("a: &a {b: *a}\n")
	f.Fuzz(func(t *testing.T, content string) {
		found, err := readSettings(settingsFile(t, content))
		if err == nil {
			for key, g := range found {
				require.Positive(t, g.line, key)
			}
		}
	})
}

// Whatever is wrong is said at once, each on a line of its own, with the place
// where it was given.
func TestConfigCheckSaysEverything(t *testing.T) {
	name := settingsFile(t, "listen: nowhere\nlog:\n  level: loud\n  colour: true\ntls: {cert: x}\n")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"config", "check", "--config", name, "--drain", "1h"}, &stdout, &stderr,
		[]string{"ECPD_WORKERS=0", "ECPD_LOG_FORMATT=x"})
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout.String())
	lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
	for _, want := range []string{
		"ecpd: warning: the variable ECPD_LOG_FORMATT is not known and not used; did you mean ECPD_LOG_FORMAT?",
		"ecpd: " + name + ":4: the key log.colour is not known; known here are level, format",
		"ecpd: " + name + `:1: listen is "nowhere"; give HOST:PORT, e.g. 127.0.0.1:18180`,
		"ecpd: " + name + `:3: log.level is "loud"; debug, info, warn and error are allowed`,
		"ecpd: " + name + ":5: tls.cert has no key: the two belong together, give --tls-key too or neither",
		"ecpd: ECPD_WORKERS is 0; 1 to 1000 are allowed",
		"ecpd: --drain is 1h0m0s; 0s to 5s are allowed",
		"ecpd: warning: serve would not start here: " + errNoKubernetes.Error(),
	} {
		assert.Contains(t, lines, want)
	}
	assert.Len(t, lines, 8)
}

// What a file that cannot be read says of Kubernetes is not known.
func TestConfigCheckOfAnUnreadableFile(t *testing.T) {
	name := settingsFile(t, "kubernetes: {kubeconfig: x\n")
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitFailed, run(t.Context(), []string{"config", "check", "--config", name}, &stdout, &stderr, nil))
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	require.Contains(t, stderr.String(), name+":")
}

// Keys in the file are a secret as a token is; where they are given otherwise,
// anybody may read it.
func TestConfigWarnsOfSecretsOthersCanRead(t *testing.T) {
	key := "k1:" + strings.Repeat("A", 43) + "="
	for _, row := range []struct {
		content string
		environ []string
		warns   bool
	}{
		{"secrets:\n  key: " + key + "\n", nil, true},
		{"dev: true\n", []string{"ECPD_SECRETS_KEY=" + key}, false},
	} {
		name := settingsFile(t, row.content)
		for mode, others := range map[os.FileMode]bool{0o600: false, 0o644: true} {
			require.NoError(t, os.Chmod(name, mode))
			var stdout, stderr bytes.Buffer
			require.Equal(t, exitDone, run(t.Context(), []string{"config", "check", "--dev", "--config", name}, &stdout,
				&stderr, row.environ), stderr.String())
			want := ""
			if others && row.warns {
				want = "ecpd: warning: " + name + " holds a secret and others may read it: chmod 600 it\n"
			}
			require.Equal(t, want, stderr.String(), row.content)
		}
	}
}

// What config check prints is a file itself, with the same settings.
func TestConfigCheckPrintsWhatIsInEffect(t *testing.T) {
	name := settingsFile(t, "listen: \"[::1]:0\"\nlog:\n  level: warn\n  format: json\nbootstrapToken: "+
		"not-to-be-seen-by-others\n")
	require.NoError(t, os.Chmod(name, 0o644))
	args := []string{"config", "check", "--dev", "--config", name, "--log-format", "text"}
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitDone, run(t.Context(), args, &stdout, &stderr, []string{"ECPD_DRAIN=0s"}), stderr.String())
	require.Equal(t, "ecpd: warning: "+name+" holds a secret and others may read it: chmod 600 it\n", stderr.String())
	printed := stdout.String()
	require.NotContains(t, printed, "not-to-be-seen")
	for _, want := range []string{
		`listen: '[::1]:0' # ` + name + ":1", "dataDir: .cache/dev # default", "dev: true # --dev",
		"drain: 0s # ECPD_DRAIN",
		"level: warn # " + name + ":3", "format: text # --log-format", "bootstrapToken: '[redacted]' # " + name + ":5",
	} {
		assert.Contains(t, strings.Join(strings.Fields(printed), " "), want)
	}

	printed = strings.ReplaceAll(printed, redacted, "not-to-be-seen-by-others")
	first, _, err := configOf(t, args[2:], []string{"ECPD_DRAIN=0s"})
	require.NoError(t, err)
	second, _, err := configOf(t, []string{"--config", settingsFile(t, printed)}, nil)
	require.NoError(t, err)
	for _, o := range new(config).settings() {
		if o.key != "" && o.name != "data-dir" && o.name != "dashboard-listen" { // which are by --dev, and written out
			assert.Equal(t, first.setting(o.name).flag().String(), second.setting(o.name).flag().String(), o.key)
		}
	}
}

const exampleFile = "../../deploy/ecpd.yaml"

// The example lists every setting with its default and a comment, and nothing
// else, so that a daemon with it is a daemon without.
func TestExampleFile(t *testing.T) {
	found, err := readSettings(exampleFile)
	require.NoError(t, err)
	known := 0
	for _, o := range new(config).settings() {
		if o.key == "" {
			continue
		}
		known++
		g, ok := found[o.key]
		if !assert.True(t, ok, "deploy/ecpd.yaml lacks %s", o.key) {
			continue
		}
		assert.Equal(t, o.value, g.text, "default of %s", o.key)
	}
	assert.Len(t, found, known)

	content, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(content, &document))
	explained(t, "", document.Content[0])
	for _, o := range new(config).settings() {
		if o.reload {
			assert.Regexp(t, fmt.Sprintf(`(?m)^# SIGHUP .*\b%s\b`, o.key), string(content),
				"it says what can be changed without a restart")
		}
	}
}

// explained checks that every key has a comment above it.
func explained(t *testing.T, prefix string, n *yaml.Node) {
	t.Helper()
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if val.Kind == yaml.MappingNode {
			explained(t, prefix+key.Value+".", val)
			continue
		}
		assert.NotEmpty(t, key.HeadComment, "%s%s has no comment above it", prefix, key.Value)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"listen", "dataDir", "log.level", "log.format"}
	for name, want := range map[string]string{
		"listen": "listen", "lsten": "listen", "Listen": "listen", "data_dir": "dataDir", "loglevel": "log.level",
		"log.lvel": "log.level",
		"x":        "", "": "", "directory": "", "listeningPort": "",
	} {
		assert.Equal(t, want, nearest(name, names), name)
	}
	assert.Equal(t, 3, distance("kitten", "sitting"))
	assert.Equal(t, 2, distance("", "ab"))
}
