package kubelab

import (
	_ "embed"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Ports are fixed, since every lab has a loopback address of its own. They are below
// 32768, where the kernel takes none for outgoing connections.
const (
	etcdPort    = "12379"
	peerPort    = "12380"
	apiPort     = "16443"
	kwokPort    = "10247" // kwok's own server, behind the node endpoint
	kubeletPort = "10250"
)

//go:embed stages.yaml
var stages string

func (l *Lab) loopback(port string) string { return net.JoinHostPort(l.net.loopback(), port) }

func (l *Lab) etcd() program {
	client, peer := "http://"+l.loopback(etcdPort), "http://"+l.loopback(peerPort)
	return program{"etcd", []string{
		"--name=lab", "--data-dir=" + filepath.Join(l.Dir, "etcd"), "--log-level=warn",
		"--unsafe-no-fsync", // a lab is never restarted from its disk
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=lab=" + peer,
	}}
}

func (l *Lab) apiServer() program {
	pki := l.ca.path
	return program{"kube-apiserver", append(l.auditArgs(), []string{
		"--etcd-servers=http://" + l.loopback(etcdPort),
		"--bind-address=" + l.net.loopback(), "--secure-port=" + apiPort,
		// Loopback is refused here, and a namespace of `unshare` has no default
		// route to guess another address from.
		"--advertise-address=" + l.net.advertised(), "--endpoint-reconciler-type=none",
		"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"), "--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("sa.pub"), "--service-account-signing-key-file=" + pki("sa.key"),
		"--service-cluster-ip-range=" + l.net.services(),
		"--kubelet-client-certificate=" + pki("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + pki("apiserver-kubelet.key"),
		"--kubelet-certificate-authority=" + pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--enable-admission-plugins=NodeRestriction", "--profiling=false",
	}...)}
}

// auditPolicy logs who changes what. The control plane's own programs write most of all,
// and status is theirs.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  users: [system:apiserver, system:kube-controller-manager, system:kube-scheduler, kwok]
- level: None
  userGroups: [system:serviceaccounts:kube-system, system:nodes]
- level: None
  resources: [{group: "", resources: ["*/status", events]}, {group: apps, resources: ["*/status"]}]
- level: RequestResponse
`

// auditArgs tells the API server to log, each event before it goes on.
func (l *Lab) auditArgs() []string {
	if !l.audit {
		return nil
	}
	return []string{"--audit-policy-file=" + filepath.Join(l.Dir, "audit.yaml"), "--audit-log-path=" + l.AuditLog,
		"--audit-log-mode=blocking"}
}

// writeAuditPolicy writes the policy, if there is to be a log.
func (l *Lab) writeAuditPolicy() error {
	if !l.audit {
		return nil
	}
	l.AuditLog = filepath.Join(l.Dir, "audit.log")
	return os.WriteFile(filepath.Join(l.Dir, "audit.yaml"), []byte(auditPolicy), 0o600)
}

func (l *Lab) controllerManager() program {
	pki := l.ca.path
	pods, mask := l.net.pods()
	return program{"kube-controller-manager", []string{
		"--kubeconfig=" + pki("controller-manager.kubeconfig"),
		"--leader-elect=false", "--secure-port=0", "--profiling=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + pki("sa.key"), "--root-ca-file=" + pki("ca.crt"),
		"--cluster-signing-cert-file=" + pki("ca.crt"), "--cluster-signing-key-file=" + pki("ca.key"),
		"--allocate-node-cidrs=true", "--cluster-cidr=" + pods, "--node-cidr-mask-size=" + mask,
		"--service-cluster-ip-range=" + l.net.services(),
		// A busy machine must not look like a broken node.
		"--node-monitor-grace-period=2m",
		"--kube-api-qps=2000", "--kube-api-burst=4000",
		"--concurrent-statefulset-syncs=20", "--concurrent-namespace-syncs=20",
		"--enable-hostpath-provisioner=true",
		// The default is a folder of the machine's own kubelet.
		"--flex-volume-plugin-dir=" + filepath.Join(l.Dir, "flex"),
	}}
}

func (l *Lab) scheduler() program {
	return program{"kube-scheduler", []string{
		"--kubeconfig=" + l.ca.path("scheduler.kubeconfig"),
		"--leader-elect=false", "--secure-port=0", "--profiling=false",
		"--kube-api-qps=2000", "--kube-api-burst=4000",
	}}
}

func (l *Lab) kwok() program {
	return program{"kwok", []string{
		"--kubeconfig=" + l.ca.path("kwok.kubeconfig"), "--config=" + filepath.Join(l.Dir, "kwok.yaml"),
		"--manage-all-nodes", "--node-lease-duration-seconds=40",
		"--node-ip=" + l.net.node(), "--node-port=" + kubeletPort, "--server-address=" + l.loopback(kwokPort),
	}}
}

func (l *Lab) kubelet() program {
	return program{"kubelet", []string{
		"--kubeconfig=" + l.ca.path("kwok.kubeconfig"), "--listen=" + net.JoinHostPort(l.net.node(), kubeletPort),
		"--kwok=http://" + l.loopback(kwokPort),
		"--tls-cert-file=" + l.ca.path("kubelet.crt"), "--tls-private-key-file=" + l.ca.path("kubelet.key"),
	}}
}

// writeStages writes kwok's configuration for this lab's network.
func (l *Lab) writeStages() error {
	text := strings.ReplaceAll(stages, "LB_PREFIX", l.net.prefix())
	return os.WriteFile(filepath.Join(l.Dir, "kwok.yaml"), []byte(text), 0o600)
}

// writeIdentities writes a certificate for every program and for the
// administrator.
func (l *Lab) writeIdentities() error {
	hosts := []net.IP{net.ParseIP(l.net.loopback()), net.ParseIP(l.net.node()), net.ParseIP("10.96.0.1")}
	for _, id := range []identity{
		{file: "apiserver", name: "kube-apiserver", hosts: hosts},
		{file: "kubelet", name: "kubelet", hosts: hosts},
		{file: "apiserver-kubelet", name: "kube-apiserver-kubelet-client"},
		{file: "controller-manager", name: "system:kube-controller-manager"},
		{file: "scheduler", name: "system:kube-scheduler"},
		{file: "kwok", name: "kwok", groups: []string{"system:masters"}},
		{file: "admin", name: "admin", groups: []string{"system:masters"}},
	} {
		if _, err := l.ca.issue(id); err != nil {
			return err
		}
	}
	return l.ca.signingKey("sa")
}
