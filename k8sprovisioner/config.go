package k8sprovisioner

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/openecp/openecp/ecp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Reach tells how the management API of a node is reached.
type Reach string

// The ways to a node.
const (
	PodIP       Reach = "pod-ip"       // straight to the pod's address: from inside the Kubernetes cluster
	PortForward Reach = "port-forward" // through the API server, from anywhere; no local port is opened
)

// Config says which Kubernetes cluster is used and how.
type Config struct {
	// REST leads to the API server. Required; see [LoadREST]. It is copied, and
	// the copy goes without client-go's own limit of 5 requests a second: the
	// API server has priority and fairness.
	REST *rest.Config
	// Kubeconfig is a file that is used instead of REST, and that
	// [Provisioner.ReloadKubeconfig] reads again. It may be empty.
	Kubeconfig string
	// Reach tells how the brokers are reached. An empty Reach means PodIP.
	Reach Reach
	// Namespace is the namespace whose pods may connect to the management ports of the
	// brokers, because the caller runs there. It is empty with PortForward.
	Namespace string
	// Network has the DNS domain of the Kubernetes cluster and its IP families. The zero
	// value means cluster.local and the default families of the Kubernetes cluster. A
	// cluster keeps the network that it was created with.
	Network ecp.TargetNetwork
	// Lease is the name of the Lease in the namespace openecp-system whose holder may
	// write to this Kubernetes cluster. An empty name means "openecp". Processes with
	// copies of one database MUST use the same name.
	Lease string
	// Incarnation is unique to this process, even among processes with a copy of its
	// database. An empty one is replaced by a random one. Dead lists the incarnations of
	// processes that are known to have ended, whose lease need not expire.
	Incarnation string
	Dead        []string
	// Logger gets what an operator should know. Without one nothing is logged.
	Logger *slog.Logger
}

// fieldManager owns the fields that this package writes. It must never change.
const fieldManager = "openecp"

// withDefaults returns the configuration with its defaults, or an error if it is invalid.
func (c Config) withDefaults() (Config, error) {
	if c.REST == nil && c.Kubeconfig == "" {
		return c, errors.New("k8sprovisioner: Config.REST is missing; make one with LoadREST")
	}
	if c.Reach == "" {
		c.Reach = PodIP
	}
	if c.Reach != PodIP && c.Reach != PortForward {
		return c, fmt.Errorf("k8sprovisioner: Config.Reach is %q; %q and %q are allowed", c.Reach, PodIP, PortForward)
	}
	for _, f := range c.Network.Wrong() {
		return c, fmt.Errorf("k8sprovisioner: Config.Network.%s %s", f.Field, f.Message)
	}
	c.Network = c.Network.WithDefaults()
	if c.Lease == "" {
		c.Lease = leaseName
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// LoadREST returns the client configuration of the current context of a kubeconfig file.
// An empty file name means the service account of the pod in which the process runs.
func LoadREST(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		c, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("use the service account of this pod: %w", err)
		}
		return c, nil
	}
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	return c, nil
}
