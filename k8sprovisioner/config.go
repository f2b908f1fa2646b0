package k8sprovisioner

import (
	"errors"
	"fmt"
	"log/slog"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/openecp/openecp/ecp"
)

// Reach is how the management API of a node is reached.
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
	// Kubeconfig is the file that leads there instead; REST is then not read.
	// [Provisioner.ReloadKubeconfig] reads it again. "" = REST says all.
	Kubeconfig string
	// Reach is how the brokers are reached; "" = PodIP.
	Reach Reach
	// Namespace is where the daemon runs: its pods are let in to the brokers'
	// management ports. "" = no such pods, as with PortForward.
	Namespace string
	// Network is the DNS domain of the Kubernetes cluster and its families of
	// addresses; zero = cluster.local, and what the Kubernetes cluster gives of its
	// own. Clusters keep what they were made with.
	Network ecp.TargetNetwork
	// Lease is the name of the Lease in the namespace openecp-system whose holder
	// writes to this Kubernetes cluster; "" = "openecp". Daemons that have copies
	// of one database MUST have the same name here.
	Lease string
	// Incarnation tells this process from every other, also from one with a copy
	// of its database; "" = one is made up. Dead are those of processes that are
	// known to have ended, whose lease need not run out.
	Incarnation string
	Dead        []string
	// Logger is told what people who run the daemon should know; nil = nothing.
	Logger *slog.Logger
}

// fieldManager owns the fields we write, in every object for ever.
const fieldManager = "openecp"

// withDefaults fills in what was left out and says what is wrong.
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

// LoadREST reads the way to an API server from a kubeconfig file and its
// current context; "" takes the service account of the pod we run in.
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
