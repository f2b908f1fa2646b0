package k8sprovisioner

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/openecp/openecp/ecp"
	corev1 "k8s.io/api/core/v1"
)

// authKeys is a cluster's API key, kept in memory only.
type authKeys struct {
	secretUID   string // UID of the Secret it was read from
	credentials ecp.Credentials
	secrets     []ecp.Secret // all of the Secret
	until       time.Time
}

// authKeysLife is how long an API key is used before the Secret is read again.
const authKeysLife = 15 * time.Minute

// Endpoint implements [ecp.Accessor]. It returns how to reach a node's management API.
func (p *Provisioner) Endpoint(ctx context.Context, id ecp.ID, node string) (ecp.Endpoint, error) {
	op := "reach " + string(id)
	f, err := p.objectsOf(ctx, id, op, true)
	if err != nil {
		return ecp.Endpoint{}, err
	}
	if f.workload == nil || f.foreign != "" || f.auth == "" {
		return ecp.Endpoint{}, unavailable(op, "nothing of the cluster runs")
	}
	pod := p.podOf(f, node)
	if pod == nil {
		return ecp.Endpoint{}, unavailable(op, fmt.Sprintf("no pod with an address is node %q", node))
	}
	credentials, err := p.credentials(ctx, f)
	if err != nil {
		return ecp.Endpoint{}, failure(op, err)
	}
	at := func(port int) string { return "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port)) }
	e := ecp.Endpoint{
		Credentials: credentials, Transport: keepOpen{p.podIPs},
		BaseURL: at(majorOfWorkload(f.workload.Name).api), DashboardURL: at(dashboardPort),
		Node: (names{id: f.id}).node(pod.Name, p.network(f).ClusterDomain),
	}
	if p.cfg.Reach == PortForward {
		e.Transport = p.forwarded(pod)
	}
	return e, nil
}

// podOf returns the pod of an EMQX node. An empty node means the first that is ready, a core
// node before a replicant.
func (p *Provisioner) podOf(f clusterObjects, node string) *corev1.Pod {
	for _, f := range f.eachRole() {
		pods := f.pods()
		for _, i := range slices.Sorted(maps.Keys(pods)) {
			pod := pods[i]
			if pod.Status.PodIP == "" {
				continue
			}
			if node == (names{id: f.id}).node(pod.Name, p.network(f).ClusterDomain) || node == "" && ready(pod) {
				return pod
			}
		}
	}
	return nil
}

// credentials returns the cluster's API key.
func (p *Provisioner) credentials(ctx context.Context, f clusterObjects) (ecp.Credentials, error) {
	l, err := p.authKeys(ctx, f)
	return l.credentials, err
}

// Secrets implements [ecp.SecretTeller]. It returns the cookie, the API's secret and the
// dashboard's password.
func (p *Provisioner) Secrets(ctx context.Context, id ecp.ID) ([]ecp.Secret, error) {
	op := "read the keys of " + string(id)
	f, err := p.objectsOf(ctx, id, op, true)
	if err != nil || f.foreign != "" || f.auth == "" {
		return nil, err
	}
	l, err := p.authKeys(ctx, f)
	return l.secrets, failure(op, err)
}

func (p *Provisioner) authKeys(ctx context.Context, f clusterObjects) (authKeys, error) {
	var l authKeys
	p.withMemo(f.id, func(m *memo) { l = m.authKeys })
	if l.secretUID == f.auth && time.Now().Before(l.until) {
		return l, nil
	}
	s, err := p.readAuthSecret(ctx, f.id)
	if err != nil {
		return authKeys{}, err
	}
	if s == nil {
		return authKeys{}, loss("read the API key", ecp.ReasonSecretLost, "secret "+authName(f.id))
	}
	l = authKeys{secretUID: string(s.UID), until: time.Now().Add(authKeysLife), credentials: ecp.Credentials{
		Username: string(s.Data[keyAPIKey]), Password: string(s.Data[keyAPISecret]),
	}}
	for _, key := range []string{keyCookie, keyAPISecret, keyDashboard} {
		l.secrets = append(l.secrets, ecp.Secret(s.Data[key]))
	}
	p.withMemo(f.id, func(m *memo) { m.authKeys = l })
	return l, nil
}

// keepOpen shares one transport among endpoints. It has no method to close the idle
// connections, which would close those of all.
type keepOpen struct{ t *http.Transport }

// RoundTrip sends the request over the shared transport.
func (k keepOpen) RoundTrip(r *http.Request) (*http.Response, error) { return k.t.RoundTrip(r) }

func dialPod(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	return d.DialContext(ctx, network, address)
}
