package podsim

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// health counts the results of probes, as the kubelet does.
type health struct {
	started  bool
	ready    bool
	counting bool // the last probe disagrees with ready or started
	run      int32
	last     bool // result of the last probe
}

// startup takes the result of a start-up probe. Its failures are not counted:
// a process that starts slowly is not restarted here.
func (h *health) startup(c *corev1.Container, ok bool) {
	h.count(ok)
	h.started = ok && h.run >= threshold(c.StartupProbe, true)
	h.counting = ok && !h.started
	if h.started {
		h.run = 0
	}
}

// readiness takes the result of a readiness probe.
func (h *health) readiness(c *corev1.Container, ok bool) {
	h.count(ok)
	if ok != h.ready && h.run >= threshold(c.ReadinessProbe, ok) {
		h.ready = ok
	}
	h.counting = ok != h.ready
}

func (h *health) count(ok bool) {
	if ok != h.last {
		h.run = 0
	}
	h.last, h.run = ok, h.run+1
}

// threshold is how many results of a kind in a row count.
func threshold(p *corev1.Probe, ok bool) int32 {
	switch {
	case p == nil:
		return 1
	case ok:
		return max(1, p.SuccessThreshold)
	default:
		return max(1, p.FailureThreshold)
	}
}

// period is the time between two probes that the container asks for.
func period(c *corev1.Container, started bool) time.Duration {
	p := c.ReadinessProbe
	if !started && c.StartupProbe != nil {
		p = c.StartupProbe
	}
	if p == nil || p.PeriodSeconds <= 0 {
		return 10 * time.Second
	}
	return time.Duration(p.PeriodSeconds) * time.Second
}

// newProber returns the client of all probes. Like the kubelet's, it uses no
// proxy, follows no redirect and does not verify certificates. Unlike the
// kubelet's, it keeps the connection to a pod, which halves the cost of 300 pods.
// The next probe notices a dead process all the same, because its connections
// are reset.
func newProber() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 20 * time.Second,
			TLSClientConfig: anyServer(), ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// check runs a probe once against a pod's address. It returns nil for success.
func check(ctx context.Context, client *http.Client, ip string, c *corev1.Container, p *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(1, p.TimeoutSeconds))*time.Second)
	defer cancel()
	switch {
	case p.HTTPGet != nil:
		return checkHTTP(ctx, client, ip, c, p.HTTPGet)
	case p.TCPSocket != nil:
		return checkTCP(ctx, ip, c, p.TCPSocket)
	}
	return fmt.Errorf("a probe of this kind is not simulated")
}

func checkHTTP(
	ctx context.Context, client *http.Client, ip string, c *corev1.Container, get *corev1.HTTPGetAction,
) error {
	port, err := portOf(c, get.Port)
	if err != nil {
		return err
	}
	if get.Host != "" {
		ip = get.Host
	}
	scheme := strings.ToLower(string(get.Scheme))
	if scheme == "" {
		scheme = "http"
	}
	path := "/" + strings.TrimPrefix(get.Path, "/")
	url := scheme + "://" + net.JoinHostPort(ip, strconv.Itoa(port)) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "kube-probe/podsim")
	for _, h := range get.HTTPHeaders {
		req.Header.Add(h.Name, h.Value)
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			req.Host = h.Value
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 10<<10)
	if resp.StatusCode < 200 || resp.StatusCode >= 400 {
		return fmt.Errorf("%s answers %d", path, resp.StatusCode)
	}
	return nil
}

func checkTCP(ctx context.Context, ip string, c *corev1.Container, to *corev1.TCPSocketAction) error {
	port, err := portOf(c, to.Port)
	if err != nil {
		return err
	}
	if to.Host != "" {
		ip = to.Host
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return conn.Close()
}

// portOf returns the port of a probe, which is a number or the name of a container's port.
func portOf(c *corev1.Container, p intstr.IntOrString) (int, error) {
	if p.Type == intstr.Int {
		return p.IntValue(), nil
	}
	for _, cp := range c.Ports {
		if cp.Name == p.StrVal {
			return int(cp.ContainerPort), nil
		}
	}
	return 0, fmt.Errorf("container %s has no port named %q", c.Name, p.StrVal)
}
