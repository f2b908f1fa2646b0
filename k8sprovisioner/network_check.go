package k8sprovisioner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/openecp/openecp/ecp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// networkFacts is what is known about the network of Kubernetes.
type networkFacts struct {
	mu sync.Mutex
	// guarded by mu; of the API server's own Service, which is that of Services that ask for none; "" = not known
	family  ecp.IPFamily
	domains []string // guarded by mu; that CoreDNS answers for; empty = not known
}

// checkNetwork reads the Service of the API server and the configuration of CoreDNS, once.
// There are no warnings about what does not exist or may not be read.
func (p *Provisioner) checkNetwork(ctx context.Context) {
	var family ecp.IPFamily
	var domains []string
	if o, err := p.read(ctx, core(p.client), "services", corev1.NamespaceDefault, "kubernetes",
		new(corev1.Service)); err == nil {
		if s, ok := o.(*corev1.Service); ok && len(s.Spec.IPFamilies) > 0 {
			family = ecp.IPFamily(s.Spec.IPFamilies[0])
		}
	}
	if o, err := p.read(ctx, core(p.client), "configmaps", "kube-system", "coredns",
		new(corev1.ConfigMap)); err == nil {
		if c, ok := o.(*corev1.ConfigMap); ok {
			domains = domainsIn(c.Data["Corefile"])
		}
	}
	p.networkFacts.mu.Lock()
	p.networkFacts.family, p.networkFacts.domains = family, domains
	p.networkFacts.mu.Unlock()
	for _, w := range p.networkWarnings() {
		p.cfg.Logger.WarnContext(ctx, "the network of Kubernetes is not as configured", "warning", w)
	}
}

// domainsIn returns the zones of CoreDNS' kubernetes plugin, without those for
// addresses.
func domainsIn(corefile string) (out []string) {
	for line := range strings.Lines(corefile) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "kubernetes" {
			continue
		}
		for _, zone := range words[1:] {
			if zone = strings.Trim(zone, "."); zone != "{" && !strings.HasSuffix(zone, ".arpa") {
				out = append(out, zone)
			}
		}
	}
	return out
}

// networkWarnings returns how the network of Kubernetes, or of clusters, differs from the
// configuration.
func (p *Provisioner) networkWarnings() (out []string) {
	n := p.cfg.Network
	p.networkFacts.mu.Lock()
	family, domains := p.networkFacts.family, p.networkFacts.domains
	p.networkFacts.mu.Unlock()
	if len(domains) > 0 && !slices.Contains(domains, n.ClusterDomain) {
		out = append(out, fmt.Sprintf("the DNS domain of clusters that are made is %s, and Kubernetes' DNS answers "+
			"for %s: their nodes would not find each other; set clusterDomain of the target", n.ClusterDomain,
			strings.Join(domains, ", ")))
	}
	switch {
	case n.IPFamily == "" && family == ecp.IPv6:
		out = append(out, "Services of this Kubernetes cluster have addresses of IPv6, and EMQX is made for IPv4: "+
			"set ipFamily of the target to IPv6, or to IPv4 where it has both")
	case n.IPFamily != "" && family != "" && n.IPFamily != family:
		out = append(out, fmt.Sprintf("nodes are made for %s, and Services of this Kubernetes cluster have "+
			"addresses of %s where they ask for none: unless it has both, clusters are refused; see ipFamily of the "+
			"target", n.IPFamily, family))
	}
	return append(out, p.divergingClusters()...)
}

// divergingClusters returns how many clusters have another network than the configured
// one, which they keep.
func (p *Provisioner) divergingClusters() (out []string) {
	p.watch.mu.Lock()
	s := p.watch.informers
	p.watch.mu.Unlock()
	if s == nil {
		return nil
	}
	others := map[string]int{}
	for _, o := range s.caches[kindStatefulSet].List() {
		w, ok := o.(*appsv1.StatefulSet)
		if !ok {
			continue
		}
		domain, family := networkOf(w)
		if domain == "" {
			continue
		}
		if domain != p.cfg.Network.ClusterDomain {
			others["the DNS domain "+domain]++
		}
		if (family == ecp.IPv6) != (p.cfg.Network.IPFamily == ecp.IPv6) {
			others[string(orIPv4(family))]++
		}
	}
	for _, what := range slices.Sorted(maps.Keys(others)) {
		out = append(out, fmt.Sprintf("%d clusters were made with %s and keep that: EMQX has stored the names of "+
			"its nodes", others[what], what))
	}
	return out
}

func orIPv4(f ecp.IPFamily) ecp.IPFamily {
	if f == "" {
		return ecp.IPv4
	}
	return f
}
