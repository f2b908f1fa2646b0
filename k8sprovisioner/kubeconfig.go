package k8sprovisioner

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// ParseKubeconfig returns the client configuration of the current context of a kubeconfig
// that came over a network. The kubeconfig must contain everything itself: a file or a
// program that it names would be one of this machine, and is refused. Errors do not
// repeat its content.
func ParseKubeconfig(text []byte) (*rest.Config, error) {
	config, err := clientcmd.Load(text)
	if err != nil { // its text may quote a secret
		return nil, errors.New("the kubeconfig is not well-formed YAML of the kind Config")
	}
	if err := selfContained(config); err != nil {
		return nil, err
	}
	c, err := clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig()
	if err != nil {
		return nil, errors.New("the kubeconfig's current context does not lead to a cluster and a user; check " +
			"current-context, contexts, clusters and users")
	}
	if !strings.HasPrefix(c.Host, "https://") {
		return nil, errors.New("the kubeconfig's server does not begin with https://: its credentials would travel " +
			"unencrypted")
	}
	return c, nil
}

// selfContained returns an error if any entry names a file or a program.
func selfContained(c *api.Config) error {
	for name, u := range c.AuthInfos {
		for field, used := range map[string]bool{
			"exec": u.Exec != nil, "auth-provider": u.AuthProvider != nil, "tokenFile": u.TokenFile != "",
			"client-certificate": u.ClientCertificate != "", "client-key": u.ClientKey != "",
		} {
			if used {
				return fmt.Errorf("the kubeconfig's user %.60q has %s, which leads out of the file; put token, "+
					"client-certificate-data and client-key-data into it", name, field)
			}
		}
	}
	for name, cluster := range c.Clusters {
		if cluster.CertificateAuthority != "" {
			return fmt.Errorf("the kubeconfig's cluster %.60q has certificate-authority, which leads out of the "+
				"file; put certificate-authority-data into it", name)
		}
	}
	return nil
}
