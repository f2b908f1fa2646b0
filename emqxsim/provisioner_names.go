package emqxsim

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/openecp/openecp/ecp"
)

// names returns the names of a cluster's objects, which are those on Kubernetes.
type names struct {
	id      ecp.ID
	version string
	role    ecp.NodeRole // of the nodes
}

func (n names) workload() string {
	switch {
	case n.role == ecp.RoleReplicant:
		return string(n.id) + "-emqx-replicant"
	case atLeast(n.version, 5, 0, 0):
		return string(n.id) + "-emqx"
	}
	return string(n.id) + "-emqx-ee"
}

// headless returns the Service that gives every pod a name of its own.
func (n names) headless() string {
	if n.role == ecp.RoleReplicant {
		return string(n.id) + "-replicant-headless"
	}
	return string(n.id) + "-headless"
}

func (n names) pod(ordinal int) string     { return n.workload() + "-" + strconv.Itoa(ordinal) }
func (n names) claimOf(ordinal int) string { return "data-" + n.pod(ordinal) }
func (n names) auth() string               { return string(n.id) + "-auth" }
func (n names) service() string            { return names{id: n.id, version: n.version}.workload() }

// host returns the address for clients inside the platform.
func (n names) host() string { return n.service() + "." + string(n.id) + ".svc." + domain }

// node returns the EMQX node name of an ordinal.
func (n names) node(ordinal int) string {
	return "emqx@" + n.pod(ordinal) + "." + n.headless() + "." + string(n.id) + ".svc." + domain
}

// api returns the port of the management API.
func (n names) api() string {
	if atLeast(n.version, 5, 0, 0) {
		return ":18083"
	}
	return ":8081"
}

const domain = "cluster.local"

// podIP derives an address from the UID of a pod.
func podIP(uid string) string {
	sum := sha256.Sum256([]byte("ip " + uid))
	return fmt.Sprintf("10.%d.%d.%d", 64+sum[0]%64, sum[1], 1+sum[2]%254)
}
