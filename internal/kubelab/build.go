package kubelab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// toolNames are the programs the one binary can be; each gets a link.
var toolNames = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kubelet", "kwok",
}

// Build returns the folder with the control plane's programs. It builds them
// when the cache has none for the present content of the tools folder and Go
// version. That takes five minutes or more on two cores when Go's own build
// cache is cold, and 20 seconds when it is warm; a line on standard error announces
// it. Processes that call Build at the same time wait for one build. A build that is
// interrupted leaves nothing that could be mistaken for a result.
func Build(ctx context.Context, log *slog.Logger) (string, error) {
	tools, err := toolsDir()
	if err != nil {
		return "", err
	}
	goVersion, err := goOutput(ctx, tools, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	key, err := contentKey(tools, goVersion)
	if err != nil {
		return "", fmt.Errorf("hash the sources in %s: %w", tools, err)
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "kube-"+key)
	if built(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w; set %s to a folder that may be written", err, CacheEnv)
	}
	lock, err := waitLock(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("build the control plane: %w", err)
	}
	defer lock.unlock()
	if built(dir) { // by whoever held the lock
		return dir, nil
	}
	fmt.Fprintf(os.Stderr, "kubelab: building the Kubernetes control plane into %s; once, for up to ten minutes\n", dir)
	start := time.Now()
	if err := compile(ctx, tools, dir); err != nil {
		return "", err
	}
	logger(log).Info("built the control plane", "dir", dir, "took", time.Since(start).Round(time.Second))
	return dir, nil
}

// compile builds into a temporary folder and renames it to dir.
func compile(ctx context.Context, tools, dir string) error {
	tmp := dir + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	version, err := goOutput(ctx, tools, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	// Without these, clients that read /version see v0.0.0 and refuse.
	_, minor, _ := strings.Cut(version, ".")
	minor, _, _ = strings.Cut(minor, ".")
	const pkg = "k8s.io/component-base/version"
	flags := fmt.Sprintf("-s -w -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s -X %s.gitTreeState=clean",
		pkg, version, pkg, pkg, minor, pkg)
	if _, err := goOutput(ctx, tools, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags,
		"-o", filepath.Join(tmp, "kubelab"), "."); err != nil {
		return err
	}
	for _, name := range toolNames {
		if err := os.Symlink("kubelab", filepath.Join(tmp, name)); err != nil {
			return err
		}
	}
	return os.Rename(tmp, dir)
}

func built(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "kubelab"))
	return err == nil
}

// goOutput runs the go command in the tools module and returns what it printed.
func goOutput(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// The environment's flags and workspace are about another module.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s in %s: %w: %s",
			args[0], dir, errors.Join(err, context.Cause(ctx)), lastLines(stderr.Bytes(), 10))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// contentKey names a build by what goes into it.
func contentKey(tools, goVersion string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, goVersion, runtime.GOOS, runtime.GOARCH)
	err := filepath.WalkDir(tools, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(tools, path)
		fmt.Fprintf(h, "%s %x\n", rel, sha256.Sum256(b))
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), err
}

// toolsDir finds the tools module: beside this source file, or, in a binary
// built with -trimpath, in the source tree around the working folder.
func toolsDir() (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		if dir := filepath.Join(filepath.Dir(file), "tools"); isModule(dir) {
			return dir, nil
		}
	}
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for start := at; ; at = filepath.Dir(at) {
		if dir := filepath.Join(at, "internal", "kubelab", "tools"); isModule(dir) {
			return dir, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("find internal/kubelab/tools above %s: no such folder; run inside the source tree",
				start)
		}
	}
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
