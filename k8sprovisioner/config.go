package k8sprovisioner

import (
	"errors"
	"log/slog"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Reach is how the management API of a node is reached.
type Reach string

// The ways to a node.
const (
	PodIP       Reach = "pod-ip"       // straight to the pod's address: from inside the Kubernetes cluster
	PortForward Reach = "port-forward" // through the API server; needs Config.RESTConfig
)

// Config says which Kubernetes cluster is used and how.
type Config struct {
	// Client sends every request but port-forwards. Required. Give it a
	// rest.Config that went through [Tune].
	Client kubernetes.Interface
	// RESTConfig leads to the same API server as Client. Required for
	// PortForward; not used otherwise.
	RESTConfig *rest.Config
	// Reach is how the brokers are reached; "" = PodIP.
	Reach Reach
	// Namespace is where the daemon runs: its pods are let in to the brokers'
	// management ports. "" = no such pods, as with PortForward.
	Namespace string
	// ClusterDomain is the DNS domain of the Kubernetes cluster; "" =
	// "cluster.local". It is part of the nodes' names: never change it while
	// there are clusters.
	ClusterDomain string
	// FieldManager owns the fields we write; "" = "openecp". Never change it
	// while there are clusters.
	FieldManager string
	// Logger is told what people who run the daemon should know; nil = nothing.
	Logger *slog.Logger
}

// withDefaults fills in what was left out and says what is missing.
func (c Config) withDefaults() (Config, error) {
	if c.Client == nil {
		return c, errors.New("k8sprovisioner: Config.Client is missing; make one with kubernetes.NewForConfig")
	}
	if c.Reach == "" {
		c.Reach = PodIP
	}
	if c.Reach != PodIP && c.Reach != PortForward {
		return c, errors.New(`k8sprovisioner: Config.Reach is "` + string(c.Reach) + `"; "pod-ip" and "port-forward" are allowed`)
	}
	if c.Reach == PortForward && c.RESTConfig == nil {
		return c, errors.New("k8sprovisioner: Config.RESTConfig is missing; port-forwards need it")
	}
	if c.ClusterDomain == "" {
		c.ClusterDomain = "cluster.local"
	}
	if c.FieldManager == "" {
		c.FieldManager = "openecp"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Tune takes client-go's own limit off c, 5 requests a second by default: the
// API server has priority and fairness of its own. Everything else is left as
// it is.
func Tune(c *rest.Config) {
	c.QPS, c.Burst, c.RateLimiter = -1, -1, nil
}
