package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/k8sprovisioner"
)

// serviceAccountDir is where Kubernetes mounts the service account of a pod.
const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// errNoKubernetes is the error of a start without any way to Kubernetes.
var errNoKubernetes = errors.New("no Kubernetes to make clusters on: give --kubeconfig FILE, " +
	"run in a pod with a service account, or try --dev; " +
	"with --cluster-agent alone, for adopted clusters, none is needed")

// kubernetesConfig finds and reads the way to the API server, without a call to it. A
// daemon for adopted clusters needs none; the result then has no REST.
func kubernetesConfig(c config, log *slog.Logger) (k8sprovisioner.Config, error) {
	inPod := c.kubeconfig == "" && isThere(filepath.Join(serviceAccountDir, "token"))
	if c.kubeconfig == "" && !inPod {
		if c.clusterAgent != "" {
			return k8sprovisioner.Config{}, nil
		}
		return k8sprovisioner.Config{}, errNoKubernetes
	}
	k8sprovisioner.LogClientTo(log)
	rest, err := k8sprovisioner.LoadREST(c.kubeconfig)
	if err != nil {
		return k8sprovisioner.Config{}, err
	}
	k := k8sprovisioner.Config{
		REST: rest, Kubeconfig: c.kubeconfig, Reach: k8sprovisioner.Reach(c.reach), Network: c.network(), Logger: log,
	}
	if k.Reach == "" {
		k.Reach = k8sprovisioner.PortForward
		if inPod {
			k.Reach = k8sprovisioner.PodIP
		}
	}
	if inPod {
		namespace, err := os.ReadFile(filepath.Join(serviceAccountDir, "namespace"))
		if err != nil {
			return k8sprovisioner.Config{}, fmt.Errorf("read the namespace of this pod: %w", err)
		}
		k.Namespace = strings.TrimSpace(string(namespace))
	}
	return k, nil
}

// network returns the network settings of clusters on the daemon's own target.
func (c *config) network() ecp.TargetNetwork {
	return ecp.TargetNetwork{
		ClusterDomain: c.clusterDomain,
		IPFamily:      ecp.IPFamily(c.ipFamily), IPFamilyPolicy: ecp.IPFamilyPolicy(c.ipPolicy),
	}
}

// networkSettings has the name of the setting for each field of the network.
var networkSettings = map[string]string{
	"clusterDomain":  "kubernetes-cluster-domain",
	"ipFamily":       "kubernetes-ip-family",
	"ipFamilyPolicy": "kubernetes-ip-family-policy",
}

// newTargets returns what makes the Provisioners of the Kubernetes targets that are added
// over the API. Their brokers are reached through their API servers, because pods of
// another Kubernetes cluster have no route to this one.
func newTargets(c config, kube k8sprovisioner.Config, log *slog.Logger) ecp.ProvisionerFactory {
	if c.dev {
		return func(_ context.Context, t ecp.TargetConfig) (ecp.Provisioner, error) {
			dir := filepath.Join(c.dataDir, "targets", t.Name)
			return emqxsim.NewProvisioner(emqxsim.ProvisionerConfig{Dir: dir, Logger: log})
		}
	}
	return func(_ context.Context, t ecp.TargetConfig) (ecp.Provisioner, error) {
		rest, err := k8sprovisioner.ParseKubeconfig([]byte(t.Kubeconfig))
		if err != nil {
			return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: "reach Kubernetes target " + t.Name,
				Fields: []ecp.FieldError{{Field: "kubeconfig", Message: err.Error()}}}
		}
		return newKubernetes(k8sprovisioner.Config{
			REST: rest, Reach: k8sprovisioner.PortForward, Network: t.Network, Logger: log.With("target", t.Name),
			Lease: "openecp-" + t.Name, Incarnation: kube.Incarnation, Dead: kube.Dead,
		})
	}
}

func newKubernetes(k k8sprovisioner.Config) (ecp.Provisioner, error) {
	p, err := k8sprovisioner.New(k)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func isThere(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
