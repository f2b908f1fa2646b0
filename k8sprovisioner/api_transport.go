package k8sprovisioner

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// apiTransport is the transport to the API server. Its credentials and address can be
// replaced at any time: requests that have begun finish with the old ones.
type apiTransport struct {
	mu        sync.Mutex
	inUse     *rest.Config      // guarded by mu
	transport http.RoundTripper // guarded by mu
	base      *url.URL          // guarded by mu
	digest    [sha256.Size]byte // guarded by mu; of the files that it was last read from
}

// use makes later requests use a configuration.
func (w *apiTransport) use(c *rest.Config) error {
	base, _, err := rest.DefaultServerUrlFor(c)
	if err != nil {
		return err
	}
	t, err := rest.TransportFor(c)
	if err != nil {
		return err
	}
	w.mu.Lock()
	old := w.transport
	if w.base != nil && w.base.Path != base.Path {
		w.mu.Unlock()
		return fmt.Errorf("the server's path was %q and is %q now; that takes a restart", w.base.Path, base.Path)
	}
	w.inUse, w.transport, w.base = c, t, base
	w.mu.Unlock()
	if old != nil {
		utilnet.CloseIdleConnectionsFor(old)
	}
	return nil
}

// config returns the configuration in use.
func (w *apiTransport) config() *rest.Config {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inUse
}

// redirect returns a URL with the scheme and the host of the server in use.
func (w *apiTransport) redirect(u *url.URL) *url.URL {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := *u
	out.Scheme, out.Host = w.base.Scheme, w.base.Host
	return &out
}

// RoundTrip sends a request to the server in use.
func (w *apiTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	t := w.transport
	w.mu.Unlock()
	if u := w.redirect(r.URL); u.Host != r.URL.Host || u.Scheme != r.URL.Scheme {
		r = r.Clone(r.Context())
		r.URL, r.Host = u, ""
	}
	return t.RoundTrip(r)
}

// ReloadKubeconfig reads Config.Kubeconfig again. If it has changed, or a file that it
// names has, later requests use it. If it cannot be used, or leads to another Kubernetes
// cluster, the old one stays, and the error has the reason. With force it is used
// even if nothing has changed. Without Config.Kubeconfig nothing happens.
func (p *Provisioner) ReloadKubeconfig(ctx context.Context, force bool) (changed bool, err error) {
	file := p.cfg.Kubeconfig
	if file == "" {
		return false, nil
	}
	digest, err := digestOf(file)
	if err != nil {
		return false, err
	}
	p.api.mu.Lock()
	before := p.api.digest
	p.api.mu.Unlock()
	if !force && digest == before {
		return false, nil
	}
	c, err := LoadREST(file)
	if err != nil {
		return false, err
	}
	if err := p.sameKubernetes(ctx, withoutLimits(c)); err != nil {
		return false, fmt.Errorf("use kubeconfig %s: %w", file, err)
	}
	if err := p.api.use(withoutLimits(c)); err != nil {
		return false, fmt.Errorf("use kubeconfig %s: %w", file, err)
	}
	p.api.mu.Lock()
	p.api.digest = digest
	p.api.mu.Unlock()
	p.watch.requestProbe()
	return true, nil
}

// digestOf returns a hash of a kubeconfig and of the files that it names.
func digestOf(file string) (sum [sha256.Size]byte, err error) {
	c, err := clientcmd.LoadFromFile(file)
	if err != nil {
		return sum, errors.New("kubeconfig " + file + " cannot be read, or is not well-formed YAML of the kind Config")
	}
	if err := clientcmd.ResolveLocalPaths(c); err != nil {
		return sum, fmt.Errorf("read kubeconfig %s: %w", file, err)
	}
	files := []string{file}
	for _, u := range c.AuthInfos {
		files = append(files, u.TokenFile, u.ClientCertificate, u.ClientKey)
	}
	for _, s := range c.Clusters {
		files = append(files, s.CertificateAuthority)
	}
	slices.Sort(files)
	h := sha256.New()
	for _, name := range slices.Compact(files) {
		if name == "" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return sum, fmt.Errorf("read kubeconfig %s: %w", file, err)
		}
		fmt.Fprintf(h, "%d %s %d ", len(name), name, len(text))
		h.Write(text)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
