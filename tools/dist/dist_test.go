package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// long reports whether the long drills are to run, for all architectures.
func long() bool { return os.Getenv("OPENECP_LONG") != "" }

// newKey makes a key, and the file that is given to --key.
func newKey(t *testing.T) (public ed25519.PublicKey, name string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return public, keyFile(t, private)
}

func keyFile(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return name
}

// checksums reads and checks the list of a release: the sums by the files' names.
func checksums(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, sumsFile))
	require.NoError(t, err)
	sums := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		require.True(t, ok, line)
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		is := sha256.Sum256(content)
		assert.Equal(t, hex.EncodeToString(is[:]), sum, name)
		sums[name] = sum
	}
	return sums
}

// one returns the one file of a release whose name is like that.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	require.Len(t, found, 1, pattern)
	return found[0]
}

// A commit may be called by digits alone, with a zero before them.
func TestVersionOfACommit(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, commit := range []string{"0123456789abcdef", "0012345", "1a2b3c4d5e"} {
		_, err := semver.StrictNewVersion(untagged(at, commit))
		require.NoError(t, err)
		_, err = semver.StrictNewVersion(untagged(at, commit) + ".changed")
		require.NoError(t, err)
	}
	require.Equal(t, "0.0.0-dev.20260102030405.g0123456", untagged(at, "0123456789abcdef"))
}

func TestRelease(t *testing.T) {
	arch := "amd64"
	if long() {
		arch = strings.Join(all, ",")
	}
	public, key := newKey(t)
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, run(t.Context(), []string{"--out", dir, "--arch", arch, "--key", key}))
	sums := checksums(t, dir)
	if long() {
		again := filepath.Join(t.TempDir(), "out")
		require.NoError(t, run(t.Context(), []string{"--out", again, "--arch", arch}))
		require.Equal(t, sums, checksums(t, again), "the same commit makes the same bytes")
	}
	list, err := os.ReadFile(filepath.Join(dir, sumsFile))
	require.NoError(t, err)
	signature, err := os.ReadFile(filepath.Join(dir, signatureFile))
	require.NoError(t, err)
	require.True(t, ed25519.Verify(public, list, signature))
	require.ErrorContains(t, run(t.Context(), []string{"--out", dir}), "not empty")
	checksAsDocumented(t, dir, key)

	r, err := describe(t.Context(), dir, []string{"amd64"})
	require.NoError(t, err)
	t.Run("packages", func(t *testing.T) { packagesAreWhole(t, dir) })
	t.Run("packages of rpm", func(t *testing.T) { rpmsAreWhole(t, dir) })
	t.Run("command line", func(t *testing.T) { commandLineIsWhole(t, dir, r.version) })
	one(t, dir, "ecpd-"+r.version+".tgz") // with its checksum; TestChart looks into it
	require.Contains(t, sums, "ecpd-"+r.version+".tgz")
	t.Run("images", func(t *testing.T) { imagesRun(t, dir, r) })
	t.Run("materials", func(t *testing.T) { billIsWhole(t, dir) })
}

// checksAsDocumented runs the commands of RELEASING.md by which people check what they have
// downloaded, with the key's public half, and sees them refuse what was changed.
func checksAsDocumented(t *testing.T, dir, key string) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Log("signatures are not checked with openssl: it is not on this host")
		return
	}
	text, err := os.ReadFile("../../RELEASING.md")
	require.NoError(t, err)
	blocks := strings.Split(string(text), "```\n")
	require.Len(t, blocks, 5, "RELEASING.md has two blocks of commands")
	here := t.TempDir()
	require.NoError(t, os.CopyFS(here, os.DirFS(dir)))
	require.NoError(t, copyFile(key, filepath.Join(here, "key.pem"), 0o600))
	_, making, _ := strings.Cut(blocks[1], "\n") // the test has its key
	_, err = output(t.Context(), here, "sh", "-ec", making+blocks[3])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(here, sumsFile), []byte("0000  x\n"), 0o600))
	_, err = output(t.Context(), here, "sh", "-ec", blocks[3])
	require.Error(t, err)
}

// packagesAreWhole looks at what is in the packages with Debian's own tool.
func packagesAreWhole(t *testing.T, dir string) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("there is no dpkg-deb on this host")
	}
	control, err := output(t.Context(), dir, "dpkg-deb", "--info", one(t, dir, "ecpd_*_amd64.deb"))
	require.NoError(t, err)
	for _, want := range []string{"Package: ecpd", "Architecture: amd64", "Depends: passwd", "conffiles", "postinst",
		"prerm", "postrm"} {
		assert.Contains(t, control, want)
	}
	into := t.TempDir()
	_, err = output(t.Context(), dir, "dpkg-deb", "--extract", one(t, dir, "ecpd_*_amd64.deb"), into)
	require.NoError(t, err)
	unit, err := os.ReadFile(filepath.Join(into, "usr/lib/systemd/system/ecpd.service"))
	require.NoError(t, err)
	assert.Contains(t, string(unit), "\nExecStart=/usr/bin/ecpd serve ")
	assert.Contains(t, string(unit), "\nEnvironment=ECPD_AGENTS_DIR=/usr/lib/ecpd/agents\n")
	settings, err := os.Stat(filepath.Join(into, "etc/ecpd/ecpd.yaml"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), settings.Mode().Perm())
	_, err = output(t.Context(), into+"/usr/lib/ecpd/agents", "sha256sum", "--check", "--strict", "SHA256SUMS")
	assert.NoError(t, err)
}

