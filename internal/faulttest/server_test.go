package faulttest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/internal/processtest"
	"github.com/stretchr/testify/require"
)

// adminToken is the token of the API.
const adminToken = "0123456789abcdef0123456789abcdef"

// nowhere is the configuration of a Kubernetes that does not exist: there are no hosted
// clusters.
const nowhere = `apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: a, user: {token: x}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
`

// launch starts a program that appends what it prints to a file.
func launch(t *testing.T, cmd *exec.Cmd, log string) *processtest.Process {
	t.Helper()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer out.Close() // the process has its own
	cmd.Stdout, cmd.Stderr = out, out
	p, err := processtest.Begin(cmd)
	require.NoError(t, err)
	return p
}

// server is a daemon with an authority of its own.
type server struct {
	t       *testing.T
	url     string
	dir     string
	args    []string
	bundle  string // file with the authorities that agents are told of; empty means none
	process *processtest.Process

	mu   sync.Mutex
	http *http.Client       // guarded by mu: it trusts the authority that is there now
	seen map[ecp.ID][]sight // guarded by mu
	news chan struct{}      // guarded by mu; closed when seen grows
}

// sight is what was shown of a cluster since a time.
type sight struct {
	at      time.Time
	state   ecp.State
	reason  ecp.Reason
	message string
	stale   bool
}

func (s sight) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s/%s %s", s.at.Format("05.0"), s.state, s.reason, s.message))
}

func startServer(t *testing.T, port int, args ...string) *server {
	t.Helper()
	s := prepareServer(t, port, args...)
	s.begin(t)
	return s
}

// prepareServer returns a server that does not run yet.
func prepareServer(t *testing.T, port int, args ...string) *server {
	t.Helper()
	s := &server{t: t, url: fmt.Sprintf("https://%s:%d", serverAddress, port), dir: t.TempDir(),
		seen: map[ecp.ID][]sight{}, news: make(chan struct{})}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "kubeconfig"), []byte(nowhere), 0o600))
	s.args = append([]string{
		"serve", "--kubeconfig", filepath.Join(s.dir,
			"kubeconfig"), "--kubernetes-reach", "port-forward", "--data-dir", s.dir,
		"--listen", fmt.Sprintf("%s:%d", serverAddress, port), "--tls-auto", "--cluster-agent", s.url,
	}, args...)
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(ctx) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		if s.process != nil {
			s.process.Kill()
		}
		if s.http != nil {
			s.http.CloseIdleConnections()
		}
		if log, _ := os.ReadFile(s.log()); t.Failed() {
			t.Logf("the daemon's log:\n%s", log)
		}
	})
	return s
}

func (s *server) log() string { return filepath.Join(s.dir, "log") }

// begin starts the daemon and waits until it answers.
func (s *server) begin(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), daemonFile(), s.args...)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir,
		"ECPD_BOOTSTRAP_TOKEN=" + adminToken}
	s.process = launch(t, cmd, s.log())
	within(t, 30*time.Second, func() (bool, string) {
		if err := s.trust(); err != nil {
			return false, err.Error()
		}
		_, err := s.try(http.MethodGet, "/api/v1/clusters?limit=1", nil)
		return err == nil, fmt.Sprint(err)
	})
}

// trust reads the authority that the daemon has now.
func (s *server) trust() error {
	ca, err := os.ReadFile(filepath.Join(s.dir, "tls", "ca.pem"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	s.http = &http.Client{Timeout: 10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	return nil
}

// try makes a call of the API.
func (s *server) try(method, path string, body any) ([]byte, error) {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	// the client has a time-out
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	s.mu.Lock()
	client := s.http
	s.mu.Unlock()
	if client == nil {
		return nil, errors.New("it has not begun")
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s %s", method, path, res.Status, answer)
	}
	return answer, err
}

// call makes a call that has to succeed, and reads the answer.
func call[T any](t *testing.T, s *server, method, path string, body any) (out T) {
	t.Helper()
	answer, err := s.try(method, path, body)
	require.NoError(t, err)
	if len(answer) > 0 {
		require.NoError(t, json.Unmarshal(answer, &out), "%s", answer)
	}
	return out
}

// watch records what is shown of each cluster, until ctx ends.
func (s *server) watch(ctx context.Context) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.look()
		case <-ctx.Done():
			return
		}
	}
}

func (s *server) look() {
	answer, err := s.try(http.MethodGet, "/api/v1/clusters?limit=500", nil)
	if err != nil {
		return // it is being restarted
	}
	var page struct {
		Items []struct {
			ID     ecp.ID
			Status struct {
				State   ecp.State
				Reason  ecp.Reason
				Message string
				Stale   bool
			}
		}
	}
	if json.Unmarshal(answer, &page) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	grown := false
	for _, c := range page.Items {
		now, before := sight{time.Now(), c.Status.State, c.Status.Reason, c.Status.Message,
			c.Status.Stale}, s.seen[c.ID]
		if n := len(before); n > 0 {
			same := before[n-1]
			if same.at = now.at; same == now {
				continue
			}
		}
		s.seen[c.ID], grown = append(before, now), true
	}
	if grown {
		close(s.news)
		s.news = make(chan struct{})
	}
}

// shown is what was shown of a cluster so far, and a channel that is closed when
// there is more.
func (s *server) shown(id ecp.ID) ([]sight, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen[id]), s.news
}

// within waits for something that is asked for again and again, and returns how long
// that took.
func within(t *testing.T, meant time.Duration, is func() (bool, string)) time.Duration {
	t.Helper()
	began := time.Now()
	processtest.Eventually(t, max(patience, 2*meant), is)
	return time.Since(began)
}
