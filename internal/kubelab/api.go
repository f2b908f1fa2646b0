package kubelab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// mostAnswer bounds what is read of one answer.
const mostAnswer = 64 << 20

// Do sends one request to the API server as the administrator, and returns the
// status and the body of the answer. An error means that there was no answer.
func (l *Lab) Do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, l.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return resp.StatusCode, b, nil
}

// Kubectl runs kubectl as the administrator and returns its standard output. An
// error contains its standard error.
func (l *Lab) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := l.KubectlCommand(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s",
			strings.Join(args, " "), err, lastLines(stderr.Bytes(), 10))
	}
	return stdout.String(), nil
}

// KubectlCommand is Kubectl for commands that stay, such as port-forward: the
// caller starts it and waits for it. It is killed when ctx ends.
func (l *Lab) KubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	all := append([]string{"--kubeconfig=" + l.Kubeconfig, "--cache-dir=" + l.Dir + "/kubectl"}, args...)
	cmd := exec.CommandContext(ctx, l.bin+"/kubectl", all...)
	cmd.Env = []string{"HOME=" + l.Dir}
	return cmd
}

// User writes a kubeconfig with a client certificate for a user of that name
// and groups, and returns its path. What the user may do is up to RBAC objects
// that the caller makes. Calling again writes a new certificate to the same path.
func (l *Lab) User(name string, groups ...string) (string, error) {
	path, err := l.ca.issue(identity{file: fileName(name), name: name, groups: groups})
	if err != nil {
		return "", fmt.Errorf("issue a certificate for %s: %w", name, err)
	}
	return path, nil
}

// answers returns a function that reports whether the API server answers 200 at path.
func (l *Lab) answers(path string) func(context.Context) (bool, string) {
	return func(ctx context.Context) (bool, string) {
		status, body, err := l.Do(ctx, http.MethodGet, path, nil)
		if err != nil {
			return false, err.Error()
		}
		return status == http.StatusOK, fmt.Sprintf("%d %s", status, body)
	}
}

// until calls ok until it returns true. It fails when ctx ends, with the text that ok
// returned last, and at once when a program has ended.
func (l *Lab) until(ctx context.Context, what string, ok func(context.Context) (bool, string)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	seen := "nothing"
	for {
		yes, now := ok(ctx)
		if yes {
			return nil
		}
		if ctx.Err() == nil { // otherwise it is only the error of ctx
			seen = now
		}
		if err := l.death(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w; last seen: %s", what, context.Cause(ctx), seen)
		case <-tick.C:
		}
	}
}

// death returns the error of the first process that has ended by itself.
func (l *Lab) death() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.procs {
		if err := p.death(); err != nil {
			return err
		}
	}
	return nil
}