// imagesRun lets the checks of the image library look at images, and runs them as a container
// would, but for its walls: in their own files, as their own user.
func imagesRun(t *testing.T, dir string, r release) {
	for _, m := range imagesMade {
		index, err := layout.ImageIndexFromPath(one(t, dir, m.name+"-*.oci"))
		require.NoError(t, err)
		require.NoError(t, validate.Index(index))
		img, err := tarball.ImageFromPath(one(t, dir, m.name+"-*-linux-amd64.tar"), nil)
		require.NoError(t, err)
		require.NoError(t, validate.Image(img))
		c, err := img.ConfigFile()
		require.NoError(t, err)
		assert.Equal(t, r.commit, c.Config.Labels["org.opencontainers.image.revision"])
		assert.Equal(t, "65532:65532", c.Config.User)

		root := t.TempDir()
		require.NoError(t, os.Chmod(root, 0o755))
		unpack(t, mutate.Extract(img), root)
		roots, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
		require.NoError(t, err)
		require.True(t, x509.NewCertPool().AppendCertsFromPEM(roots))
		if os.Geteuid() != 0 {
			t.Log("images are not run: that takes root")
			continue
		}
		command := func(args ...string) *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), c.Config.Entrypoint[0], args...)
			cmd.Dir, cmd.Env = "/", c.Config.Env
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
			return cmd
		}
		text, err := command("version").CombinedOutput()
		require.NoError(t, err, string(text))
		assert.Contains(t, string(text), r.commit[:7])
		if m.name == "ecpd" {
			serves(t, command("serve", "--dev", "--data-dir", m.state, "--listen", "127.0.0.1:0"))
		}
	}
}

// serves starts the daemon, and ends it once it has answered.
func serves(t *testing.T, cmd *exec.Cmd) {
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	address := ""
	for lines := bufio.NewScanner(stdout); address == "" && lines.Scan(); {
		_, address, _ = strings.Cut(lines.Text(), "ecpd ready on ")
	}
	require.NotEmpty(t, address, "%s", &stderr)
	for path, status := range map[string]int{"/readyz": 200, "/api/v1/clusters": 401} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(q)
		require.NoError(t, err)
		assert.Equal(t, status, answer.StatusCode, path)
		require.NoError(t, answer.Body.Close())
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_, _ = io.Copy(io.Discard, stdout) // until it has ended
	require.NoError(t, cmd.Wait(), "%s", &stderr)
}

// unpack writes an archive into a folder, with owners where we may.
func unpack(t *testing.T, from io.ReadCloser, to string) {
	t.Helper()
	defer from.Close()
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		name := filepath.Join(to, filepath.Clean("/"+h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(name, 0o755))
		} else {
			content, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name, content, 0o600))
		}
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(name, h.Uid, h.Gid))
		}
		require.NoError(t, os.Chmod(name, h.FileInfo().Mode()))
	}
}

func billIsWhole(t *testing.T, dir string) {
	f, err := os.Open(one(t, dir, "ecpd-linux-amd64.cdx.json"))
	require.NoError(t, err)
	defer f.Close()
	bom := new(cyclonedx.BOM)
	require.NoError(t, cyclonedx.NewBOMDecoder(f, cyclonedx.BOMFileFormatJSON).Decode(bom))
	listed := map[string]string{}
	for _, c := range *bom.Components {
		listed[c.Name] = c.Version
	}
	pinned, err := output(t.Context(), "../..", "go", "list", "-m", "-json", "k8s.io/client-go")
	require.NoError(t, err)
	var m struct{ Path, Version string }
	require.NoError(t, json.Unmarshal([]byte(pinned), &m))
	assert.Equal(t, m.Version, listed[m.Path])
	assert.NotEmpty(t, listed["std"])
	assert.NotEmpty(t, listed["preact"])
}

// The libraries of the console are named with sum and license; what it is only built and tested with is not.
func TestConsoleLibraries(t *testing.T) {
	all, err := consoleLibraries("../../console/package-lock.json")
	require.NoError(t, err)
	names := map[string]cyclonedx.Component{}
	for _, c := range all {
		names[c.Name] = c
		assert.Len(t, (*c.Hashes)[0].Value, 128, c.Name)
		assert.NotEmpty(t, (*c.Licenses)[0].License.ID, c.Name)
	}
	signals := names["@preact/signals"]
	assert.Equal(t, "pkg:npm/%40preact/signals@"+signals.Version, signals.PackageURL)
	assert.Contains(t, names, "uplot")
	for _, tool := range []string{"vite", "typescript", "playwright-core"} {
		assert.NotContains(t, names, tool)
	}
}

// A key that cannot sign is refused before anything is built, and is never repeated.
func TestKeys(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("obviously-fake-key"), 0o600))
	for name, want := range map[string]string{
		"/nowhere/at/all": "no such file", text: "no PEM block", keyFile(t, other): "Ed25519 is wanted",
	} {
		out := filepath.Join(t.TempDir(), "out")
		err := run(t.Context(), []string{"--out", out, "--key", name})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "obviously-fake-key")
		require.NoDirExists(t, out)
	}
}

func TestWrongUse(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), nil), "--out DIR")
	require.ErrorContains(t, run(t.Context(), []string{"--out", t.TempDir(), "--arch", "mips"}), "amd64, arm, arm64")
}
