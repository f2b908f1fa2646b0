package validate

import (
	"strings"
)

// insteadOf says where what a refused setting is for is set; empty means nowhere.
func insteadOf(key string) string {
	for _, part := range []string{"proto_dist", "listen_address", "tcp_server_ip", "ipv6", "inet6"} {
		if strings.Contains(key, part) {
			return "; the family of addresses is one of the Kubernetes target: its ipFamily and ipFamilyPolicy"
		}
	}
	if strings.HasPrefix(key, "cluster.dns") || key == "node.name" {
		return "; the DNS domain is one of the Kubernetes target: its clusterDomain"
	}
	return ""
}
