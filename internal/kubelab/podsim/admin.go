package podsim

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/openecp/openecp/internal/kubelab"
)

// Admin returns the configuration of a client that is the administrator of a lab.
func Admin(lab *kubelab.Lab) (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", lab.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("podsim: read the lab's kubeconfig: %w", err)
	}
	return clientConfig(c)
}
